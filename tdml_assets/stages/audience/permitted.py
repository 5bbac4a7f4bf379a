"""Who of the published customers may leave as a file, where a list of consent or suppression is declared.

Elsewhere: the rules (``sql/activation/parts/``), the files (``destinations/``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.activation.permission import permission_context, permission_faults
from tdml_assets.activation.syncing import SUCCEEDED, SyncResult, keep_refusal, keep_unplanned
from tdml_assets.declaration.declared_destinations import FilesDestination as FilesSettings
from tdml_assets.platform.statements import render
from tdml_assets.stages.audience.activation import load_permissions
from tdml_assets.stages.audience.exports import ExportError
from tdml_assets.stages.raw.contracts import PERMISSION_LISTS
from tdml_assets.stages.raw.permission_lists import declared_lists
from tdml_assets.stages.raw.rules import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

    from tdml_assets.declaration.destinations import AsksPermission
    from tdml_assets.platform.warehouse import Database, Warehouse
    from tdml_assets.settings import Settings
    from tdml_assets.stages.audience.destinations import Delivery
    from tdml_assets.stages.audience.destinations.files import FilesDestination

#: Name of the exports in lines of the lists that are about one destination.
DESTINATION = "files"


class ExportRefusedError(ExportError):
    """A declared list cannot be asked, so that nobody is exported."""


@dataclass(frozen=True)
class Permission:
    """The lists that an export asks. ``lists``: table per declared list. ``asks``: purpose of the exports."""

    lists: Mapping[str, tuple[str, str]]
    asks: AsksPermission

    def refuse_faults(self, database: Database) -> None:
        """Refuse where a list cannot be asked. Raises ``ExportRefusedError`` saying why."""
        faults = permission_faults(database, self.asks, self.lists)
        if faults:
            raise ExportRefusedError("; ".join(faults))

    def left_out(
        self, database: Database, *, table: tuple[str, str] | None = None, file: Path | None = None
    ) -> dict[str, int]:
        """Customers of a table, or of the Parquet file of an export, who may not be exported, by reason."""
        place = {"table": table, "file": None if file is None else str(file)}
        rows = database.rows(render("audience/left_out", **place, **self._context(database)))
        return {row["exclusion"]: row["customers"] for row in rows}

    def batches(
        self, database: Database, table: tuple[str, str], columns: Sequence[str], rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Rows of who may be exported: ``customer_id``, then the columns. At least one batch, empty where nobody may be."""
        statement = render("audience/export_permitted", table=table, columns=columns, **self._context(database))
        found = database.batches(statement, rows)
        first = next(found, None)
        if first is None:
            first = next(database.batches(render("export/attributes", table=table, columns=columns), 1)).slice(0, 0)
        yield first
        yield from found

    def _context(self, database: Database) -> dict[str, Any]:
        context = permission_context(database, self.asks, self.lists)
        # The control group is kept out of campaigns; an export says who is in it.
        return {**context, "destination": DESTINATION, "control_column": None}


def read_permission(settings: Settings, warehouse: Warehouse) -> Permission | None:
    """Load the declared lists as they are now; None where none is declared.

    Raises ``ExportRefusedError`` if one cannot be read.
    """
    if not declared_lists(settings.sources):
        return None

    def client() -> Any:
        from tdml_assets.platform.resources import s3_client

        return s3_client(settings)

    try:
        names = load_permissions(settings, warehouse, client)
    except SourceError as error:
        raise ExportRefusedError(str(error)) from None
    asks = settings.destinations.files or FilesSettings()
    return Permission({name: PERMISSION_LISTS[name].path for name in names}, asks)


def deliver_permitted(
    settings: Settings, warehouse: Warehouse, session_id: str, build: Any
) -> tuple[Delivery | None, SyncResult | None]:
    """Export who may be exported, with a trail where a list is declared.

    Returns the delivery, None where it was refused; the trail, None where no list is declared. ``build``: makes the destination
    of a :class:`Permission`, or of None.
    """
    began = time.monotonic()
    try:
        permission = read_permission(settings, warehouse)
        destination: FilesDestination = build(permission)
        with warehouse.read() as database:
            delivery = destination.deliver(database, session_id)
    except ExportRefusedError as error:
        return None, keep_refusal(warehouse, DESTINATION, FilesSettings.mode, str(error))
    if permission is None:
        return delivery, None
    added, unchanged = (delivery.rows, 0) if delivery.changed else (0, delivery.rows)
    result = SyncResult(
        DESTINATION,
        session_id,
        SUCCEEDED,
        added=added,
        unchanged=unchanged,
        excluded=delivery.left_out,
        seconds=round(time.monotonic() - began, 3),
    )
    return delivery, keep_unplanned(warehouse, result, FilesSettings.mode)
