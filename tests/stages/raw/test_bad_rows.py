"""Rows that cannot be cut into fields are set aside with their content; the others load."""

import csv
import io
import json

import pytest

from tdml_assets.stages.raw.rules import SourceError

HEADER = "order,who,when,n,price,note\n"
ROWS = [f"A{number},{number:03d},2024-03-{number:02d} 10:00:00,{number},1.25,x\n" for number in range(1, 13)]


def load(shop, content, **changes):
    shop.write("a.csv", content)
    report = shop.load(path="a.csv", **changes)
    assert report.rows_accepted + report.rows_rejected == report.rows_read
    return report


def set_aside(shop):
    found = shop.rows("select row_number, reason, content from raw.rejected_rows order by row_number")
    return [(row["row_number"], row["reason"], json.loads(row["content"]).get("raw")) for row in found]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("A99,99\n", "short_row"),
        ("A99,99,2024-03-01 10:00:00,1,1,x,y\n", "long_row"),
        ('"A \\"99\\"",99,2024-03-01 10:00:00,1,1,x\n', "broken_row"),
        ("12 rows\n", "short_row"),
        ("\x1a\n", "short_row"),
        ("\x00" * 40 + "\n", "short_row"),
    ],
)
@pytest.mark.parametrize("place", [0, 5, 12])
def test_a_row_that_cannot_be_cut_into_fields_is_set_aside_as_it_is_written(shop, bad, reason, place):
    report = load(shop, HEADER + "".join([*ROWS[:place], bad, *ROWS[place:]]))
    assert (report.rows_accepted, report.reasons) == (12, {reason: 1})
    assert set_aside(shop) == [(place + 1, reason, bad.rstrip("\n"))]
    assert shop.column("select count(distinct row_number) from raw.orders") == [12]


def test_the_end_of_a_file_without_a_line_end_is_a_row_like_any_other(shop):
    for tail, reason in (("\x1a", "short_row"), ("\x00" * 500, "short_row"), ("12 rows", "short_row")):
        assert load(shop, HEADER + "".join(ROWS) + tail).reasons == {reason: 1}


def test_empty_cells_that_a_spreadsheet_leaves_out_at_the_end_have_no_value(shop):
    short = [row.replace(",x\n", "\n") for row in ROWS]
    assert load(shop, HEADER + "".join(ROWS[:2] + short[2:])).rows_accepted == 12
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "n", "product_id": "note"}
    with pytest.raises(SourceError, match=r"near line 4: the line has fewer fields .* write csv: {short_rows: fill}"):
        load(shop, HEADER + "".join(ROWS[:2] + short[2:]), columns=columns)
    report = load(shop, HEADER + "".join(ROWS[:2] + short[2:]), columns=columns, csv={"short_rows": "fill"})
    assert report.rows_accepted == 12
    assert shop.column("select count(product_id) from raw.orders") == [2]
    assert load(shop, HEADER + "".join(ROWS[:11]) + short[11], columns=columns).reasons == {"short_row": 1}


def test_empty_fields_behind_the_last_column_are_no_fault(shop):
    assert load(shop, HEADER + "".join(row.replace("\n", ",,\n") for row in ROWS)).rows_accepted == 12


def test_a_file_of_mostly_bad_rows_is_refused_and_the_table_stays(shop):
    load(shop, HEADER + "".join(ROWS))
    with pytest.raises(SourceError, match=r"a\.csv, near line 2: the line has more .* 7 of 12 rows cannot be cut"):
        load(shop, HEADER + "".join(f"{row.strip()},y\n" for row in ROWS[:7]) + "".join(ROWS[7:]))
    assert shop.column("select count(*) from raw.orders") == [12]


def test_the_share_of_bad_rows_that_refuses_a_large_file_is_declared(shop):
    rows = 4 * ROWS
    content = HEADER + "".join(f"{row.strip()},y\n" for row in rows[:12]) + "".join(rows[12:])
    shop.write("a.csv", content)
    with pytest.raises(
        SourceError, match=r"12 of 48 rows cannot be cut into fields, more than quality\.unreadable_limit"
    ):
        shop.load(path="a.csv")
    assert shop.load(path="a.csv", bad_row_limit=0.3).rows_accepted == 36


def test_quotes_that_can_be_read_in_two_ways_refuse_the_file(shop):
    with pytest.raises(SourceError, match=r"a\.csv, near line 4: a quoted field does not end.*write csv: {escape:"):
        load(shop, HEADER + "".join(ROWS).replace("A3", '"A3'))


def test_escaped_quotes_are_read_where_the_escape_is_declared(shop):
    content = HEADER + "".join(ROWS).replace("A3", '"A, \\"3\\""')
    assert load(shop, content, csv={"escape": "\\"}).rows_accepted == 12
    assert 'A, "3"' in shop.column("select order_id from raw.orders")
    assert load(shop, content + "short\n", csv={"escape": "\\"}).reasons == {"short_row": 1}
    assert 'A, "3"' in shop.column("select order_id from raw.orders")


