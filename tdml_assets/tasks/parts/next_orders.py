"""What customers do next, in a line of the summary.

Belongs here: aggregates in words. Does not: the expectations (``stages/predictions/next_orders.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader


def next_order_highlights(reader: Reader, table: Sequence[str], session_id: str) -> list[tuple[str, str]]:
    """Label and text of orders expected and customers overdue; nothing where predictions do not say it."""
    if "expected_orders" not in reader.columns(table):
        return []
    found = reader.row(render("summary/next_orders", table=table, session_id=session_id))
    if not found["customers"]:
        return [("next orders", found["note"])] if found["note"] else []
    orders = f"{found['orders']:,.0f} expected, from {found['active']:,.0f} customers"
    if not found["with_rhythm"]:
        return [("next orders", orders)]
    return [
        (
            "next orders",
            f"{orders}; {found['overdue']:,} of {found['with_rhythm']:,} who ordered more than once are late by more than their "
            "usual gap",
        )
    ]
