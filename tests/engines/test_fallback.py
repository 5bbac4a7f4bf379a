"""Scores without a trained model: which method, which figures, how they are measured."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tdml_assets.engines.fallback import COLUMNS, Labelled, RecencyRule, SpendRule, choose_fallback
from tdml_assets.platform.refusals import RefusedError

HORIZON = 90
DAY, QUARTER = date(2026, 3, 1), timedelta(days=HORIZON)


def customers(**columns: Any) -> pa.Table:
    rows = len(next(iter(columns.values())))
    nothing = np.zeros(rows)
    return pa.table({name: pa.array(np.asarray(columns.get(name, nothing), dtype=float)) for name in COLUMNS})


def repeaters(rows: int, seed: int, *, age: float = 720.0) -> tuple[pa.Table, NDArray[np.float64]]:
    """Customers who buy at constant rates of their own, and what they spend in the next horizon, by simulation."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.2, 1 / 120, rows)
    times = [np.sort(rng.uniform(0, age, count)) for count in rng.poisson(rate * age)]
    repeat = np.array([len(one) for one in times], dtype=float)
    recency = np.array([one[-1] if len(one) else 0.0 for one in times])
    value = rng.gamma(6, 5, rows)
    table = customers(
        total_spend=(repeat + 1) * value,
        days_since_last_order=age - recency,
        repeat_purchase_days=repeat,
        recency_days=np.floor(recency),
        tenure_days=np.full(rows, age),
        avg_repeat_day_value=np.where(repeat > 0, value, np.nan),
    )
    return table, rng.poisson(rate * HORIZON) * value


def test_few_customers_are_scored_by_what_everybody_spent_after_the_earlier_day() -> None:
    known = Labelled(DAY, customers(total_spend=[100.0, 300.0, -20.0]), np.array([10.0, 70.0, 0.0]))
    found = choose_fallback(
        customers(total_spend=[200.0, -5.0]), [known], kind="net_spend", horizon_days=HORIZON, history_days=400
    )
    assert isinstance(found.scorer, SpendRule)
    assert found.method == "rules"
    assert found.scorer.score(customers(total_spend=[200.0, -5.0])).tolist() == pytest.approx([200 * 80 / 400, 0.0])
    assert found.metrics == {}, "three customers say nothing about an error"


def test_without_an_earlier_day_spend_goes_on_per_day_and_never_faster_than_it_was() -> None:
    today = customers(total_spend=[100.0])
    long = choose_fallback(today, [], kind="net_spend", horizon_days=90, history_days=360)
    short = choose_fallback(today, [], kind="net_spend", horizon_days=90, history_days=30)
    assert long.scorer.score(today).tolist() == [25.0]
    assert short.scorer.score(today).tolist() == [100.0]


def test_the_probability_is_the_share_of_customers_of_the_same_recency() -> None:
    days = np.repeat([5.0, 50.0, 500.0], 20)
    happened = np.concatenate([np.repeat([1.0, 0.0], [2, 18]), np.repeat([1.0, 0.0], [10, 10]), np.ones(20)])
    known = Labelled(DAY, customers(days_since_last_order=days), happened)
    found = choose_fallback(
        customers(days_since_last_order=[1.0, 60.0, 900.0]),
        [known],
        kind="no_purchase",
        horizon_days=HORIZON,
        history_days=900,
    )
    assert isinstance(found.scorer, RecencyRule)
    probability = found.scorer.score(customers(days_since_last_order=[1.0, 40.0, 900.0, np.nan]))
    assert probability[:3].tolist() == pytest.approx([3 / 22, 11 / 22, 21 / 22])
    assert probability[3] == probability[2], "who never ordered counts with those who were silent longest"


