"""What is kept of predictions, the interval that a test promises, and the verdict."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.stages.realised.performance import (
    KEPT_DAYS,
    MainError,
    error_interval,
    forget_before,
    interval_metrics,
    latest_verdict,
    realised_verdict,
)
from tdml_assets.stages.training_table.table import target_key

ERROR = MainError(
    "wape",
    "error, share of what was spent",
    "baseline_wape",
    "mean_predicted",
    "mean_actual",
    lambda target, predicted: (np.abs(target - predicted), np.abs(target)),
)
DAY = date(2011, 6, 30)


def row(**changes: Any) -> dict[str, Any]:
    found = {"as_of": DAY, "customers": 500.0, "realised": 1.0, "tested": 1.0, "low": 0.9, "high": 1.1, **changes}
    return {"model_version": "v1", **found}


def spec(**target: Any) -> WorkflowSpec:
    return WorkflowSpec.model_validate({"name": "cltv", "target": target})


def test_the_interval_holds_the_error_and_covers_it_as_often_as_declared() -> None:
    """Fresh samples of a world whose WAPE is known: 90 % of the intervals hold it, give or take chance."""
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        losses, scale = rng.exponential(30.0, 400), rng.exponential(40.0, 400)
        low, high = error_interval(losses, scale, seed=seed) or (0.0, 0.0)
        assert low < losses.sum() / scale.sum() < high
        held += low <= 0.75 <= high
    assert 0.83 * 200 <= held <= 0.97 * 200


def test_resampled_groups_are_as_wide_as_resampled_customers() -> None:
    """Above a thousand customers groups are resampled: the width must shrink with the root of the customers."""
    rng = np.random.default_rng(3)
    losses, scale = rng.exponential(30.0, 100_000), rng.exponential(40.0, 100_000)
    widths = []
    for customers in (1_000, 100_000):
        low, high = error_interval(losses[:customers], scale[:customers], seed=1) or (0.0, 0.0)
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(10.0, rel=0.2)


def test_equal_input_gives_an_equal_interval() -> None:
    losses, scale = np.arange(50.0), np.ones(50)
    assert error_interval(losses, scale, seed=4) == error_interval(losses, scale, seed=4)


def test_where_next_to_nobody_buys_there_is_no_interval() -> None:
    scale = np.zeros(300)
    scale[0] = 5.0
    assert error_interval(np.ones(300), scale, seed=1) is None
    assert error_interval(np.ones(1), np.ones(1), seed=1) is None
    assert interval_metrics(ERROR, scale, np.ones(300), seed=1) == {"wape_low": None, "wape_high": None}


@pytest.mark.parametrize(("value", "status"), [(0.2, "ok"), (1.374, "ok"), (1.376, "worse")])
def test_an_error_is_worse_from_a_quarter_above_the_interval(value: float, status: str) -> None:
    found = realised_verdict(ERROR, row(realised=value))
    assert found.status == status
    assert (found.value, found.low, found.high, found.as_of) == (value, 0.9, 1.1, DAY)
    for part in ("2011-06-30", f"{value:.3f}", "0.900 to 1.100", "25%", "1.375"):
        assert part in found.sentence


def test_the_tolerance_is_the_policys() -> None:
    assert realised_verdict(ERROR, row(realised=1.2), tolerance=0.0).status == "worse"
    assert realised_verdict(ERROR, row(realised=1.2), tolerance=0.1).status == "ok"


def test_a_test_without_an_interval_is_held_to_its_own_error() -> None:
    found = realised_verdict(ERROR, row(low=None, high=None, realised=1.3))
    assert (found.status, found.low, found.high) == ("worse", 1.0, 1.0)


def test_nothing_is_said_of_too_few_customers_or_of_a_model_nobody_tested() -> None:
    few = realised_verdict(ERROR, row(realised=9.0, customers=199.0))
    assert few.status == "immature"
    assert "199 customers, fewer than 200" in few.sentence
    untested = realised_verdict(ERROR, row(realised=9.0, tested=None, low=None, high=None))
    assert untested.status == "immature"
    assert f"{ERROR.words} 9.000; what scored was not tested by this error" in untested.sentence


def test_where_nothing_happened_at_all_the_predictions_were_worse() -> None:
    assert realised_verdict(ERROR, row(realised=None)).status == "worse"


def test_a_model_is_judged_by_its_own_newest_predictions() -> None:
    later = DAY + timedelta(days=30)
    ledger = [row(realised=9.0), row(as_of=later), row(as_of=later, model_version="v2", realised=9.0)]
    found = latest_verdict(ERROR, ledger, "v1")
    assert found is not None
    assert (found.as_of, found.status) == (later, "ok")
    assert latest_verdict(ERROR, ledger, "v3") is None


def test_predictions_are_kept_for_late_orders_and_not_much_longer() -> None:
    until = date(2011, 9, 30)
    assert forget_before(until, 90) == until - timedelta(days=90 + KEPT_DAYS)


def test_another_horizon_or_target_is_another_prediction_and_another_label_is_not() -> None:
    assert target_key(spec()) == target_key(spec(label="what they spend"))
    assert target_key(spec()) == target_key(spec(kind="net_spend"))
    others = [spec(horizon_days=30), spec(kind="count"), spec(kind="count", where={"channel": "online"})]
    assert len({target_key(found) for found in [spec(), *others]}) == 4