def test_lines_before_the_header_and_rows_after_the_last_are_declared(shop):
    preamble = "Orders of 2024\n\nprinted by, me\n"
    with pytest.raises(SourceError, match=r"a\.csv: the header is line 4: write skip_rows: 3 next to path"):
        load(shop, preamble + HEADER + "".join(ROWS))
    report = load(shop, preamble + HEADER + "".join(ROWS) + "Total,,,12,15,\n", skip_rows=3, skip_footer_rows=1)
    assert (report.rows_accepted, report.reasons) == (12, {"footer_row": 1})
    assert set_aside(shop) == [(13, "footer_row", "Total,,,12,15,")]
    assert (
        load(shop, preamble + "".join(ROWS), skip_rows=3, csv={"header": False}, columns=NUMBERED).rows_accepted == 12
    )


NUMBERED = {"customer_id": "column_2", "ordered_at": "column_3", "amount": "column_5"}


def test_a_line_that_names_the_delimiter_is_not_a_header(shop):
    content = "sep=;\n" + (HEADER + "".join(ROWS)).replace(",", ";")
    assert load(shop, content, csv={"delimiter": ";"}).rows_accepted == 12
    with pytest.raises(SourceError, match="begins with 'sep=;': write csv: {delimiter: \";\"}"):
        load(shop, content)


def test_null_texts_and_encodings_are_those_of_the_declaration_in_a_file_with_bad_rows(shop):
    content = (HEADER + "".join(ROWS).replace("A3", "NULL").replace("A4", "Jürgen") + "short\n").encode("cp1252")
    load(shop, content, csv={"encoding": "cp1252", "null_values": ["NULL"]})
    assert shop.column("select order_id from raw.orders where row_number in (3, 4) order by row_number") == [
        None,
        "Jürgen",
    ]


def test_replaced_rows_of_a_file_with_bad_rows_keep_their_content(shop):
    content = HEADER + "".join(ROWS) + "short\n" + ROWS[0].replace("1.25", "9")
    load(shop, content, line_key=["order_id"])
    found = shop.rows("select row_number, reason, content from raw.rejected_rows order by row_number")
    assert [(row["row_number"], row["reason"]) for row in found] == [(1, "superseded_line"), (13, "short_row")]
    assert json.loads(found[0]["content"])["price"] == "1.25"


def test_bad_rows_of_customers_are_set_aside_too(shop):
    shop.write("people.csv", "id,name\n1,A\n2\n3,C\n4,D\n5,E,f\n6,F\n7,G\n")
    declared = {"path": "people.csv", "format": "csv", "columns": {"customer_id": "id"}}
    report = shop.load("customers", declared=declared)
    assert (report.rows_accepted, report.reasons) == (5, {"long_row": 1, "short_row": 1})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_those_of_another_reader_whatever_the_line_ends(shop, end):
    quoted = [row.replace(",x\n", ',"x\ny, ""z"""\n') for row in ROWS]
    content = HEADER.replace("\n", end) + "".join(row[:-1] + end for row in quoted) + f"a,b{end}{end}"
    shop.write("a.csv", content.encode())
    report = shop.load(path="a.csv")
    assert report.rows_read == sum(1 for row in csv.reader(io.StringIO(content, newline="")) if row) - 1 == 13


def test_bad_rows_are_set_aside_where_rows_are_judged_with_their_order_too(shop):
    shop.write("1.csv", "order,who,when,total\nA,7,2024-03-01,5\nshort\nA,,,\n")
    shop.write("2.csv", "order,who,when,total\nB,8,2024-03-01,2\nB,,,3\nB,,,1\nB,,,1,long\n")
    columns = {"order_id": "order", "customer_id": "who", "ordered_at": "when", "amount": "total"}
    declared = {"columns": columns, "timestamp_format": "%Y-%m-%d", "carry": ["customer_id", "ordered_at"]}
    report = shop.load(**declared)
    assert report.reasons == {"short_row": 1, "missing_amount": 1, "long_row": 1}
    assert shop.rows("select customer_id, sum(amount) as total from raw.orders group by 1 order by 1") == [
        {"customer_id": "7", "total": 5},
        {"customer_id": "8", "total": 6},
    ]
    assert sorted(content for _, _, content in set_aside(shop) if content) == ["B,,,1,long", "short"]


def test_columns_that_blanks_align_are_cut_at_any_number_of_blanks(shop):
    rows = [
        f" A{number:<4} {number:05d}  2024-03-{number:02d}T10:00:00 {number:>3} {1.25:>8}  \r\n"
        for number in range(1, 13)
    ]
    header = " order  who  when           n    price  \r\n"
    shape = {"csv": {"delimiter": " "}, "timestamp_format": "%Y-%m-%dT%H:%M:%S"}
    assert load(shop, header + "".join(rows) + "   \r\n", **shape).reasons == {}
    assert shop.rows("select sum(amount) as amount, min(customer_id) as first from raw.orders") == [
        {"amount": sum(range(1, 13)) * 1.25, "first": "00001"}
    ]
    assert load(shop, header + "".join(rows) + " A13  00013\r\n", **shape).reasons == {"short_row": 1}
