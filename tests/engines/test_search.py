"""Folds never see the future, grids are read in order, the smallest loss wins and ties go to what was declared first."""

import datetime

import numpy as np
import pytest
from sklearn.metrics import mean_tweedie_deviance

from tdml_assets.engines.search import (
    LOG_LOSS,
    SQUARED_ERROR,
    TWEEDIE_DEVIANCE,
    VALIDATION_SPLIT,
    Fold,
    grid_points,
    loss,
    loss_name,
    search,
    time_folds,
    with_point,
)


def day(text):
    return datetime.date.fromisoformat(text)


QUARTERS = [day("2010-12-01"), day("2011-03-01"), day("2011-05-30"), day("2011-08-28")]


def test_a_fold_learns_only_from_snapshots_whose_whole_horizon_had_passed():
    folds = time_folds(QUARTERS, 90, 9)
    assert [fold.validation for fold in folds] == QUARTERS[1:]
    assert folds[-1].train == tuple(QUARTERS[:3])
    for fold in folds:
        assert all(s + datetime.timedelta(days=90) <= fold.validation for s in fold.train)


def test_a_horizon_one_day_longer_than_the_gap_takes_the_nearest_snapshot_away():
    exact = time_folds(QUARTERS, 90, 1)
    longer = time_folds(QUARTERS, 91, 1)
    assert exact == (Fold(tuple(QUARTERS[:3]), QUARTERS[3]),)
    assert longer == (Fold(tuple(QUARTERS[:2]), QUARTERS[3]),)


def test_dates_may_come_per_row_in_any_order_and_the_latest_folds_are_kept():
    rows = [*reversed(QUARTERS), *QUARTERS, datetime.datetime.combine(QUARTERS[3], datetime.time())]
    assert time_folds(rows, 90, 2) == time_folds(QUARTERS, 90, 9)[-2:]


def test_one_snapshot_or_overlapping_ones_give_no_fold():
    assert time_folds(QUARTERS[:1], 90, 3) == ()
    assert time_folds([day("2011-01-01"), day("2011-02-01")], 90, 3) == ()


@pytest.mark.parametrize(("horizon", "folds"), [(0, 3), (90, 0)])
def test_a_horizon_or_a_number_of_folds_below_one_is_refused(horizon, folds):
    with pytest.raises(ValueError, match="at least 1"):
        time_folds(QUARTERS, horizon, folds)


def test_points_follow_the_declared_order_with_the_last_key_fastest():
    points = grid_points({"b": [2, 1], "a": ["x", "y"]})
    assert points == ({"b": 2, "a": "x"}, {"b": 2, "a": "y"}, {"b": 1, "a": "x"}, {"b": 1, "a": "y"})


def test_a_grid_with_too_many_points_names_the_key_to_shorten():
    with pytest.raises(
        ValueError, match=r"30 points \(3 of a x 10 of depth\), at most 20.*shorten depth \(10 values\)"
    ):
        grid_points({"a": [1, 2, 3], "depth": list(range(10))}, most=20)
    assert len(grid_points({"a": [1, 2, 3], "depth": list(range(10))}, most=30)) == 30


@pytest.mark.parametrize("values", [[], "ab", 3, [1, 1]])
def test_a_key_without_a_list_of_different_values_is_refused_by_name(values):
    with pytest.raises(ValueError, match="search.grid: depth"):
        grid_points({"depth": values})


def test_true_and_one_are_different_values():
    assert len(grid_points({"flag": [True, 1]})) == 2


def test_a_point_replaces_parameters_and_descends_into_declared_estimators():
    declared = {"regressor": {"estimator": "a.B", "parameters": {"x": 1, "y": 1}}, "z": 1, "plain": {"x": 1}}
    found = with_point(declared, {"regressor__x": 5, "z": 2, "plain__x": 9})
    assert found["regressor"] == {"estimator": "a.B", "parameters": {"x": 5, "y": 1}}
    assert (found["z"], found["plain"], found["plain__x"]) == (2, {"x": 1}, 9)
    assert declared["regressor"]["parameters"]["x"] == 1


