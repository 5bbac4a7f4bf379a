"""The study of uncertainty counts what it says."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from benchmarks import uncertainty
from benchmarks.accuracy_truth import Truth, Window
from benchmarks.uncertainty_shops import Said, run_shop


def said(seed: int, scale: float = 1.0) -> Said:
    rng = np.random.default_rng(seed)
    predicted = rng.lognormal(3, 1, 6_000)
    actual = predicted * rng.uniform(0, 2, 6_000)
    bounds = {"lower_80": 0.2, "upper_80": 1.8, "lower_95": 0.05, "upper_95": 1.95}
    given = {name: predicted * factor for name, factor in bounds.items()}
    age = rng.integers(0, 400, 6_000).astype(float)
    return Said(predicted * scale, actual, given, rng.random(6_000) < 0.5, age, given, 3_000)


def test_coverage_counts_what_lies_inside_and_on_which_side_the_rest_lies():
    one = said(1)
    (row, wide) = uncertainty.interval_rows("log", one.bounds, one.actual, 2.0 * one.actual.sum())
    assert row["covered"] == pytest.approx(0.8, abs=0.03)
    assert wide["covered"] == pytest.approx(0.95, abs=0.02)
    assert row["covered"] + row["below"] + row["above"] == pytest.approx(1.0)
    assert row["covered, total as it came"] < row["covered"]
    (row, _) = uncertainty.shop_rows([{"cltv": one}, {"cltv": said(2)}, {}])
    assert row["shops"] == 2
    assert row["total as it came"] == row["within 2 points"]


def test_the_share_within_two_points_by_chance_is_that_of_exact_intervals_of_as_many_customers():
    rng = np.random.default_rng(1)
    errors = rng.normal(0, 1, 100_000) * np.sqrt(0.16 / 6_000) - rng.normal(0, 1, 100_000) * np.sqrt(0.16 / 3_000)
    (row, _) = uncertainty.shop_rows([{"cltv": said(1)}])
    assert row["by chance alone"] == pytest.approx((np.abs(errors) <= 0.02).mean(), abs=0.01)


def test_ages_are_compared_after_the_total_is_brought_to_what_came():
    rows = uncertainty.age_rows("log", [said(1, scale=3.0)])
    assert rows[0]["customers of"] == "one order, 0 to 29 days ago"
    assert rows[-1]["customers of"] == "more orders"
    assert all(row["predicted over actual"] == pytest.approx(1.0, abs=0.3) for row in rows)


def test_right_probabilities_err_as_by_chance_and_every_part_is_on_the_page():
    rng = np.random.default_rng(4)
    probability = rng.random(3_000) * 0.6
    days = np.where(rng.random(3_000) < probability, 20.0, np.nan)
    nothing = np.zeros(3_000)
    truth = Truth(Window(date(2024, 1, 1), 30, 3_000), pd.RangeIndex(3_000), nothing, days <= 30, *[nothing] * 8)
    table = pd.DataFrame({f"buy_probability_{one}d": probability for one in uncertainty.HORIZONS})
    one = uncertainty.Published("log", truth, table, table.assign(probability=1 - probability), days, 30)
    rows = uncertainty.probability_rows(one)
    assert [(row["workflow"], row["days"]) for row in rows] == [("churn", 30), ("cltv", 30)]
    assert rows[0]["error"] == pytest.approx(rows[0]["by chance"], abs=0.01)
    assert rows[0]["log loss"] < rows[0]["log loss of the share"]
    lapse = Said(1 - probability, (~(days <= 30)).astype(float), {}, nothing > 0, nothing)
    parts = {
        "intervals": uncertainty.interval_rows("log", said(1).bounds, said(1).actual, said(1).predicted.sum()),
        "shops": uncertainty.shop_rows([{"cltv": said(1)}]),
        "probabilities": rows,
        "shop_probabilities": uncertainty.shop_probability_rows([{"churn": lapse}]),
        "ages": uncertainty.age_rows("log", [said(1)]),
    }
    text = uncertainty.page(parts, {"log": -0.1})
    assert "missed by log -10%" in text
    assert "| log | churn | 30 |" in text
    assert len({(row.case, row.metric) for row in uncertainty.rows_of(parts)}) == len(uncertainty.rows_of(parts))


def test_a_shop_is_fitted_and_every_customer_known_at_the_end_has_bounds():
    found = run_shop(1_001)
    spend, lapse = found["cltv"], found["churn"]
    assert len(spend.predicted) == len(lapse.predicted) == len(spend.bounds["upper_80"])
    assert (spend.bounds["lower_95"] <= spend.bounds["upper_95"]).all()
    assert set(np.unique(lapse.actual)) == {0.0, 1.0}
