"""Intervals of predicted amounts."""

import json

import numpy as np
import pytest

from tdml_assets.engines.intervals import BOUNDS, Intervals, coverage, cross_coverage, fit_intervals


def amounts(seed, rows=4_000, buyers=0.6):
    """Predictions, and amounts of which a share is 0 and the rest spread around the prediction."""
    rng = np.random.default_rng(seed)
    predicted = rng.lognormal(3, 1.2, rows)
    buys = rng.random(rows) < np.clip(buyers * (predicted / 20) ** 0.2, 0, 1)
    return predicted, predicted / buyers * rng.lognormal(-0.3, 0.8, rows) * buys


def test_other_rows_are_covered_as_often_as_the_level_says():
    taken, (predicted, actual) = fit_intervals(*amounts(1, rows=20_000)), amounts(2, rows=20_000)
    bounds = taken.of(predicted)
    assert coverage(bounds["lower_80"], bounds["upper_80"], actual)[0] == pytest.approx(0.8, abs=0.02)
    assert coverage(bounds["lower_95"], bounds["upper_95"], actual)[0] == pytest.approx(0.95, abs=0.02)
    large = predicted >= np.quantile(predicted, 0.8)
    assert coverage(*(bounds[name][large] for name in BOUNDS[:2]), actual[large])[0] == pytest.approx(0.8, abs=0.04)


def test_bounds_are_nested_finite_and_not_below_0():
    taken = fit_intervals(*amounts(3))
    found = taken.of(np.array([0.0, 1e-9, 5.0, 80.0, 1e7]))
    stacked = np.stack([found[name] for name in ("lower_95", "lower_80", "upper_80", "upper_95")])
    assert np.isfinite(stacked).all()
    assert (stacked >= 0).all()
    assert (np.diff(stacked, axis=0) >= 0).all()


def test_where_nearly_nobody_buys_the_interval_is_nothing_and_covers_more_than_its_level():
    predicted, actual = amounts(4, buyers=0.05)
    bounds = fit_intervals(predicted, actual).of(predicted)
    everybody, above_0 = coverage(bounds["lower_80"], bounds["upper_80"], actual)
    assert everybody > 0.9
    assert above_0 is None
    assert coverage(bounds["lower_95"], bounds["upper_95"], actual)[0] >= 0.95


def test_halves_of_the_test_measure_each_other():
    found = cross_coverage(*amounts(5))
    assert set(found) == {
        "interval_coverage_80",
        "interval_coverage_80_above_0",
        "interval_coverage_95",
        "interval_coverage_95_above_0",
    }
    assert found["interval_coverage_80"] == pytest.approx(0.8, abs=0.03)
    assert cross_coverage(*amounts(5, rows=199)) == {}


def test_few_rows_or_predictions_of_nothing_have_no_intervals():
    assert fit_intervals(*amounts(6, rows=99)) is None
    assert fit_intervals(np.zeros(500), np.ones(500)) is None


def test_equal_predictions_share_one_group():
    taken = fit_intervals(np.full(1_000, 7.0), np.arange(1_000.0))
    bounds = taken.of(np.array([7.0]))
    assert bounds["lower_80"][0] == pytest.approx(100, abs=2)
    assert bounds["upper_80"][0] == pytest.approx(900, abs=2)


def test_a_table_is_read_back_as_it_was_and_another_form_is_refused():
    taken = fit_intervals(*amounts(7))
    assert Intervals.from_json(taken.to_json()) == taken
    with pytest.raises(ValueError, match="train again"):
        Intervals.from_json(taken.to_json().replace('"format": 1', '"format": 2'))
    with pytest.raises(ValueError, match="other than"):
        Intervals.from_json(taken.to_json().replace('"lowest": [', '"lowest": [0.0,'))


@pytest.mark.parametrize(
    "changed",
    [
        {"floor": "1"},
        {"floor": 0.0},
        {"lowest": 3},
        {"lowest": [0.0, 5.0, 5.0]},
        {"lowest": [1.0, 5.0, 9.0]},
        {"lowest": [0.0, float("nan"), 9.0]},
        {"rows": True},
        {"rows": 7},
    ],
    ids=str,
)
def test_a_table_of_other_values_than_were_written_is_refused(changed):
    taken = fit_intervals(*amounts(8, rows=300))
    with pytest.raises((TypeError, ValueError), match="train again"):
        Intervals.from_json(json.dumps({**json.loads(taken.to_json()), **changed}))


def test_bounds_in_another_order_than_their_levels_are_refused():
    facts = json.loads(fit_intervals(*amounts(8, rows=300)).to_json())
    bounds = facts["bounds"]
    bounds["upper_80"], bounds["upper_95"] = bounds["upper_95"], bounds["upper_80"]
    with pytest.raises(ValueError, match="another order"):
        Intervals.from_json(json.dumps(facts))
