"""Activation: bringing published attributes to the systems that campaigns run in, and taking them back.

The order of a sync: ``planning.py`` compares the source with what a destination last acknowledged, ``guards.py`` judges the plan,
``delivery.py`` sends it batch by batch through a client of ``destinations/`` and marks each batch when it is acknowledged.
"""
