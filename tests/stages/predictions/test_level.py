"""The level of scores of a lifetime model that stands in for a workflow's own, and the words for it."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.level_lifetime import fit_base
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.monitoring import LEVEL
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.evaluation.asset import read_today
from tdml_assets.stages.features.snapshots import SNAPSHOTS, snapshot_rows
from tdml_assets.stages.predictions.level import expectations_of, move_fallback, read_level_sentence
from tdml_assets.stages.preparation.parameters import NumericColumn, Parameters
from tdml_assets.stages.training.level import read_level_history

DAY = date(2026, 6, 30)
SESSION = "s1"
FEATURES = TableContract(
    "features",
    "customer_features",
    "",
    (
        Column("snapshot_date", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("repeat_purchase_days", "BIGINT", ""),
        Column("recency_days", "BIGINT", ""),
        Column("tenure_days", "BIGINT", ""),
        Column("avg_repeat_day_value", "DOUBLE", ""),
    ),
)
ORDERS = TableContract(
    "raw",
    "orders",
    "",
    (
        Column("customer_id", "VARCHAR", ""),
        Column("ordered_on", "DATE", ""),
        Column("amount", "DOUBLE", ""),
        Column("is_return", "BOOLEAN", ""),
        Column("is_product", "BOOLEAN", ""),
    ),
)


def shop(database, slower_after=700, days=800, closed=None):
    """Customers who all buy half as often in the last months; an order is of 20 or 30. ``closed``: first and last such day."""
    rng, orders, features = np.random.default_rng(3), [], []
    for number in range(150):
        first, gap = int(rng.integers(0, 500)), 15 + rng.gamma(2.0, 15.0)
        at = [first]
        while at[-1] < days:
            at.append(at[-1] + 1 + int(rng.exponential(gap * (2 if at[-1] > slower_after else 1))))
        at = sorted({one for one in at if one < days})
        value, name = 20.0 + 10 * (number % 2), f"c{number:03}"
        start = DAY - timedelta(days=days - 1)
        orders += [
            {
                "customer_id": name,
                "ordered_on": start + timedelta(days=one),
                "amount": value + number % 7,
                "is_return": False,
                "is_product": True,
            }
            for one in at
        ]
        features.append(
            {
                "snapshot_date": DAY,
                "customer_id": name,
                "repeat_purchase_days": len(at) - 1,
                "recency_days": at[-1] - at[0],
                "tenure_days": days - 1 - at[0],
                "avg_repeat_day_value": value + number % 7 if len(at) > 1 else None,
            }
        )
    if closed is not None:
        orders = [one for one in orders if not closed[0] <= one["ordered_on"] <= closed[1]]
    database.replace(ORDERS, orders)
    database.replace(FEATURES, features)


@pytest.fixture
def database(tmp_path):
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as opened:
        shop(opened)
        yield opened


def customers(database):
    return database.arrow(
        render(
            "training/level_histories",
            features_table=FEATURES.path,
            columns=[column.name for column in FEATURES.columns[2:]],
            day=DAY,
            most=1_000,
        )
    )


def test_windows_that_hold_a_closure_of_the_shop_are_left_out(database):
    every = read_level_history(database, 90, DAY).windows
    closed = (DAY - timedelta(days=300), DAY - timedelta(days=240))
    shop(database, closed=closed)
    left = read_level_history(database, 90, DAY).windows
    assert left == [
        (begin, days) for begin, days in every if begin + timedelta(days=days) < closed[0] or begin >= closed[1]
    ]
    assert 5 < len(left) < len(every) - 3


def test_past_windows_hold_what_was_known_on_their_day_and_what_came(database):
    known = read_level_history(database, 90, DAY)
    assert known is not None
    assert known.windows[0] == (DAY - timedelta(days=30), 30)
    rows = known.past.to_pylist()
    (year,) = [begin for begin, days in known.windows if (DAY - begin).days == 365]
    one = next(row for row in rows if row["begin_day"] == year and row["repeats"] > 3 and row["orders"])
    span = database.row(render("features/orders_span", table=ORDERS.path, as_of=year))
    assert one["age"] <= (year - span["first_order_on"]).days
    assert one["repeat_amount"] / one["repeats"] == pytest.approx(one["spend"] / one["orders"])
    assert {row["begin_day"] for row in rows} == {begin for begin, _ in known.windows}


def test_scores_of_a_lifetime_model_are_lowered_where_customers_buy_less_than_it_expects(database):
    spec, table = WorkflowSpec(name="cltv"), customers(database)
    plain = np.full(table.num_rows, 60.0)
    moved = move_fallback(database, spec, table, plain, SESSION, DAY)
    (row,) = database.rows(render("predictions/level", table=LEVEL.path, session_id=SESSION, workflow="cltv"))
    assert moved.sum() == pytest.approx(row["total"])
    assert row["gap"] - row["ageing"] < -0.1, "the last months brought less than the model expects"
    assert row["low_total"] < row["total"] < row["high_total"]
    assert "of cases" in str(read_level_sentence(database, SESSION, "cltv"))


def test_a_workflow_without_correction_keeps_its_scores_and_says_what_it_would_have_been(database):
    spec = WorkflowSpec(name="cltv", level={"correction": "none"})
    plain = np.full(150, 60.0)
    assert move_fallback(database, spec, customers(database), plain, SESSION, DAY) is plain
    (row,) = database.rows(render("predictions/level", table=LEVEL.path, session_id=SESSION, workflow="cltv"))
    assert row["corrected"] is False
    assert row["total"] == pytest.approx(9_000.0)


def few(rows: int) -> WorkflowSpec:
    return WorkflowSpec(name="cltv", split={"max_rows": rows})


def test_of_more_customers_than_a_training_may_have_rows_a_share_is_read_and_counts_for_all(database):
    for text in (
        f"create temp view labelled_rows as from features.customer_features where snapshot_date < date '{DAY}'",
        "create temp table no_rows as select snapshot_date, customer_id from labelled_rows",
    ):
        database.execute(Statement(text))
    rows = database.arrow(Statement("from no_rows"))
    base = fit_base(read_level_history(database, 90, DAY), target_kind="net_spend", horizon_days=90)
    asked = (("labelled_rows",), rows, [DAY], base)
    everybody, share = (expectations_of(database, few(most), *asked)[DAY] for most in (150, 100))
    assert len(everybody.history) == everybody.customers == share.customers == 150
    assert 80 < len(share.history) < 120
    assert share.total() == pytest.approx(everybody.total(), rel=0.15)


def test_rows_of_today_are_those_of_a_share_of_the_customers_and_the_same_each_time(database):
    database.replace(SNAPSHOTS, snapshot_rows([DAY], DAY, 1.0))
    parameters = Parameters((NumericColumn("tenure_days", 0.0, None, None, 0.0, 1.0, False),), (), "clip", {})
    everybody, share, again = (read_today(database, few(most), parameters) for most in (150, 100, 100))
    assert everybody["customer_id"].to_pylist() == [f"c{number:03}" for number in range(150)]
    assert 80 < share.num_rows < 120
    assert share.equals(again)
    assert set(share["customer_id"].to_pylist()) < set(everybody["customer_id"].to_pylist())


def test_without_orders_nothing_is_moved(tmp_path):
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as opened:
        plain = np.ones(3)
        assert move_fallback(opened, WorkflowSpec(name="cltv"), pa.table({}), plain, SESSION, DAY) is plain
        assert read_level_sentence(opened, SESSION, "cltv") is None
