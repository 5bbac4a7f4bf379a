"""What ``check`` prints to be compared with one's own books, on a file whose figures are known."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.commands.check_facts import Pause, pauses_of
from tdml_assets.commands.check_signs import odd_months

ROWS = """order,who,day,state,qty,total
1,ann,2026-01-05,paid,1,1200.50
2,bob,2026-01-06,cancelled,1,99.00
3,bob,2026-01-06,odd,2,10.00
3,bob,2026-02-10,paid,-1,-4.00
4,,2026-02-10,paid,1,7.00
5,ann,someday,paid,1,1.00
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "orders.csv").write_text(ROWS, encoding="utf-8")
    columns = {"order_id": "order", "customer_id": "who", "ordered_at": "day", "order_status": "state"}
    orders = {
        "path": "orders.csv",
        "format": "csv",
        "timestamp_format": "%Y-%m-%d",
        "currency": "EUR",
        "columns": columns | {"quantity": "qty", "amount": "total"},
    }
    (tmp_path / "tdml.yaml").write_text(yaml.safe_dump({"sources": {"orders": orders}}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_examples_statuses_returns_and_the_largest_are_printed(shop: Path) -> None:
    printed = CliRunner().invoke(app, ["--config", "tdml.yaml", "--home", "home", "check"]).stdout
    for line in (
        '      orders.csv, row 5: {"order":"4",',
        '      orders.csv, row 6: {"order":"5","who":"ann","day":"someday"',
        "    paid: 4 rows",
        "    cancelled: 1 rows, 99.00, counted as void (common)",
        "    odd: 1 rows, 10.00, counted as sale",
        "lines of negative quantity, -4.00",
        "    1: 1,200.50 on 1 lines",
        "    ann: 1,200.50 on 1 lines",
        "days without orders        34   the longest: 2026-01-07 to 2026-02-09 (34 days)",
        "    2026-01            1,210.50",
    ):
        assert line in printed
    assert not (shop / "home").exists(), "nothing is stored"


def test_json_has_the_same_figures_for_scripts(shop: Path) -> None:
    told = json.loads(CliRunner().invoke(app, ["--config", "tdml.yaml", "--home", "home", "check", "--json"]).stdout)
    orders = told["orders"]
    assert orders["net_revenue"] == "1206.50"
    assert orders["returns"] == {"lines": 1, "amount": "-4.00"}
    assert {one["status"]: one["counts_as"] for one in orders["statuses"]} == {
        "paid": "sale",
        "cancelled": "void",
        "odd": "sale",
    }
    assert orders["largest_customers"][1] == {"id": "bob", "order_lines": 2, "amount": "6.00"}
    assert {row["reason"] for row in told["rejected_examples"]} == {"void_status", "missing_customer", "bad_timestamp"}


def test_pauses_are_the_days_between_days() -> None:
    days = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 5)]
    assert pauses_of(days) == [Pause(date(2026, 1, 3), date(2026, 1, 4))]
    assert pauses_of([]) == []


CURRENCIES = """order,who,day,total,cur,name
1,ann,2026-01-05,100.10,eur,Tea
2,bob,2026-01-06,33.33,USD,Tea
2,bob,2026-01-06,66.67,USD,Cup
3,cid,2026-01-06,1000,JPY,TEST
4,dan,2026-01-07,5.00,GBP,Tea
TEST-5,eva,2026-01-07,7.00,EUR,Tea
6,fay,2026-01-08,0.01,EUR,Tea
7,fay,2026-01-08,0.01,EUR,Tea
8,fay,2026-01-08,1.00,EUR,Tea
9,test@shop.com,2026-01-08,2.00,EUR,Tea
10,gus,2026-01-09,3.00,EUR,Pregnancy test
"""


def test_the_money_of_each_currency_and_what_looks_like_tests_are_shown(shop: Path) -> None:
    (shop / "orders.csv").write_text(CURRENCIES, encoding="utf-8")
    orders = {
        "path": "orders.csv",
        "format": "csv",
        "timestamp_format": "%Y-%m-%d",
        "reporting_currency": "EUR",
        "rates": {"USD": "0.9231", "JPY": "0.0061"},
        "columns": {"order_id": "order", "customer_id": "who", "ordered_at": "day", "amount": "total"}
        | {"currency": "cur", "product_id": "name"},
    }
    (shop / "tdml.yaml").write_text(yaml.safe_dump({"sources": {"orders": orders}}), encoding="utf-8")
    done = CliRunner().invoke(app, ["--config", "tdml.yaml", "--home", "home", "check", "--json"])
    told = json.loads(done.stdout)
    own = {one["currency"]: (one["order_lines"], one["amount"]) for one in told["orders"]["own_currencies"]}
    assert own == {"EUR": (7, "113.12"), "USD": (2, "100.00"), "JPY": (1, "1000.00"), "GBP": (0, "0.00")}
    assert [one["rows_rejected"] for one in told["orders"]["own_currencies"] if one["currency"] == "GBP"] == [1]
    signs = {one["sign"]: (one["order_lines"], one["amount"]) for one in told["orders"]["test_orders"]}
    assert signs == {"amount": (3, "1.02"), "customer_id": (1, "2.00"), "order_id": (1, "7.00"), "product": (1, "6.10")}
    assert sum("look like tests: " in note for note in told["notes"]) == 3


def test_a_month_without_orders_or_with_hardly_any_falls_out() -> None:
    usual = {f"2025-{month:02}": Decimal(1000 + month) for month in range(1, 13)}
    assert odd_months(tuple(usual.items()), 900) == ()
    found = odd_months(tuple((usual | {"2025-05": Decimal(90), "2026-02": Decimal(900)}).items()), 900)
    assert [(one.month, one.net_revenue) for one in found] == [("2025-05", Decimal(90)), ("2026-01", Decimal(0))]
    assert odd_months((), 0) == ()
    assert odd_months(tuple((usual | {"2025-05": Decimal(0)}).items()), 100) == (), (
        "few orders have such months by chance"
    )
