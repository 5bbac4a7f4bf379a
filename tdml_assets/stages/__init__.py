"""The stages of a session, one package each, in the order of the README's table.

A package holds ``asset.py`` (read, call one function, write, report; with ``*_asset.py`` the only files that import Dagster) and
the logic. ``sql/<stage>/`` and ``tests/stages/<stage>/`` have the same name.
"""
