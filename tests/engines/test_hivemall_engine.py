"""``engine: hivemall``: option strings, what is refused, what a fit gives, and that its files bring it back."""

from __future__ import annotations

import importlib.util

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import compiled
from tdml_assets.engines.hivemall_engine import HivemallEngine, option_string
from tdml_assets.engines.linear_model import MODEL_FILE, WEIGHTS_FILE, LinearModel
from tdml_assets.engines.protocol import TIER1, ModelSpec, ScoresInSql, table_source
from tdml_assets.engines.registry import ENGINES, engine_named
from tdml_assets.engines.score_map import ScoreMap
from tdml_assets.platform.extras import MissingExtraError

CHURN = ModelSpec("train_classifier", task="classification", target_kind="no_purchase")
CLTV = ModelSpec("train_regressor")


@pytest.fixture(autouse=True)
def _without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_HAS_NUMBA", False)


def rows(task: str, seed: int, count: int = 400) -> pa.Table:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, 3)).astype(np.float32)
    signal = x[:, 0] - 2 * x[:, 1] + draw.logistic(size=count)
    target = (signal > 0).astype(float) if task == "classification" else np.round(np.exp(signal / 2) * (signal > 0), 2)
    return pa.table({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "target": target})


def fitted(spec: ModelSpec, **more: object) -> LinearModel:
    train, validation = (table_source(rows(spec.task, seed), "target", 64) for seed in (1, 2))
    return HivemallEngine().fit(train, validation, spec, TIER1)


def test_a_classifier_learns_probabilities_unless_told_another_loss() -> None:
    assert option_string(CHURN) == "-loss logloss -reg no"
    assert option_string(ModelSpec("train_classifier", options="-opt adam -reg l2")) == (
        "-loss logloss -opt adam -reg l2"
    )
    assert option_string(ModelSpec("train_classifier", options="-loss hinge")) == "-loss hinge"
    assert option_string(ModelSpec("train_arow", {"r": 0.5}, options="-r 2")) == "-r 0.5 -r 2"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ModelSpec("train_classifier", task="classification", options="-lambada 1"), "Unrecognized option: -lambada"),
        (ModelSpec("train_classifier", {"lambada": 1}, task="classification"), "Unrecognized option: -lambada"),
        (ModelSpec("train_arow", task="classification", options="-r 0"), "must be greater than 0"),
        (ModelSpec("train_classifier", task="classification", options="-opt adam"), "rda` is only supported"),
        (ModelSpec("train_arow", task="regression"), "no train_arow for regression: use one of train_regressor"),
        (ModelSpec("train_classifier", task="clustering"), "serves regression and classification"),
        (ModelSpec("train_classifier", task="classification", options="-mini_batch 10"), "-mini_batch above 1"),
    ],
)
def test_a_wrong_declaration_is_refused_by_name_before_anything_runs(spec: ModelSpec, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        HivemallEngine().require_declared(spec)


def test_a_missing_extra_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numba" else found(name))
    with pytest.raises(MissingExtraError, match=r"pip install 'tdml-assets\[hivemall\]'"):
        HivemallEngine().require_declared(CHURN)


@pytest.mark.parametrize(
    ("spec", "best"),
    [
        (CHURN, 0.75),
        (ModelSpec("train_arow", task="classification"), 0.75),
        (CLTV, 0.5),
        (ModelSpec("train_pa1a_regr", options="-c 0.01"), 0.5),
    ],
)
def test_it_learns_and_its_files_give_the_same_scores(spec: ModelSpec, best: float) -> None:
    model = fitted(spec)
    test = rows(spec.task, 3, 300)
    (batch,) = test.drop_columns(["target"]).to_batches()
    scores = model.score(batch).column("predicted_target").to_numpy()
    target = test["target"].to_numpy()
    ranked = target[np.argsort(-scores)][: len(target) // 3].mean() / max(target.mean(), 1e-9)
    assert ranked > 1 + (best - 0.5), "the third with the highest scores is better than the mean"
    if spec.task == "classification":
        assert np.all((scores > 0) & (scores < 1))
        assert abs(scores.mean() - target.mean()) < 0.1
    else:
        assert scores.min() >= 0
        assert 0.6 < scores.sum() / target.sum() < 1.6
    assert isinstance(model, ScoresInSql)
    again = HivemallEngine().load(model.files(), spec, TIER1)
    assert again.score(batch).equals(model.score(batch))
    assert again.files() == model.files()
    assert sum(model.recipe.validation_loss.values()) > 0


def test_weights_are_the_table_that_hivemall_gives_with_the_constant_as_feature_0() -> None:
    assert fitted(CHURN).weights.column_names == ["feature", "weight"]
    arow = fitted(ModelSpec("train_arow", task="classification")).weights
    assert arow.column_names == ["feature", "weight", "covar"]
    assert sorted(arow["feature"].to_pylist()) == ["0", "a", "b", "c"]


def test_reasons_add_up_to_the_sum_and_importances_follow_the_weights() -> None:
    model = fitted(CHURN)
    table = rows("classification", 4, 50)
    (batch,) = table.drop_columns(["target"]).to_batches()
    matrix = np.column_stack([column.to_numpy() for column in batch.columns])
    typical = model.sums(np.array([model.centre], np.float32))
    np.testing.assert_allclose(model.reasons(batch).sum(axis=1) + typical, model.sums(matrix), atol=1e-6)
    ranked = sorted(model.importances(table_source(table, "target")), key=lambda one: -one.mean_abs_shap)
    assert [one.feature for one in ranked][:2] == ["b", "a"]


def test_missing_values_and_targets_that_are_all_alike_are_refused() -> None:
    table = rows("classification", 1)
    hole = table.set_column(0, "a", pa.array([None, *table["a"].to_pylist()[1:]], pa.float32()))
    source = table_source(table, "target")
    with pytest.raises(ValueError, match="missing in a and a linear model takes none: set prepare.nulls"):
        HivemallEngine().fit(table_source(hole, "target"), source, CHURN, TIER1)
    same = table.set_column(3, "target", pa.array(np.ones(len(table))))
    with pytest.raises(ValueError, match="every target is 1"):
        HivemallEngine().fit(table_source(same, "target"), source, CHURN, TIER1)


def test_deformed_files_are_refused() -> None:
    files = fitted(CHURN).files()
    with pytest.raises(ValueError, match=f"lacks {WEIGHTS_FILE}"):
        LinearModel.from_files({MODEL_FILE: files[MODEL_FILE]})
    with pytest.raises(ValueError, match="other features"):
        LinearModel.from_files({**files, MODEL_FILE: files[MODEL_FILE].replace(b'"a"', b'"z"')})


def test_a_score_map_rises_and_keeps_the_total_of_its_rows() -> None:
    draw = np.random.default_rng(1)
    sums = draw.normal(size=3000)
    target = np.maximum(sums + draw.normal(size=3000), 0)
    found = ScoreMap.fit(sums, target, is_probability=False)
    predicted = found.apply(np.sort(sums))
    assert np.all(np.diff(predicted) >= -1e-12)
    assert abs(predicted.sum() / target.sum() - 1) < 0.02
    assert ScoreMap.from_facts(found.to_facts()) == found
    with pytest.raises(ValueError, match="must not descend"):
        ScoreMap((0.0, 1.0), (1.0, 0.0))


def test_every_engine_is_found_by_its_name() -> None:
    assert {engine_named(name).name for name in ENGINES} == set(ENGINES)
    with pytest.raises(ValueError, match="there is no engine 'spark'"):
        engine_named("spark")
