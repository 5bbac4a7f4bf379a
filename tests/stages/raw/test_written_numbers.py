"""Amounts as shops, banks and spreadsheets write them: read to the cent, or kept with a reason."""

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tdml_assets.stages.raw.currencies import exponent_of, marks_of
from tdml_assets.stages.raw.numbers import NumberMarks
from tests.stages.raw.conftest import Shop

COLUMNS = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
DAY = {"timestamp_format": "%Y-%m-%d", "columns": COLUMNS, "csv": {"delimiter": ";"}}
DECIMAL_COMMA = {"decimal": ",", "thousands": "."}


def write(shop: Shop, *cells: str) -> None:
    shop.write("a.csv", "who;when;total\n" + "".join(f"7;2024-03-01;{cell}\n" for cell in cells))


def amounts(shop: Shop) -> list[Decimal]:
    return shop.column("select amount from raw.orders order by row_number")


@pytest.mark.parametrize(
    ("currency", "numbers", "cells"),
    [
        ("USD", {}, ["$1234.5", "1234.5 USD", "US$ 1234.5", "$1234.50 USD", "usd1234.5", "'1234.50", "+1234.5"]),
        ("EUR", DECIMAL_COMMA, ["1.234,50 €", "€ 1.234,50", "EUR 1.234,5", "1234,5\u00a0€", "'1.234,50"]),
        ("INR", {"thousands": ","}, ["Rs. 1,234.50", "₹1,234.5", "1,234.50 INR"]),
        ("CHF", {"thousands": "'"}, ["CHF 1'234.50", "Fr. 1\u2019234.50"]),
        ("SEK", {"decimal": ",", "thousands": " "}, ["1\u202f234,50 kr", "kr. 1 234,50"]),
    ],
)
def test_the_currency_of_the_row_may_stand_around_a_figure(shop, currency, numbers, cells):
    write(shop, *cells)
    assert shop.load(**DAY, currency=currency, numbers=numbers).reasons == {}
    assert amounts(shop) == [Decimal("1234.5")] * len(cells)


@pytest.mark.parametrize(
    "cell", ["(12.00)", "12.00-", "-12", "\u221212.00", "$(12.00)", "($12)", "-$12", "$-12.0", "12.00- USD"]
)
def test_a_negative_amount_is_read_whichever_way_it_is_written(shop, cell):
    write(shop, cell)
    shop.load(**DAY, currency="USD")
    assert amounts(shop) == [Decimal(-12)]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("12.00 €", "other_currency"),
        ("EUR 12.00", "other_currency"),
        ("£12", "other_currency"),
        ("12 pieces", "bad_number"),
        ("12,-", "bad_number"),
        ("(-12)", "bad_number"),
        ("--12", "bad_number"),
        ("12$50", "bad_number"),
        ("12.00 %", "bad_number"),
        ("$", "bad_number"),
        ("nan", "not_finite"),
    ],
)
def test_what_does_not_name_one_number_of_the_declared_currency_is_kept_aside(shop, cell, reason):
    write(shop, cell)
    assert shop.load(**DAY, currency="USD").reasons == {reason: 1}
    write(shop, cell)
    assert shop.load(**DAY, currency="USD", numbers={"decimal": ","}).reasons in ({reason: 1}, {"bad_number": 1})


@pytest.mark.parametrize("cell", ["12,34,567.89", "1,234,567.89", "1234567.89", "12,34,567.89-"])
def test_indian_grouping_is_grouping_by_commas(shop, cell):
    write(shop, cell)
    shop.load(**DAY, currency="INR", numbers={"thousands": ","})
    assert [abs(amount) for amount in amounts(shop)] == [Decimal("1234567.89")]


@pytest.mark.parametrize("cell", ["1,23,4", "12,34", "1,234,56", "123,45,678", ",123"])
def test_commas_that_do_not_group_make_a_number_unreadable(shop, cell):
    write(shop, cell)
    assert shop.load(**DAY, currency="INR", numbers={"thousands": ","}).reasons == {"bad_number": 1}


