"""Hints name the cell at fault and the key that mends it, and never a name or an address."""

from datetime import datetime

import pytest

from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.stages.data_quality.unreadable import Unreadable, explain_unreadable, unreadable
from tdml_assets.stages.raw.dates import _CANDIDATES, formats_that_read, reads
from tdml_assets.stages.raw.hints import masked, offending_cell, remedy_for
from tdml_assets.stages.raw.month_names import has_months

COLUMNS = {"customer_id": "who", "ordered_at": "when", "amount": "total"}


def orders(**changes):
    usual = {"path": "a.csv", "format": "csv", "timestamp_format": "%m/%d/%Y", "currency": "EUR", "columns": COLUMNS}
    return OrdersSource.model_validate(usual | changes)


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["2024-03-01", "2024-03-31"], "%Y-%m-%d"),
        (["13/01/2024", "1/2/2024"], "%d/%m/%Y"),
        (["01/13/2024", "1/2/2024"], "%m/%d/%Y"),
        (["24.12.2024 18:05"], "%d.%m.%Y %H:%M"),
        (["2024-03-01T10:00:00Z", "2024-03-01T10:00:00.123Z"], "iso8601"),
        (["2024-03-01T10:00:00+01:00"], "iso8601"),
        (["2024-03-01 10:00:00+0100", "2024-03-01 10:00:00Z"], "%Y-%m-%d %H:%M:%S%z"),
        (["1709287200000000"], "unix_us"),
        (["45352.4167", "45352"], "excel"),
        (["2024-03-01 10:00:00.123"], "%Y-%m-%d %H:%M:%S.%f"),
        (["12/31/24 3:04 PM"], "%m/%d/%y %I:%M %p"),
        (["3 March 2024"], "%d %B %Y"),
        (["1709287200"], "unix"),
        (["1709287200000"], "unix_ms"),
    ],
)
def test_the_format_that_reads_the_texts_is_proposed(texts, first):
    assert formats_that_read(texts)[0] == first


@pytest.mark.parametrize("text", ["Mar 31, 2024, 12:31:54 AM", "12/31/24, 9:05 PM", "Jan-03-24", "3 Feb 2024"])
def test_a_quick_look_at_a_texts_form_refuses_nothing_that_strptime_reads(text):
    assert formats_that_read([text])
    for one in _CANDIDATES[::7]:
        try:
            datetime.strptime(text, one)  # noqa: DTZ007
            is_read = True
        except ValueError:
            is_read = False
        assert reads(text, one) if is_read else has_months(one) or not reads(text, one), one


def test_a_date_remedy_says_when_the_cells_do_not_show_which_number_is_the_day():
    proven = remedy_for("orders", orders(), "bad_timestamp", ["13/01/2024", "02/01/2024"])
    assert proven == "Write timestamp_format: '%d/%m/%Y' under sources.orders."
    open_ = remedy_for("orders", orders(timestamp_format="%Y-%m-%d"), "bad_timestamp", ["02/01/2024"])
    assert "'%d/%m/%Y' under sources.orders if the day comes first, '%m/%d/%Y' if not" in open_


@pytest.mark.parametrize(
    ("cells", "numbers", "written"),
    [
        (["1.338,98", "2.000,00"], {"decimal": ","}, '{decimal: ",", thousands: "."}'),
        (["1.338,98 €"], {}, '{decimal: ",", thousands: "."}'),
        (["12,50"], {}, '{decimal: ","}'),
        (["12,34,567.80"], {}, '{decimal: ".", thousands: ","}'),
    ],
)
@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
def test_a_number_remedy_names_the_marks(cells, numbers, written, file_format):
    declared = orders(numbers=numbers, format=file_format)
    assert remedy_for("orders", declared, "bad_number", cells) == f"Write numbers: {written} under sources.orders."


@pytest.mark.parametrize(
    ("cells", "remedy"),
    [
        (["£12.00", "£3.00"], "write currency: GBP (or EGP) under sources.orders, in place of EUR."),
        (["12 USD"], "write currency: USD under sources.orders, in place of EUR."),
        (["£12.00", "$3.00"], "map sources.orders.columns.currency"),
    ],
)
def test_amounts_in_another_currency_are_answered_with_the_currency_to_write(cells, remedy):
    assert remedy in remedy_for("orders", orders(), "other_currency", cells)
    assert offending_cell(orders(), "other_currency", {"total": cells[0]}) == ("total", cells[0])