def test_a_lifetime_model_scores_where_it_fits_and_is_measured_on_customers_it_did_not_see_the_future_of() -> None:
    today, _ = repeaters(400, seed=1)
    then, spend = repeaters(400, seed=2, age=630.0)
    found = choose_fallback(
        today, [Labelled(DAY, then, spend)], kind="net_spend", horizon_days=HORIZON, history_days=720
    )
    assert (found.method, found.scorer.version) == ("lifetime", "lifetime:pareto_nbd_gamma_gamma")
    assert set(found.metrics) == {"mae", "spearman"}
    assert found.metrics["spearman"] > 0.3
    predicted = found.scorer.score(today)
    truth = repeaters(400, seed=1)[1]
    assert predicted.sum() == pytest.approx(truth.sum(), rel=0.35)


def test_the_two_events_of_a_lifetime_model_add_up_to_one() -> None:
    today, _ = repeaters(300, seed=3)
    found = {
        kind: choose_fallback(today, [], kind=kind, horizon_days=HORIZON, history_days=720)
        for kind in ("purchase", "no_purchase")
    }
    scores = {kind: one.scorer.score(today) for kind, one in found.items()}
    assert np.allclose(scores["purchase"] + scores["no_purchase"], 1.0)
    assert ((scores["purchase"] >= 0) & (scores["purchase"] <= 1)).all()


def test_a_lifetime_model_that_errs_more_than_the_rule_gives_way_to_it() -> None:
    today, _ = repeaters(400, seed=4)
    then, _ = repeaters(400, seed=5, age=630.0)
    before, _ = repeaters(400, seed=6, age=540.0)
    nobody = np.zeros(400)
    known = [Labelled(DAY, then, nobody), Labelled(DAY - QUARTER, before, nobody)]
    found = choose_fallback(today, known, kind="net_spend", horizon_days=HORIZON, history_days=720)
    assert found.method == "rules"
    assert found.metrics["mae"] == 0.0


def test_a_rule_that_was_right_in_the_quiet_horizons_alone_does_not_score_the_busy_one() -> None:
    """A shop sells in one quarter of the year: nobody bought in the last horizon, everybody will in the next."""
    known = [Labelled(DAY - place * QUARTER, repeaters(300, seed=7 + place)[0], np.zeros(300)) for place in range(5)]
    busy, spend = repeaters(300, seed=20)
    known[3] = Labelled(DAY - 3 * QUARTER, busy, 4 * spend)
    found = choose_fallback(repeaters(300, seed=30)[0], known, kind="net_spend", horizon_days=HORIZON, history_days=720)
    assert (found.method, found.horizons) == ("lifetime", 4)
    quiet = choose_fallback(
        repeaters(300, seed=30)[0], known[:3], kind="net_spend", horizon_days=HORIZON, history_days=720
    )
    assert (quiet.method, quiet.metrics["mae"], quiet.horizons) == ("rules", 0.0, 2)


def test_what_neither_can_say_is_refused_with_the_remedy() -> None:
    today = customers(days_since_last_order=[3.0])
    with pytest.raises(RefusedError, match="no customer has 90 days behind them.*shorten target.horizon_days"):
        choose_fallback(today, [], kind="no_purchase", horizon_days=HORIZON, history_days=20)
    with pytest.raises(RefusedError, match="no fallback predicts a target of kind 'count'"):
        choose_fallback(today, [], kind="count", horizon_days=HORIZON, history_days=20)


def test_a_lifetime_model_is_measured_with_its_level_moved_as_it_would_have_been_on_that_day() -> None:
    """Unmoved it errs more than a rule that says 0; moved it is right."""
    known = [Labelled(DAY - place * QUARTER, repeaters(300, seed=40 + place)[0], np.zeros(300)) for place in range(3)]
    today, asked = repeaters(300, seed=50)[0], []

    def moved(day: date, customers: pa.Table, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        asked.append((day, customers.num_rows))
        return predicted * 0.0

    settings: dict[str, Any] = {"kind": "net_spend", "horizon_days": HORIZON, "history_days": 720}
    assert choose_fallback(today, known, **settings).method == "rules"
    found = choose_fallback(today, known, **settings, moved=moved)
    assert (found.method, found.metrics["mae"]) == ("lifetime", 0.0)
    assert asked == [(one.day, 300) for one in known]
