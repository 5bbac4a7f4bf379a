"""Rows that another row of the same line key replaces.

Belongs here: whether a key names a line, or the lines that an order has of one product. Does not: the statements (``sql/raw``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tdml_assets.declaration.sources import OrdersSource, Source
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Keys that several different lines of one file share, from where this is not a slip of the source.
FEWEST_GROUPED_KEYS = 20


def find_dropped(database: Database, declaration: Source, file_count: int) -> int:
    """Fill ``dropped_rows`` from ``staged_rows``. Returns the keys that name several lines; 0 where each names one.

    Of the rows of a key the latest stays. But where one file has different lines under a key, such as a product twice in an order,
    the key does not tell lines apart: then nothing collapses within a file, and of several files the latest that holds the key
    gives all its lines. Where updates or records are declared, rows of a key are states of one line.
    """
    keys = 0
    has_states = isinstance(declaration, OrdersSource) and (declaration.updated_at or declaration.recorded_at)
    if isinstance(declaration, OrdersSource) and not has_states and file_count > 1:
        keys = int(database.row(render("raw/grouped_keys"))["key_count"])
    if keys < FEWEST_GROUPED_KEYS:
        database.execute(render("raw/find_dropped"))
        return 0
    database.execute(render("raw/find_dropped_groups"))
    return keys