def test_a_currency_sign_is_held_against_the_currency_of_its_row(shop):
    rows = [("USD", "$12.00"), ("EUR", "12.00 €"), ("EUR", "$12.00"), ("USD", "12.00"), ("XXX", "$12.00")]
    shop.write("a.csv", "who,when,total,cur\n" + "".join(f"7,2024-03-01,{cell},{code}\n" for code, cell in rows))
    report = shop.load(
        timestamp_format="%Y-%m-%d",
        columns={**COLUMNS, "currency": "cur"},
        currency=None,
        reporting_currency="EUR",
        rates={"USD": 0.5},
    )
    assert amounts(shop) == [Decimal(6), Decimal(12), Decimal(6)]
    assert report.reasons == {"other_currency": 1, "unknown_currency": 1}


@pytest.mark.parametrize(("currency", "amount"), [("EUR", "12.5"), ("JPY", "1250"), ("KRW", "1250"), ("KWD", "1.25")])
def test_minor_units_have_the_digits_of_their_currency(shop, currency, amount):
    write(shop, "1250", "1250.0", "-1250")
    shop.load(**DAY, currency=currency, amount_unit="minor", bounds={"amount": {"max": amount}})
    assert amounts(shop) == [Decimal(amount), Decimal(amount), -Decimal(amount)]


def test_minor_units_follow_a_column_of_currencies_and_unit_prices_too(shop):
    rows = "7,2024-03-01,2,625,EUR\n7,2024-03-01,2,625,jpy\n7,2024-03-01,2,625,BHD\n7,2024-03-01,2,625,XYZ\n"
    shop.write("a.csv", "who,when,n,price,cur\n" + rows)
    columns = {"customer_id": "who", "ordered_at": "when", "quantity": "n", "unit_price": "price", "currency": "cur"}
    report = shop.load(
        timestamp_format="%Y-%m-%d",
        columns=columns,
        currency=None,
        reporting_currency="EUR",
        rates={"JPY": "0.01", "BHD": 2},
        amount_unit="minor",
    )
    assert shop.rows("select quantity, unit_price, amount from raw.orders order by row_number") == [
        {"quantity": Decimal(2), "unit_price": Decimal(price), "amount": 2 * Decimal(price)}
        for price in ("6.25", "6.25", "1.25")
    ]
    assert report.reasons == {"unknown_currency": 1}


@pytest.mark.parametrize("level", ["line", "order"])
def test_minor_units_follow_a_currency_that_stands_on_one_line_of_its_order(shop, level):
    rows = "1,7,2024-03-01,1250,JPY,100\n1,7,2024-03-01,1250,,\n2,8,2024-03-01,1250,,\n"
    rows += "2,8,2024-03-01,1250,EUR,100\n3,9,2024-03-01,1,,\n"
    shop.write("a.csv", "order,who,when,total,cur,back\n" + rows)
    columns = {**COLUMNS, "order_id": "order", "currency": "cur", "refunded_amount": "back"}
    money = {"currency": None, "reporting_currency": "EUR", "rates": {"JPY": 1}, "amount_unit": "minor"}
    report = shop.load(
        **money,
        timestamp_format="%Y-%m-%d",
        columns=columns,
        carry=["currency"],
        amount_level=level,
        refund_level="order",
    )
    totals = ["1150", "11.5"] if level == "order" else ["2400", "24"]
    found = shop.column("select sum(amount) from raw.orders group by order_id order by order_id")
    assert found == [Decimal(total) for total in totals]
    assert report.reasons == {"unknown_currency": 1}


