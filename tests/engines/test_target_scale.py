"""Scales of a target: there and back, and totals that stay what they were."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.protocol import ModelSpec, table_source
from tdml_assets.engines.sklearn_estimator import SklearnLearner
from tdml_assets.engines.target_scale import TargetScale

KINDS = ("none", "log1p", "minmax", "zscore", "robust")
amounts = st.lists(st.floats(0, 1e6), min_size=2, max_size=50).map(np.asarray)


@given(kind=st.sampled_from(KINDS), target=amounts)
def test_back_from_a_scale_is_where_one_came_from(kind, target):
    scale = TargetScale.fit(kind, target)
    np.testing.assert_allclose(scale.backward(scale.forward(target)), target, rtol=1e-9, atol=1e-9 * (1 + target.max()))


def test_scales_are_those_of_their_names():
    target = np.array([0.0, 1.0, 2.0, 3.0, 14.0])
    np.testing.assert_allclose(TargetScale.fit("minmax", target).forward(target), target / 14)
    np.testing.assert_allclose(TargetScale.fit("zscore", target).forward(target), (target - 4) / target.std())
    np.testing.assert_allclose(TargetScale.fit("robust", target).forward(target), (target - 2) / 2)
    np.testing.assert_allclose(TargetScale.fit("log1p", target).forward(target), np.log1p(target))
    halves = np.array([0.0, 0.0, 0.0, 0.0, 9.0])
    np.testing.assert_array_equal(TargetScale.fit("robust", halves).forward(halves), halves)


def test_negative_targets_have_no_logarithm_and_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="the smallest training target is -2; .* take zscore or robust"):
        TargetScale.fit("log1p", np.array([-2.0, 1.0]))
    with pytest.raises(ValueError, match="no target_transform 'ln'"):
        TargetScale.fit("ln", np.array([1.0, 2.0]))


def rows(count=3000, seed=0):
    """Spend whose logarithm is linear in x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=count)
    spend = np.exp(1.0 + 0.8 * x + rng.normal(scale=1.0, size=count))
    return pa.table({"x": x.astype(np.float32), "target": spend})


def fitted(kind, path="sklearn.linear_model.LinearRegression"):
    spec = ModelSpec(path, target_transform=kind)
    return SklearnLearner().fit(table_source(rows(), "target"), table_source(rows(500, 1), "target"), spec, threads=1)


def predicted(model, table):
    return model.score(table.select(["x"]).combine_chunks().to_batches()[0])["predicted_target"].to_numpy()


def test_a_line_through_logarithms_predicts_spend_in_its_unit_with_the_right_total():
    model, fresh = fitted("log1p"), rows(20_000, 2)
    spend, plain = fresh["target"].to_numpy(), fitted("none")
    assert predicted(model, rows()).sum() == pytest.approx(rows()["target"].to_numpy().sum(), rel=1e-9)
    assert predicted(model, fresh).sum() == pytest.approx(spend.sum(), rel=0.1)
    expected = np.exp(1.5 + 0.8 * fresh["x"].to_numpy())
    apart, apart_plain = (np.abs(predicted(one, fresh) - expected).mean() for one in (model, plain))
    assert apart < 0.6 * apart_plain
    assert model.scale.smear > 1.2, "the mean of what is lognormal is more than its median"


@pytest.mark.parametrize("kind", ["minmax", "zscore", "robust"])
def test_a_linear_scale_changes_no_prediction_of_a_line(kind):
    np.testing.assert_allclose(
        predicted(fitted(kind), rows(200, 3)), predicted(fitted("none"), rows(200, 3)), rtol=1e-6
    )


def test_the_scale_is_part_of_the_stored_model():
    model = fitted("log1p")
    loaded = SklearnLearner().load(model.files(), threads=1)
    assert json.loads(model.files()["sklearn_model.json"])["scale"]["kind"] == "log1p"
    np.testing.assert_array_equal(predicted(loaded, rows(200, 3)), predicted(model, rows(200, 3)))


@pytest.mark.parametrize(
    "declared",
    [
        {"model": {"estimator": "two_stage_xgboost"}},
        {"task": "classification", "model": {"estimator": "sklearn.linear_model.LogisticRegression"}},
    ],
)
def test_only_regressions_by_import_path_are_given_a_scale(declared):
    with pytest.raises(ValidationError, match=r"prepare.target_transform: .* learns \w+ as it is"):
        WorkflowSpec.model_validate({"name": "spend", "prepare": {"target_transform": "log1p"}, **declared})
