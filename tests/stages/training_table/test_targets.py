"""Every kind of target against order lines made by hand, and the days that belong to its window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.declaration.target_kinds import kind_named
from tdml_assets.declaration.targets import Target
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Warehouse

DAY = date(2026, 1, 31)
HORIZON = 30
FEATURES = TableContract(
    "features",
    "customer_features",
    "test",
    (
        Column("snapshot_date", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("total_spend", "DOUBLE", ""),
    ),
)
ORDERS = TableContract(
    "staging",
    "stg_orders",
    "test",
    (
        Column("customer_id", "VARCHAR", ""),
        Column("ordered_on", "DATE", ""),
        Column("amount", "DECIMAL(18,4)", ""),
        Column("units", "DECIMAL(18,4)", ""),
        Column("is_return", "BOOLEAN", ""),
        Column("is_coupon", "BOOLEAN", ""),
        Column("channel", "VARCHAR", ""),
        Column("product_id", "VARCHAR", ""),
        Column("product_category", "VARCHAR", ""),
    ),
)
PAGEVIEWS = TableContract(
    "staging",
    "stg_pageviews",
    "test",
    (Column("customer_id", "VARCHAR", ""), Column("viewed_on", "DATE", ""), Column("path", "VARCHAR", "")),
)


def line(customer: str, after: int, amount: float, category: str | None = "Toys", **more: Any) -> dict[str, Any]:
    """An order line so many days after the snapshot; of one unit, negative for a return."""
    return {
        "customer_id": customer,
        "ordered_on": DAY + timedelta(days=after),
        "amount": amount,
        "units": 1 if amount >= 0 else -1,
        "is_return": amount < 0,
        "is_coupon": False,
        "channel": "online",
        "product_id": "p1",
        "product_category": category,
        **more,
    }


#: Customers: buys twice, returns more than they buy, only returns, buys on the edges of the window, does nothing.
LINES = [
    line("buys", 5, 10.25, units=2),
    line("buys", 20, 4.5, "Books", is_coupon=True, channel=None),
    line("refunded", 3, 20.0),
    line("refunded", 9, -50.0),
    line("returns", 12, -8.0, "Books"),
    line("edges", 0, 100.0),
    line("edges", 1, 1.0),
    line("edges", HORIZON, 2.0, None, channel="offline"),
    line("edges", HORIZON + 1, 1000.0, is_coupon=True),
    line("stranger", 2, 7.0),
]
KNOWN = ("buys", "edges", "nothing", "refunded", "returns")


def observed(
    tmp_path: Path, kind: str, dates: Sequence[date] = (DAY,), lines: Sequence[dict[str, Any]] = LINES, **keys: Any
) -> dict[Any, float]:
    """Target per customer known at the snapshot; per snapshot and customer where there are several."""
    target = Target(kind=kind, horizon_days=HORIZON, **keys)  # type: ignore[arg-type]
    rows = [{"snapshot_date": day, "customer_id": name, "total_spend": 1.0} for day in dates for name in KNOWN]
    views = [{"customer_id": "buys", "viewed_on": DAY + timedelta(days=after), "path": "/sale"} for after in (0, 1, 2)]
    views.append({"customer_id": "nothing", "viewed_on": DAY + timedelta(days=4), "path": "/help"})
    with Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "t")).write() as database:
        database.replace(FEATURES, rows)
        database.replace(ORDERS, lines)
        database.replace(PAGEVIEWS, views)
        statement = render(
            "training_table/build",
            features_table=FEATURES.path,
            events_table=target.events.table,
            day=target.events.day,
            kind=kind_named(kind),
            column=target.column,
            conditions=target.conditions,
            dates=list(dates),
            roles=["train"] * len(dates),
            columns=["total_spend"],
            horizon_days=HORIZON,
            holdout_share=0.2,
            sample_share=1.0,
        )
        found = database.rows(statement)
    assert len(found) == len(rows)
    assert all(row["split"] == "train" for row in found)
    if len(dates) > 1:
        return {(row["snapshot_date"], row["customer_id"]): row["target"] for row in found}
    return {row["customer_id"]: row["target"] for row in found}


GOLDEN: list[tuple[str, dict[str, Any], tuple[float, ...]]] = [
    # What each is of: buys, edges, nothing, refunded, returns.
    ("net_spend", {}, (14.75, 3.0, 0, 0, 0)),
    ("purchase", {}, (1, 1, 0, 1, 0)),
    ("no_purchase", {}, (0, 0, 1, 0, 1)),
    ("count", {}, (2, 2, 0, 2, 1)),
    ("sum", {"column": "amount"}, (14.75, 3.0, 0, 0, 0)),
    ("sum", {"column": "units"}, (3, 2, 0, 0, 0)),
    ("sum", {"column": "amount", "where": {"is_return": False}}, (14.75, 3.0, 0, 20.0, 0)),
    ("any", {}, (1, 1, 0, 1, 1)),
    ("none", {}, (0, 0, 1, 0, 0)),
    ("any", {"where": {"is_return": True}}, (0, 0, 0, 1, 1)),
    ("none", {"where": {"is_return": True}}, (1, 1, 1, 0, 0)),
    ("any", {"where": {"is_coupon": True}}, (1, 0, 0, 0, 0)),
    ("any", {"where": {"product_category": "Books"}}, (1, 0, 0, 0, 1)),
    ("count", {"where": {"product_category": ["Books", "Toys"]}}, (2, 1, 0, 2, 1)),
    ("count", {"where": {"product_category": "Books", "is_return": False}}, (1, 0, 0, 0, 0)),
    ("count", {"where": {"channel": "offline"}}, (0, 1, 0, 0, 0)),
    ("any", {"where": {"product_category": "O'Brien; --"}}, (0, 0, 0, 0, 0)),
    ("count", {"source": "pageviews"}, (2, 0, 1, 0, 0)),
    ("any", {"source": "pageviews", "where": {"path": "/help"}}, (0, 0, 1, 0, 0)),
    ("unlabelled", {}, (0, 0, 0, 0, 0)),
]


@pytest.mark.parametrize(("kind", "keys", "expected"), GOLDEN, ids=str)
def test_a_target_is_what_the_lines_of_the_window_say(
    tmp_path: Path, kind: str, keys: dict[str, Any], expected: tuple[float, ...]
) -> None:
    assert observed(tmp_path, kind, **keys) == dict(zip(KNOWN, expected, strict=True))


def test_the_window_begins_the_day_after_the_snapshot_and_ends_with_its_last_day(tmp_path: Path) -> None:
    """A line on the border counts for one of two snapshots that lie a horizon apart, never for both or none."""
    later = DAY + timedelta(days=HORIZON)
    found = observed(tmp_path, "sum", (DAY - timedelta(days=HORIZON), DAY, later), column="amount")
    edges = [found[day, "edges"] for day in (DAY - timedelta(days=HORIZON), DAY, later)]
    assert edges == [100.0, 3.0, 1000.0]


def test_customers_unknown_at_the_snapshot_are_not_learnt_from(tmp_path: Path) -> None:
    assert "stranger" not in observed(tmp_path, "purchase")


def test_amounts_are_added_up_exactly(tmp_path: Path) -> None:
    """As decimals: 0.1 + 0.2 is 0.3."""
    lines = [line("buys", 1, 0.1), line("buys", 2, 0.2)]
    assert observed(tmp_path, "net_spend", lines=lines)["buys"] == 0.3
