"""What a raw file looks like before it is loaded: its columns, its encoding, and whether there is anything in it.

Belongs here: reading headers with the declared encoding, checking that the text is what it is said to be, rewriting
other encodings as UTF-8. Does not: comparing headers (``core/source_rules.py``), loading (``resources/raw_tables.py``).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import duckdb

from tdml_assets.core.source_rules import Field, FileLayout, SourceError, wanted_columns
from tdml_assets.core.sources import CsvOptions, Source
from tdml_assets.core.statements import render
from tdml_assets.resources.source_files import SourceFile

if TYPE_CHECKING:
    from tdml_assets.resources.warehouse import Database

_CHUNK_BYTES = 1 << 20
_JSON_LINES = 1_000
_UTF8 = {"utf-8", "utf8", "utf_8", "utf-8-sig", "ascii"}


def read_layout(
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
    if declaration.format == "parquet":
        return _parquet_layout(database, file, position)
    compression = "gzip" if file.path.name.lower().endswith(".gz") else "none"
    encoding = declaration.csv.encoding if declaration.format == "csv" else "utf-8"
    try:
        _check_text(file, encoding)
        names = (
            _csv_names(file, declaration.csv, encoding)
            if declaration.format == "csv"
            else _json_names(file, wanted_columns(declaration))
        )
    except (gzip.BadGzipFile, EOFError) as error:
        cause = type(error).__name__
        raise SourceError(f"{file.name} is not a complete gzip file ({cause}): deliver it again") from None
    path = file.path
    if encoding not in _UTF8:
        path, compression = _as_utf8(file, encoding, scratch_folder), "none"
    return FileLayout(file.name, escaped(path), compression, tuple(Field(name) for name in names), position)


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
    return FileLayout(file.name, read_path, "none", fields, position, rows)


def _open(file: SourceFile) -> IO[bytes]:
    return gzip.open(file.path, "rb") if file.path.name.lower().endswith(".gz") else file.path.open("rb")  # type: ignore[return-value]


def _decoded(file: SourceFile, encoding: str) -> Iterator[str]:
    """Yield the file's text in chunks, without a byte order mark."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    place, is_first = 0, True
    with _open(file) as stream:
        while True:
            chunk = stream.read(_CHUNK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                fault = f"{file.name} is not {encoding}: byte {place + error.start:,} or before cannot be read"
            else:
                fault = ""
            if fault:  # raised here, so that no exception in the log carries the bytes
                raise SourceError(f"{fault}. Declare the encoding the file has, for instance csv: {{encoding: cp1252}}")
            if is_first and text:
                text, is_first = text.removeprefix("\ufeff"), False
            yield text
            if not chunk:
                return
            place += len(chunk)


def _check_text(file: SourceFile, encoding: str) -> None:
    for _text in _decoded(file, encoding):
        pass


def _as_utf8(file: SourceFile, encoding: str, scratch_folder: Path) -> Path:
    scratch_folder.mkdir(parents=True, exist_ok=True)
    path = scratch_folder / f"{file.sha256[:32]}.utf8"
    with path.open("w", encoding="utf-8", newline="") as stream:
        for text in _decoded(file, encoding):
            stream.write(text)
    return path


def _csv_names(file: SourceFile, options: CsvOptions, encoding: str) -> list[str]:
    fault = ""
    with io.TextIOWrapper(_open(file), encoding=encoding, newline="") as text:
        lines = (line.removeprefix("\ufeff").replace("\x00", "") for line in text)
        reader = (
            csv.reader(lines, delimiter=options.delimiter, quotechar=options.quote)
            if options.quote
            else csv.reader(lines, delimiter=options.delimiter, quoting=csv.QUOTE_NONE)
        )
        try:
            records = (record for record in reader if record)
            first, second = next(records, None), next(records, None)
        except csv.Error as error:
            fault = str(error)
    if fault:
        raise SourceError(f"{file.name} is not CSV near line {reader.line_num} ({fault}): correct delimiter and quote")
    if first is None or (options.header and second is None):
        what = "only a header" if first else "no line"
        raise SourceError(f"{file.name}: empty input: the file has {what}. Deliver it again, or take it out of path")
    if not options.header:
        return [f"column_{place}" for place in range(1, len(first) + 1)]
    return [name.strip() or f"column_{place}" for place, name in enumerate(first, start=1)]


def _json_names(file: SourceFile, wanted: Collection[str]) -> list[str]:
    """Keys of the first lines, and of as many more as it takes to find every wanted one: optional keys may come late."""
    names: dict[str, None] = {}
    count = 0
    with io.TextIOWrapper(_open(file), encoding="utf-8-sig") as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            count += 1
            if count > _JSON_LINES and names.keys() >= set(wanted):
                break
            try:
                found = json.loads(line)
            except json.JSONDecodeError:
                found = None
            if not isinstance(found, dict):
                raise SourceError(
                    f"{file.name}, line {number}: not a JSON object; format json means one object per line"
                )
            names.update(dict.fromkeys(found))
    if not count:
        raise SourceError(f"{file.name}: empty input: the file has no line. Deliver it again, or take it out of path")
    return list(names)
