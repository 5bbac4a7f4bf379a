"""What a raw file looks like before it is loaded: its columns, and whether there is anything in it.

Belongs here: reading headers with the declared encoding. Does not: checking and rewriting the text itself
(``text.py``), comparing headers (``rules.py``), loading (``tables.py``).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tdml_assets.declaration.sources import CsvOptions, Source
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.faults import source_faults
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.names import delimiter_remedy
from tdml_assets.stages.raw.rules import Field, FileLayout, SourceError, wanted_columns
from tdml_assets.stages.raw.signatures import FIRST_BYTES, what_is_wrong
from tdml_assets.stages.raw.text import LONGEST_LINE, as_utf8, check_text, is_gzip, open_bytes

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

_JSON_LINES = 1_000
_UTF8 = {"utf-8", "utf8", "utf_8", "utf-8-sig", "ascii"}


def read_layout(
    database: Database, declaration: Source, file: SourceFile, *, position: int, scratch_folder: Path
) -> FileLayout:
    """Columns of one file and of its folders, and where the warehouse can read it. Arguments and errors as below."""
    layout = _file_layout(database, declaration, file, position=position, scratch_folder=scratch_folder)
    return replace(layout, fields=(*layout.fields, *_folder_fields(declaration, file, layout)))


def _folder_fields(declaration: Source, file: SourceFile, layout: FileLayout) -> list[Field]:
    """Columns that the names of the file's folders give it; a column of the file itself is never replaced."""
    own = {name.lower(): name for name in layout.names}
    fields = []
    for name, value in file.folder_keys:
        if name.lower() in own:
            if name in declaration.hive_keys:
                raise SourceError(
                    f"{file.name} has a column {own[name.lower()]!r} of its own, and hive_keys names the folder {name}=...: take "
                    f"{name} out of hive_keys to read the column, or rename one of them"
                )
            continue
        # Whatever wrote the folders wrote days in this one way.
        kind = '"NULL"' if value is None else "DATE" if _is_day(value) else "VARCHAR"
        fields.append(Field(name, kind, is_of_folder=True, value=value))
    return fields


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _file_layout(
    database: Database, declaration: Source, file: SourceFile, *, position: int, scratch_folder: Path
) -> FileLayout:
    """Columns of one file, and where the warehouse can read it.

    Parameters
    ----------
    database : reads the columns of Parquet files.
    position : place of the file among those of the source.
    scratch_folder : where text in another encoding is rewritten as UTF-8.

    Raises
    ------
    SourceError
        If the file is empty, holds no row, or is not what it is declared to be.
    """
    if file.size_bytes == 0:
        raise SourceError(f"{file.name}: empty input: the file has 0 bytes. Deliver it again, or take it out of path")
    with source_faults(file.name), file.path.open("rb") as stream:
        first = stream.read(FIRST_BYTES)
    fault = what_is_wrong(first, name=file.path.name, file_format=declaration.format, encoding=declaration.csv.encoding)
    if fault:
        raise SourceError(f"{file.name} {fault}")
    if declaration.format == "parquet":
        return _parquet_layout(database, file, position)
    is_csv = declaration.format == "csv"
    encoding = declaration.csv.encoding if is_csv else "utf-8"
    with source_faults(file.name):
        has_mark = check_text(file, encoding, LONGEST_LINE[declaration.format])
        if is_csv:
            head = _csv_head(file, declaration.csv, encoding)
        else:
            names = _json_names(file, wanted_columns(declaration))
        path, compression = file.path, "gzip" if is_gzip(file) else "none"
        # The warehouse's JSON reader takes no byte order mark.
        if encoding not in _UTF8 or (has_mark and not is_csv):
            path, compression = as_utf8(file, encoding, scratch_folder), "none"
        read_path = escaped(path)
        skipped = 0
        if is_csv:
            skipped = head.blank_lines
            names = _csv_names(database, file.name, declaration.csv, head, read_path, compression)
    _check_names(file, names)
    fields = tuple(Field(name) for name in names)
    return FileLayout(file.name, read_path, compression, fields, position, skipped_lines=skipped)


