"""Columns next to the status that say of some rows that they are no sales."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tests.stages.raw.conftest import Shop

COLUMNS = {"order_id": "order", "customer_id": "who", "ordered_at": "when", "amount": "total", "order_status": "status"}
DECLARED: dict[str, Any] = {
    "path": "a.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": COLUMNS,
    "other_statuses": {"test": {"TRUE": "ignore"}, "cancelled": {"*": "void"}, "kind": {"refund*": "return"}},
}
HEADER = "order,who,when,total,status,test,cancelled,kind\n"
ROWS = """1,a,2024-03-01,10,paid,false,,sale
2,a,2024-03-02,20,paid,true,,sale
3,a,2024-03-03,30,paid,,2024-03-04,sale
4,b,2024-03-04,40,cancelled,,,sale
5,b,2024-03-05,5,paid,,,refund of 1
"""


def amounts(shop: Shop) -> dict[str, Decimal]:
    return {row["order_id"]: row["amount"] for row in shop.rows("select order_id, amount from raw.orders")}


def reasons(shop: Shop) -> list[str]:
    return shop.column("select reason from raw.rejected_rows order by row_number")


def test_what_they_say_comes_before_the_status_and_other_values_say_nothing(shop: Shop) -> None:
    shop.write("a.csv", HEADER + ROWS)
    shop.load(declared=DECLARED)
    assert amounts(shop) == {"1": 10, "5": -5}
    assert reasons(shop) == ["ignored_status", "void_status", "void_status"]
    assert shop.column("select is_return from raw.orders order by order_id") == [False, True]


def test_they_are_read_without_a_column_of_statuses(shop: Shop) -> None:
    columns = {role: column for role, column in COLUMNS.items() if role != "order_status"}
    shop.write("a.csv", HEADER + ROWS)
    shop.load(declared={**DECLARED, "columns": columns})
    assert amounts(shop) == {"1": 10, "4": 40, "5": -5}


def test_what_the_first_line_of_an_order_says_holds_for_its_other_lines(shop: Shop) -> None:
    lines = """1,a,2024-03-01,10,paid,true,,
1,,,,,,,
2,a,2024-03-01,10,paid,,,
2,,,,,,,
"""
    carry = ["customer_id", "ordered_at", "order_status"]
    shop.write("a.csv", HEADER + lines)
    shop.load(declared={**DECLARED, "amount_level": "order", "carry": carry})
    assert [row["order_id"] for row in shop.rows("select order_id from raw.orders")] == ["2", "2"]
    assert reasons(shop) == ["ignored_status", "ignored_status"]


def test_a_column_that_the_file_lacks_is_named(shop: Shop) -> None:
    shop.write("a.csv", "order,who,when,total,status\n1,a,2024-03-01,10,paid\n")
    with pytest.raises(ValueError, match="has no column 'test'"):
        shop.load(declared=DECLARED)


def test_init_writes_what_is_beside_the_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    marks = [("true" if n % 9 == 0 else "false", "2024-04-01" if n % 8 == 1 else "") for n in range(60)]
    rows = [
        f"{n},k{n % 5},2024-03-{n % 28 + 1:02},{n}.50,paid,EUR,{test},{cancelled}"
        for n, (test, cancelled) in enumerate(marks)
    ]
    header = "order_id,customer_id,date,total,status,currency,is_test,cancelled_at"
    Path("o.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    assert CliRunner().invoke(app, ["init", "o.csv"]).exit_code == 0
    text = Path("tdml.yaml").read_text(encoding="utf-8")
    assert '  is_test: {"true": ignore}' in text
    assert '  cancelled_at: {"*": void}' in text
    done = CliRunner().invoke(app, ["check"])
    kept = sum(n + 0.5 for n in range(60) if n % 9 and n % 8 != 1)
    assert f"{kept:,.2f} EUR" in done.stdout


def test_money_that_goes_back_is_the_customers_of_the_order_whoever_the_row_names(shop: Shop) -> None:
    columns = {**COLUMNS, "parent_order_id": "parent"}
    shop.write("a.csv", "order,who,when,total,status,parent\n1,a,2024-03-01,10,paid,\nr1,shop,2024-03-05,-4,paid,1\n")
    shop.load(declared={**DECLARED, "columns": columns, "other_statuses": {}})
    assert {row["customer_id"] for row in shop.rows("select customer_id from raw.orders")} == {"a"}
