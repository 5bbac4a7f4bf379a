"""Judging rows: every row is accepted or kept with a reason; time, money and returns mean what was declared."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

import json
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from tdml_assets.platform.statements import Statement, render
from tdml_assets.stages.raw.contracts import ORDERS, REASONS
from tdml_assets.stages.raw.numbers import NumberMarks

HEADER = "order,who,when,n,price\n"
GOOD = HEADER + "A1,007,2024-03-01 10:00:00,2,1.25\nA2,8,2024-03-02 10:00:00,1,3\n"


def test_rows_are_loaded_with_their_lineage_and_their_day(shop):
    shop.write("a.csv", GOOD)
    report = shop.load()
    assert (report.rows_read, report.rows_accepted, report.rows_rejected) == (2, 2, 0)
    first = shop.rows("select * from raw.orders order by row_number")[0]
    assert first["customer_id"] == "007"
    assert first["amount"] == Decimal("2.5000")
    assert first["ordered_on"] == date(2024, 3, 1)
    assert (first["source"], first["file"], first["row_number"]) == ("orders", "a.csv", 1)
    assert first["currency"] == "GBP"
    assert first["product_category"] is None
    load = shop.rows("select * from raw.loads")[0]
    assert (load["rows_read"], load["session_id"], json.loads(load["header"])) == (2, "s1", HEADER.strip().split(","))
    with shop.warehouse.read() as database:
        assert list(database.columns(("raw", "orders")).items()) == [
            (column.name, column.type.replace(", ", ",")) for column in ORDERS.columns
        ]
        assert database.row(render("raw/last_order_day", orders=ORDERS.path))["last_order_day"] == date(2024, 3, 2)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A1,,2024-03-01 10:00:00,1,1", "missing_customer"),
        ("A1,   ,2024-03-01 10:00:00,1,1", "missing_customer"),
        ("A1,\u00a0,2024-03-01 10:00:00,1,1", "missing_customer"),
        ("A1,a\x00b,2024-03-01 10:00:00,1,1", "nul_character"),
        ("A1,7,,1,1", "bad_timestamp"),
        ("A1,7,01/02/2024,1,1", "bad_timestamp"),
        ("A1,7,2024-02-30 10:00:00,1,1", "bad_timestamp"),
        ("A1,7,2024-03-31 01:30:00,1,1", "nonexistent_local_time"),
        ("A1,7,2026-11-23 12:00:01,1,1", "future_timestamp"),
        ("A1,7,1970-01-01 00:00:00,1,1", "too_old"),
        ("A1,7,0001-01-03 00:00:00,1,1", "too_old"),
        ("A1,7,2024-03-01 10:00:00,one,1", "bad_number"),
        ('A1,7,2024-03-01 10:00:00,1,"1,25"', "bad_number"),
        ("A1,7,2024-03-01 10:00:00,nan,1", "not_finite"),
        ("A1,7,2024-03-01 10:00:00,1,inf", "not_finite"),
        ("A1,7,2024-03-01 10:00:00,1,1e400", "not_finite"),
        ("A1,7,2024-03-01 10:00:00,,1", "missing_amount"),
        ("A1,7,2024-03-01 10:00:00,1,1e12", "out_of_bounds"),
        ("A1,7,2024-03-01 10:00:00,1e6,1e6", "out_of_bounds"),
        ("A1,7,2024-03-01 10:00:00,-1,-0.01", "out_of_bounds"),
    ],
)
def test_a_row_that_cannot_be_used_is_kept_whole_with_its_reason(shop, row, reason):
    shop.write("a.csv", GOOD + row + "\n")
    report = shop.load(timezone="Europe/London", bounds={"unit_price": {"min": 0}})
    assert report.reasons == {reason: 1}
    assert (report.rows_read, report.rows_accepted) == (3, 2)
    rejected = shop.rows("select * from raw.rejected_rows")[0]
    assert (rejected["row_number"], rejected["reason"], rejected["session_id"]) == (3, reason, "s1")
    assert list(json.loads(rejected["content"])) == HEADER.strip().split(",")
    assert reason in REASONS


def test_what_lies_on_a_bound_is_judged_as_documented(shop):
    rows = "".join(f"A,7,2024-03-01 10:00:00,1,{price}\n" for price in ("0", "0.01", "10", "10.01", "1000000000"))
    shop.write("a.csv", HEADER + rows)
    shop.load(bounds={"unit_price": {"above": 0, "max": 10}})
    assert shop.column("select unit_price from raw.orders order by row_number") == [Decimal("0.01"), Decimal("10")]
    shop.load()
    assert len(shop.column("select unit_price from raw.orders")) == 5


def test_zero_amounts_are_sales_unless_bounds_say_otherwise(shop):
    shop.write("a.csv", HEADER + "A,7,2024-03-01 10:00:00,1,0\n")
    assert shop.load().rows_accepted == 1


@pytest.mark.parametrize(
    ("row", "quantity", "amount"),
    [
        ("7,2024-03-01,-2,10,-20,", "-2", "-20"),
        ("7,2024-03-01,2,10,20,refund", "-2", "-20"),
        ("7,2024-03-01,-2,10,20,shipped", "-2", "-20"),
        ("7,2024-03-01,,10,-5,", None, "-5"),
        ("7,2024-03-01,2,10,,Return ", "-2", "-20"),
        ("7,2024-03-01,-2,10,20,cancelled", "-2", "-20"),
        ("7,2024-03-01,1,-5,,", "1", "-5"),
        ("7,2024-03-01,2,10,19.99,shipped", "2", "19.99"),
    ],
)
def test_a_return_is_a_negative_line_whichever_way_it_is_written(shop, row, quantity, amount):
    shop.write("a.csv", "who,when,n,price,total,state\n" + row + "\n")
    columns = {"customer_id": "who", "ordered_at": "when", "quantity": "n", "unit_price": "price"}
    shop.load(timestamp_format="%Y-%m-%d", columns={**columns, "amount": "total", "order_status": "state"})
    loaded = shop.rows("select quantity, amount from raw.orders")[0]
    assert loaded["quantity"] == (None if quantity is None else Decimal(quantity))
    assert loaded["amount"] == Decimal(amount)


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("UTC", "2024-07-01 12:00:00", datetime(2024, 7, 1, 12)),
        ("Europe/London", "2024-07-01 00:30:00", datetime(2024, 6, 30, 23, 30)),
        ("Pacific/Kiritimati", "2024-07-01 13:59:59", datetime(2024, 6, 30, 23, 59, 59)),
        ("Pacific/Pago_Pago", "2024-06-30 23:00:00", datetime(2024, 7, 1, 10)),
        ("Australia/Lord_Howe", "2024-04-07 12:00:00", datetime(2024, 4, 7, 1, 30)),
    ],
)
def test_times_are_stored_in_utc_and_days_are_the_sources(shop, zone, local, utc):
    shop.write("a.csv", f"{HEADER}A,7,{local},1,1\n")
    shop.load(timezone=zone)
    row = shop.rows("select ordered_at, ordered_on from raw.orders")[0]
    assert row == {"ordered_at": utc, "ordered_on": date.fromisoformat(local[:10])}


@pytest.mark.parametrize(
    ("zone", "local", "earlier", "later"),
    [
        ("Europe/Berlin", "2024-10-27 02:30:00", datetime(2024, 10, 27, 0, 30), datetime(2024, 10, 27, 1, 30)),
        ("Australia/Lord_Howe", "2024-04-07 01:45:00", datetime(2024, 4, 6, 14, 45), datetime(2024, 4, 6, 15, 15)),
        ("Europe/Dublin", "2024-10-27 01:30:00", datetime(2024, 10, 27, 0, 30), datetime(2024, 10, 27, 1, 30)),
    ],
)
def test_a_repeated_local_time_is_read_as_declared(shop, zone, local, earlier, later):
    shop.write("a.csv", f"{HEADER}A,7,{local},1,1\n")
    for policy, expected in (("earlier", earlier), ("later", later)):
        shop.load(timezone=zone, ambiguous_time=policy)
        assert shop.column("select ordered_at from raw.orders") == [expected]
    assert shop.load(timezone=zone, ambiguous_time="reject").reasons == {"ambiguous_local_time": 1}


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("Europe/Berlin", "2024-03-31 02:30:00"),
        ("Australia/Lord_Howe", "2024-10-06 02:10:00"),
        ("Pacific/Apia", "2011-12-30 12:00:00"),
    ],
)
def test_a_skipped_local_time_is_never_moved(shop, zone, local):
    shop.write("a.csv", f"{HEADER}A,7,{local},1,1\n")
    assert shop.load(timezone=zone).reasons == {"nonexistent_local_time": 1}


def test_a_calendar_day_stays_that_day_even_where_midnight_was_skipped(shop):
    shop.write("a.csv", HEADER + "A,7,2018-11-04,1,1\n")
    report = shop.load(timezone="America/Sao_Paulo", timestamp_format="%Y-%m-%d")
    assert report.reasons == {}
    assert shop.rows("select ordered_at, ordered_on from raw.orders") == [
        {"ordered_at": datetime(2018, 11, 4, 3), "ordered_on": date(2018, 11, 4)}
    ]


def test_an_offset_in_the_text_is_obeyed_and_the_day_is_the_declared_zones(shop):
    shop.write("a.csv", HEADER + "A,7,2024-07-01T23:30:00+00:00,1,1\n")
    shop.load(timezone="Europe/Berlin", timestamp_format="%Y-%m-%dT%H:%M:%S%z")
    assert shop.rows("select ordered_at, ordered_on from raw.orders") == [
        {"ordered_at": datetime(2024, 7, 1, 23, 30), "ordered_on": date(2024, 7, 2)}
    ]


@pytest.mark.parametrize(("unit", "text"), [("unix", "1719876600"), ("unix_ms", "1719876600000")])
def test_unix_times_are_read(shop, unit, text):
    shop.write("a.csv", f"{HEADER}A,7,{text},1,1\nA,7,nan,1,1\nA,7,1e300,1,1\n")
    report = shop.load(timestamp_format=unit)
    assert shop.column("select ordered_at from raw.orders") == [datetime(2024, 7, 1, 23, 30)]
    assert report.reasons == {"bad_timestamp": 2}


def test_the_same_text_is_read_by_the_declared_format_whatever_other_rows_hold(shop):
    rows = "A,7,01/02/2024,1,1\nA,7,13/02/2024,1,1\n"
    shop.write("a.csv", HEADER + rows)
    assert shop.load(timestamp_format="%d/%m/%Y").rows_accepted == 2
    assert shop.column("select ordered_on from raw.orders order by 1")[0] == date(2024, 2, 1)
    report = shop.load(timestamp_format="%m/%d/%Y")
    assert report.reasons == {"bad_timestamp": 1}
    assert shop.column("select ordered_on from raw.orders") == [date(2024, 1, 2)]


def test_a_row_of_the_future_is_taken_in_once_it_is_past_though_nothing_else_changed(shop):
    shop.write("a.csv", HEADER + "A,7,2026-11-25 12:00:00,1,1\n")
    assert shop.load().reasons == {"future_timestamp": 1}
    report = shop.load(now=shop.NOW + timedelta(days=5))
    assert (report.rows_accepted, report.reasons) == (1, {})


def test_while_every_row_of_the_future_is_more_than_a_day_ahead_nothing_is_loaded_again(shop):
    shop.write("a.csv", HEADER + "A,7,2026-11-25 12:00:00,1,1\n")
    assert not shop.load().is_unchanged
    day_before = datetime(2026, 11, 24, 12)
    assert shop.load(now=day_before - timedelta(seconds=1)).is_unchanged
    assert not shop.load(now=day_before).is_unchanged


def test_a_load_that_does_not_say_what_its_rows_wait_for_is_made_once_more(shop):
    shop.write("a.csv", HEADER + "A,7,2026-11-25 12:00:00,1,1\n")
    shop.load()
    with shop.warehouse.write() as database:
        database.execute(Statement("alter table raw.loads drop column waits_until"))
    assert not shop.load().is_unchanged
    assert shop.load().is_unchanged


def test_amounts_are_converted_and_a_currency_without_a_rate_is_never_taken_for_one(shop):
    header = "who,when,n,price,cur\n"
    rows = "1,2024-03-01,2,10,GBP\n2,2024-03-01,2,10,eur\n3,2024-03-01,2,10,USD\n4,2024-03-01,2,10,\n"
    shop.write("a.csv", header + rows)
    columns = {"customer_id": "who", "ordered_at": "when", "quantity": "n", "unit_price": "price", "currency": "cur"}
    report = shop.load(
        timestamp_format="%Y-%m-%d", currency=None, columns=columns, reporting_currency="GBP", rates={"EUR": 0.86}
    )
    assert shop.rows("select customer_id, unit_price, amount, currency from raw.orders order by 1") == [
        {"customer_id": "1", "unit_price": Decimal("10"), "amount": Decimal("20"), "currency": "GBP"},
        {"customer_id": "2", "unit_price": Decimal("8.6"), "amount": Decimal("17.2"), "currency": "GBP"},
    ]
    assert report.reasons == {"unknown_currency": 2}


def test_a_constant_currency_is_converted_to_the_reporting_one(shop):
    shop.write("a.csv", GOOD)
    shop.load(currency="EUR", reporting_currency="GBP", rates={"EUR": "0.860001"})
    assert shop.column("select amount from raw.orders order by row_number") == [Decimal("2.1500"), Decimal("2.5800")]


@pytest.mark.parametrize(
    ("decimal", "thousands", "written"),
    [
        (",", ".", ["1.338,98", "-12.345.678,5", "1.000", "7,5", "999"]),
        (".", ",", ["1,338.98", "-12,345,678.5", "1,000", "7.5", "999"]),
        (",", " ", ["1 338,98", "-12\u00a0345\u202f678,5", "1 000", "7,5", "999"]),
        (".", "'", ["1'338.98", "-12\u2019345\u2019678.5", "1'000", "7.5", "999"]),
    ],
)
def test_numbers_with_thousands_marks_are_read_as_they_are_declared(shop, decimal, thousands, written):
    lines = "".join(f"A{place};7;2024-03-01 10:00:00;1;{number}\n" for place, number in enumerate(written))
    shop.write("a.csv", HEADER.replace(",", ";") + lines)
    report = shop.load(csv={"delimiter": ";"}, numbers={"decimal": decimal, "thousands": thousands})
    assert not report.reasons
    amounts = shop.column("select amount from raw.orders order by row_number")
    assert amounts == [Decimal("1338.98"), Decimal("-12345678.5"), Decimal(1000), Decimal("7.5"), Decimal(999)]
    marks = NumberMarks(decimal, thousands)
    assert [marks.read(number) for number in written] == [float(amount) for amount in amounts]


@pytest.mark.parametrize("number", ["1.5", "1.23,4", "12.3456", "1.234.56", "1,234,567", "1,234.5", ".123,4"])
def test_a_thousands_mark_that_does_not_group_by_three_makes_a_number_unreadable_not_larger(shop, number):
    shop.write(
        "a.csv", HEADER.replace(",", ";") + f"A1;7;2024-03-01 10:00:00;1;{number}\nA2;7;2024-03-01 10:00:00;1;1,5\n"
    )
    report = shop.load(csv={"delimiter": ";"}, numbers={"decimal": ",", "thousands": "."})
    assert report.reasons == {"bad_number": 1}
    assert NumberMarks(",", ".").read(number) is None
