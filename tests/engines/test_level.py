"""The level of predictions: gaps of earlier snapshots, what they say of another day, rehearsals."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from tdml_assets.engines.level import (
    Level,
    Snapshot,
    doubt_factor,
    expected_level,
    gap_between,
    rehearse,
    snapshot_of,
)

DAY = date(2026, 6, 30)


def known(days_before: int, gap: float, variance: float = 0.0004) -> Snapshot:
    return Snapshot(DAY - timedelta(days=days_before), 5_000, 1_000.0, 1_000.0 * float(np.exp(gap)), gap, variance)


def test_the_gap_of_amounts_is_the_log_of_the_ratio_of_totals_with_its_sampling_variance() -> None:
    rng = np.random.default_rng(1)
    expected = rng.gamma(2.0, 30.0, 4_000)
    gaps = []
    for _ in range(60):
        bought = expected * rng.exponential(1.0, 4_000) * 1.2
        found = snapshot_of(DAY, "amount", bought, expected)
        assert found is not None
        gaps.append(found.gap)
    assert np.mean(gaps) == pytest.approx(np.log(1.2), abs=0.01)
    assert np.sqrt(found.variance) == pytest.approx(np.std(gaps), rel=0.3)


def test_the_gap_of_probabilities_is_the_shift_of_the_log_odds_that_agrees_with_what_happened() -> None:
    probability = np.random.default_rng(2).beta(2.0, 5.0, 3_000)
    happened = (np.random.default_rng(3).random(3_000) < probability / (probability + 2 * (1 - probability))).astype(
        float
    )
    found = snapshot_of(DAY, "probability", happened, probability)
    assert found is not None
    assert found.gap == pytest.approx(-np.log(2.0), abs=0.15)
    moved = Level(DAY, "probability", found.gap, 0.1, "season").apply(probability)
    assert moved.mean() == pytest.approx(happened.mean(), abs=1e-6)


def test_nothing_is_said_of_few_customers_or_where_hardly_anything_happened() -> None:
    assert snapshot_of(DAY, "amount", np.ones(20), np.ones(20)) is None
    assert snapshot_of(DAY, "amount", np.r_[np.ones(5), np.zeros(95)], np.ones(100)) is None
    assert snapshot_of(DAY, "probability", np.ones(100), np.full(100, 0.5)) is None
    assert snapshot_of(DAY, "amount", np.ones(100), np.zeros(100)) is None


def test_certain_probabilities_stay_certain_and_order_is_kept() -> None:
    values = np.array([0.0, 0.2, 0.6, 1.0])
    moved = Level(DAY, "probability", 0.8, 0.1, "season").apply(values)
    assert moved[0] == 0.0
    assert moved[3] == 1.0
    assert all(low < high for low, high in pairwise(moved))
    unmoved = Level(DAY, "amount", 0.0, 0.1, "none").apply(values)
    assert unmoved.tolist() == values.tolist()


def test_the_same_season_a_year_earlier_says_more_than_the_latest_window() -> None:
    level = expected_level([known(90, -0.2), known(365, 0.3)], DAY, "amount")
    assert level.basis == "season"
    assert level.basis_date == DAY - timedelta(days=365)
    assert 0.15 < level.gap < 0.3


def test_a_trend_from_year_to_year_is_added_to_the_season() -> None:
    steady = expected_level([known(90, -0.1), known(365, 0.3), known(455, -0.1)], DAY, "amount")
    falling = expected_level([known(90, -0.3), known(365, 0.3), known(455, -0.1)], DAY, "amount")
    assert falling.gap < steady.gap - 0.05


def test_what_is_uncertain_moves_less_and_is_told_with_wider_bounds() -> None:
    sure, unsure = (
        expected_level([known(90, -0.1), known(365, 0.3, variance)], DAY, "amount") for variance in (0.0001, 0.2)
    )
    assert 0.1 < unsure.gap < sure.gap
    assert unsure.deviation > sure.deviation
    low, high = sure.bounds(1_000.0, 500)
    assert low < 1_000.0 < high
    wider = unsure.bounds(1_000.0, 500)
    assert wider[0] < low
    assert wider[1] > high
    chances = Level(DAY, "probability", 0.0, 0.5, "trend").bounds(300.0, 1_000)
    assert 0 < chances[0] < 300.0 < chances[1] < 1_000


def test_without_any_snapshot_nothing_is_moved() -> None:
    level = expected_level([], DAY, "amount")
    assert (level.gap, level.basis, level.basis_date) == (0.0, "none", None)
    assert level.deviation > 0.3


def test_the_gap_between_totals_is_that_of_their_logarithms_or_log_odds() -> None:
    assert gap_between("amount", 10, 100.0, 80.0) == pytest.approx(np.log(0.8))
    assert gap_between("probability", 100, 50.0, 50.0) == pytest.approx(0.0, abs=1e-12)
    assert gap_between("amount", 10, 0.0, 80.0) is None


def test_a_rehearsal_knows_only_outcomes_of_its_own_day() -> None:
    snapshots = [known(90, 0.9), known(180, 0.1), known(365, 0.1), known(455, 0.1)]
    found = {(DAY - one.snapshot.day).days: one for one in rehearse(snapshots, 90, "amount")}
    assert set(found) == {90, 180, 365}, "nothing was known before the first"
    assert found[180].level == expected_level(snapshots[2:], DAY - timedelta(days=180), "amount")
    assert found[90].surprise > 2
    assert doubt_factor([found[90]]) > 1.2
    assert doubt_factor([]) == 1.0
