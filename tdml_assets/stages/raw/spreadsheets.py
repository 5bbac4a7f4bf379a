"""A sheet of a .xlsx file, written as a Parquet file that the warehouse reads.

Elsewhere: what the columns mean (``plan.py``).

A column of numbers stays numbers and one of moments stays moments. One that mixes kinds becomes text: a number as the shortest text
that is the same number, with the declared decimal mark, a moment in the declared format.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from tdml_assets.declaration.source_values import UNIX_FORMATS
from tdml_assets.declaration.sources import Source
from tdml_assets.platform.extras import MissingExtraError, load_extra
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.names import distinct
from tdml_assets.stages.raw.rules import SourceError

_BATCH_ROWS = 20_000
_PREAMBLE_ROWS = 100
_WORDS = ("iso8601", "excel", *UNIX_FORMATS)
_TYPES = {
    "moment": pa.timestamp("us"),
    "integer": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "text": pa.string(),
}


def as_parquet(file: SourceFile, declaration: Source, wanted: Collection[str], scratch_folder: Path) -> Path:
    """Write the declared sheet as a Parquet file.

    ``wanted``: columns that the source reads, to find a header that is not in the first row. Raises ``SourceError`` if the file is
    not a readable workbook, has no such sheet, or the sheet has no row below its header.
    """
    sheet = _sheet(file, declaration)
    rows = _rows(sheet, declaration.skip_rows)
    header = [_name(cell) for cell in next(rows, [])]
    while header and not header[-1]:
        header.pop()
    _refuse_preamble(file, sheet, header, wanted)
    names = distinct([name or f"column_{place}" for place, name in enumerate(header, start=1)], wanted)
    if len({name.lower() for name in names}) < len(names):
        twice = next(name for name in names if sum(one.lower() == name.lower() for one in names) > 1)
        raise SourceError(f"{file.name}: two columns of the sheet have the name {twice!r}: rename one of them")
    kinds = [_kind({_kind_of(cell) for cell in column}) for column in _columns(sheet, declaration, len(names))]
    schema = pa.schema([pa.field(name, _TYPES[kind]) for name, kind in zip(names, kinds, strict=True)])
    path = scratch_folder / f"{file.sha256[:32]}.sheet.parquet"
    scratch_folder.mkdir(parents=True, exist_ok=True)
    written = 0
    # The code location loads this module, and few loads read a sheet.
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema) as writer:
        while batch := list(islice(rows, _BATCH_ROWS)):
            written += len(batch)
            arrays = [
                pa.array([_value(row[place], kind, declaration) for row in batch], _TYPES[kind])
                for place, kind in enumerate(kinds)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    if not written:
        raise SourceError(
            f"{file.name}: empty input: the sheet has no row below a header. Deliver it again, or correct sheet and skip_rows"
        )
    return path


def sheets_of(name: str, path: Path, most_rows: int) -> dict[str, list[Sequence[Any]]]:
    """The first rows of every sheet of a workbook, by the sheet's name.

    Raises ``SourceError`` if the file is not a readable workbook.
    """
    with _workbook(name, path) as workbook:
        titles = list(workbook.sheet_names)
        return {title: list(islice(workbook.get_sheet_by_name(title).iter_rows(), most_rows)) for title in titles}


def _sheet(file: SourceFile, declaration: Source) -> Any:
    with _workbook(file.name, file.path) as workbook:
        names = list(workbook.sheet_names)
        chosen = declaration.sheet or (names[0] if len(names) == 1 else None)
        if chosen in names:
            return workbook.get_sheet_by_name(chosen)
    shown = ", ".join(repr(name) for name in names[:10])
    if declaration.sheet is None:
        raise SourceError(f"{file.name} has the sheets {shown}: write sheet: with the name of the one to read")
    raise SourceError(f"{file.name} has no sheet {declaration.sheet!r}; found {shown}: correct sheet")


@contextmanager
def _workbook(name: str, path: Path) -> Iterator[Any]:
    """The workbook; what its library raises in the block becomes an error of the source."""
    fault = ""
    try:
        calamine = load_extra("python_calamine", "xlsx", "a .xlsx file")
    except MissingExtraError as error:
        raise SourceError(f"{name}: {error}") from None
    try:
        yield calamine.CalamineWorkbook.from_path(str(path))
    except BaseException as error:
        # What its compiled part gives up on is not an Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        fault = type(error).__name__
    if fault:
        raise SourceError(f"{name} is not a readable .xlsx file ({fault}): correct format, or deliver it again")


def _rows(sheet: Any, skipped: int) -> Iterator[Sequence[Any]]:
    """Rows that hold anything, behind the declared number of first rows."""
    for row in islice(sheet.iter_rows(), skipped, None):
        if any(cell != "" and cell is not None for cell in row):
            yield row


def _columns(sheet: Any, declaration: Source, width: int) -> Iterator[list[Any]]:
    for place in range(width):
        yield [row[place] for row in islice(_rows(sheet, declaration.skip_rows), 1, None)]


def _refuse_preamble(file: SourceFile, sheet: Any, header: Sequence[str], wanted: Collection[str]) -> None:
    if set(wanted) & set(header):
        return
    for number, row in enumerate(islice(sheet.iter_rows(), _PREAMBLE_ROWS)):
        if len(set(wanted) & {_name(cell) for cell in row}) * 2 > len(set(wanted)):
            raise SourceError(f"{file.name}: the header is row {number + 1}: write skip_rows: {number} next to path")


def _name(cell: Any) -> str:
    return _number_text(cell) if isinstance(cell, float) else str(cell).strip()


def _kind_of(cell: Any) -> str:
    if cell is None or cell == "":
        return "none"
    if isinstance(cell, bool):
        return "flag"
    if isinstance(cell, (int, float)):
        return "integer" if float(cell).is_integer() and abs(cell) < 1e15 else "number"
    return "moment" if isinstance(cell, date) else "text"


def _kind(found: set[str]) -> str:
    held = found - {"none"}
    if held == {"integer", "number"}:
        return "number"
    return next(iter(held)) if len(held) == 1 else "text"


def _number_text(cell: float) -> str:
    return str(int(cell)) if float(cell).is_integer() and abs(cell) < 1e15 else repr(float(cell))


def _value(cell: Any, kind: str, declaration: Source) -> Any:
    if cell is None or cell == "":
        return None
    if kind == "moment":
        return cell if isinstance(cell, datetime) else datetime.combine(cell, time())
    if kind == "text":
        return _as_text(cell, declaration)
    return int(cell) if kind == "integer" else cell


def _as_text(cell: Any, declaration: Source) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        numbers = getattr(declaration, "numbers", None)
        return _number_text(cell).replace(".", numbers.decimal if numbers is not None else ".")
    if isinstance(cell, date):
        formats = [text for text in getattr(declaration, "timestamp_format", None) or () if text not in _WORDS]
        return cell.strftime(formats[0]) if formats else cell.isoformat()
    return str(cell)
