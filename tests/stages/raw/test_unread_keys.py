"""What a file says beyond its first lines, and keys that a format does not read: named, and never passed over."""

import bz2
import io
import json

import openpyxl
import pytest
from pydantic import ValidationError

from tdml_assets.declaration.sources import Sources
from tdml_assets.stages.raw.rules import SourceError

HEADER = "order,who,when,n,price\n"
ROWS = [f"A{number},{number:03d},2024-03-{number:02d} 10:00:00,{number},1.25\n" for number in range(1, 13)]
OBJECT = {"order": "A1", "who": "7", "when": "2024-03-01 10:00:00", "n": 1, "price": 2}


def test_a_packed_file_with_a_broken_row_is_read_by_record_from_what_is_in_it(shop):
    shop.write("a.csv", bz2.compress((HEADER + "".join(ROWS) + "B1,7\n").encode()))
    report = shop.load()
    assert (report.rows_accepted, report.reasons) == (12, {"short_row": 1})


@pytest.mark.parametrize("key", ["who", "when", "price"])
@pytest.mark.parametrize("value", [{"id": "7"}, ["7"], [{"id": "7"}], []])
def test_an_object_far_behind_the_first_lines_is_set_aside_with_its_reason(shop, key, value):
    lines = [OBJECT] * 1_001 + [{**OBJECT, key: value}]
    shop.write("a.json", "".join(json.dumps(line) + "\n" for line in lines))
    report = shop.load(path="a.json", format="json")
    assert (report.rows_accepted, report.reasons) == (1_001, {"nested_value": 1})


def test_an_object_in_an_order_whose_lines_are_read_together_is_set_aside_too(shop):
    lines = [OBJECT] * 1_001 + [{**OBJECT, "order": "A2", "price": {"gross": 2}}]
    shop.write("a.json", "".join(json.dumps(line) + "\n" for line in lines))
    report = shop.load(path="a.json", format="json", carry=["customer_id"])
    assert (report.rows_accepted, report.reasons) == (1_001, {"nested_value": 1})


def test_a_list_of_objects_that_is_not_utf8_is_refused_by_name(shop):
    shop.write("a.json", json.dumps([{**OBJECT, "who": "é"}], ensure_ascii=False).encode("cp1252"))
    with pytest.raises(SourceError, match=r"a\.json is not utf-8"):
        shop.load(path="a.json", format="json")


@pytest.mark.parametrize(
    ("key", "value", "file_format"),
    [
        ("skip_rows", 1, "json"),
        ("skip_rows", 1, "parquet"),
        ("skip_footer_rows", 1, "json"),
        ("skip_footer_rows", 1, "parquet"),
        ("records", "orders", "csv"),
        ("sheet", "Orders", "csv"),
    ],
)
def test_a_key_that_the_format_does_not_read_is_refused_with_the_formats_that_do(key, value, file_format):
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "price"}
    declared = {
        "path": "a",
        "format": file_format,
        "timestamp_format": "%Y-%m-%d",
        "currency": "GBP",
        "columns": columns,
    }
    with pytest.raises(ValidationError, match=rf"{key} has no effect with format {file_format}, only with "):
        Sources.model_validate({"orders": {**declared, key: value}})


def workbook(*rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize("changes", [{}, {"carry": ["customer_id"]}])
def test_the_footer_of_a_sheet_is_set_aside_as_such(shop, changes):
    shop.write("a.xlsx", workbook(list(OBJECT), list(OBJECT.values()), ["Total", "7", "2024-03-01 10:00:00", 1, 2]))
    report = shop.load(path="a.xlsx", format="xlsx", skip_footer_rows=1, **changes)
    assert (report.rows_accepted, report.reasons) == (1, {"footer_row": 1})
    assert "Total" in shop.column("select content from raw.rejected_rows")[0]


def test_a_damaged_part_of_a_workbook_is_refused_by_name(shop):
    content = bytearray(workbook(list(OBJECT), list(OBJECT.values())))
    place = content.index(b"xl/worksheets/sheet1.xml") + 60
    content[place] ^= 1
    shop.write("a.xlsx", bytes(content))
    with pytest.raises(SourceError, match=r"a\.xlsx is not a (complete|readable) "):
        shop.load(path="a.xlsx", format="xlsx")
