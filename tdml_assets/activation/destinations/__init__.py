"""One module per kind of destination: its keys, and a client that sends one batch.

A module has ``DESTINATION``, a subclass of ``DestinationSettings`` with a method ``open``. Nothing else has to be registered:
the name of the module is the name of the kind. Libraries that only a client needs are imported by the client.
"""
