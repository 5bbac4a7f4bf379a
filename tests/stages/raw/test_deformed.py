"""Deformed files: each is read in whole, or refused by name while the table stays; no other error ever comes out."""

import csv
import gzip
import io
import json
import random
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import TABLES
from tdml_assets.stages.raw.rules import STAGED_COLUMNS, SourceError

HEADER = "order,who,when,n,price\n"
ROWS = [f"A{number},{number:03d},2024-03-{number:02d} 10:00:00,{number},1.25\n" for number in range(1, 13)]
GOOD = HEADER + "".join(ROWS)
COLUMNS = {"order_id": "order", "customer_id": "who", "ordered_at": "when", "amount": "price"}
LONG = "x" * 33_000_000


def is_as_before(shop):
    return shop.column("select count(*) from raw.orders") == [12] and shop.column(
        "select session_id from raw.loads"
    ) == ["s1"]


@pytest.mark.parametrize("behind", ["\t", '""note', "x", ' "'])
def test_a_header_with_a_mark_behind_a_closing_quote_never_empties_the_table(shop, behind):
    shop.write("a.csv", GOOD)
    shop.load()
    shop.write("a.csv", GOOD.replace("price\n", f'"price"{behind}\n'))
    with pytest.raises(SourceError, match=r"a\.csv, near line 1: a quoted field does not end"):
        shop.load(session_id="s2")
    assert is_as_before(shop)


def test_lines_that_end_in_different_ways_are_all_read(shop):
    shop.write("a.csv", "\r\r\r\n\r\n" + GOOD)
    assert shop.load().rows_accepted == 12
    shop.write(
        "a.csv",
        HEADER + "".join(row.replace("\n", end) for row, end in zip(ROWS, 4 * ["\r\n", "\n", "\r"], strict=True)),
    )
    assert shop.load().rows_accepted == 12


@pytest.mark.parametrize(("place", "line_end"), [(1, "\n"), (6, "\r"), (13, "\r\n")])
def test_a_line_beyond_what_the_warehouse_reads_is_refused_with_its_number(shop, place, line_end):
    shop.write("a.csv", GOOD)
    shop.load()
    rows = [*ROWS[: place - 1], f"B,7,2024-03-01 10:00:00,1,{LONG}\n", *ROWS[place - 1 :]]
    shop.write("a.csv", (HEADER + "".join(rows)).replace("\n", line_end))
    with pytest.raises(SourceError, match=rf"a\.csv, line {place + 1}: the line is longer than 2,000,000 characters"):
        shop.load(session_id="s2")
    assert is_as_before(shop)


def test_a_json_object_beyond_what_the_warehouse_reads_is_refused_in_our_words(shop):
    shop.write("a.json", '{"who": "1"}\n' + json.dumps({"who": LONG}) + "\n")
    columns = {"customer_id": "who", "ordered_at": "who", "amount": "who"}
    with pytest.raises(SourceError, match=r"a\.json, line 2: the line is longer than 16,000,000 characters"):
        shop.load(path="a.json", format="json", columns=columns)
    shop.write("a.json", json.dumps({"who": "€" * 12_000_000}, ensure_ascii=False) + "\n")
    with pytest.raises(SourceError, match=r"a\.json.*an object is larger than 16 MB: split it"):
        shop.load(path="a.json", format="json", columns=columns)


@pytest.mark.parametrize(
    ("blank", "line_end"),
    [("\n", "\n"), ("\n\n\n", "\r\n"), ("  \n", "\r"), ("\t \n\n", "\n"), ("\ufeff\n", "\r\n")],
)
def test_blank_lines_before_a_header_are_skipped_and_the_header_is_not_a_row(shop, blank, line_end):
    shop.write("a.csv", (blank + GOOD).replace("\n", line_end))
    shop.write("people.csv", (blank + "id\n007\n8\n").replace("\n", line_end))
    assert (shop.load(path="a.csv").rows_read, shop.load(path="a.csv").rows_rejected) == (12, 0)
    report = shop.load("customers", declared={"path": "people.csv", "format": "csv", "columns": {"customer_id": "id"}})
    assert (report.rows_read, report.rows_accepted) == (2, 2)
    assert shop.column("select customer_id from raw.customers order by row_number") == ["007", "8"]
    assert shop.column("select row_number from raw.customers order by row_number") == [1, 2]


def test_a_json_file_may_begin_with_a_byte_order_mark(shop):
    line = {"who": "7", "when": "2024-03-01", "price": 2}
    shop.write("a.json", b"\xef\xbb\xbf" + json.dumps(line).encode() + b"\n")
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "price"}
    shop.load(path="a.json", format="json", columns=columns, timestamp_format="%Y-%m-%d")
    assert shop.column("select customer_id from raw.orders") == ["7"]