def test_a_currency_without_a_rate_is_named():
    declared = orders(currency=None, reporting_currency="EUR", columns={**COLUMNS, "currency": "cur"})
    assert "rates a rate for USD, in EUR" in remedy_for("orders", declared, "unknown_currency", ["usd"])


def test_a_flag_that_is_neither_yes_nor_no_is_answered_with_what_is_read():
    assert remedy_for("orders", orders(), "bad_flag", ["maybe"]) == (
        "Map sources.orders.columns.coupon_used to a column of true/false, yes/no or 1/0, or leave it out."
    )


def test_a_date_that_is_read_and_impossible_is_answered_with_the_declared_format():
    remedy = remedy_for("orders", orders(timestamp_format="%d/%m/%Y"), "too_old", ["01/01/1024"])
    assert remedy.startswith("Check sources.orders.timestamp_format (%d/%m/%Y): day and month")
    assert remedy.endswith("or sources.orders.earliest.")


def test_dates_of_two_formats_are_answered_with_both():
    remedy = remedy_for("orders", orders(), "bad_timestamp", ["2024-01-13"], accepted=["01/13/2024"])
    assert "'%Y-%m-%d' reads them and not the other rows" in remedy
    assert "timestamp_format: ['%m/%d/%Y', '%Y-%m-%d'] under sources.orders" in remedy


def test_cells_that_are_no_numbers_are_not_answered_with_marks():
    remedy = remedy_for("orders", orders(), "bad_number", ["twelve", "n/a"])
    assert remedy.startswith("Numbers are digits, marks as sources.orders.numbers declares them")
    assert "twelve" not in remedy


def test_the_cell_at_fault_is_found_by_its_reason():
    content = {"who": "a@b.example", "when": "13/01/2024", "total": "1.338,98"}
    assert offending_cell(orders(), "bad_timestamp", content) == ("when", "13/01/2024")
    assert offending_cell(orders(), "bad_number", content) == ("total", "1.338,98")
    assert offending_cell(orders(), "missing_amount", content) is None


def test_names_and_addresses_are_masked_where_a_column_was_mapped_by_mistake():
    assert masked("Anna.Smith@shop.example") == "'xxxx.xxxxx@xxxx.xxxxxxx'"
    assert masked("EUR 1.338,98") == "'EUR 1.338,98'"
    assert masked("3 March 2024 10:00 PM") == "'3 March 2024 10:00 PM'"


def found(rows: int, *, money: float = 0.0) -> Unreadable:
    sampled = [("bad_number", {"who": "7", "when": "1/2/2024", "total": "1.338,98"})]
    explained = explain_unreadable("orders", orders(numbers={"decimal": ","}), {"bad_number": rows}, sampled)
    return Unreadable(explained.source, 1000, rows, money, 1000.0 - money, explained.because, explained.remedy)


@pytest.mark.parametrize(
    ("rows", "money", "status"),
    [(0, 0, "ok"), (20, 20, "ok"), (30, 30, "note"), (28, 281, "alarm"), (201, 0, "alarm"), (200, 200, "note")],
)
def test_too_many_unreadable_rows_or_too_much_money_are_an_alarm_in_a_first_session(rows, money, status):
    finding = unreadable(found(rows, money=money), QualityPolicy())
    assert finding.status == status
    if status != "ok":
        assert f"{rows} of 1,000 rows" in finding.sentence
        assert "bad_number" in finding.sentence
        assert "'1.338,98'" in finding.sentence
        assert 'numbers: {decimal: ",", thousands: "."}' in finding.sentence


def test_the_money_of_unreadable_rows_is_told_by_their_digits():
    assert found(3).money == 0
    explained = explain_unreadable(
        "orders", orders(numbers={"decimal": ","}), {"bad_number": 4}, [("bad_number", {"total": "1.338,98"})] * 2
    )
    assert explained.money == pytest.approx(4 * 1338.98)


def test_lines_without_an_amount_are_answered_with_the_totals_of_orders_where_orders_are_named():
    columns = COLUMNS | {"order_id": "order", "order_status": "state"}
    written = "amount_level: order and carry: [customer_id, ordered_at, order_status] under sources.orders"
    assert written in remedy_for("orders", orders(columns=columns), "missing_amount", [])
    assert written not in remedy_for("orders", orders(columns=columns, amount_level="order"), "missing_amount", [])
    assert written not in remedy_for("orders", orders(), "missing_amount", [])
