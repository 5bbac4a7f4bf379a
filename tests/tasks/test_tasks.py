"""What every task must bring along, and what a scored customer looks like in each."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import pyarrow as pa
import pytest

import tdml_assets.tasks
from tdml_assets.declaration.workflow import TARGET_KINDS, WorkflowSpec
from tdml_assets.engines.kmeans_model import KMeansModel
from tdml_assets.engines.protocol import ModelSpec, Recipe
from tdml_assets.recommendation.tables import predictions_contract as recommendations
from tdml_assets.stages.preparation.parameters import PREPARATION_FILE, NumericColumn, Parameters
from tdml_assets.stages.training.fit import Candidate
from tdml_assets.tasks import task_of, why_off
from tdml_assets.tasks.presentation import Presentation, presentation_of

PACKAGE = tdml_assets.tasks
#: Column and type of the predictions, behind session, day and customer: people query these tables.
PROMISED = {
    "regression": [("predicted_target", "DOUBLE"), ("prediction_category", "VARCHAR")],
    "classification": [("probability", "DOUBLE"), ("score", "DOUBLE"), ("grade", "VARCHAR")],
    "clustering": [
        ("cluster", "INTEGER"),
        ("rfm_segment", "VARCHAR"),
        ("rfm_score", "DOUBLE"),
        ("r_quartile", "INTEGER"),
        ("f_quartile", "INTEGER"),
        ("m_quartile", "INTEGER"),
        ("segment_name", "VARCHAR"),
    ],
}
BOUNDS = {
    "regression": [(f"{side}_{level}", "DOUBLE") for level in (80, 95) for side in ("lower", "upper")],
    "classification": [],
    "clustering": [],
}
KEY = [("session_id", "VARCHAR"), ("as_of", "DATE"), ("customer_id", "VARCHAR")]


def spec(task: str, **keys: Any) -> WorkflowSpec:
    return WorkflowSpec.model_validate({"name": "abc", "task": task, **keys})


def columns_of(contract: Any) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in contract.columns]


def test_every_task_that_can_be_declared_has_a_module_and_every_module_a_task() -> None:
    """But ``labelled``, which those with a target share, and ``presentation``, the types of their words."""
    modules = {found.name for found in pkgutil.iter_modules(PACKAGE.__path__) if not found.ispkg}
    assert modules - {"labelled", "presentation"} == set(TARGET_KINDS)


@pytest.mark.parametrize("task", TARGET_KINDS)
def test_every_task_tells_the_summary_what_to_say(task: str) -> None:
    presentation = presentation_of(task)
    assert isinstance(presentation, Presentation)
    assert presentation is import_module(f"tdml_assets.tasks.{task}").PRESENTATION
    assert presentation.measures
    assert {measure.better for measure in presentation.measures} <= {"higher", "lower", "nearer 0"}
    assert bool(presentation.naive) == any(measure.naive for measure in presentation.measures)


@pytest.mark.parametrize("task", PROMISED)
def test_a_task_is_found_by_its_name_and_watches_a_number_of_its_predictions(task: str) -> None:
    found = task_of(spec(task))
    types = dict(columns_of(found.predictions_contract(spec(task))))
    assert found.name == task
    assert types[found.prediction] in ("DOUBLE", "INTEGER")
    assert types[found.category] == "VARCHAR"
    assert found.describe(spec(task)).endswith(".")


@pytest.mark.parametrize("task", PROMISED)
def test_predictions_have_the_columns_that_people_were_promised(task: str) -> None:
    contract = task_of(spec(task)).predictions_contract(spec(task, model={"reasons": 0}, horizons=[]))
    assert contract.path == ("abc", "predictions")
    assert columns_of(contract) == KEY + PROMISED[task] + BOUNDS[task]
    # Groups may be missing: RFM segments need none.
    keys = contract.columns[: 3 if task == "clustering" else 4]
    assert not any(column.nullable for column in keys)
    assert all(column.description for column in contract.columns)


@pytest.mark.parametrize(("task", "reasons"), [("regression", 2), ("classification", 5), ("clustering", 0)])
def test_reasons_follow_where_something_is_predicted(task: str, reasons: int) -> None:
    contract = task_of(spec(task)).predictions_contract(spec(task, model={"reasons": reasons or 3}, horizons=[]))
    found = columns_of(contract)[len(KEY + PROMISED[task]) :]
    assert found[len(found) - len(BOUNDS[task]) :] == BOUNDS[task]
    found = found[: len(found) - len(BOUNDS[task])]
    assert found == [(f"reason_{place}", "VARCHAR") for place in range(1, reasons + 1)]


def test_recommendations_have_one_row_per_rank() -> None:
    found = columns_of(recommendations("abc"))
    assert found[:6] == [*KEY, ("rank", "INTEGER"), ("product_id", "VARCHAR"), ("score", "DOUBLE")]


def test_only_recommendation_is_off_without_products_and_it_says_what_to_map() -> None:
    mapped = ["customer_id", "ordered_at", "amount"]
    for task in TARGET_KINDS:
        assert (why_off(spec(task), mapped) is not None) == (task == "recommendation")
        assert why_off(spec(task), [*mapped, "product_id"]) is None
    assert "product_id" in (why_off(spec("recommendation"), mapped) or "")


# Numbers of groups, from one champion to the next.

FEATURES = ("total_orders", "total_spend")


def kmeans(centres: list[list[float]], labels: list[int], highest: int) -> KMeansModel:
    chosen = {"features": FEATURES, "centroids": centres, "labels": labels, "highest_label": highest, "k": len(labels)}
    return KMeansModel(Recipe({}, {}, chosen=chosen))


def prepared(centers: tuple[float, float], scales: tuple[float, float]) -> Parameters:
    numbers = zip(FEATURES, centers, scales, strict=True)
    numeric = tuple(NumericColumn(name, None, None, None, center, scale) for name, center, scale in numbers)
    return Parameters(numeric, (), "clip", {})


def candidate(model: KMeansModel, labels: list[float]) -> Candidate:
    numbers = pa.array(labels, pa.float64())
    holdout = pa.table({"customer_id": list("abc"), "predicted_target": numbers, "final_prediction": numbers})
    return Candidate(model, model, holdout, ModelSpec("minibatch_kmeans", task="clustering"))


OLD = kmeans([[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]], [4, 7, 2], highest=9)
OLD_FILES = {**OLD.files(), PREPARATION_FILE: prepared((2.0, 100.0), (1.0, 50.0)).to_json().encode()}
# The same places in the features' own unit, prepared by other statistics and found in another order.
PREPARED = prepared((3.0, 150.0), (2.0, 25.0))
MOVED = [[0.0, 0.0], [-1.0, -4.0], [-0.5, -2.0]]


def test_groups_keep_their_numbers_though_the_features_are_prepared_anew() -> None:
    settled = task_of(spec("clustering")).settle(
        candidate(kmeans(MOVED, [1, 2, 3], 3), [1.0, 2.0, 3.0]), PREPARED, lambda: OLD_FILES
    )
    assert settled.final.recipe.chosen["labels"] == settled.evaluated.recipe.chosen["labels"] == [2, 4, 7]
    assert settled.holdout["predicted_target"].to_pylist() == [2.0, 4.0, 7.0]
    assert settled.holdout["final_prediction"].to_pylist() == [2.0, 4.0, 7.0]
    batch = pa.RecordBatch.from_arrays([pa.array([-1.0], pa.float32()), pa.array([-4.0], pa.float32())], FEATURES)
    assert settled.final.score(batch)["predicted_target"].to_pylist() == [4.0]


def test_a_group_that_continues_none_gets_a_number_never_given_before() -> None:
    """A number that is gone is not used again: an audience built on it would get other people."""
    far = [[0.0, 0.0], [-1.0, -4.0], [9.0, 90.0]]
    settled = task_of(spec("clustering")).settle(
        candidate(kmeans(far, [1, 2, 3], 3), [1.0, 2.0, 3.0]), PREPARED, lambda: OLD_FILES
    )
    assert settled.final.recipe.chosen["labels"] == [2, 4, 10]
    assert settled.final.recipe.chosen["highest_label"] == 10


def test_without_a_champion_of_its_kind_a_candidate_stays_as_it_is() -> None:
    first = candidate(kmeans(MOVED, [1, 2, 3], 3), [1.0, 2.0, 3.0])
    assert task_of(spec("clustering")).settle(first, PREPARED, dict) is first
    for task in ("regression", "classification"):
        assert task_of(spec(task)).settle(first, PREPARED, lambda: OLD_FILES) is first


def test_the_learner_is_told_how_many_groups_there_were() -> None:
    task = task_of(spec("clustering"))
    assert task.learner_parameters(spec("clustering"), lambda: OLD_FILES)["k_before"] == 3
    assert "k_before" not in task.learner_parameters(spec("clustering"), dict)
    foreign = spec("clustering", model={"estimator": "sklearn.cluster.KMeans", "parameters": {"n_clusters": 4}})
    assert task.learner_parameters(foreign, lambda: OLD_FILES) == {"n_clusters": 4}


def sizes(positives: int, rows: int = 200) -> list[dict[str, Any]]:
    return [{"split": split, "customers": rows, "positives": positives} for split in ("train", "validation", "test")]


def test_a_classification_is_refused_where_a_split_has_too_few_of_either_class() -> None:
    declared = spec("classification", classification={"min_positives": 30})
    task_of(declared).check_rows(sizes(30), declared)
    with pytest.raises(ValueError, match="test has 29 positives of 200 rows, min_positives is 30"):
        task_of(declared).check_rows(sizes(29), declared)
    with pytest.raises(ValueError, match="test has 20 negatives of 200 rows, min_negatives is 50"):
        task_of(declared).check_rows(sizes(180), declared)


def test_a_probability_is_bounded_by_one_and_money_by_nothing() -> None:
    assert {task: task_of(spec(task)).highest for task in PROMISED} == {
        "regression": None,
        "classification": 1.0,
        "clustering": None,
    }
