"""Deformed files of orders that are tables of their own: Parquet files and workbooks.

Belongs here: what is done to them. Does not: text files (``inputs_files.py``), counting rows (``inputs_readers.py``).
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.inputs_files import NAMES, Variant, good_rows, spoilt_bytes

_Columns = dict[str, list[Any]]

# ---- Parquet ----


def _columns(dice: random.Random) -> _Columns:
    rows = good_rows(dice, dice.choice([12, 60]))
    columns: _Columns = {name: [row[name] for row in rows] for name in NAMES}
    columns["when"] = [datetime.fromisoformat(text) for text in columns["when"]]
    columns["n"] = [int(text) for text in columns["n"]]
    columns["price"] = [float(text) for text in columns["price"]]
    return columns


def _parquet(columns: dict[str, Any], **form: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **form)
    return buffer.getvalue()


def _with_gaps(columns: _Columns, dice: random.Random) -> _Columns:
    return {name: [None if dice.random() < 0.2 else value for value in values] for name, values in columns.items()}


def _retyped(columns: _Columns, dice: random.Random) -> dict[str, Any]:
    """One column in another type."""
    rows = len(columns["who"])
    others: list[Callable[[], Any]] = [
        lambda: pa.array([[1, 2]] * rows),
        lambda: pa.array([{"a": 1}] * rows),
        lambda: pa.array([b"\xff\x00"] * rows),
        lambda: pa.array([True] * rows),
        lambda: pa.array([None] * rows, pa.null()),
        lambda: pa.array([Decimal("12.345")] * rows, pa.decimal128(38, 10)),
        lambda: pa.array([float("nan"), float("inf")] * (rows // 2)),
        lambda: pa.array([2**63 + 1] * rows, pa.uint64()),
        lambda: pa.array([date(2024, 1, 1)] * rows),
        lambda: pa.array([time(10)] * rows),
        lambda: pa.array([10**18] * rows, pa.duration("ns")),
        lambda: pa.array([2**62] * rows, pa.timestamp("us")),
        lambda: pa.array([1_700_000_000] * rows, pa.timestamp("s", tz="Asia/Tokyo")),
        lambda: pa.array([-(2**62)] * rows, pa.timestamp("ns")),
        lambda: pa.array(["x", "y"] * (rows // 2)).dictionary_encode(),
        lambda: pa.array([1.5] * rows, pa.float16()),
        lambda: pa.array([[("a", 1)]] * rows, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array(["x\x00y", "\U0001f600"] * (rows // 2)),
        lambda: pa.array(["x" * 40_000] * rows, pa.large_string()),
    ]
    return {**columns, dice.choice(NAMES): dice.choice(others)()}


def _renamed(columns: _Columns, dice: random.Random) -> bytes:
    """One column under a name that statements could stumble over, or under that of another column."""
    hostile = [
        '"',
        "'; drop table x; --",
        "",
        " ",
        "a\x00b",
        "Who",
        "who",
        "{{ x }}",
        "file_row_number",
        "line_number",
        "field_0",
    ]
    hostile += ["näme", "x" * 5_000, "a.b", "select", "\n", "filename", "reason", "document"]
    names, place = list(columns), dice.randrange(len(columns))
    names[place] = dice.choice(hostile)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(values) for values in columns.values()], names), buffer)
    return buffer.getvalue()


def parquet_variant(dice: random.Random) -> Variant:
    """A Parquet file deformed in one way, or in its bytes."""
    columns = _columns(dice)
    whole = _parquet(columns)
    cut = dice.randrange(len(whole))
    flips = dice.sample(range(len(whole)), 3)
    made: dict[str, Callable[[], bytes]] = {
        "spoilt bytes": lambda: spoilt_bytes(whole, dice),
        "flipped bits": lambda: bytes(byte ^ 16 if place in flips else byte for place, byte in enumerate(whole)),
        "cut off": lambda: whole[:cut],
        "empty values": lambda: _parquet(_with_gaps(columns, dice)),
        "other types": lambda: _parquet(_retyped(columns, dice)),
        "names": lambda: _renamed(columns, dice),
        "columns left out": lambda: _parquet({name: columns[name] for name in dice.sample(NAMES, 5)}),
        "no row": lambda: _parquet({name: pa.array(values).slice(0, 0) for name, values in columns.items()}),
        "no column": lambda: _parquet({}),
        "compression": lambda: _parquet(columns, compression=dice.choice(["gzip", "zstd", "brotli", "lz4", "none"])),
        "forms": lambda: _parquet(
            columns,
            row_group_size=5,
            version=dice.choice(["1.0", "2.6"]),
            use_dictionary=False,
            data_page_version="2.0",
        ),
        "checksums": lambda: spoilt_bytes(_parquet(columns, write_page_checksum=True), dice),
        "not Parquet": lambda: dice.choice([b"PAR1", b"PAR1PAR1", b"PARE" + whole[4:], b"order,who\n1,2\n", b""]),
    }
    what = dice.choice(list(made))
    changes: dict[str, Any] = {"timestamp_format": None} if dice.random() < 0.5 else {}
    return Variant(what, "a.parquet", made[what](), changes)


# ---- workbooks ----


def _book(rows: list[list[Any]], **sheets: list[list[Any]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.worksheets[0].title = "Orders"
    for row in rows:
        book.worksheets[0].append(row)
    for title, others in sheets.items():
        sheet = book.create_sheet(title)
        for row in others:
            sheet.append(row)
    return book


def _bytes(book: openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _sheet_rows(dice: random.Random) -> list[list[Any]]:
    columns = _columns(dice)
    return [list(NAMES), *map(list, zip(*columns.values(), strict=True))]


_CELLS: tuple[Any, ...] = (
    None,
    True,
    "",
    " ",
    "x",
    1e300,
    0.1,
    12345678901234567,
    date(2024, 1, 1),
    time(10),
    datetime(1900, 1, 1),  # noqa: DTZ001 (a cell has no zone)
    datetime(9999, 12, 31),  # noqa: DTZ001
    "=1/0",
    "=SUM(D2:D5)",
    "#N/A",
    "007",
)


def _with_cells(rows: list[list[Any]], dice: random.Random) -> list[list[Any]]:
    for _ in range(5):
        rows[dice.randrange(1, len(rows))][dice.randrange(len(NAMES))] = dice.choice(_CELLS)
    return rows


def _merged(rows: list[list[Any]], dice: random.Random) -> bytes:
    book = _book(rows)
    top = dice.randint(1, 5)
    book.worksheets[0].merge_cells(
        start_row=top, end_row=top + dice.randint(0, 2), start_column=1, end_column=dice.randint(1, 6)
    )
    return _bytes(book)


def _moved(rows: list[list[Any]], dice: random.Random) -> bytes:
    """The table does not begin in the first cell, or has gaps."""
    book = _book(rows)
    sheet = book.worksheets[0]
    move = dice.choice([lambda: sheet.insert_cols(1), lambda: sheet.insert_rows(1, 2), lambda: sheet.insert_rows(4, 3)])
    move()
    return _bytes(book)


def _far_cell(rows: list[list[Any]], dice: random.Random) -> bytes:
    book = _book(rows)
    book.worksheets[0].cell(row=dice.choice([5, 500, 20_000]), column=dice.choice([3, 9, 300]), value="far")
    return _bytes(book)


def xlsx_variant(dice: random.Random) -> Variant:
    """A workbook deformed in one way, or in its bytes."""
    rows = _sheet_rows(dice)
    whole = _bytes(_book(rows))
    header = [*NAMES[:5], dice.choice(["who", "Who", "", None, 12, True, date(2024, 1, 1), "x" * 300])]
    preamble: list[list[Any]] = [["Orders"], [], ["made", "2024"]]
    one = {"sheet": "Orders"}
    made: dict[str, Callable[[], tuple[bytes, dict[str, Any]]]] = {
        "spoilt bytes": lambda: (spoilt_bytes(whole, dice), {}),
        "cut off": lambda: (whole[: dice.randrange(len(whole))], {}),
        "cells": lambda: (_bytes(_book(_with_cells(rows, dice))), {}),
        "texts": lambda: (_bytes(_book([[None if cell is None else str(cell) for cell in row] for row in rows])), {}),
        "header": lambda: (_bytes(_book([header, *rows[1:]])), {}),
        "merged cells": lambda: (_merged(rows, dice), {}),
        "moved": lambda: (_moved(rows, dice), {}),
        "a far cell": lambda: (_far_cell(rows, dice), {}),
        "sheets": lambda: (_bytes(_book(rows, Other=[["a"], [1]])), dice.choice([{}, one, {"sheet": "None"}])),
        "preamble": lambda: (_bytes(_book([*preamble, *rows])), {"skip_rows": dice.choice([0, 3])}),
        "footer": lambda: (
            _bytes(_book([*rows, [], ["Total", None, None, 12, 99.5]])),
            {"skip_footer_rows": dice.choice([0, 1])},
        ),
        "no row": lambda: (_bytes(_book(rows[: dice.choice([0, 1])])), {}),
        "not a workbook": lambda: (
            dice.choice([b"PK\x03\x04", b"\xd0\xcf\x11\xe0" + bytes(600), b"order,who\n1,2\n", b""]),
            {},
        ),
    }
    what = dice.choice(list(made))
    content, changes = made[what]()
    return Variant(what, "a.xlsx", content, changes)