def escaped(path: Path) -> str:
    """Escape what the warehouse would take for a pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))


def _parquet_layout(database: Database, file: SourceFile, position: int) -> FileLayout:
    read_path = escaped(file.path)
    fault = ""
    try:
        found = database.rows(render("raw/parquet_columns", read_path=read_path))
        rows = database.row(render("raw/parquet_row_count", read_path=read_path))["row_count"]
    except duckdb.Error as error:
        fault = type(error).__name__
    if fault:
        raise SourceError(f"{file.name} is not a readable Parquet file ({fault}): correct format, or deliver it again")
    if rows == 0:
        raise SourceError(f"{file.name}: empty input: the file has no row. Deliver it again, or take it out of path")
    fields = tuple(Field(row["column_name"], row["column_type"]) for row in found)
    _check_names(file, [item.name for item in fields])
    return FileLayout(file.name, read_path, "none", fields, position, rows)


def _check_names(file: SourceFile, names: Collection[str]) -> None:
    for place, name in enumerate(names, start=1):
        if not name or "\x00" in name:
            what = "holds a NUL character" if name else "is empty"
            raise SourceError(f"{file.name}: the name of column {place} {what}: give the column a name in the file")


@dataclass(frozen=True)
class _CsvHead:
    """How a CSV file begins: lines that hold nothing, then a first record of so many fields."""

    blank_lines: int
    field_count: int


def _csv_head(file: SourceFile, options: CsvOptions, encoding: str) -> _CsvHead:
    blanks = {" ", "\t", "\r", "\n", "\ufeff", "\x00"} - {options.delimiter, options.quote}
    fault = ""
    with io.TextIOWrapper(open_bytes(file), encoding=encoding, newline="") as text:
        lines = (line.removeprefix("\ufeff").replace("\x00", "") for line in text)
        blank_lines, line = 0, ""
        for line in lines:
            if set(line) - blanks:
                break
            blank_lines += 1
        reader = (
            csv.reader(_from(line, lines), delimiter=options.delimiter, quotechar=options.quote)
            if options.quote
            else csv.reader(_from(line, lines), delimiter=options.delimiter, quoting=csv.QUOTE_NONE)
        )
        try:
            records = (record for record in reader if record)
            first, second = next(records, None), next(records, None)
        except csv.Error as error:
            fault = str(error)
    if fault:
        line_number = blank_lines + reader.line_num
        raise SourceError(f"{file.name} is not CSV near line {line_number} ({fault}): correct delimiter and quote")
    if first is None or (options.header and second is None):
        what = "only a header" if first else "no line"
        raise SourceError(f"{file.name}: empty input: the file has {what}. Deliver it again, or take it out of path")
    remedy = delimiter_remedy(first[0], options.delimiter) if options.header and len(first) == 1 else None
    if remedy is not None:
        # Said here: the lines below may hold the declared delimiter, and could not be read at all.
        raise SourceError(f"{file.name}: found {first[0]!r}. {remedy}")
    return _CsvHead(blank_lines, len(first))


def _from(line: str, following: Iterable[str]) -> Iterator[str]:
    yield line
    yield from following


def _csv_names(
    database: Database, name: str, options: CsvOptions, head: _CsvHead, read_path: str, compression: str
) -> list[str]:
    """Names as the loader itself reads them: two readers that disagree about a header would lose rows in silence."""
    numbered = [f"column_{place}" for place in range(1, head.field_count + 1)]
    if not options.header:
        return numbered
    fields = tuple(Field(name) for name in numbered)
    layout = FileLayout("", read_path, compression, fields, 0, skipped_lines=head.blank_lines)
    columns = {f"field_{place}": "VARCHAR" for place in range(head.field_count)}
    rows = database.rows(render("raw/csv_header", layout=layout, csv=options, null_values=[""], csv_columns=columns))
    if not rows:
        raise SourceError(f"{name}: its lines cannot be told apart: write every line with the same line end")
    row = rows[0]
    found = [(row[column] or "").removeprefix("\ufeff").strip() for column in columns]
    return [text or number for text, number in zip(found, numbered, strict=True)]


def _json_names(file: SourceFile, wanted: Collection[str]) -> list[str]:
    """Keys of the first lines, and of as many more as it takes to find every wanted one: optional keys may come late."""
    names: dict[str, None] = {}
    count = 0
    with io.TextIOWrapper(open_bytes(file), encoding="utf-8-sig") as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            count += 1
            if count > _JSON_LINES and names.keys() >= set(wanted):
                break
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):  # besides what is no JSON: digits or depth beyond Python's limits
                found = None
            if not isinstance(found, dict):
                raise SourceError(
                    f"{file.name}, line {number}: not a JSON object; format json means one object per line"
                )
            names.update(dict.fromkeys(found))
    if not count:
        raise SourceError(f"{file.name}: empty input: the file has no line. Deliver it again, or take it out of path")
    return list(names)
