"""How many rows a file has, by readers that the loader does not use to decide it: csv, json, pyarrow and openpyxl.

Belongs here: counting. Does not: anything of ``tdml_assets``: a count made by the code under test shows nothing.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
from typing import Any

import openpyxl
import pyarrow.parquet as pq

from benchmarks.inputs_files import Variant


class UnreadableError(ValueError):
    """The reader cannot read the file either."""


def row_count(variant: Variant, file_format: str) -> int:
    """Rows of a file below its header.

    Raises
    ------
    UnreadableError
        If the reader cannot read it.
    """
    count = {"csv": _csv_rows, "json": _json_rows, "parquet": _parquet_rows, "xlsx": _sheet_rows}[file_format]
    try:
        return count(_unpacked(variant.content), variant)
    except Exception as error:
        raise UnreadableError(type(error).__name__) from error


def _unpacked(content: bytes) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    return bz2.decompress(content) if content.startswith(b"BZh") else content


def _csv_rows(content: bytes, variant: Variant) -> int:
    options: dict[str, Any] = variant.changes.get("csv", {})
    encoding = options.get("encoding", "utf-8")
    text = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    csv.field_size_limit(1 << 30)
    marks: dict[str, Any] = {"delimiter": options.get("delimiter", ","), "escapechar": options.get("escape") or None}
    quote = options.get("quote", '"')
    marks |= {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    lines = io.StringIO(text, newline="")
    for _ in range(variant.changes.get("skip_rows", 0)):
        next(lines)
    rows = [row for row in csv.reader(_from_header(lines), **marks) if row]
    return len(rows) - int(options.get("header", True))


def _from_header(lines: io.StringIO) -> Any:
    """Lines from the first that holds anything: blank lines before a header, and ``sep=``, are no rows."""
    is_begun = False
    for line in lines:
        is_begun = is_begun or (bool(line.strip(" \t\r\n\ufeff\x00")) and not line.startswith("sep="))
        if is_begun:
            yield line


def _json_rows(content: bytes, variant: Variant) -> int:
    text = content.decode("utf-8-sig")
    whole: Any = None
    records = variant.changes.get("records")
    if records or text.lstrip().startswith("["):
        whole = json.loads(text)
        for key in records.split(".") if records else ():
            whole = whole[key]
        found = list(whole)
    else:
        found = [json.loads(line) for line in io.StringIO(text, newline=None) if line.strip()]
    if not all(isinstance(row, dict) for row in found):
        raise UnreadableError("not an object")
    if "lines[].k" in variant.changes.get("columns", {}).values():
        return sum(max(1, len(row.get("lines") or ())) for row in found)
    return len(found)


def _parquet_rows(content: bytes, _: Variant) -> int:
    # A note of pyarrow about its own types, which no other reader looks at, and which a flipped bit makes unreadable.
    content = content.replace(b"ARROW:schema", b"arrow-schema")
    return int(pq.read_table(io.BytesIO(content)).num_rows)


def _sheet_rows(content: bytes, variant: Variant) -> int:
    book = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
    sheet = book[variant.changes["sheet"]] if "sheet" in variant.changes else book.worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))[variant.changes.get("skip_rows", 0) :]
    return sum(any(cell not in (None, "") for cell in row) for row in rows) - 1
