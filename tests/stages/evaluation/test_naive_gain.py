"""A model is called better than the naive forecast only where a paired interval says so."""

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.platform.metrics import OF_RANKS, ResampledRanks, auc, normalised_gini, spearman
from tdml_assets.stages.evaluation.measures import NAIVE_RATIO, evaluate
from tdml_assets.stages.evaluation.naive_gain import gain_of_losses, gain_of_rankings
from tdml_assets.tasks.presentation import compare
from tdml_assets.tasks.regression import PRESENTATION

RNG = np.random.default_rng(8)


def test_the_interval_of_a_loss_is_that_of_the_paired_difference() -> None:
    base = RNG.gamma(1.0, 100.0, 4_000)
    found = gain_of_losses({"mae": base}, {"mae": base + RNG.normal(1.0, 5.0, 4_000)})
    assert 0.7 < found["mae_gain_low"] < 1.0 < found["mae_gain_high"] < 1.3, "what both share has no part in it"
    assert gain_of_losses({"mae": base[:10]}, {"mae": base[:10]}) == {}


def test_the_interval_of_a_ranking_comes_from_resamples_and_is_repeatable() -> None:
    target = RNG.normal(size=800)
    good, bad = target + RNG.normal(size=800), RNG.normal(size=800)
    found = gain_of_rankings(["spearman"], target, good, bad, 3)
    assert 0.5 < found["spearman_gain_low"] < found["spearman_gain_high"] < 0.9
    assert found == gain_of_rankings(["spearman"], target, good, bad, 3)
    assert gain_of_rankings(["spearman"], target[:5], good[:5], bad[:5], 3) == {}, "too few customers"
    same = gain_of_rankings(["spearman"], target, good, good + RNG.normal(0, 0.01, 800), 3)
    assert same["spearman_gain_low"] < 0 < same["spearman_gain_high"]


def test_measures_of_resampled_ranks_are_those_of_the_resampled_values() -> None:
    target, score = np.maximum(RNG.normal(size=300), 0.0).round(1), RNG.normal(size=300).round(1)
    rows = RNG.integers(0, 300, 200)
    ranks = [ResampledRanks(values).of(rows) for values in (target, score)]
    found = {name: measure(target[rows], *ranks) for name, measure in OF_RANKS.items()}
    sides = (target[rows], score[rows])
    assert found == {
        "spearman": spearman(*sides),
        "normalised_gini": normalised_gini(*sides),
        "roc_auc": auc(sides[0] > 0, sides[1]),
    }


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.2, 1.5, "better"), (-0.3, 1.5, "equal"), (None, None, "better")]
)
def test_better_is_said_only_where_the_interval_leaves_zero_out(
    low: float | None, high: float | None, verdict: str
) -> None:
    bounds = {} if low is None or high is None else {"mae_gain_low": low, "mae_gain_high": high}
    (found,) = compare({"mae": 9.0, "baseline_mae": 10.0, **bounds}, PRESENTATION.measures)
    assert found.verdict == verdict


def test_figures_that_are_written_alike_are_equal() -> None:
    measures = [one for one in PRESENTATION.measures if one.metric == "total_bias"]
    (written_alike,) = compare({"total_bias": -0.181, "baseline_total_bias": -0.178}, measures)
    assert written_alike.verdict == "equal"
    (apart,) = compare({"total_bias": -0.19, "baseline_total_bias": -0.178}, measures)
    assert apart.verdict == "worse"


def test_the_naive_forecast_is_total_spend_scaled_to_the_last_horizon_of_the_same_customers() -> None:
    rows = 40
    holdout = pa.table(
        {
            "split": ["train"] * rows + ["test"] * rows,
            "target": [10.0] * rows + [30.0] * rows,
            "predicted_target": [20.0 + place for place in range(2 * rows)],
            "probability": pa.nulls(2 * rows, pa.float64()),
            "total_spend": [100.0] * 2 * rows,
            "recent_spend": [5.0] * rows + [25.0] * rows,
        }
    )
    found = evaluate(holdout).metrics
    assert found["train"][NAIVE_RATIO] == 0.25, "of the test's own last horizon, not the 0.1 of the training rows"
    assert found["test"]["baseline_total_bias"] == pytest.approx(25 / 30 - 1)
    assert evaluate(holdout.drop_columns(["recent_spend"])).metrics["train"][NAIVE_RATIO] == 0.1
