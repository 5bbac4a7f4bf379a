"""Files that lack a column which says what a row counts as, and which other files have: their cancelled orders would be sales.

Belongs here: finding them, and the verdict. Does not: columns that a file must have (``stages/raw/rules.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.raw.contracts import LOADS, ORDERS

#: Columns of the contract without which a row counts as another thing, or as more money.
_DECIDING = ("order_status", "refunded_amount", "amount_reversed", "parent_order_id")
_SHOWN = 3


def read_lacking(reader: Reader, declaration: OrdersSource) -> dict[str, tuple[str, ...]]:
    """Files with rows that lack a deciding column of others, per column as the source calls it."""
    loads = reader.rows(render("raw/loads_of_source", loads=LOADS.path, source=ORDERS.name))
    headers = {load["file"]: set(json.loads(load["header"])) for load in loads if load["rows_read"]}
    columns = [declaration.mapped.get(name) for name in _DECIDING]
    found = {}
    for column in [*filter(None, columns), *declaration.other_statuses]:
        lacking = tuple(file for file, header in headers.items() if column not in header)
        if 0 < len(lacking) < len(headers):
            found[column] = lacking
    return found


def lacking_columns(table: str, found: Mapping[str, tuple[str, ...]]) -> Finding:
    """Whether every file has the columns that say what its rows count as."""
    count = float(sum(map(len, found.values())))
    parts = [
        f"{len(files):,} without {column!r} ({', '.join(files[:_SHOWN])}{', ...' if len(files) > _SHOWN else ''})"
        for column, files in found.items()
    ]
    text = (
        f"files that lack a column which says what a row counts as, and which others have: {'; '.join(parts)}; none is the bound"
        if found
        else "every file has the columns that say what a row counts as"
    )
    remedy = (
        "Their cancelled and refunded orders would be sales. If the column was renamed, write what it is called there under "
        "sources.orders.other_names; if these files hold sales alone, there is nothing to do."
    )
    return judged("lacking_columns", table, text, remedy, is_broken=bool(found), value=count, bound=0.0)
