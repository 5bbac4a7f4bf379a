"""What a raw file looks like before it is loaded: its columns, and whether there is anything in it.

Elsewhere: checking and rewriting the text itself (``text.py``), comparing headers (``rules.py``), loading (``tables.py``).
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from tdml_assets.declaration.formats import format_named
from tdml_assets.declaration.sources import CsvOptions, Source
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.csv_records import csv_dialect, read_csv_records
from tdml_assets.stages.raw.faults import source_faults
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.json_paths import as_rows, is_nested
from tdml_assets.stages.raw.names import delimiter_remedy, distinct
from tdml_assets.stages.raw.rules import BAD_ROW_LIMIT, Field, FileLayout, SourceError, named_fields, wanted_columns
from tdml_assets.stages.raw.signatures import FIRST_BYTES, what_is_wrong
from tdml_assets.stages.raw.text import LONGEST_LINE, as_utf8, check_text, is_gzip, open_bytes
from tdml_assets.stages.raw.unpacking import unpacked

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

_JSON_LINES = 1_000
_PREAMBLE_LINES = 100
_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)
_UTF8 = {"utf-8", "utf8", "utf_8", "utf-8-sig", "ascii"}


@dataclass(frozen=True)
class FileToRead:
    """What a format is given of one file.

    ``database``: reads the columns of Parquet files. ``position``: place of the file among those of the source.
    ``scratch_folder``: where a file is rewritten that the warehouse cannot read as it is. ``bad_row_limit``: share of the rows
    of a CSV file that may be set aside because they cannot be cut into fields.
    """

    database: Database
    declaration: Source
    file: SourceFile
    position: int
    scratch_folder: Path
    bad_row_limit: float = BAD_ROW_LIMIT


def read_layout(
    database: Database,
    declaration: Source,
    file: SourceFile,
    *,
    position: int,
    scratch_folder: Path,
    bad_row_limit: float = BAD_ROW_LIMIT,
) -> FileLayout:
    """Columns of one file and of its folders, and where the warehouse can read it.

    ``database``, ``position``, ``scratch_folder``, ``bad_row_limit``: of :class:`FileToRead`. Raises ``SourceError`` if the file is
    empty, or is not what it is declared to be.
    """
    if file.size_bytes == 0:
        raise SourceError(f"{file.name}: empty input: the file has 0 bytes. Deliver it again, or take it out of path")
    given = FileToRead(database, declaration, file, position, scratch_folder, bad_row_limit)
    layout: FileLayout = format_named(declaration.format).layout(given)
    layout = replace(layout, fields=named_fields(file.name, declaration, layout.fields))
    of_folders = _folder_fields(declaration, file, layout)
    if not of_folders:
        return layout
    return replace(layout, fields=(*layout.fields, *of_folders), has_nul=True, has_no_break_blanks=True)


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


def unpacked_file(given: FileToRead) -> FileToRead:
    """The file without what it is packed with.

    Raises ``SourceError`` if it is damaged, larger than ``max_file_gb``, or holds several files and none is declared.
    """
    return replace(given, file=unpacked(given.file, first_bytes(given.file), given.declaration, given.scratch_folder))


def unpacked_text(given: FileToRead) -> FileToRead:
    """The file without what it is packed with, after a look at its first bytes.

    Raises ``SourceError`` if it is no file of its format, with the remedy.
    """
    given = unpacked_file(given)
    file, declaration = given.file, given.declaration
    encoding = declaration.csv.encoding
    fault = what_is_wrong(first_bytes(file), name=file.path.name, file_format=declaration.format, encoding=encoding)
    if fault:
        raise SourceError(f"{file.name} {fault}")
    return given


def first_bytes(file: SourceFile) -> bytes:
    """The first ``FIRST_BYTES`` of a file as it lies on disk."""
    with source_faults(file.name), file.path.open("rb") as stream:
        return stream.read(FIRST_BYTES)


def json_layout(given: FileToRead) -> FileLayout:
    """Columns of a file of JSON objects; a list of objects is written anew, one a line."""
    declaration, file, scratch_folder = given.declaration, given.file, given.scratch_folder
    with source_faults(file.name):
        if is_nested(declaration, first_bytes(file)):
            # A list may be one line, however long.
            check_text(file, "utf-8", sys.maxsize)
            file = as_rows(file, declaration, scratch_folder)
        has_mark = check_text(file, "utf-8", LONGEST_LINE["json"]).has_mark
        names = _json_names(file, wanted_columns(declaration))
        # The warehouse's JSON reader takes no byte order mark.
        path = as_utf8(file, "utf-8", scratch_folder) if has_mark else file.path
        compression = "gzip" if is_gzip(file) and not has_mark else "none"
    _check_names(file, names)
    fields = tuple(Field(name) for name in names)
    return FileLayout(file.name, escaped(path), compression, fields, given.position, source_format="json")


def csv_layout(given: FileToRead) -> FileLayout:
    """Columns of a CSV file, and whether the warehouse reads it or it is cut into records outside of it."""
    database, declaration, file, scratch_folder = given.database, given.declaration, given.file, given.scratch_folder
    options, encoding = declaration.csv, declaration.csv.encoding
    with source_faults(file.name):
        facts = check_text(file, encoding, LONGEST_LINE["csv"])
        head = _csv_head(file, declaration, encoding)
        _refuse_preamble(file, declaration, head, encoding)
        names = distinct(_csv_names(options, head), wanted_columns(declaration))
        _check_names(file, names)
        path, compression = file.path, "gzip" if is_gzip(file) else "none"
        if encoding not in _UTF8:
            path, compression = as_utf8(file, encoding, scratch_folder), "none"
        fields = named_fields(file.name, declaration, [Field(name) for name in names])
        read_path = escaped(path)
        layout = FileLayout(
            file.name,
            read_path,
            compression,
            fields,
            given.position,
            source_format="csv",
            row_count=0 if head.is_all else None,
            skipped_lines=head.skipped_lines,
            text_path=file.path,
            has_nul=facts.has_nul,
            has_no_break_blanks=facts.has_no_break_blanks,
        )
        # Line ends of several kinds are usual inside of quotes, and elsewhere end the whole transaction.
        is_mixed = facts.line_ends > 1 and not _is_read_on_trial(database, options, head, layout)
        if declaration.skip_footer_rows or is_mixed or not _reads_alike(database, options, head, layout):
            layout = read_csv_records(
                file, declaration, layout, limit=given.bad_row_limit, scratch_folder=scratch_folder
            )
    return layout


def escaped(path: Path) -> str:
    """Escape what the warehouse would take for a pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))


