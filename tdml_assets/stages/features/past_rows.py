"""Rows that features are computed from, as they were known at the end of a past day.

Elsewhere: computing features of them (``past_features.py``, ``shift_asset.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render
from tdml_assets.stages.features.snapshots import ORDERS_TABLE

if TYPE_CHECKING:
    import pyarrow as pa

    from tdml_assets.platform.warehouse import Database

#: The tables that features are computed from, and the day each row counts on.
EVENTS = {("raw", "orders"): "ordered_on", ("raw", "pageviews"): "viewed_on", ("raw", "email_events"): "sent_on"}


def rows_up_to(
    database: Database, customers: Sequence[str], last_day: date
) -> tuple[dict[TableContract, pa.Table], int]:
    """Read the rows of customers as they were known at the end of ``last_day``.

    Returns rows per raw table, and how many were left out because they are later, or were recorded later. Where a source tells
    when rows were recorded, the table of earlier states is there, and empty: a state that counted on that day is among the rows.
    """
    found: dict[TableContract, pa.Table] = {}
    later_rows = 0
    for table, day in EVENTS.items():
        replaced = replaced_rows(database, table)
        cut = {"table": table, "day": day, "customers": list(customers), "last_day": last_day, "replaced": replaced}
        found[contract_of(database, table, table)] = database.arrow(render("features/sampled_rows", **cut))
        later_rows += database.row(render("features/count_later_rows", **cut))["later_rows"]
        if replaced is not None:
            contract = contract_of(database, replaced, replaced)
            found[contract] = database.arrow(render("features/no_rows", table=replaced))
    return found, later_rows


def replaced_rows(database: Database, table: tuple[str, str] = ORDERS_TABLE) -> tuple[str, str] | None:
    """The table of earlier states of a raw table's rows; ``None`` where its source does not tell when rows were recorded."""
    replaced = (table[0], f"replaced_{table[1]}")
    return replaced if database.has_table(replaced) else None


def contract_of(database: Database, source: tuple[str, str], target: tuple[str, str]) -> TableContract:
    """Contract of a copy of a table under another name."""
    columns = tuple(Column(name, kind, "") for name, kind in database.columns(source).items())
    return TableContract(*target, "A copy of rows that are looked at again.", columns)