def test_a_column_whose_name_no_table_can_have_is_refused_by_its_place(shop):
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "price"}
    pq.write_table(pa.table({"who": ["7"], "no\x00te": ["x"]}), shop.folder / "a.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet: the name of column 2 holds a NUL character"):
        shop.load(path="a.parquet", format="parquet", columns=columns)
    for name, said in (("no\x00te", "column 2 holds a NUL character"), ("", "column 2 is empty")):
        shop.write("a.json", json.dumps({"who": "7", name: "x"}))
        with pytest.raises(SourceError, match=rf"a\.json: the name of {said}"):
            shop.load(path="a.json", format="json", columns=columns)


def test_columns_of_customers_may_have_the_names_that_statements_use(shop):
    names = [
        "id",
        "__source__",
        "lines",
        "given",
        "field_0",
        "text_0",
        "document",
        "line_number",
        "reason",
        "staged_rows",
    ]
    shop.write("people.csv", ",".join(names) + "\n" + ",".join(str(place) for place in range(len(names))) + "\n")
    declared = {"path": "people.csv", "format": "csv", "columns": {"customer_id": "id"}}
    assert shop.load("customers", declared=declared).rows_accepted == 1
    found = shop.rows("select * from raw.customers")[0]
    assert [found[name] for name in names[1:]] == [str(place) for place in range(1, len(names))]


@pytest.mark.parametrize("name", [*STAGED_COLUMNS, "Staged_Reason", "row_number"])
def test_a_column_of_customers_that_the_load_itself_needs_is_refused_with_another_name(shop, name):
    shop.write("people.csv", f"id,{name}\n7,x\n")
    declared = {"path": "people.csv", "format": "csv", "columns": {"customer_id": "id"}}
    with pytest.raises(SourceError, match=r"people\.csv has the name of another column .*_given"):
        shop.load("customers", declared=declared)
    given = {"customer_id": "id", f"{name}_given": name}
    assert shop.load("customers", declared={**declared, "columns": given}).rows_accepted == 1


def test_the_columns_that_a_load_needs_are_all_known():
    flags = dict.fromkeys(("has_key", "has_currencies", "has_statuses", "by_order", "is_large"), True)
    text = render("raw/create_staged", contract=TABLES["customers"], constants={}, **flags).text
    assert tuple(re.findall(r"\b(staged_(?!rows)\w+)", text)) == STAGED_COLUMNS


# ---- many ways at once ----


def deformed(content: bytes, dice: random.Random) -> bytes:
    """``content`` with up to three small faults: bytes flipped, cut out, doubled, moved or put in."""
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(content) + 1)
        until = min(len(content), place + dice.choice([1, 1, 2, 8, 64]))
        put = dice.choice(
            [b"", b'"', b'""', b"\n", b"\r\n", b"\r", b"\x00", b",", b"\\", b"\xff", b"\xef\xbb\xbf", b"{", b"\x1a"]
        )
        content = dice.choice(
            [
                content[:place] + put + content[until:],
                content[:place] + put + content[place:],
                content[:place] + content[place:until] * 2 + content[until:],
                content[:place],
                content[place:] + content[:place],
                put * dice.randint(1, 3) + content,
            ]
        )
    return content


def record_count(content: bytes) -> int:
    """Rows of a CSV file with a header, by a reader of another make."""
    lines = io.StringIO(content.decode("utf-8-sig"), newline="")
    return sum(1 for record in csv.reader(lines) if any(field.strip() for field in record)) - 1


def seeds():
    table = pa.table(
        {name: [row.strip().split(",")[place] for row in ROWS] for place, name in enumerate(HEADER.strip().split(","))}
    )
    parquet = io.BytesIO()
    pq.write_table(table, parquet)
    objects = "".join(json.dumps(row) + "\n" for row in table.to_pylist())
    return {
        "a.csv": ("csv", GOOD.encode()),
        "a.csv.gz": ("csv", gzip.compress(GOOD.encode(), mtime=0)),
        "a.json": ("json", objects.encode()),
        "a.json.gz": ("json", gzip.compress(objects.encode(), mtime=0)),
        "a.parquet": ("parquet", parquet.getvalue()),
    }


@pytest.mark.parametrize("name", seeds())
def test_a_deformed_file_is_read_in_whole_or_refused_and_the_table_stays(shop, name):
    file_format, content = seeds()[name]
    dice, changes = random.Random(name), {"path": name, "format": file_format, "columns": COLUMNS}
    shop.write(name, content)
    rows = shop.load(**changes).rows_read
    outcomes = set()
    for attempt in range(12):
        broken = deformed(content, dice)
        shop.write(name, broken)
        try:
            report = shop.load(session_id=f"s{attempt}", **changes)
        except SourceError:
            outcomes.add("refused")
            kept = shop.rows("select rows_read from raw.loads"), shop.column("select count(*) from raw.orders")
            assert kept == ([{"rows_read": rows}], [accepted_of(shop)]), broken
        else:
            outcomes.add("read")
            rows = report.rows_read
            assert report.rows_accepted + report.rows_rejected == rows > 0, broken
            if name == "a.csv":
                assert rows == record_count(broken), broken
    assert "refused" in outcomes
    assert "read" in outcomes or not name.endswith((".csv", ".json"))


def accepted_of(shop):
    return shop.column("select rows_accepted from raw.loads")[0]
