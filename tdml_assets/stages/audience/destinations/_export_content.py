"""What the files of an export hold: rows, batch by batch, and the manifest.

Elsewhere: where the folder goes (``files.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.platform.statements import render
from tdml_assets.stages.audience import exports
from tdml_assets.stages.audience.attribute_files import decimals_of, rounded
from tdml_assets.stages.audience.attributes import CATALOG
from tdml_assets.stages.audience.exports import ExportError

if TYPE_CHECKING:
    import pyarrow as pa

    from tdml_assets.platform.warehouse import Database
    from tdml_assets.stages.audience.permitted import Permission

ATTRIBUTES_TABLE = ("audience", exports.DATASET)
BATCH_ROWS = 100_000


def write_files(
    database: Database,
    folder: Path,
    as_of: date,
    session_id: str,
    *,
    batch_rows: int = BATCH_ROWS,
    permission: Permission | None = None,
) -> dict[str, Any]:
    """Write all files of an export into a new folder, batch by batch. Returns the manifest.

    ``permission``: lists that say who may be exported; everybody without.
    """
    folder.mkdir()
    columns = database.columns(ATTRIBUTES_TABLE)
    attributes: Iterable[pa.RecordBatch]
    if permission is None:
        left_out = None
        attributes = database.batches(render("audience/export_attributes", table=ATTRIBUTES_TABLE), batch_rows)
    else:
        left_out = permission.left_out(database, table=ATTRIBUTES_TABLE)
        attributes = permission.batches(
            database, ATTRIBUTES_TABLE, [name for name in columns if name != "customer_id"], batch_rows
        )
    rows = _write_table(
        attributes,
        csv=folder / exports.CSV,
        parquet=folder / exports.PARQUET,
        decimals=_decimals(database, columns),
    )
    catalog = render("audience/export_catalog", table=CATALOG.path)
    _write_table(database.batches(catalog, batch_rows), csv=folder / exports.CATALOG_CSV, parquet=None)
    manifest = exports.manifest_of(
        as_of=as_of,
        session_id=session_id,
        rows=rows,
        columns=columns,
        files={name: (folder.joinpath(name).stat().st_size, _sha256(folder / name)) for name in exports.DATA_FILES},
        left_out=left_out,
    )
    (folder / exports.MANIFEST).write_bytes(exports.json_bytes(manifest))
    return manifest


def _decimals(database: Database, types: Mapping[str, str]) -> dict[str, int]:
    """Decimals per fractional attribute in CSV, which people read; Parquet holds the raw values."""
    fractions = [name for name, type_ in types.items() if type_ in ("DOUBLE", "FLOAT")]
    if not fractions:
        return {}
    return decimals_of(database.row(render("export/largest", table=ATTRIBUTES_TABLE, columns=fractions)), None)


def _write_table(
    batches: Iterable[pa.RecordBatch],
    *,
    csv: Path,
    parquet: Path | None,
    decimals: Mapping[str, int] | None = None,
) -> int:
    import pyarrow.csv
    import pyarrow.parquet

    options = pyarrow.csv.WriteOptions(eol="\r\n", quoting_style="needed")
    rows = 0
    with ExitStack() as stack:
        text: pyarrow.csv.CSVWriter | None = None
        columnar: pyarrow.parquet.ParquetWriter | None = None
        for batch in batches:
            if text is None:
                text = stack.enter_context(pyarrow.csv.CSVWriter(csv, batch.schema, write_options=options))
                if parquet is not None:
                    columnar = stack.enter_context(pyarrow.parquet.ParquetWriter(parquet, batch.schema))
            text.write_batch(exports.spreadsheet_safe(rounded(batch, decimals or {})))
            if columnar is not None:
                columnar.write_batch(batch)
            rows += batch.num_rows
        if text is None:
            raise ExportError(f"there are no rows for {csv.name}: publish the attributes first")
    return rows


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