def test_the_point_with_the_smallest_mean_loss_over_the_folds_is_chosen():
    table = {1: [5.0, 1.0, 9.0], 2: [4.0, 4.0, 4.0], 3: [0.0, 8.0, 8.0]}
    folds = time_folds(QUARTERS, 90, 3)
    result = search(lambda point, fold: table[point["d"]][folds.index(fold)], grid_points({"d": [1, 2, 3]}), folds)
    assert result.best == {"d": 2}
    assert [row.mean_loss for row in result.rows] == [5.0, 4.0, pytest.approx(16 / 3)]
    assert [row.chosen for row in result.rows] == [False, True, False]
    assert result.table()[1] == {
        "number": 2,
        "parameters": '{"d": 2}',
        "loss 2011-03-01": 4.0,
        "loss 2011-05-30": 4.0,
        "loss 2011-08-28": 4.0,
        "mean loss": 4.0,
        "chosen": True,
    }
    assert "3 later-in-time folds" in result.note


def test_a_tie_in_all_but_the_last_digits_goes_to_the_point_declared_first():
    losses = {4: 1.0, 2: 1.0 - 1e-15, 8: 1.0 + 1e-9}
    result = search(lambda point, fold: losses[point["d"]], grid_points({"d": [4, 2, 8]}), [VALIDATION_SPLIT])
    assert result.best == {"d": 4}


def test_without_a_later_fold_the_validation_split_is_used_and_the_note_says_so():
    seen = []
    result = search(lambda point, fold: seen.append(fold) or 1.0, [{"d": 1}], [])
    assert seen == [VALIDATION_SPLIT]
    assert list(result.rows[0].losses) == ["validation split"]
    assert "no fold is later in time" in result.note


def test_a_loss_that_is_not_finite_names_the_point_and_the_fold():
    with pytest.raises(ValueError, match=r"\{'d': 1\} on 2011-08-28 is nan"):
        search(lambda point, fold: float("nan"), [{"d": 1}], time_folds(QUARTERS, 90, 1))
    with pytest.raises(ValueError, match="no point"):
        search(lambda point, fold: 1.0, [], [])


def test_the_deviance_is_that_of_the_library_and_smallest_at_the_mean_not_the_median():
    rng = np.random.default_rng(0)
    y = np.where(rng.random(500) < 0.3, rng.lognormal(3, 1, 500), 0.0)
    m = rng.lognormal(2, 0.3, 500)
    assert loss(TWEEDIE_DEVIANCE, y, m) == pytest.approx(mean_tweedie_deviance(y, m, power=1.5), rel=1e-12)
    at = {c: loss(TWEEDIE_DEVIANCE, y, np.full(500, c)) for c in (0.0, 0.8 * y.mean(), y.mean(), 1.25 * y.mean())}
    assert min(at, key=at.get) == y.mean()
    assert np.isfinite(at[0.0])


def test_one_buyer_predicted_below_nothing_does_not_decide_alone():
    y, good = np.array([100.0, 0.0, 0.0, 50.0]), np.array([80.0, 1.0, 1.0, 40.0])
    bad = np.array([-5.0, 1.0, 1.0, 40.0])
    assert loss(TWEEDIE_DEVIANCE, y, good) < loss(TWEEDIE_DEVIANCE, y, bad) < 1e4
    assert loss(TWEEDIE_DEVIANCE, np.zeros(3), np.zeros(3)) == 0.0
    assert loss(TWEEDIE_DEVIANCE, np.zeros(2), np.array([4.0, 0.0])) == pytest.approx(4.0)


def test_each_task_has_its_loss_and_clustering_none():
    assert loss_name("classification", [0, 1]) == LOG_LOSS
    assert loss_name("regression", [0.0, 3.0]) == TWEEDIE_DEVIANCE
    assert loss_name("regression", [-1.0, 3.0]) == SQUARED_ERROR
    with pytest.raises(ValueError, match="clustering has no target"):
        loss_name("clustering", [])
    assert loss(LOG_LOSS, [0, 1], [0.0, 1.0]) == pytest.approx(1e-6, rel=1e-3)
    assert loss(SQUARED_ERROR, [-1.0, 3.0], [0.0, 3.0]) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="negative"):
        loss(TWEEDIE_DEVIANCE, [-1.0], [1.0])
    with pytest.raises(ValueError, match="not a loss"):
        loss("mae", [1.0], [1.0])
