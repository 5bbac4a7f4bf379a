"""The beginning of what carries types: Parquet files, sheets, Delta tables, rows of a database.

Elsewhere: delimited text and JSON (``beginning_text.py``, ``beginning.py``), loading them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tdml_assets.declaration.sources import Source
from tdml_assets.stages.raw import databases, spreadsheets
from tdml_assets.stages.raw.beginning_text import footer_rows, header_offset
from tdml_assets.stages.raw.lake import LAKE_FORMATS
from tdml_assets.stages.raw.names import distinct
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.sample import ROWS, FileSample, Key, SampleFormat

_PREAMBLE_ROWS = 40


def parquet_sample(path: Path, name: str) -> FileSample:
    """A sample of a Parquet file. Raises ``SourceError`` if it cannot be read or has no row."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=ROWS), None)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name}: not a readable Parquet file ({type(error).__name__}): deliver it again") from None
    if batch is None:
        raise SourceError(f"{name}: the file has no row")
    return of_table(pa.Table.from_batches([batch]), name, "parquet")


def table_sample(folder: Path, name: str, kind: str) -> FileSample:
    """A sample of a table whose folder is its path, such as a Delta table.

    Raises ``SourceError`` if it cannot be read or has no row.
    """
    form: SampleFormat = "iceberg" if kind == "iceberg" else "delta"
    return of_table(LAKE_FORMATS[kind].first_rows(name, folder, ROWS), name, form)


def database_sample(declaration: Source, base_folder: Path) -> FileSample:
    """A sample of a table or a query. Raises ``SourceError`` if there is no connection, no such table or no row."""
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory(prefix="tdml-look-") as scratch:
        rows = databases.fetch_rows("orders", declaration, base_folder, Path(scratch), most_rows=ROWS)
        table = pq.read_table(rows.path)
    return of_table(table, declaration.database_name, "database")


def of_table(table: pa.Table, name: str, form: SampleFormat) -> FileSample:
    """A sample of rows that have types. Raises ``SourceError`` if there is no row."""
    if not table.num_rows:
        raise SourceError(f"{name}: the file has no row" if form == "parquet" else f"{name}: there is no row")
    kinds = {item.name: item.type for item in table.schema}
    moments = {key for key, kind in kinds.items() if pa.types.is_timestamp(kind) or pa.types.is_date(kind)}
    numbers = {
        key
        for key, kind in kinds.items()
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    }
    cells = {
        key: [_text(value) for value in table.column(key).slice(0, ROWS).to_pylist()]
        for key, kind in kinds.items()
        if not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    }
    return FileSample(name, form, cells, typed_moments=frozenset(moments), typed_numbers=frozenset(numbers))


def sheet_samples(path: Path, name: str) -> list[FileSample]:
    """One sample per sheet of a workbook that has rows. Raises ``SourceError`` if it is not a workbook, or no sheet has rows."""
    sheets = spreadsheets.sheets_of(name, path, ROWS)
    found = [
        _sheet(name, title, rows, is_only=len(sheets) == 1)
        for title, rows in sheets.items()
        if _width(rows) and len(rows) > 1
    ]
    if not found:
        raise SourceError(f"{name}: no sheet has a header and a row: deliver it again")
    return found


def _width(rows: Sequence[Sequence[Any]]) -> int:
    return max((sum(1 for cell in row if cell not in ("", None)) for row in rows[:_PREAMBLE_ROWS]), default=0)


def _sheet(name: str, title: str, rows: Sequence[Sequence[Any]], *, is_only: bool) -> FileSample:
    width = _width(rows[_PREAMBLE_ROWS // 2 :]) or _width(rows)
    start = next((place for place, row in enumerate(rows) if _filled(row) * 2 > width), 0)
    start += header_offset([[_text(cell) for cell in row] for row in rows[start : start + 3]])
    header = [str(cell).strip() for cell in rows[start]]
    while header and not header[-1]:
        header.pop()
    # A name that two columns have is no name: neither is taken for anything.
    names = distinct([text or f"column_{place}" for place, text in enumerate(header, 1)], ())
    twice = {name for name in names if sum(one.lower() == name.lower() for one in header) > 1}
    body = [row for row in rows[start + 1 :] if _filled(row)]
    footer = footer_rows([[_text(cell) for cell in row] for row in body], width) if len(rows) < ROWS else 0
    body = body[:-footer] if footer else body
    columns = {key: [row[place] if place < len(row) else "" for row in body] for place, key in enumerate(names)}
    columns = {key: values for key, values in columns.items() if key not in twice}
    kinds = {key: {type(value) for value in values if value not in ("", None)} for key, values in columns.items()}
    keys = {} if is_only else {"sheet": Key(title, "the sheet that looks most like orders")}
    if start:
        keys["skip_rows"] = Key(start, "rows before the header")
    if footer:
        keys["skip_footer_rows"] = Key(footer, "rows at the end that sum up or count the others")
    return FileSample(
        name,
        "xlsx",
        {key: [_text(value) for value in values] for key, values in columns.items()},
        keys,
        typed_moments=frozenset(key for key, found in kinds.items() if found and found <= {date, datetime}),
        typed_numbers=frozenset(key for key, found in kinds.items() if found and found <= {int, float}),
    )


def _filled(row: Sequence[Any]) -> int:
    return sum(1 for cell in row if cell not in ("", None))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).strip()
