"""Packed files, known by their content, and sheets of workbooks."""
# ruff: noqa: DTZ001 (a cell has no zone)

import bz2
import gzip
import io
import lzma
import re
import zipfile
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdml_assets.stages.raw import unpacking
from tdml_assets.stages.raw.rules import SourceError

GOOD = b"order,who,when,n,price\nA1,007,2024-03-01 10:00:00,2,1.25\nA2,8,2024-03-02 10:00:00,1,3\n"


def zstd(content):
    return pa.compress(content, codec="zstd", asbytes=True)


def zipped(*names, content=GOOD):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


PACKERS = {
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "zip": lambda content: zipped("in/a.csv", "__MACOSX/a.csv", content=content),
}


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.zip"])
def test_a_packed_file_is_read_whatever_its_name(shop, kind, name):
    shop.write(name, PACKERS[kind](GOOD))
    shop.load(path=name)
    assert shop.column("select sum(amount) from raw.orders") == [Decimal("5.5")]


@pytest.mark.parametrize("kind", PACKERS)
def test_a_packed_file_that_is_cut_off_is_refused_and_the_table_stays(shop, kind):
    shop.write("a.csv", GOOD)
    shop.load()
    packed = PACKERS[kind](GOOD * 50)
    shop.write("a.csv", packed[: len(packed) // 2])
    with pytest.raises(SourceError, match=rf"a\.csv is not a complete {kind} file .*: deliver it again"):
        shop.load()
    assert shop.column("select count(*) from raw.orders") == [2]


def test_an_archive_of_several_files_names_them_and_reads_the_declared_one(shop):
    shop.write("a.zip", zipped("a.csv", "b.csv"))
    with pytest.raises(SourceError, match=r"a zip archive of 2 files \('a\.csv', 'b\.csv'\): write member:"):
        shop.load(path="a.zip")
    assert shop.load(path="a.zip", member="b.csv").rows_accepted == 2


def test_a_file_that_unpacks_beyond_the_limit_is_refused(shop):
    shop.write("a.csv.xz", lzma.compress(GOOD * 1000))
    with pytest.raises(SourceError, match=r"unpacks to more than .* GB: raise max_file_gb"):
        shop.load(path="a.csv.xz", max_file_gb=1e-6)


def test_a_packed_parquet_file_is_read(shop):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"who": ["7"], "when": [datetime(2024, 3, 1)], "total": [2.5]}), buffer)
    shop.write("a.parquet", gzip.compress(buffer.getvalue(), mtime=0))
    shop.load(path="a.parquet", format="parquet", columns=COLUMNS)
    assert shop.column("select amount from raw.orders") == [Decimal("2.5")]


# ---- sheets ----

COLUMNS = {"customer_id": "who", "ordered_at": "when", "amount": "total"}


def book(shop, name="a.xlsx", **sheets):
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(row)
    workbook.save(shop.folder / name)


def load(shop, **changes):
    declared = {"path": "*.xlsx", "format": "xlsx", "columns": COLUMNS, "timestamp_format": None, **changes}
    return shop.load(**declared)


HEAD = ["who", "when", "total", "note"]


def test_a_sheet_is_read_with_exact_numbers_and_moments(shop):
    rows = [[12345, datetime(2024, 3, 1, 10, 30), 0.1, None], [], [7, date(2024, 3, 2), 1234.56, "x"]]
    book(shop, Orders=[HEAD, *rows])
    assert load(shop).rows_read == 2
    assert shop.rows("select customer_id, ordered_at, amount from raw.orders order by row_number") == [
        {"customer_id": "12345", "ordered_at": datetime(2024, 3, 1, 10, 30), "amount": Decimal("0.1")},
        {"customer_id": "7", "ordered_at": datetime(2024, 3, 2), "amount": Decimal("1234.56")},
    ]


def test_a_column_that_mixes_kinds_of_cells_is_read_as_declared(shop):
    rows = [
        ["007", datetime(2024, 3, 1), 1.234, None],
        [8, "02.03.2024", "1.234,50", None],
        [None, None, "Total", None],
    ]
    book(shop, Orders=[HEAD, *rows])
    report = load(shop, timestamp_format="%d.%m.%Y", numbers={"decimal": ",", "thousands": "."})
    assert report.reasons == {"missing_customer": 1}
    assert shop.rows("select customer_id, amount from raw.orders order by row_number") == [
        {"customer_id": "007", "amount": Decimal("1.234")},
        {"customer_id": "8", "amount": Decimal("1234.5")},
    ]
    assert [str(day) for day in shop.column("select ordered_on from raw.orders order by row_number")] == [
        "2024-03-01",
        "2024-03-02",
    ]


