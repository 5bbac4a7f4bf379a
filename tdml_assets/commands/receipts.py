"""Receipts of erasures: what was removed where, without the id of the customer.

Elsewhere: removing anything (``forgetting.py``).

A receipt is written step by step, so that an erasure whose process ended is known and goes on with the same receipt.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.files import replacing
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

ERASURES = TableContract(
    "raw",
    "erasures",
    "One row per place that an erasure removed a customer from, or where the customer is still held.",
    (
        Column("erasure_id", "VARCHAR", "Id of the erasure.", False),
        Column("customer_sha256", "VARCHAR", "The customer, as in raw.forgotten_customers.", False),
        Column("kind", "VARCHAR", "table, destination, export, file or model; end: the erasure was completed.", False),
        Column("place", "VARCHAR", "Name of the table, destination or model, or path of the file.", False),
        Column("removed", "BIGINT", "Rows or files removed.", False),
        Column(
            "status", "VARCHAR", "removed, held (somebody has to remove the customer there) or learnt (a model).", False
        ),
        Column("words", "VARCHAR", "What is left to do.", False),
        Column("at", "TIMESTAMP", "When, in UTC.", False),
    ),
    ("erasure_id",),
)
REMOVED, HELD, LEARNT = "removed", "held", "learnt"


@dataclass(frozen=True)
class Entry:
    """One place of a receipt. ``kind``, ``place``, ``removed``, ``status``, ``words``: see :data:`ERASURES`."""

    kind: str
    place: str
    removed: int = 0
    status: str = REMOVED
    words: str = ""


@dataclass(frozen=True)
class Erasure:
    """An erasure that was begun.

    ``customer_sha256``: the customer, salted and hashed. ``resumed``: whether an earlier process began it and did not end it.
    """

    erasure_id: str
    customer_sha256: str
    resumed: bool

    def note(self, database: Database, entries: list[Entry], now: datetime) -> None:
        """Add entries to the receipt."""
        known = {"erasure_id": self.erasure_id, "customer_sha256": self.customer_sha256, "at": now}
        database.insert(ERASURES, [{**known, **vars(entry)} for entry in entries])

    def end(self, database: Database, now: datetime) -> None:
        """Mark the erasure as completed."""
        self.note(database, [Entry("end", "all")], now)

    def receipt(self, database: Database) -> list[dict[str, Any]]:
        """Entries by place: kind, place, removed, status, words, at."""
        return database.rows(render("forget/receipt", erasures=ERASURES.path, erasure_id=self.erasure_id))


def begin_erasure(database: Database, customer: str, salt: str) -> Erasure:
    """Begin an erasure, or go on with one of the same customer that was not completed."""
    database.ensure(ERASURES)
    hashed = hashlib.sha256((salt + hashlib.sha256(customer.encode()).hexdigest()).encode()).hexdigest()
    found = database.rows(render("forget/unfinished", erasures=ERASURES.path, customer_sha256=hashed))
    if found:
        return Erasure(found[0]["erasure_id"], hashed, resumed=True)
    return Erasure(uuid.uuid4().hex[:16], hashed, resumed=False)


def write_receipt(folder: Path, erasure: Erasure, entries: list[dict[str, Any]]) -> Path:
    """Write a receipt as JSON; a reader sees the old file or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{erasure.erasure_id}.json"
    content = {"erasure_id": erasure.erasure_id, "customer_sha256": erasure.customer_sha256, "entries": entries}
    with replacing(path) as file:
        file.write((json.dumps(content, indent=1, default=str) + "\n").encode())
    return path
