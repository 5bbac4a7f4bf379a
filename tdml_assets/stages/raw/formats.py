"""The formats of source files: one object each, with its endings, the reader of its header, its rows and its keys.

Elsewhere: how a header is read (``headers.py``), how rows are read (``sql/raw/lines/``), the form of such an object
(``declaration/formats.py``). Loading the settings imports this module: the readers are imported by the functions that call
them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tdml_assets.declaration.formats import SourceFormat

if TYPE_CHECKING:
    from tdml_assets.stages.raw.headers import FileToRead
    from tdml_assets.stages.raw.rules import FileLayout


def _csv(given: FileToRead) -> FileLayout:
    from tdml_assets.stages.raw.headers import csv_layout, unpacked_text

    return csv_layout(unpacked_text(given))


def _json(given: FileToRead) -> FileLayout:
    from tdml_assets.stages.raw.headers import json_layout, unpacked_text

    return json_layout(unpacked_text(given))


def _parquet(given: FileToRead) -> FileLayout:
    from tdml_assets.stages.raw.headers import parquet_layout, unpacked_text

    found = unpacked_text(given)
    return parquet_layout(found, found.file.path)


def _xlsx(given: FileToRead) -> FileLayout:
    from tdml_assets.stages.raw.headers import parquet_layout, unpacked_file
    from tdml_assets.stages.raw.rules import wanted_columns
    from tdml_assets.stages.raw.spreadsheets import as_parquet

    found = unpacked_file(given)
    sheet = as_parquet(found.file, given.declaration, wanted_columns(given.declaration), given.scratch_folder)
    return replace(parquet_layout(found, sheet), footer_rows=given.declaration.skip_footer_rows)


def _lake(given: FileToRead) -> FileLayout:
    from tdml_assets.stages.raw.headers import parquet_layout
    from tdml_assets.stages.raw.lake import LAKE_FORMATS

    file = given.file
    table = LAKE_FORMATS[given.declaration.format]
    return parquet_layout(given, table.as_parquet(file.name, file.path, file.sha256, given.scratch_folder))


def _database(given: FileToRead) -> FileLayout:
    from tdml_assets.stages.raw.headers import parquet_layout

    return parquet_layout(given, given.file.path)


FORMATS = {
    found.name: found
    for found in (
        SourceFormat(
            "csv",
            _csv,
            (".csv", ".tsv", ".txt"),
            is_text=True,
            reads_gzip=True,
            keys=frozenset({"skip_rows", "skip_footer_rows"}),
        ),
        SourceFormat("parquet", _parquet, (".parquet", ".pq")),
        SourceFormat(
            "json", _json, (".json", ".jsonl", ".ndjson"), is_text=True, reads_gzip=True, keys=frozenset({"records"})
        ),
        SourceFormat("xlsx", _xlsx, (".xlsx", ".xlsm"), keys=frozenset({"skip_rows", "skip_footer_rows", "sheet"})),
        SourceFormat("delta", _lake),
        SourceFormat("iceberg", _lake),
        SourceFormat("database", _database),
    )
}
