"""Totals that repeat on every line, and statuses that nothing names, are found without an earlier session."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.declaration.sources import Sources
from tdml_assets.stages.data_quality.order_rules import (
    OrderTotals,
    order_totals,
    read_order_statuses,
    read_order_totals,
    read_partial_statuses,
    statuses,
)
from tdml_assets.stages.raw.meanings import StatusCount
from tests.stages.raw.conftest import NOW, Shop

POLICY = QualityPolicy()
DECLARED: dict[str, Any] = {
    "path": "*.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": {
        "customer_id": "who",
        "ordered_at": "when",
        "order_id": "order",
        "amount": "total",
        "product_id": "sku",
    },
}


def totals_of(folder: Path, rows: str, **keys: str) -> OrderTotals | None:
    shop = Shop(folder)
    shop.write("a.csv", "order,who,when,total,sku\n" + rows)
    shop.load(declared={**DECLARED, **keys})
    declaration = Sources.model_validate({"orders": {**DECLARED, **keys}}).orders
    with shop.warehouse.read() as database:
        return read_order_totals(database, declaration, NOW.date())


def orders(*, is_total: bool, price: int | None = None) -> str:
    """Forty orders of two products each: of the order's total, or of a price of each product."""
    return "".join(
        f"o{number},c{number % 7},2024-03-01,{price or 10 + number + (0 if is_total else line)},p{line}\n"
        for number in range(40)
        for line in range(2)
    )


def test_a_total_on_every_line_that_is_not_declared_is_an_alarm_that_says_what_to_write(tmp_path: Path) -> None:
    finding = order_totals("raw.orders", totals_of(tmp_path, orders(is_total=True)), POLICY)
    assert finding is not None
    assert (finding.status, finding.value) == ("alarm", 1.0)
    assert "2,360.00 of revenue are really 1,180.00: write sources.orders.amount_level: order" in finding.sentence


@pytest.mark.parametrize(("is_total", "price"), [(False, None), (True, 5)], ids=["prices differ", "one price for all"])
def test_amounts_of_lines_are_not_taken_for_totals(tmp_path: Path, *, is_total: bool, price: int | None) -> None:
    finding = order_totals("raw.orders", totals_of(tmp_path, orders(is_total=is_total, price=price)), POLICY)
    assert finding is not None
    assert finding.status == "ok"


def test_declared_totals_are_not_looked_at(tmp_path: Path) -> None:
    assert totals_of(tmp_path, orders(is_total=True), amount_level="order") is None


def count(name: str | None, meaning: str, meaning_from: str, amount: int) -> StatusCount:
    return StatusCount(name, meaning, meaning_from, amount // 10, Decimal(amount))


def test_statuses_that_nothing_names_are_noted_with_rows_money_and_the_line_to_write() -> None:
    found = (count("paid", "sale", "common", 900), count("Storniert", "sale", "none", 100))
    finding = statuses("raw.orders", found, None, POLICY)
    assert finding is not None
    assert (finding.status, finding.value) == ("note", 0.1)
    assert "'Storniert' 10 rows with 100.00" in finding.sentence
    assert "sources.orders.statuses: {Storniert: void}" in finding.sentence


def test_statuses_of_which_most_are_unknown_stop_a_first_load() -> None:
    found = (count("Bezahlt", "sale", "none", 900), count("paid", "sale", "common", 100))
    finding = statuses("raw.orders", found, None, POLICY)
    assert finding is not None
    assert finding.status == "alarm"
    assert "quality.unknown_status_limit" in finding.sentence


def test_orders_that_count_as_nothing_undeclared_are_noted() -> None:
    found = (
        count("paid", "sale", "common", 900),
        count("void", "void", "common", 50),
        count(None, "sale", "none", 500),
    )
    finding = statuses("raw.orders", found, None, POLICY)
    assert finding is not None
    assert finding.status == "note"
    assert "sources.orders.statuses: {void: void}" in finding.sentence


def test_declared_statuses_are_fine() -> None:
    found = (count("paid", "sale", "declared", 9), count("x", "void", "declared", 1))
    finding = statuses("raw.orders", found, None, POLICY)
    assert finding is not None
    assert finding.status == "ok"


#: Orders of three lines with the status on the first.
FIRST_LINE = "".join(
    f"o{number},c{number % 7},2024-03-01,{price},p{price},{state}\n"
    for number in range(20)
    for price, state in ((10, "refunded" if number % 5 == 0 else "paid"), (20, ""), (30, ""))
)


@pytest.mark.parametrize(
    ("rows", "keys", "status"),
    [
        (FIRST_LINE, {}, "alarm"),
        (FIRST_LINE, {"carry": ["order_status"], "statuses": {"refunded": "void"}}, "ok"),
        # A column that is filled for returned lines alone.
        ("o1,c1,2024-03-01,10,p1,\no2,c1,2024-03-01,10,p1,\no3,c1,2024-03-01,10,p1,return\n", {}, "ok"),
    ],
    ids=["undeclared", "carried", "a flag of returns"],
)
def test_a_status_on_the_first_line_alone_is_an_alarm_that_says_what_to_write(
    tmp_path: Path, rows: str, keys: dict[str, Any], status: str
) -> None:
    declared = {**DECLARED, "columns": {**DECLARED["columns"], "order_status": "state"}, **keys}
    shop = Shop(tmp_path)
    shop.write("a.csv", "order,who,when,total,sku,state\n" + rows)
    shop.load(declared=declared)
    declaration = Sources.model_validate({"orders": declared}).orders
    with shop.warehouse.read() as database:
        found = read_order_statuses(database, declaration)
        partial = read_partial_statuses(database, declaration, found, NOW.date())
    finding = statuses("raw.orders", found, partial, POLICY)
    assert finding is not None
    assert finding.status == status, finding.sentence
    assert ("carry: [order_status]" in finding.sentence) == (status == "alarm")


def test_orders_that_two_files_hold_say_nothing_of_totals(tmp_path: Path) -> None:
    shop, text = Shop(tmp_path), "order,who,when,total,sku\n" + orders(is_total=True).replace("p1", "p0")
    declared = {**DECLARED, "columns": {name: one for name, one in DECLARED["columns"].items() if name != "product_id"}}
    once = "".join(line for place, line in enumerate(text.splitlines(keepends=True)) if place % 2 or not place)
    shop.write("a.csv", once)
    shop.write("b.csv", once + "o99,c1,2024-03-01,7,p0\n")
    shop.load(declared=declared)
    with shop.warehouse.read() as database:
        found = read_order_totals(database, Sources.model_validate({"orders": declared}).orders, NOW.date())
        lines = database.count(("raw", "orders"))
    assert lines == 81
    assert found is not None
    assert found.orders == 0