def parquet_layout(given: FileToRead, path: Path) -> FileLayout:
    """Columns of rows that lie in a Parquet file: the source's own, or one that its format wrote."""
    database, file = given.database, given.file
    read_path = escaped(path)
    fault = ""
    try:
        found = database.rows(render("raw/parquet_columns", read_path=read_path))
        rows = database.row(render("raw/parquet_row_count", read_path=read_path))["row_count"]
    except duckdb.Error as error:
        fault = type(error).__name__
    if fault:
        raise SourceError(f"{file.name} is not a readable Parquet file ({fault}): correct format, or deliver it again")
    fields = tuple(Field(row["column_name"], row["column_type"]) for row in found)
    _check_names(file, [item.name for item in fields])
    return FileLayout(file.name, read_path, "none", fields, given.position, rows, source_format="parquet")


def _check_names(file: SourceFile, names: Collection[str]) -> None:
    for place, name in enumerate(names, start=1):
        if not name or "\x00" in name:
            what = "holds a NUL character" if name else "is empty"
            raise SourceError(f"{file.name}: the name of column {place} {what}: give the column a name in the file")


@dataclass(frozen=True)
class _CsvHead:
    """How a CSV file begins: lines that are not data, then a first record of these fields; and whether that is all."""

    skipped_lines: int
    fields: tuple[str, ...]
    is_all: bool


def _csv_head(file: SourceFile, declaration: Source, encoding: str) -> _CsvHead:
    options = declaration.csv
    blanks = {" ", "\t", "\r", "\n", "\ufeff", "\x00"} - ({options.delimiter, options.quote} - {" "})
    with io.TextIOWrapper(open_bytes(file), encoding=encoding, newline="") as text:
        lines = (line.removeprefix("\ufeff") for line in text)
        for _ in range(declaration.skip_rows):
            next(lines, None)
        skipped, line = declaration.skip_rows, ""
        for line in lines:
            if set(line) - blanks and not _names_delimiter(file.name, line, options.delimiter):
                break
            skipped += 1
        reader = csv.reader(_from(line, lines), strict=True, **csv_dialect(options))
        first, is_broken = _next_record(reader)
        second, is_second_broken = _next_record(reader)
    if is_broken and options.header:
        raise SourceError(
            f"{file.name}, near line {skipped + 1}: a quoted field does not end: correct the file, or csv.quote. Nothing was loaded"
        )
    if not is_broken and not first:
        raise SourceError(f"{file.name}: empty input: the file has no line. Deliver it again, or take it out of path")
    remedy = delimiter_remedy(first[0], options.delimiter) if options.header and len(first) == 1 else None
    if remedy is not None:
        # Said here: the lines below may hold the declared delimiter, and could not be read at all.
        raise SourceError(f"{file.name}: found {first[0]!r}. {remedy}")
    if options.is_aligned and first and not first[-1]:
        first.pop()  # blanks behind the last name
    return _CsvHead(skipped, tuple(first), options.header and not second and not is_second_broken)


