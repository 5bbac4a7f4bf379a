"""Logs that leave little to learn from are scored: which learner, why, and how sure, are kept."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.outcome import Outcome
from tdml_assets.stages.raw.contracts import LOADS
from tests.platform.test_isolation import Shop

DAY = date(2024, 6, 30)


def shop_of(folder, first_days: np.ndarray, gaps: np.ndarray, seed: int = 1) -> Shop:
    """Orders up to a horizon of 60 days behind ``DAY`` of customers with a first order so many days ago, and a mean gap each."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, (ago, gap) in enumerate(zip(first_days, gaps, strict=True)):
        days = np.unique(np.concatenate([[0.0], np.cumsum(rng.exponential(gap, 60))]).astype(int)) - int(ago)
        rows += [
            (f"c{number:04}", DAY + timedelta(days=int(one)), float(20 + number % 30), True, False)
            for one in days[days <= 0]
        ]
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_on", "amount", "is_product", "is_return"])
    shop = Shop(folder)
    with shop.warehouse.get_connection() as connection:
        connection.execute("create schema raw; create schema features; create schema staging")
        connection.register("frame", frame)
        connection.execute("create table raw.orders as select * from frame")
        connection.execute("create view staging.stg_orders as select *, 1 as units from raw.orders")
    with shop.warehouse.write() as database:
        database.ensure(LOADS)
    return shop


def workflows(horizon_days: int) -> list[WorkflowSpec]:
    """``cltv`` and ``churn`` as they are shipped, in what matters here, with few rounds."""
    shipped = {
        "target": {"horizon_days": horizon_days},
        "snapshots": {"count": 2, "seasons": []},
        "model": {"estimator": "auto", "reasons": 0, "parameters": {"rounds": 10}},
        "monitor": {"report": False},
        "horizons": [30],
    }
    attribute = {"column": "predicted_target", "description": "Score."}
    return [
        WorkflowSpec.model_validate({"name": "cltv", "attributes": [{"name": "cltv_amount", **attribute}], **shipped}),
        WorkflowSpec.model_validate(
            {
                "name": "churn",
                "task": "classification",
                "attributes": [{"name": "churn_probability", "column": "probability", "description": "Score."}],
                **shipped,
                "target": {"kind": "no_purchase", "horizon_days": horizon_days},
            }
        ),
    ]


def scored(shop: Shop, horizon_days: int) -> dict[str, Outcome]:
    """How a session scored, by workflow; every customer is scored."""
    specs = workflows(horizon_days)
    result = shop.run(DAY, *specs)
    assert result.success
    for spec in specs:
        (row,) = shop.rows(f"select count(distinct customer_id) as customers from {spec.name}.predictions")
        (known,) = shop.rows("select count(distinct customer_id) as customers from raw.orders")
        assert row == known
    return shop.outcomes(result)


def how_sure(shop: Shop) -> set[str]:
    """Workflows whose total is stated with bounds."""
    rows = shop.rows("select * from monitoring.level")
    assert all(row["low_total"] < row["expected_total"] < row["high_total"] for row in rows)
    return {row["workflow"] for row in rows}


def learners(shop: Shop) -> set[str]:
    """Workflows of which is kept which learner was chosen, and from what."""
    rows = shop.rows("select * from monitoring.estimator_choices where chosen")
    return {row["workflow"] for row in rows if row["option"] and row["seen"]}


def test_a_log_as_long_as_the_horizon_is_scored_by_a_lifetime_model_without_labels(tmp_path):
    rng = np.random.default_rng(1)
    shop = shop_of(tmp_path, rng.integers(150, 241, 300), rng.gamma(0.7, 120, 300) + 5)
    found = scored(shop, 241)
    assert {one.method for one in found.values()} == {"lifetime"}
    assert all("a horizon of 241 days leaves none to learn from" in (one.reason or "") for one in found.values())
    assert how_sure(shop) == {"cltv", "churn"}


def test_a_cohort_of_one_day_is_learnt_from(tmp_path):
    rng = np.random.default_rng(2)
    shop = shop_of(tmp_path, np.full(350, 200), rng.gamma(0.7, 120, 350) + 5)
    found = scored(shop, 60)
    assert {one.method for one in found.values()} == {"champion"}
    assert learners(shop) == {"cltv", "churn"}
    assert how_sure(shop) == {"cltv", "churn"}


def test_of_a_thousand_customers_of_whom_one_in_twenty_buys_each_is_scored(tmp_path):
    rng = np.random.default_rng(3)
    often = np.arange(1_000) % 20 == 0
    shop = shop_of(tmp_path, rng.integers(1, 250, 1_000), np.where(often, 35.0, 3_000.0))
    found = scored(shop, 60)
    assert found["cltv"].method == "champion"
    assert learners(shop) >= {"cltv"}
    # Too few buy for a classifier to learn and to be measured: the lifetime model gives the probability, and the reason is kept.
    assert found["churn"].method == "lifetime"
    assert "min_negatives is 50" in (found["churn"].reason or "")
    assert how_sure(shop) == {"cltv", "churn"}
