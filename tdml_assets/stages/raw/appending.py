"""Which loads need to read new files alone, because rows of other files can change nothing in them and they nothing in those.

Elsewhere: the load (``tables.py``), which reads everything again where one condition does not hold.

Rows are judged one by one, so a new file may be added to a table that is still what its files made of it. Rows of different
files meet in three ways: by a line key, by their order (carried values, order totals, refunds) and by the ids of persons. The
last two are always read whole. The order id must be a part of a line key, and no new row may have that of a row that is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.sources import CustomersSource, OrdersSource, Source, is_recorded
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import ORDER_STATUSES, ORDERS, REJECTED_ROWS
from tdml_assets.stages.raw.files import FoundFiles, SourceFile
from tdml_assets.stages.raw.meanings import MOST_STATUSES
from tdml_assets.stages.raw.rules import FileLayout

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database


class MustReadAllError(Exception):
    """New rows cannot be judged without those of the other files."""


@dataclass(frozen=True)
class Appending:
    """Files of the load before that stay as they are.

    ``files``: their rows of ``raw.loads``, by name. ``are_first``: whether new files come behind all of them, so that a new row is
    the later one of its key.
    """

    files: Mapping[str, dict[str, Any]]
    are_first: bool

    def require_headers(self, layouts: Sequence[FileLayout]) -> None:
        """Refuse new files with other columns than those that are kept: columns of all files decide how each is read."""
        known = {load["header"] for load in self.files.values()}
        if len(known) != 1 or not {json.dumps(layout.names) for layout in layouts} <= known:
            raise MustReadAllError("the files have different columns")

    def require_apart(self, database: Database, declaration: Source) -> None:
        """Refuse staged rows of which one shares a line key with another, staged or kept."""
        if not declaration.line_key:
            return
        named = {"orders": ORDERS.path, "rejected": REJECTED_ROWS.path, "source": ORDERS.name}
        found = database.row(render("raw/shared_orders", **named))
        if any(row["row_count"] for row in database.rows(render("raw/dropped_counts"))) or found["shared"]:
            raise MustReadAllError("rows share a line key")
        if found["without_order"] or (found["void_rows"] and not self.are_first):
            raise MustReadAllError("rows may share a line key")

    def statuses(self, database: Database) -> list[dict[str, Any]]:
        """Statuses of the rows that are kept."""
        return database.rows(render("raw/order_statuses", statuses=ORDER_STATUSES.path))


def holds(earlier: Sequence[dict[str, Any]], files: Sequence[SourceFile], declared: str) -> bool:
    """Whether the load before was of these contents, read in this way."""
    before = sorted((load["content_sha256"], load["declaration_sha256"]) for load in earlier)
    return before == sorted((file.sha256, declared) for file in files)


def may_append(
    declaration: Source, found: FoundFiles, earlier: Sequence[dict[str, Any]], declared: str
) -> Appending | None:
    """The files that may stay, where there are new ones beside them; None where everything must be read.

    ``earlier``: rows of ``raw.loads``, of a table that is still what that load made. ``declared``: hash of the declaration.
    """
    if isinstance(declaration, CustomersSource) or found.identities or is_recorded(declaration):
        return None
    if isinstance(declaration, OrdersSource) and (declaration.is_by_order or declaration.updated_at is not None):
        return None
    if declaration.line_key and not _names_the_order(declaration):
        return None
    kept, names = {load["file"]: load for load in earlier}, {file.name for file in found.files}
    places = {file.name: place for place, file in enumerate(found.files) if file.name in kept}
    are_the_same = all(
        load["declaration_sha256"] == declared
        and name in places
        and found.files[places[name]].sha256 == load["content_sha256"]
        for name, load in kept.items()
    )
    are_named = len(kept) == len(earlier) and len(names) == len(found.files)
    if not (are_named and are_the_same and any(load["rows_read"] for load in earlier)):
        return None
    return Appending(kept, max(places.values()) == len(places) - 1)


def _names_the_order(declaration: Source) -> bool:
    if not isinstance(declaration, OrdersSource) or declaration.columns.order_id is None:
        return False
    return bool({"order_id", declaration.columns.order_id} & set(declaration.line_key))


def add_statuses(database: Database, before: Sequence[Mapping[str, Any]]) -> None:
    """Add what was counted before to the statuses that a load has just written."""
    if not before:
        return
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in (*before, *database.rows(render("raw/order_statuses", statuses=ORDER_STATUSES.path))):
        key = (row["order_status"], row["meaning"], row["meaning_from"])
        known = found.get(key, {"row_count": 0, "amount": 0})
        found[key] = {
            **row,
            "row_count": known["row_count"] + row["row_count"],
            "amount": known["amount"] + row["amount"],
        }
    most = sorted(found.values(), key=lambda row: -row["row_count"])[:MOST_STATUSES]
    database.replace(ORDER_STATUSES, most)
