"""A rehearsal of ``estimator: auto``: measured on rows later than all that was learnt from, refusals left out, fits shared."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.learner_choice import AUTO, option_named, unrehearsed
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.protocol import TIER1, ModelSpec
from tdml_assets.engines.python import PythonEngine
from tdml_assets.platform.refusals import RefusedError
from tdml_assets.stages.training.choice_words import choice_sentence
from tdml_assets.stages.training.fit import Choosing, compare_snapshots, train_candidate
from tdml_assets.stages.training.rehearsal import choice_rows, rehearse_options

EARLY, LATE = datetime.date(2024, 3, 31), datetime.date(2024, 6, 30)
MODEL = ModelSpec(AUTO, {"rounds": 20, "patience": 5}, 3, horizon_days=91)
LIFETIME = ModelSpec("pareto_nbd_gamma_gamma", horizon_days=91)
FEW = {"min_rows": 10, "min_buyers": 5}


def rows(count, seed, day, buyers=None):
    """Histories of one-day visits with Poisson orders, and what came next; with ``buyers`` only so many buy."""
    random = np.random.default_rng(seed)
    age = random.integers(60, 200, count).astype(float)
    rate = random.gamma(1.0, 1 / 30.0, count)
    x = random.poisson(rate * age).astype(float)
    recency = np.where(x > 0, np.clip(np.round(age * random.random(count) ** (1 / np.maximum(x, 1))), 1, age), 0.0)
    value = random.gamma(6.0, 8.0, count)
    spend = random.poisson(rate * 91) * value
    if buyers is not None:
        spend = np.where(np.arange(count) < buyers, 50.0, 0.0)
    history = [x, recency, age, np.where(x > 0, value, np.nan)]
    columns = {
        name: pa.array(one.astype(np.float32), from_pandas=True) for name, one in zip(HISTORY, history, strict=True)
    }
    keys = {
        "snapshot_date": pa.array([day] * count, pa.date32()),
        "customer_id": pa.array([f"c{number:05}" for number in range(count)]),
    }
    return pa.table({**keys, "target": pa.array(spend), **columns})


def splits(test_day=LATE, **more):
    return {
        "train": rows(600, 1, EARLY, **more),
        "validation": rows(200, 2, EARLY),
        "test": rows(500, 3, test_day),
        "refit": rows(0, 4, EARLY),
        "today": rows(500, 5, LATE + datetime.timedelta(days=91)),
    }


def rehearsed(parts, previous=None, max_rows=10_000):
    return rehearse_options(PythonEngine(), parts, MODEL, TIER1, previous=previous, max_rows=max_rows)


@pytest.fixture(scope="module")
def candidate():
    return train_candidate(PythonEngine(), splits(), MODEL, TIER1, choosing=Choosing())


def test_a_candidate_is_trained_with_the_option_that_was_chosen_and_says_from_what(candidate):
    choice = candidate.choice
    assert {one.name for one in choice.tried} == {"lifetime", "lifetime_start", "constant_start", "blend"}
    assert choice.seen == "measured on 500 customers of 2024-06-30 up to 2024-09-29"
    listed = choice_rows(choice, "net_spend")
    (chosen,) = (row for row in listed if row["chosen"])
    assert chosen["estimator"] == candidate.model.estimator
    assert choice.seen in choice_sentence(listed)


def test_spend_that_a_lifetime_model_explains_whole_needs_no_trees(candidate):
    assert candidate.choice.name == "lifetime"
    assert candidate.model.estimator == "pareto_nbd_gamma_gamma"


def test_customers_of_the_learnt_day_cannot_speak_for_what_does_not_follow_age():
    found = rehearsed(splits(test_day=EARLY))
    assert {one.name for one in found.choice.tried} == {"lifetime", "lifetime_start", "blend"}
    assert found.choice.seen.startswith("measured on 500 customers of 2024-03-31 who were not learnt from, up to ")


def test_an_option_that_the_rows_do_not_allow_is_left_out_with_the_reason():
    found = rehearsed(splits(buyers=20))
    assert found.choice.name == "lifetime"
    refused = {one.name: one.refused for one in found.choice.tried if one.refused}
    assert refused.keys() == {"lifetime_start", "constant_start", "blend"}
    assert "20 of them" in refused["constant_start"] or "20 " in refused["constant_start"]


def test_rows_that_allow_no_option_are_refused():
    parts = splits(buyers=20)
    once = np.zeros(500, dtype=np.float32)
    for name in ("repeat_purchase_days", "recency_days"):
        place = parts["test"].column_names.index(name)
        parts["test"] = parts["test"].set_column(place, name, pa.array(once))
    with pytest.raises(RefusedError):
        rehearsed(parts)


def test_above_the_declared_size_nothing_is_fitted_and_the_last_choice_stays():
    first = rehearsed(splits(), max_rows=599)
    assert (first.choice.name, first.choice.why, first.evaluated) == ("lifetime_start", "unrehearsed", None)
    later = rehearsed(splits(), previous="blend", max_rows=599)
    assert later.choice.name == "blend"
    assert later.model.parameters["lifetime_share"] == 0.5
    assert "600 training rows are more than model.rehearsal_max_rows, 599" in choice_sentence(
        choice_rows(later.choice, "net_spend")
    )


def test_many_rows_are_learnt_in_large_steps_whatever_was_chosen_before():
    options = {name: unrehearsed("net_spend", name) for name in (None, "lifetime_start", "blend", "lifetime")}
    assert {name: option.parameters.get("learning_rate") for name, option in options.items()} == {
        None: 0.1,
        "lifetime_start": 0.1,
        "blend": 0.1,
        "lifetime": None,
    }
    assert options["blend"].parameters["lifetime_share"] == 0.5
    assert option_named("net_spend", "blend").parameters["learning_rate"] == 0.02


def test_rows_of_the_measure_are_scored_once_and_give_the_snapshots_that_scoring_them_again_gives():
    parts = splits()
    found = train_candidate(PythonEngine(), parts, LIFETIME, TIER1, kind="amount")
    tables = [parts[name] for name in ("train", "validation", "test")]
    again = compare_snapshots(found.evaluated, pa.concat_tables(tables), [EARLY, LATE], "amount")
    assert [one.customers for one in again] == [800, 500]
    assert [one.snapshot for one in found.rehearsals] == again[1:]


def test_parameters_that_are_declared_reach_trees_and_nothing_else(candidate):
    assert candidate.model.parameters == {}
    assert rehearsed(splits(), previous="blend").model.parameters["rounds"] == 20


@pytest.mark.parametrize(
    ("declared", "learner"),
    [
        ({}, "auto"),
        ({"target": {"kind": "sum", "column": "units"}}, "two_stage_xgboost"),
        ({"model": {"estimator": "auto", "search": {"grid": {"max_depth": [2, 3]}}}}, "two_stage_xgboost"),
        ({"engine": "hivemall"}, "train_regressor"),
    ],
)
def test_auto_is_the_usual_learner_where_there_is_nothing_to_choose_among(declared, learner):
    spec = WorkflowSpec.model_validate({"name": "spend", "model": {"estimator": "auto"}, **declared})
    assert spec.estimator == learner
