"""Customers who asked to be forgotten: kept out of every load, whatever the files hold.

Belongs here: the list, and taking their rows out of what a load has written. Does not: the command (``commands/forget.py``).

The list holds hashes alone. Whoever has an id can still ask whether it is listed, and nobody can read ids from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tdml_assets.declaration.sources import Source
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import LOADED, REJECTED_ROWS

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

FORGOTTEN = TableContract(
    "raw",
    "forgotten_customers",
    "One row per customer who asked to be forgotten; their rows are in no table.",
    (
        Column("customer_sha256", "VARCHAR", "SHA-256 of the id, as hexadecimal digits.", False),
        Column("forgotten_at", "TIMESTAMP", "When, in UTC.", False),
    ),
)


def keep_out_forgotten(database: Database, table: str, declaration: Source, session_id: str) -> None:
    """Set aside the rows of forgotten customers that a load has just written, without their content."""
    if not database.has_table(FORGOTTEN.path) or not database.count(FORGOTTEN.path):
        return
    given = {"table": LOADED[table].path, "forgotten": FORGOTTEN.path}
    database.insert(REJECTED_ROWS, render("raw/forgotten_accepted", **given, session_id=session_id))
    database.execute(render("raw/delete_forgotten", **given))
    pointer = "/" + declaration.mapped["customer_id"].replace("~", "~0").replace("/", "~1")
    database.execute(
        render(
            "raw/clear_forgotten", rejected=REJECTED_ROWS.path, source=table, pointer=pointer, forgotten=FORGOTTEN.path
        )
    )
