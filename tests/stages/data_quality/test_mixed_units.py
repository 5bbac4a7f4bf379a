"""Rows in another unit, days under other order ids and ids that a spreadsheet has rounded, in the files of a small shop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stages.data_quality.test_first_load import Lines, judged, notes, shop_lines

PRICES = ("1.15", "4.20", "8.90", "12.50", "31.00", "49.95", "189.00", "1249.00", "2310.50")


def priced_lines() -> Lines:
    """Order lines whose products have one price each, some of them less a tenth."""
    lines = shop_lines()
    for place, line in enumerate(lines):
        price = float(PRICES[place % len(PRICES)])
        line[4] = f"{price * (0.9 if place % 11 == 0 else 1):.2f}"
    return lines


def cents_in_june(lines: Lines) -> None:
    for line in lines:
        if line[2].startswith("2024-06"):
            line[4] = str(round(float(line[4]) * 100))


def a_million_times(lines: Lines) -> None:
    for line in lines[3::50]:
        line[4] = f"{float(line[4]) * 10**6:.2f}"


def thousands_as_decimals(lines: Lines) -> None:
    for line in lines:
        if float(line[4]) > 1000 and line[2] > "2025-03":
            line[4] = f"{float(line[4]) / 1000:.3f}"


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (cents_in_june, "25 of 600 lines (4.2%), of 9 products, cost 100 times as much"),
        (a_million_times, "cost 1,000,000 times as much"),
        (thousands_as_decimals, "of 2 products, cost 1,000 times as little"),
    ],
)
def test_lines_in_another_unit_than_their_product_are_stopped(
    tmp_path: Path, fault: Callable[[Lines], None], found: str
) -> None:
    lines = priced_lines()
    assert judged(tmp_path, orders=lines)[1] == []
    fault(lines)
    problems = [one for one in judged(tmp_path, orders=lines)[1] if "mixed_units" in one]
    assert len(problems) == 1
    assert found in problems[0]
    assert "quality: {accepted: [mixed_units]}" in problems[0]


def test_the_file_that_is_in_cents_is_named(tmp_path: Path) -> None:
    lines = priced_lines()
    cents_in_june(lines)
    june = [line for line in lines if line[2].startswith("2024-06")]
    others = [line for line in lines if line not in june]
    problems = judged(tmp_path, orders_a=others, orders_b=june)[1]
    assert ["(25) in orders_b.csv" in one for one in problems] == [True]
    # Without products the file of whole numbers among those with decimals tells it.
    for line in [*june, *others]:
        line[3] = ""
    problems = judged(tmp_path, orders_a=others, orders_b=june)[1]
    assert ["all 25 amounts of orders_b.csv are whole numbers" in one for one in problems] == [True]


def gift_cards(lines: Lines) -> None:
    """One product of any price."""
    for place, line in enumerate(lines[::9]):
        line[3:] = ["gift card", ("1.00", "100.00", "10.00", "1000.00")[place % 4]]


def any_amounts(lines: Lines) -> None:
    """Amounts of lines without a quantity: one piece or a thousand, and anything between."""
    for place, line in enumerate(lines):
        line[4] = f"{float(line[4]) * (1, 2, 5, 10, 25, 50, 100, 1000)[place // 9 % 8]:.2f}"


@pytest.mark.parametrize("kind", [gift_cards, any_amounts])
def test_products_without_a_usual_price_are_in_no_other_unit(tmp_path: Path, kind: Callable[[Lines], None]) -> None:
    lines = priced_lines()
    kind(lines)
    assert [one for one in judged(tmp_path, orders=lines)[1] if "mixed_units" in one] == []


def again(lines: Lines, month: str) -> Lines:
    """The lines of a month, under other order ids."""
    return [[f"new-{line[0]}", *line[1:]] for line in lines if line[2].startswith(month)]


def test_a_month_under_other_order_ids_is_stopped_in_one_file_and_in_two(tmp_path: Path) -> None:
    lines = priced_lines()
    for files in (
        {"orders": [*lines, *again(lines, "2024-06")]},
        {"orders": lines, "orders_2": again(lines, "2024-06")},
    ):
        problems = judged(tmp_path, **files)[1]
        assert len(problems) == 1
        assert "25 of 625 lines on" in problems[0]
        assert "under two order ids" in problems[0]
        assert "quality: {accepted: [renumbered]}" in problems[0]


def test_customers_who_order_the_same_thing_twice_a_day_are_no_second_export(tmp_path: Path) -> None:
    lines = priced_lines()
    twice = [[f"new-{line[0]}", *line[1:]] for place, line in enumerate(lines) if place % 12 == 0]
    assert judged(tmp_path, orders=[*lines, *twice])[1] == []
    # A shop where everybody does, such as a canteen.
    most = [[f"new-{line[0]}", *line[1:]] for place, line in enumerate(lines) if place % 5]
    assert [one for one in judged(tmp_path, orders=[*lines, *most[::2]])[1] if "renumbered" in one] == []


def test_ids_that_a_spreadsheet_has_rounded_are_stopped_and_of_products_noted(tmp_path: Path) -> None:
    for place in (0, 1):
        lines = priced_lines()
        for line in lines[::20]:
            line[place] = f"{4930000000000 + 7 * int(line[place][1:]):.2E}"
        problems = judged(tmp_path, orders=lines)[1]
        assert [
            "30 of 600 order lines (5.0%)" in one and "quality: {accepted: [rounded_ids]}" in one for one in problems
        ] == [True]
    lines = priced_lines()
    for line in lines:
        line[3] = f"{4930000000000 + int(line[3][1:]):.2E}"
    trial, problems = judged(tmp_path, orders=lines)
    assert [one for one in problems if "rounded" in one] == []
    assert ["raw.orders.product_id: 600 of 600" in one for one in notes(trial, "rounded_ids")] == [True]
