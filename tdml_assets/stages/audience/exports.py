"""Exports of the published attributes: where they lie, what a file holds, which old ones go.

Elsewhere: reading tables, writing files or objects (``stages/audience/destinations/files.py``).

Layout below the configured location::

    parent_segment_attributes/
        <as_of>-<session>/attributes.parquet    raw values, typed columns
        <as_of>-<session>/attributes.csv        the same rows, rounded, cells safe to open in a spreadsheet
        <as_of>-<session>/catalog.csv           what the columns mean
        <as_of>-<session>/manifest.json         rows, columns, size and SHA-256 of each file; written last
        latest.json                             names the folder of the last complete export
        latest -> <as_of>-<session>             the same as a link (folders only)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

DATASET = "parent_segment_attributes"
PARQUET, CSV, CATALOG_CSV, MANIFEST = "attributes.parquet", "attributes.csv", "catalog.csv", "manifest.json"
DATA_FILES = (PARQUET, CSV, CATALOG_CSV)
POINTER, LINK = "latest.json", "latest"
FORMAT = "tdml-assets/export/1"
KEEP_DEFAULT = 12

# What a spreadsheet may take for a formula: OWASP's list, with the full-width forms of its first four.
_FORMULA = "^[=+\\-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20]"
_NEGATIVE_NUMBER = r"^-[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
# Text that a spreadsheet turns into a number or a date: leading zeros and digits beyond the fifteenth go, 3-4 becomes a day.
_TAKEN_FOR_NUMBER = "^(0[0-9]+|[0-9]{16,}|[0-9]+[eE.,:/ -][0-9eE.,:/ -]*)$"
_UNSAFE_IN_NAMES = re.compile(r"[^A-Za-z0-9_.]+")


class ExportError(RuntimeError):
    """An export could not be made or placed; what readers see is the export before."""


@dataclass(frozen=True)
class StoredExport:
    """An export found at the destination.

    ``name``: its folder or the last part of its prefix. ``manifest``: its parsed manifest. ``written_at``: when its manifest
    was written, in seconds since the epoch, by the destination's clock.
    """

    name: str
    manifest: Mapping[str, Any]
    written_at: float

    @property
    def session_id(self) -> str:
        """Session that made it."""
        return str(self.manifest["session_id"])


def export_name(as_of: date, session_id: str, attempt: int = 1) -> str:
    """Name of an export's folder.

    A session that is run again with another result must not overwrite files that somebody is reading, so its further
    attempts get a number, and the attempt before goes when the new one is in place.
    """
    session = _UNSAFE_IN_NAMES.sub("-", session_id).strip("-.") or "session"
    return f"{as_of.isoformat()}-{session}" + (f"-{attempt}" if attempt > 1 else "")


def manifest_of(
    *,
    as_of: date,
    session_id: str,
    rows: int,
    columns: Mapping[str, str],
    files: Mapping[str, tuple[int, str]],
    left_out: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Make the manifest, without clock times, so that the same attributes give the same manifest.

    ``columns``: type per column of the attributes. ``files``: size in bytes and SHA-256 per data file. ``left_out``: customers
    who may not be exported, by reason; None where no list says so.
    """
    return {
        "format": FORMAT,
        "dataset": DATASET,
        "as_of": as_of.isoformat(),
        "session_id": session_id,
        "rows": rows,
        **({} if left_out is None else {"left_out": dict(left_out)}),
        "columns": [{"name": name, "type": type_} for name, type_ in columns.items()],
        "files": {name: {"bytes": size, "sha256": digest} for name, (size, digest) in files.items()},
    }


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """JSON as it is written: UTF-8, indented, closed by a line end."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def parse_manifest(content: bytes) -> dict[str, Any] | None:
    """Read a manifest that this project wrote; None for anything else."""
    try:
        manifest = json.loads(content)
    except ValueError:
        return None
    ours = isinstance(manifest, dict) and manifest.get("format") == FORMAT and manifest.get("dataset") == DATASET
    complete = ours and isinstance(manifest.get("files"), dict) and set(manifest["files"]) == set(DATA_FILES)
    return manifest if complete and isinstance(manifest.get("session_id"), str) else None


def pointer_of(name: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Content of ``latest.json``: the folder that is current, and how to open it."""
    return {
        "format": FORMAT,
        "path": name,
        "as_of": manifest["as_of"],
        "session_id": manifest["session_id"],
        "rows": manifest["rows"],
        "files": {file: f"{name}/{file}" for file in (*DATA_FILES, MANIFEST)},
    }


def superseded(exports: Sequence[StoredExport], current: str, keep: int) -> list[StoredExport]:
    """Which exports go: other attempts of the current session, and all but the ``keep`` written last.

    The current export always stays. Raises ``ValueError`` if ``keep`` is less than one.
    """
    if keep < 1:
        raise ValueError(f"keep is {keep}: at least the latest export is kept, give 1 or more")
    session = next((export.session_id for export in exports if export.name == current), None)
    others = [export for export in exports if export.name != current]
    twins = [export for export in others if export.session_id == session]
    older = sorted(
        (export for export in others if export.session_id != session),
        key=lambda export: (export.written_at, export.name),
        reverse=True,
    )
    return twins + older[keep - 1 :]


def spreadsheet_safe(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Put a quote before every text that a spreadsheet could take for a formula.

    Numbers, dates and booleans are left alone, and so is text that is a negative number.
    """
    columns = [_defused(column) if _is_text(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def kept_by_spreadsheets(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Write text that a spreadsheet would change as a formula that gives that text, ``="00123"``.

    For people alone: a program that reads the file meets the formula. The text holds digits and marks between them, nothing else.
    """
    columns = [_as_formula(column) if _is_text(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _as_formula(column: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    changed = pc.match_substring_regex(column, _TAKEN_FOR_NUMBER)
    if not pc.any(changed).as_py():
        return column
    kind = column.type
    formula = pc.binary_join_element_wise(pa.scalar('="', kind), column, pa.scalar('"', kind), pa.scalar("", kind))
    return pc.if_else(changed, formula, column)


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _defused(column: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    dangerous = pc.and_(
        pc.match_substring_regex(column, _FORMULA), pc.invert(pc.match_substring_regex(column, _NEGATIVE_NUMBER))
    )
    if not pc.any(dangerous).as_py():
        return column
    quoted = pc.binary_join_element_wise(pa.scalar("'", column.type), column, pa.scalar("", column.type))
    return pc.if_else(dangerous, quoted, column)
