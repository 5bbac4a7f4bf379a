"""The re-split test and the histogram's edges, on arrays."""

from __future__ import annotations

import numpy as np
import pytest

from tdml_assets.stages.exploration.analyses import histogram_edges
from tdml_assets.stages.exploration.split import resplit


def _fair(rng: np.random.Generator, rows: int, share: float = 0.2) -> np.ndarray:
    return rng.permutation(rows) < share * rows


def _spend(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return np.exp(rng.normal(size=(rows, columns)) * 1.5 + 3)


def test_a_fair_split_of_lognormal_spend_alarms_in_at_most_two_percent() -> None:
    rng = np.random.default_rng(1)
    alarms = sum(resplit(_spend(rng, 500, 12), _fair(rng, 500), seed=i).differs.any() for i in range(400))
    # The rate is 2 of 201 by construction; 400 draws of it pass 10 in less than one of 500 cases.
    assert alarms <= 10


def test_the_common_rule_fails_the_same_fair_splits_nearly_always() -> None:
    rng = np.random.default_rng(2)
    observed = [resplit(_spend(rng, 500, 1), _fair(rng, 500)).observed[0, 0] for _ in range(20)]
    assert np.mean(np.array(observed) >= 3) > 0.8


@pytest.mark.parametrize("rows", [500, 3000])
def test_a_unit_error_in_one_column_is_caught_and_named(rows: int) -> None:
    rng = np.random.default_rng(3)
    for seed in range(10):
        values, is_test = _spend(rng, rows, 12), _fair(rng, rows)
        values[is_test, 4] *= 100
        assert resplit(values, is_test, seed=seed).differs.nonzero()[0].tolist() == [4]


def test_a_unit_error_is_caught_where_nine_of_ten_customers_have_nothing() -> None:
    rng = np.random.default_rng(4)
    values, is_test = _spend(rng, 2000, 3), _fair(rng, 2000)
    values[:, 1] *= rng.random(2000) < 0.1
    values[is_test, 1] *= 100
    found = resplit(values, is_test)
    assert found.differs.tolist() == [False, True, False]
    assert found.observed[2, 1] > found.limits[2, 1]


def test_a_coefficient_of_variation_alone_cannot_see_a_unit_error() -> None:
    rng = np.random.default_rng(5)
    values, is_test = _spend(rng, 2000, 1), _fair(rng, 2000)
    before = resplit(values, is_test).observed[0, 0]
    values[is_test, 0] *= 100
    assert resplit(values, is_test).observed[0, 0] == pytest.approx(before, rel=1e-9)


def test_a_season_that_shifts_spend_is_seen() -> None:
    rng = np.random.default_rng(6)
    values = _spend(rng, 4000, 5)
    is_test = np.arange(4000) >= 3200
    values[is_test, 2] *= 1.5
    assert resplit(values, is_test).differs.tolist() == [False, False, True, False, False]


def test_statistics_equal_the_plain_formula() -> None:
    rng = np.random.default_rng(7)
    values, is_test = _spend(rng, 300, 1), _fair(rng, 300)
    values[5, 0] = np.nan
    values[6, 0] = 0.0
    train, test = (values[side, 0][~np.isnan(values[side, 0])] for side in (~is_test, is_test))
    pooled = np.concatenate([train, test])
    variation = abs(100 * train.std() / train.mean() - 100 * test.std() / test.mean())
    shift = abs(np.log1p(train).mean() - np.log1p(test).mean()) / np.log1p(pooled).std()
    logs = [np.log(side[side > 0]) for side in (train, test, pooled)]
    scale = abs(logs[0].mean() - logs[1].mean()) / logs[2].std()
    assert resplit(values, is_test).observed[:, 0] == pytest.approx([variation, shift, scale], rel=1e-9)


def test_a_large_offset_does_not_cancel_the_spread() -> None:
    values = 1e9 + np.random.default_rng(8).normal(size=(400, 1))
    is_test = np.arange(400) % 5 == 0
    train, test = values[~is_test, 0] - 1e9, values[is_test, 0] - 1e9
    expected = abs(train.std() - test.std()) / 1e9 * 100
    assert resplit(values, is_test).observed[0, 0] == pytest.approx(expected, rel=1e-3)


def test_constant_and_empty_columns_are_left_out_of_the_judgement() -> None:
    rng = np.random.default_rng(9)
    values = np.column_stack([np.full(200, 3.0), np.full(200, np.nan), np.zeros(200), rng.normal(size=200)])
    found = resplit(values, _fair(rng, 200))
    assert np.isnan(found.limits[:, :3]).all()
    assert np.isfinite(found.limits[1:, 3]).all()
    assert not found.differs.any()


def test_nothing_to_judge_gives_no_p_value() -> None:
    assert np.isnan(resplit(np.full((50, 2), np.nan), np.arange(50) < 10).p_value)


def test_the_same_seed_gives_the_same_limits() -> None:
    rng = np.random.default_rng(10)
    values, is_test = _spend(rng, 200, 3), _fair(rng, 200)
    assert np.array_equal(resplit(values, is_test, seed=1).limits, resplit(values, is_test, seed=1).limits)


@pytest.mark.parametrize(("low", "high"), [(0.01, 98), (-30, 1e6), (3, 7), (1e-9, 3e-9), (-5, -1), (0.3, 0.30001)])
def test_histogram_edges_are_few_round_and_cover_the_range(low: float, high: float) -> None:
    edges = histogram_edges(low, high, 10)
    assert 2 <= len(edges) <= 11
    assert edges[0] <= low
    assert edges[-1] >= high
    assert np.diff(edges) == pytest.approx(np.full(len(edges) - 1, edges[1] - edges[0]), rel=1e-6)


def test_a_single_value_has_one_edge() -> None:
    assert histogram_edges(1.0, 1.0, 10) == (1.0,)
