"""Rows of a load, counted in the tables themselves: what was read is what was accepted and what was set aside.

Elsewhere: the order of a load (``tables.py``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.sources import Source, is_recorded
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import LOADED, REJECTED_ROWS
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.rules import FileLayout, SourceError

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database


class ConservationError(RuntimeError):
    """Accepted and rejected rows are not the rows that were read: a fault of this program, so nothing is committed."""


def count_rows(
    database: Database, table: str, files: Sequence[SourceFile], layouts: Sequence[FileLayout], declaration: Source
) -> list[dict[str, Any]]:
    """Rows read, accepted and rejected per file, counted in the tables themselves, and what their future rows wait for."""
    times = {"moment": declaration.moment, "is_recorded": is_recorded(declaration)}
    staged = {row["file_position"]: row for row in database.rows(render("raw/staged_counts", **times))}
    accepted, rejected = (
        {row["file"]: row["row_count"] for row in database.rows(render("raw/counts_by_file", table=path, source=table))}
        for path in (LOADED[table].path, REJECTED_ROWS.path)
    )
    loads = []
    for file, layout in zip(files, layouts, strict=True):
        counted = staged.get(layout.position, {"row_count": 0, "waits_until": None})
        rows_read = counted["row_count"]
        if not rows_read and layout.row_count != 0:
            # The header was followed by something.
            raise SourceError(f"{file.name}: none of its rows could be read: correct the file. Nothing was loaded")
        if layout.row_count is not None and rows_read != layout.row_count:
            raise ConservationError(
                f"{file.name} has {layout.row_count:,} rows, but {rows_read:,} were read: nothing was committed"
            )
        load = {
            "file": file.name,
            "content_sha256": file.sha256,
            "rows_read": rows_read,
            "rows_accepted": accepted.get(file.name, 0),
            "rows_rejected": rejected.get(file.name, 0),
            "header": json.dumps(layout.names),
            "waits_until": counted["waits_until"],
            "written_at": file.written_at,
        }
        if load["rows_accepted"] + load["rows_rejected"] != rows_read:
            raise ConservationError(
                f"{file.name}: {load['rows_accepted']:,} rows accepted and {load['rows_rejected']:,} rejected are not "
                f"the {rows_read:,} rows read: nothing was committed"
            )
        loads.append(load)
    return loads
