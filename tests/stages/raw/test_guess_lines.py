"""What rows of a file of orders have in common: totals of few different amounts, orders that several files of a folder hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdml_assets.stages.raw.beginning_folders import folder_samples
from tdml_assets.stages.raw.guess import Guess, guess
from tdml_assets.stages.raw.guess_lines import may_be_total_of_order, repeated_kinds
from tdml_assets.stages.raw.sample import FileSample

PLANS = ("19.90", "29.90", "49.90")
#: 30 orders of two lines each, of ten products.
ORDERS = [f"o{n // 2}" for n in range(60)]
PRODUCTS = [f"p{n % 7}" for n in range(60)]


def test_few_amounts_that_go_with_orders_may_be_totals_and_those_that_go_with_products_are_prices() -> None:
    totals = [PLANS[n // 2 % 3] for n in range(60)]
    assert may_be_total_of_order(ORDERS, totals, PRODUCTS, float) == 30
    assert may_be_total_of_order(ORDERS, totals, (), float) == 30, "nothing is known of products"
    by_product = [f"a{n // 2 % 3}{n % 2}" for n in range(60)]
    assert may_be_total_of_order(ORDERS, totals, by_product, float) == 0
    assert may_be_total_of_order(ORDERS, ["9.90"] * 60, PRODUCTS, float) == 0, "one price for everything"


@pytest.mark.parametrize(("column", "level"), [("order_total", "order"), ("total", "")])
def test_a_column_named_after_orders_is_their_total_and_another_is_asked_about(
    tmp_path: Path, column: str, level: str
) -> None:
    rows = [
        f"{ORDERS[n]},2026-01-{n // 2 % 28 + 1:02},k{n // 2 % 9},{PRODUCTS[n]},{PLANS[n // 2 % 3]}" for n in range(60)
    ]
    found = guessed(tmp_path, {"o.csv": [f"order_id,date,customer_id,sku,{column}", *rows]})
    assert found.amount_level.startswith("the amount is the same") == bool(level)
    assert ("amount_level" in found.open) == (not level)


def test_orders_that_several_files_of_a_folder_hold_need_a_key(tmp_path: Path) -> None:
    header = "order_id,date,customer_id,status,total"
    rows = [f"o{n},2026-01-{n % 28 + 1:02},k{n % 7},paid,{n}.50" for n in range(1, 60)]
    assert guessed(tmp_path / "apart", {"a.csv": [header, *rows[:30]], "b.csv": [header, *rows[30:]]}).line_key == (
        (),
        "",
    )
    found = guessed(tmp_path / "overlap", {"a.csv": [header, *rows[:35]], "b.csv": [header, *rows[25:]]})
    assert found.line_key[0] == ("order_id",)
    assert "orders that are in several files: 10" in found.line_key[1]


def test_kinds_of_rows_that_each_hold_the_money_of_an_order_are_seen_and_asked_about(tmp_path: Path) -> None:
    kinds = ("Received", "Authorised", "Settled")
    rows = [f"o{n},2026-01-{n % 28 + 1:02},k{n % 7},{kind},{n + 1}.50" for n in range(30) for kind in kinds]
    found = guessed(tmp_path, {"o.csv": ["order_id,date,customer_id,Record Type,amount", *rows]})
    assert found.columns["order_status"] == "Record Type"
    assert found.are_repeated
    assert "rows of each 'Record Type' come to the same money" in found.open["statuses"]
    columns = {"order_id": "order_id", "amount": "amount"}
    lines = {
        "order_id": ORDERS,
        "amount": [f"{n % 7 + 1}.00" for n in range(60)],
        "line type": ["product", "gift"] * 30,
    }
    assert repeated_kinds(FileSample("o.csv", "csv", lines), columns, float) is None, "each line has its own money"


@pytest.mark.parametrize("sides", ["Soll,Haben", "Gross Debit (GC),Gross Credit (GC)", "Debe,Haber"])
def test_of_amounts_in_two_columns_the_side_with_more_money_is_sold(tmp_path: Path, sides: str) -> None:
    rows = [f"o{n},2026-01-{n % 28 + 1:02},k{n % 7},{',5.50' if n % 5 else '3.20,'}" for n in range(30)]
    found = guessed(tmp_path / "clear", {"o.csv": [f"order_id,date,customer_id,{sides}", *rows]})
    back, sold = sides.split(",")
    assert (found.columns["amount"], found.columns["amount_reversed"]) == (sold, back)
    assert "columns.amount" not in found.open
    rows = [f"o{n},2026-01-{n % 28 + 1:02},k{n % 7},{',5.50' if n % 2 else '5.20,'}" for n in range(30)]
    found = guessed(tmp_path / "even", {"o.csv": [f"order_id,date,customer_id,{sides}", *rows]})
    assert "amount" not in found.columns
    assert "are the two sides of an amount" in found.open["columns.amount"]


def test_a_time_that_no_format_reads_is_mapped_by_a_part_of_its_name(tmp_path: Path) -> None:
    rows = [f"o{n},{n % 28 + 1} of the third month of 2024,k{n % 7},5.50" for n in range(30)]
    found = guessed(tmp_path, {"o.csv": ["order_id,Fecha de venta,customer_id,amount", *rows]})
    assert found.columns["ordered_at"] == "Fecha de venta"
    assert "no usual format reads all of them" in found.open["timestamp_format"]


def guessed(folder: Path, files: dict[str, list[str]]) -> Guess:
    folder.mkdir(exist_ok=True)
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return guess("orders", folder_samples(folder, "exports"))