def test_the_sheet_and_the_lines_before_its_header_are_declared(shop):
    rows = [["Report"], [], HEAD, [7, datetime(2024, 3, 1), 2, None]]
    book(shop, Orders=rows, Notes=[["x"]])
    with pytest.raises(SourceError, match=r"a\.xlsx has the sheets 'Orders', 'Notes': write sheet:"):
        load(shop)
    with pytest.raises(SourceError, match=r"no sheet 'Order'; found 'Orders', 'Notes'"):
        load(shop, sheet="Order")
    with pytest.raises(SourceError, match=r"a\.xlsx: the header is row 3: write skip_rows: 2 next to path"):
        load(shop, sheet="Orders")
    assert load(shop, sheet="Orders", skip_rows=2).rows_accepted == 1


def test_a_workbook_declared_as_csv_and_a_file_that_is_not_a_workbook_are_named(shop):
    book(shop, Orders=[HEAD, [7, datetime(2024, 3, 1), 2, None]])
    with pytest.raises(SourceError, match=r"a\.xlsx is a spreadsheet \(\.xlsx\): write format: xlsx, and sheet:"):
        shop.load(path="a.xlsx", columns=COLUMNS)
    for content, said in (
        (GOOD, "is not a readable .xlsx file: write format: csv"),
        (b"<html><table>", "is not a readable .xlsx file: it is a web page"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "is not a readable .xlsx file: it is an old .xls workbook"),
        ((shop.folder / "a.xlsx").read_bytes()[:900], "is not a complete zip file"),
        (zipped("a.csv"), "a zip archive of 'a.csv': write the format of that file"),
    ):
        shop.write("a.xlsx", content)
        with pytest.raises(SourceError, match=re.escape(said)):
            load(shop)
    # What it is decides, not its name: the remedy leads to no other error.
    assert shop.load(path="a.xlsx").rows_accepted == 2


def test_a_sheet_without_rows_is_empty_input(shop):
    for rows in ([], [HEAD], [[None, None]]):
        book(shop, Orders=rows)
        with pytest.raises(SourceError, match=r"a\.xlsx: empty input: the sheet has no row below a header"):
            load(shop)


def test_cells_of_yes_and_no_and_whole_numbers_among_fractions_are_read_as_what_they_are(shop):
    head = ["who", "when", "total", "code", "coupon"]
    book(shop, Orders=[head, [7, datetime(2024, 3, 1), 2, True, True], [8, datetime(2024, 3, 2), 2.5, "x", None]])
    load(shop, columns={**COLUMNS, "product_id": "code", "coupon_used": "coupon"})
    assert shop.rows("select amount, product_id, coupon_used from raw.orders order by row_number") == [
        {"amount": Decimal(2), "product_id": "true", "coupon_used": True},
        {"amount": Decimal("2.5"), "product_id": "x", "coupon_used": None},
    ]


def test_a_sheet_of_two_columns_with_one_name_is_refused(shop):
    book(shop, Orders=[["who", "when", "total", "TOTAL"], [7, datetime(2024, 3, 1), 2, 3]])
    with pytest.raises(
        SourceError, match=r"a\.xlsx: two columns of the sheet have the name 'total': rename one of them"
    ):
        load(shop)


def test_a_workbook_whose_sheet_is_damaged_is_refused(shop):
    book(shop, Orders=[HEAD, [7, datetime(2024, 3, 1), 2, None]])
    whole = {}
    with zipfile.ZipFile(shop.folder / "a.xlsx") as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(shop.folder / "a.xlsx", "w") as archive:
        for name, content in whole.items():
            archive.writestr(name, content[: len(content) // 2] if name.startswith("xl/workbook") else content)
    with pytest.raises(SourceError, match=r"a\.xlsx is not a readable \.xlsx file \(\w+\): correct format, or deliver"):
        load(shop)


def test_member_for_a_file_that_is_not_an_archive_is_refused(shop):
    shop.write("a.csv", "who,when,total\n7,2024-03-01,1\n")
    with pytest.raises(
        SourceError, match=r"a\.csv is not a zip archive, and member names a file in one: take member out"
    ):
        shop.load(path="a.csv", member="orders.csv")


def test_a_sheet_that_memory_should_not_hold_is_refused_with_what_to_do(shop, monkeypatch):
    book = openpyxl.Workbook()
    book.active.append(["who", "when", "total"])
    book.active.append([7, date(2024, 3, 1), 1])
    book.save(shop.folder / "a.xlsx")
    monkeypatch.setattr(unpacking, "LARGEST_BOOK_BYTES", 100)
    with pytest.raises(SourceError, match=r"a\.xlsx has a sheet of \d+ MB unpacked, .*: save the sheet as CSV UTF-8"):
        shop.load(path="a.xlsx", format="xlsx")
