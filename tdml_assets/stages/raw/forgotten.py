"""Customers who asked to be forgotten: kept out of every load, whatever the files hold.

Elsewhere: the command (``commands/forget.py``).

The list holds hashes with a salt that is drawn for each warehouse. Whoever has the warehouse and an id can still ask whether it is
listed; nobody can look the hashes up in a table of hashed ids.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import LOADED, REJECTED_ROWS

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

FORGOTTEN = TableContract(
    "raw",
    "forgotten_customers",
    "One row per id of a customer who asked to be forgotten; their rows are in no table.",
    (
        Column("customer_sha256", "VARCHAR", "SHA-256 of the salt and of the SHA-256 of the id.", False),
        Column("salt", "VARCHAR", "What is put before an id's hash; one for all."),
        Column("forgotten_at", "TIMESTAMP", "When, in UTC.", False),
    ),
)


def salted(database: Database) -> bool:
    """Whether anybody is listed; entries of an older version are given a salt."""
    if not database.has_table(FORGOTTEN.path):
        return False
    if "salt" not in database.columns(FORGOTTEN.path):
        database.ensure(FORGOTTEN)
        database.execute(render("forget/add_salt", forgotten=FORGOTTEN.path, salt=secrets.token_hex(16)))
    return database.count(FORGOTTEN.path) > 0


def remember(database: Database, customers: Sequence[str], *, now: datetime) -> bool:
    """List the ids of a person. Returns whether one of them was listed before."""
    salt = salt_of(database) or secrets.token_hex(16)
    were = [
        database.row(render("forget/is_forgotten", forgotten=FORGOTTEN.path, salt=salt, customer=customer))["row_count"]
        for customer in customers
    ]
    statement = render("forget/remember", forgotten=FORGOTTEN.path, salt=salt, customers=list(customers), now=now)
    database.insert(FORGOTTEN, statement)
    return any(were)


def salt_of(database: Database) -> str | None:
    """The salt; None as long as nobody is listed."""
    salted(database)
    database.ensure(FORGOTTEN)
    found: str | None = database.row(render("forget/salt", forgotten=FORGOTTEN.path))["salt"]
    return found


def keep_out_forgotten(
    database: Database, table: str, session_id: str, files: Sequence[str], replaced: TableContract | None = None
) -> None:
    """Set aside the rows of forgotten customers that a load has just written, without their content.

    ``files``: names of the load's files, in the order of their positions. ``replaced``: table of earlier states of the rows, if
    there is one.
    """
    if not salted(database):
        return
    given = {"table": LOADED[table].path, "forgotten": FORGOTTEN.path}
    database.insert(REJECTED_ROWS, render("raw/forgotten_accepted", **given, session_id=session_id))
    database.execute(render("raw/delete_forgotten", **given))
    if replaced is not None:
        database.execute(render("raw/delete_forgotten", table=replaced.path, forgotten=FORGOTTEN.path))
    rejected = {"rejected": REJECTED_ROWS.path, "source": table, "files": list(files), "forgotten": FORGOTTEN.path}
    database.execute(render("raw/clear_forgotten", **rejected))