def _next_record(reader: Iterator[list[str]]) -> tuple[list[str], bool]:
    """The next record that is not empty, and whether it breaks the rules of CSV."""
    try:
        return next((record for record in reader if record), []), False
    except csv.Error:
        return [], True


def _names_delimiter(name: str, line: str, declared: str) -> bool:
    """Whether a line tells a spreadsheet the delimiter, as in ``sep=;``."""
    found = _SEPARATOR.fullmatch(line.rstrip("\r\n"))
    if found and found.group(1) != declared:
        shown = "\\t" if found.group(1) == "\t" else found.group(1)
        raise SourceError(f'{name} begins with {line.strip()!r}: write csv: {{delimiter: "{shown}"}}')
    return bool(found)


def _refuse_preamble(file: SourceFile, declaration: Source, head: _CsvHead, encoding: str) -> None:
    """Name the line of the header where the first lines of a file are something else."""
    wanted = wanted_columns(declaration) - {name for name, _ in file.folder_keys}
    if not declaration.csv.header or wanted & {field.strip() for field in head.fields}:
        return
    with io.TextIOWrapper(open_bytes(file), encoding=encoding, newline="") as text:
        for number, line in enumerate(islice(text, _PREAMBLE_LINES)):
            cells, _ = _next_record(csv.reader([line.removeprefix("\ufeff")], **csv_dialect(declaration.csv)))
            if len(wanted & {cell.strip() for cell in cells}) * 2 > len(wanted):
                raise SourceError(
                    f"{file.name}: the header is line {number + 1}: write skip_rows: {number} next to path"
                )


def _from(line: str, following: Iterable[str]) -> Iterator[str]:
    yield line
    yield from following


def _reads_alike(database: Database, options: CsvOptions, head: _CsvHead, layout: FileLayout) -> bool:
    """Whether the warehouse finds the header that was found here: two readers that disagree would lose rows in silence."""
    if options.is_aligned:
        return False
    if not options.header:
        return True
    columns = {f"field_{place}": "VARCHAR" for place in range(len(head.fields))}
    rows = database.rows(render("raw/csv_header", layout=layout, csv=options, null_values=[""], csv_columns=columns))
    found = [(value or "").removeprefix("\ufeff") for row in rows for value in row.values()]
    return found == list(head.fields)


def _is_read_on_trial(database: Database, options: CsvOptions, head: _CsvHead, layout: FileLayout) -> bool:
    """Whether the warehouse can read the whole file, tried on a connection of its own."""
    columns = {f"field_{place}": "VARCHAR" for place in range(len(head.fields))}
    trial = render("raw/csv_trial", layout=layout, csv=options, null_values=[""], csv_columns=columns)
    try:
        deque(database.batches(trial, 1), maxlen=0)
    except duckdb.Error:
        return False
    return True


def _csv_names(options: CsvOptions, head: _CsvHead) -> list[str]:
    numbered = [f"column_{place}" for place in range(1, len(head.fields) + 1)]
    if not options.header:
        return numbered
    return [text.strip() or number for text, number in zip(head.fields, numbered, strict=True)]


def _refuse_nested(file: SourceFile, found: dict[str, Any], wanted: Collection[str]) -> None:
    """Refuse an object or a list where a value is wanted: as text it would be a value that nothing else has."""
    for name in wanted:
        value = found.get(name)
        if isinstance(value, dict) and value:
            keys = list(value)[:10]
            raise SourceError(
                f"{file.name}: {name!r} holds an object with the keys {', '.join(map(repr, keys))}: map the key that is meant, for "
                f"instance {name}.{next(iter(value))}"
            )
        if isinstance(value, list):
            keys = [key for item in value[:1] if isinstance(item, dict) for key in item]
            example = f"{name}[].{keys[0]}" if keys else f"{name}[]"
            raise SourceError(
                f"{file.name}: {name!r} holds a list: map what is meant of its items, for instance {example}"
            )


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
            except (ValueError, RecursionError):  # besides what is not JSON: digits or depth beyond Python's limits
                found = None
            if not isinstance(found, dict):
                raise SourceError(
                    f"{file.name}, line {number}: not a JSON object; format json means one object per line"
                )
            _refuse_nested(file, found, wanted)
            names.update(dict.fromkeys(found))
    if not count:
        raise SourceError(f"{file.name}: empty input: the file has no line. Deliver it again, or take it out of path")
    return list(names)