def test_numbers_of_json_and_parquet_keep_their_own_grammar_and_their_texts_have_the_declared_marks(shop):
    cells = ["1.234,50 €", 1234.5, 1234, "(7,5)"]
    lines = [json.dumps({"who": "7", "when": "2024-03-01", "total": cell}) for cell in cells]
    shop.write("a.json", "\n".join(lines) + "\n")
    declared = {"timestamp_format": "%Y-%m-%d", "columns": COLUMNS, "currency": "EUR", "numbers": DECIMAL_COMMA}
    assert shop.load(path="a.json", format="json", **declared).reasons == {}
    assert amounts(shop) == [Decimal("1234.5"), Decimal("1234.5"), Decimal(1234), Decimal("-7.5")]
    for values, kept in ((["1.234,50", "7,5"], ["1234.5", "7.5"]), ([1234.5, 7.5], ["1234.5", "7.5"])):
        table = pa.table({"who": ["7", "7"], "when": ["2024-03-01"] * 2, "total": values})
        pq.write_table(table, shop.folder / "a.parquet")
        assert shop.load(path="a.parquet", format="parquet", **declared).reasons == {}
        assert amounts(shop) == [Decimal(value) for value in kept]


def test_marks_at_their_old_place_are_refused_with_the_line_to_write(shop):
    with pytest.raises(ValidationError, match=r'write numbers: {decimal: ",", thousands: "\."} under the source'):
        shop.load(csv=DECIMAL_COMMA)


MARKS = [
    NumberMarks(".", ""),
    NumberMarks(",", "."),
    NumberMarks(".", ","),
    NumberMarks(",", " "),
    NumberMarks(".", "'"),
]
STYLES = ("{m}{f}", "{m}{c}{f}", "{f}{m} {c}", "({f})", "({c} {f})", "{m}{f}\u00a0{c}", "'{m}{f}")
LINES = st.lists(
    st.tuples(st.integers(-(10**11), 10**11), st.sampled_from(STYLES), st.integers(0, 9), st.booleans()),
    min_size=60,
    max_size=90,
)


def figure_text(amount: Decimal, marks: NumberMarks, *, is_indian: bool) -> str:
    whole, _, cents = f"{abs(amount):.2f}".partition(".")
    if is_indian and marks.thousands == "," and len(whole) > 3:
        head, last = whole[:-3], whole[-3:]
        pairs = [head[max(0, place - 2) : place] for place in range(len(head), 0, -2)][::-1]
        grouped = ",".join([*pairs, last])
    else:
        grouped = f"{int(whole):,}".replace(",", marks.thousands)
    return f"{grouped}{marks.decimal}{cents}"


@settings(max_examples=5, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(lines=LINES, marks=st.sampled_from(MARKS), currency=st.sampled_from(["EUR", "USD", "JPY", "KWD", "PLN", "INR"]))
def test_every_amount_comes_back_from_every_way_to_write_it(lines, marks, currency):
    signs = sorted(mark for mark in marks_of(currency))
    cells, truth = [], []
    for cents, style, choice, is_indian in lines:
        amount = Decimal(cents) / 100
        # Parentheses hold what is below zero.
        minus = "-\u2212"[choice % 2] if amount < 0 else ""
        fitting = "{f} {c}" if style.startswith("(") and amount >= 0 else style
        text = figure_text(amount, marks, is_indian=is_indian)
        cells.append(fitting.format(m=minus, f=text, c=signs[choice % len(signs)]))
        truth.append(amount)
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        write(shop, *cells)
        numbers = {"decimal": marks.decimal, "thousands": marks.thousands}
        report = shop.load(**DAY, currency=currency, numbers=numbers)
        assert (report.reasons, amounts(shop)) == ({}, truth)
        assert [marks.read(cell, marks_of(currency)) for cell in cells] == [float(amount) for amount in truth]
        if currency != "JPY":
            shop.load(**DAY, currency=currency, numbers=numbers, amount_unit="minor")
            units = [amount.scaleb(-exponent_of(currency)) for amount in truth]
            assert amounts(shop) == [unit.quantize(Decimal("0.0001"), ROUND_HALF_UP) for unit in units]
