"""Attributions looked up by pattern are those of XGBoost's own TreeSHAP."""

import numpy as np
import pytest
import xgboost as xgb

from tdml_assets.engines.tree_shap import TreeShap


def learnt(depth, rounds=25, features=6, seed=1, objective="binary:logistic", **more):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3000, features)).astype(np.float32)
    # Few values, so that rows lie exactly on thresholds; and a feature that comes twice on one path.
    x[:, 2:] = np.round(x[:, 2:])
    y = np.abs(x[:, 0]) + x[:, 2] * x[:, 3] + 0.3 * rng.standard_normal(3000)
    y = (y > 0.5).astype(float) if objective == "binary:logistic" else np.exp(y)
    x[rng.random(x.shape) < 0.15] = np.nan
    parameters = {"objective": objective, "max_depth": depth, "seed": seed, "nthread": 1, "eta": 0.3, **more}
    return xgb.train(parameters, xgb.DMatrix(x, y), rounds), x


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("objective", ["binary:logistic", "reg:tweedie"])
def test_attributions_are_those_of_xgboost(depth, objective):
    booster, x = learnt(depth, objective=objective)
    expected = booster.predict(xgb.DMatrix(x), pred_contribs=True)
    found = TreeShap(booster)(x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected[:, :-1], atol=2e-5)
    margin = booster.predict(xgb.DMatrix(x), output_margin=True)
    np.testing.assert_allclose(found.sum(axis=1) + expected[:, -1], margin, atol=2e-5)


def test_one_feature_split_again_and_again_is_one_feature():
    booster, x = learnt(3, features=1 + 3, rounds=3, colsample_bytree=0.25)
    np.testing.assert_allclose(
        TreeShap(booster)(x), booster.predict(xgb.DMatrix(x), pred_contribs=True)[:, :-1], atol=2e-6
    )


def test_only_trees_of_many_splits_are_left_to_xgboost():
    assert TreeShap(learnt(3)[0])._trees is not None
    assert TreeShap(learnt(6)[0])._trees is None
    booster, x = learnt(6)
    np.testing.assert_allclose(
        TreeShap(booster)(x[:50]), booster.predict(xgb.DMatrix(x[:50]), pred_contribs=True)[:, :-1], atol=1e-6
    )


def test_rows_do_not_depend_on_the_rows_beside_them(monkeypatch):
    booster, x = learnt(3)
    explain = TreeShap(booster)
    whole = explain(x)
    monkeypatch.setattr("tdml_assets.engines.tree_shap._ROWS_AT_ONCE", 7)
    np.testing.assert_array_equal(explain(x[:100]), whole[:100])
    assert explain(x[:0]).shape == (0, 6)


def test_a_booster_that_learnt_nothing_attributes_nothing():
    booster, x = learnt(3, min_child_weight=1e9)
    np.testing.assert_array_equal(TreeShap(booster)(x[:5]), np.zeros((5, 6)))
