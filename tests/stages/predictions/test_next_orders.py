"""What customers do next, written next to the scores."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.declaration.attributes import AttributeSpec, for_horizons
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.predictions import next_orders
from tdml_assets.stages.predictions.contracts import scores_contract
from tdml_assets.stages.predictions.next_orders import add_next_orders, next_order_columns, without_next_orders

DAY = date(2026, 6, 30)
FEATURES = TableContract(
    "features",
    "customer_features",
    "",
    tuple(
        Column(name, kind, "")
        for name, kind in {
            "snapshot_date": "DATE",
            "customer_id": "VARCHAR",
            "repeat_purchase_days": "BIGINT",
            "recency_days": "BIGINT",
            "tenure_days": "BIGINT",
            "mean_days_between_orders": "DOUBLE",
            "stddev_days_between_orders": "DOUBLE",
            "avg_repeat_day_value": "DOUBLE",
        }.items()
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


SALE = {"amount": 5.0, "is_return": False, "is_product": True}


def order_days(customers=120, seed=4):
    rng = np.random.default_rng(seed)
    found = {}
    for number in range(customers):
        at = rng.integers(0, 300) + np.cumsum(np.concatenate([[0], 1 + rng.exponential(20 + 2 * number, 40)]))
        at = np.unique(at[at < 400].astype(int))
        found[f"c{number:03}"] = at[: 1 if number % 4 == 0 else None]
    return found


@pytest.fixture
def shop(tmp_path):
    """A warehouse with the features and orders of a shop, in a transaction that is open."""
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path), wait_seconds=1)

    def fill(database, days_of):
        rows = []
        for customer, days in days_of.items():
            gaps = np.diff(days)
            rows.append(
                {
                    "snapshot_date": DAY,
                    "customer_id": customer,
                    "repeat_purchase_days": len(gaps),
                    "recency_days": int(days[-1] - days[0]),
                    "tenure_days": int(400 - days[0]),
                    "mean_days_between_orders": float(gaps.mean()) if len(gaps) else None,
                    "stddev_days_between_orders": float(gaps.std(ddof=1)) if len(gaps) > 1 else None,
                    "avg_repeat_day_value": 40.0 + len(customer) if len(gaps) else None,
                }
            )
        database.replace(FEATURES, rows)
        orders = [
            {"customer_id": customer, "ordered_on": DAY - timedelta(days=400 - int(day)), **SALE}
            for customer, days in days_of.items()
            for day in days
        ]
        database.replace(ORDERS, orders)

    with warehouse.write() as database:
        yield database, fill


def written(database, spec, predicted):
    scores = scores_contract(spec)
    columns = {"customer_id": list(predicted), "predicted_target": list(predicted.values())}
    database.replace(scores, pa.table(columns))
    beside = add_next_orders(database, spec, scores.path, DAY)["beside"]
    assert beside["columns"] == [column.name for column in next_order_columns(spec)]
    return database.rows(Statement(f'select * from "{spec.name}".next_orders order by customer_id'))


def churn(**over):
    return WorkflowSpec(name="churn", task="classification", model={"reasons": 0}, **over)


def test_every_scored_customer_gets_probabilities_that_follow_its_own_and_a_date_ahead(shop):
    database, fill = shop
    days = order_days()
    fill(database, days)
    own = {customer: 0.9 - number / 200 for number, customer in enumerate(days) if number % 5}
    rows = written(database, churn(horizons=[180, 30]), own)
    assert [row["customer_id"] for row in rows] == sorted(own)
    for row in rows:
        assert row["probability_active"] == pytest.approx(1 - own[row["customer_id"]])
        assert 0 < row["buy_probability_30d"] <= row["probability_active"] <= row["buy_probability_180d"] <= 1
        assert row["expected_orders_30d"] >= row["buy_probability_30d"]
        assert DAY < row["next_order_earliest"] <= row["next_order_date"] <= row["next_order_latest"]
        assert row["next_order_latest"] <= DAY + timedelta(days=180)
        assert (
            (row["days_overdue"] is None)
            == (row["next_order_note"] is not None)
            == (len(days[row["customer_id"]]) == 1)
        )


def test_spend_is_divided_over_time_and_whole_at_the_horizon(shop):
    database, fill = shop
    days = order_days()
    fill(database, days)
    spec = WorkflowSpec(name="cltv", model={"reasons": 0})
    rows = written(database, spec, {customer: 3.0 + number for number, customer in enumerate(days)})
    for number, row in enumerate(rows):
        assert row["expected_spend_90d"] == pytest.approx(3.0 + number)
        assert 0 < row["expected_spend_30d"] < row["expected_spend_60d"] < row["expected_spend_90d"]
        assert row["expected_order_value"] > 0


def test_parts_of_the_customers_and_all_at_once_are_the_same(shop, monkeypatch):
    database, fill = shop
    days = order_days()
    fill(database, days)
    own = dict.fromkeys(days, 0.5)
    whole = written(database, churn(), own)
    monkeypatch.setattr(next_orders, "_ROWS", 7)
    assert written(database, churn(), own) == whole


def test_two_workflows_share_one_fit(shop, monkeypatch):
    database, fill = shop
    days = order_days(seed=5)
    fill(database, days)
    written(database, churn(), dict.fromkeys(days, 0.5))
    monkeypatch.setattr("tdml_assets.engines.next_orders.fit_pareto_nbd", None)
    assert written(database, WorkflowSpec(name="cltv", model={"reasons": 0}), dict.fromkeys(days, 9.0))


@pytest.mark.parametrize(
    ("days_of", "why"),
    [
        ({f"c{number:03}": np.array([number]) for number in range(200)}, "200 customers, 0 of them"),
        ({f"c{number:03}": np.array([number, number + 30]) for number in range(20)}, "20 customers, 20 of them"),
        ({f"c{number:03}": np.array([400]) for number in range(90)}, "90 customers, 0 of them"),
    ],
)
def test_a_shop_that_shows_no_rhythm_gets_no_value_and_a_reason(shop, days_of, why):
    database, fill = shop
    fill(database, days_of)
    (row, *others) = written(database, churn(), dict.fromkeys(days_of, 0.5))
    assert len(others) == len(days_of) - 1
    assert row.pop("next_order_note").startswith(f"not known: {why}")
    assert set(row.values()) == {row["customer_id"], None}


def test_features_without_histories_are_named(shop):
    database, fill = shop
    fill(database, order_days())
    database.execute(Statement("alter table features.customer_features drop column tenure_days"))
    row = written(database, churn(), {"c001": 0.5})[0]
    assert row["next_order_note"] == "not known: features.customer_features has no column tenure_days"


def test_what_is_not_an_order_has_no_next_orders(shop):
    database, _ = shop
    for spec in (churn(horizons=[]), churn(target={"kind": "any"}), WorkflowSpec(name="abc", task="clustering")):
        assert next_order_columns(spec) == ()
        assert add_next_orders(database, spec, ("abc", "scores"), DAY) == {}


def test_an_attribute_with_days_in_its_name_is_one_per_horizon_and_gone_without_horizons():
    declared = (
        AttributeSpec(name="p", column="probability", description="d"),
        AttributeSpec(name="buys_{days}d", column="buy_probability_{days}d", description="In {days} days."),
        AttributeSpec(name="late", column="days_overdue", description="d"),
    )
    found = tuple(for_horizons(declared, (30, 180)))
    assert [one.name for one in found] == ["p", "buys_30d", "buys_180d", "late"]
    assert (found[2].column, found[2].description) == ("buy_probability_180d", "In 180 days.")
    assert without_next_orders(churn(), found) == found
    assert [
        one.name for one in without_next_orders(churn(target={"kind": "any"}), tuple(for_horizons(declared, (30, 90))))
    ] == ["p"]
    assert [one.name for one in without_next_orders(churn(horizons=[]), tuple(for_horizons(declared, ())))] == ["p"]


def test_horizons_are_sorted_and_refused_where_no_orders_are_predicted():
    assert churn(horizons=[90, 30, 90]).horizons == (30, 90)
    with pytest.raises(ValueError, match="horizons: the target is unlabelled"):
        WorkflowSpec(name="abc", task="clustering", horizons=[30])
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        churn(horizons=[0])
