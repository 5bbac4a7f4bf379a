"""Whether a customer buys, by trees on a lifetime model: both ways round, carried to older customers, back from its files."""

import json

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import logit

from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.lifetime_xgboost_classifier import LifetimeClassifierLearner
from tdml_assets.engines.protocol import ModelSpec, chained, table_source
from tdml_assets.engines.spend import BUYS
from tdml_assets.engines.xgboost_classifier import XgboostClassifierLearner
from tdml_assets.platform import metrics
from tests.engines.test_lifetime_xgboost import FEATURES, HORIZON, customers, features_of

LEARNER = LifetimeClassifierLearner()


def table_of(rows, seed, *, bought=1.0, ages=(100, 365)):
    """The simulated customers with a target of 0 and 1; ``bought`` is what a purchase counts as."""
    table = customers(rows, seed, ages=ages)
    buys = table["target"].to_numpy() > 0
    return table.set_column(len(FEATURES), "target", pa.array(np.where(buys, bought, 1.0 - bought)))


def spec(kind="purchase", unlabelled=None, **parameters):
    return ModelSpec(
        LEARNER.name,
        {"rounds": 80, "patience": 10, **parameters},
        3,
        task="classification",
        horizon_days=HORIZON,
        target_kind=kind,
        unlabelled=unlabelled,
    )


def fit(kind="purchase", train=None, validation=None, **more):
    bought = 1.0 if kind == "purchase" else 0.0
    train = train or table_source(table_of(5000, 1, bought=bought), "target", 700)
    validation = validation or table_source(table_of(1200, 2, bought=bought), "target", 700)
    return LEARNER.fit(train, validation, spec(kind, **more), threads=1)


def probability(model, table):
    return model.score(features_of(table))["predicted_target"].to_numpy()


@pytest.fixture(scope="module")
def model():
    return fit()


def test_it_ranks_as_well_as_trees_and_its_probabilities_are_those_of_what_happens(model):
    fresh = table_of(6000, 9)
    happened, said = fresh["target"].to_numpy(), probability(model, fresh)
    trees = XgboostClassifierLearner().fit(
        table_source(table_of(5000, 1), "target"), table_source(table_of(1200, 2), "target"), spec(), threads=1
    )
    assert metrics.auc(happened > 0, said) > metrics.auc(happened > 0, probability(trees, fresh)) - 0.002
    assert said.mean() == pytest.approx(happened.mean(), rel=0.05)


def test_carried_to_older_customers_every_row_moves_alike_and_it_halves_the_error_of_the_total_at_least(model):
    older = table_of(6000, 10, ages=(700, 1000))
    happened = older["target"].to_numpy().mean()
    # What a learner is given of the rows to score: their features, and a target that says nothing.
    unlabelled = older.set_column(len(FEATURES), "target", pa.array(np.zeros(older.num_rows)))
    carried = fit(unlabelled=table_source(unlabelled, "target", 700))
    wrong, right = (abs(probability(one, older).mean() / happened - 1) for one in (model, carried))
    assert right < 0.5 * wrong
    assert right < 0.1
    shift = logit(probability(carried, older)) - logit(probability(replace_level(carried), older))
    np.testing.assert_allclose(shift, carried.recipe.chosen["carried"][BUYS], atol=1e-4)
    assert set(carried.recipe.chosen["carried"]) == {BUYS}


def replace_level(model):
    """The same model before it was carried."""
    facts = json.loads(model.files()["lifetime_xgboost_classifier.json"])
    facts["start"]["level"] -= model.recipe.chosen["carried"][BUYS]
    return LEARNER.load({**model.files(), "lifetime_xgboost_classifier.json": json.dumps(facts).encode()}, threads=1)


def test_that_nothing_is_bought_is_the_rest_of_the_same_probability(model):
    table = table_of(500, 5)
    nothing = fit("no_purchase")
    np.testing.assert_allclose(probability(nothing, table), 1.0 - probability(model, table), atol=1e-12)
    np.testing.assert_array_equal(nothing.reasons(features_of(table)), -model.reasons(features_of(table)))


def test_reasons_are_what_the_start_and_the_trees_added(model):
    table = table_of(300, 7)
    left = logit(probability(model, table)) - model.reasons(features_of(table)).sum(axis=1)
    assert np.ptp(left) < 1e-3
    found = model.importances(table_source(table, "target"))
    assert [one.feature for one in found] == list(FEATURES)
    assert found[0].mean_abs_shap > 0.1


def test_predictions_are_identical_after_a_round_trip_and_equal_rows_give_equal_bytes(model):
    table = features_of(table_of(500, 6))
    loaded = LEARNER.load(model.files(), threads=1)
    assert loaded.score(table).equals(model.score(table))
    assert loaded.files() == model.files() == fit().files()


def test_rounds_grow_with_the_rows_of_a_refit_by_half_at_most(model):
    source = table_source(table_of(5000, 1), "target")
    assert LEARNER.refit(source, model.recipe, spec(), threads=1).recipe.rounds == dict(model.recipe.rounds)
    larger = LEARNER.refit(chained([source, source, source]), model.recipe, spec(), threads=1)
    assert larger.recipe.rounds == {BUYS: round(1.5 * model.recipe.rounds[BUYS])}


def test_files_of_two_models_are_not_mixed(model):
    facts = json.loads(model.files()["lifetime_xgboost_classifier.json"])
    facts["features"] = [*FEATURES[1:], FEATURES[0]]
    with pytest.raises(ValueError, match="columns in another order"):
        LEARNER.load({**model.files(), "lifetime_xgboost_classifier.json": json.dumps(facts).encode()}, threads=1)
    with pytest.raises(ValueError, match=r"lacks buys.json"):
        LEARNER.load({name: data for name, data in model.files().items() if name != "buys.json"}, threads=1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tweedie_power": 1.5}, r"no parameter \['tweedie_power'\]: it has .*lifetime_weight.*max_depth"),
        ({"lifetime_weight": -1}, "lifetime_weight is -1: it must be a number from 0 to 1"),
        ({"purchases": "nbd"}, "purchases is 'nbd'"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters, message):
    with pytest.raises(ValueError, match=message):
        fit(**parameters)


def test_what_cannot_be_learnt_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"the target is 'any': set target.kind to one of no_purchase, purchase"):
        fit("any")
    table = table_of(600, 1)
    halves = table.set_column(len(FEATURES), "target", pa.array(np.full(600, 0.5)))
    with pytest.raises(ValueError, match="600 of 600 targets of a batch are neither 0 nor 1"):
        fit(train=table_source(halves, "target"))
    nobody = table.set_column(len(FEATURES), "target", pa.array(np.zeros(600)))
    with pytest.raises(ValueError, match="0 of them with a positive target; 50 such rows"):
        fit(train=table_source(nobody, "target"))
    without = table.drop_columns([HISTORY[1]])
    with pytest.raises(ValueError, match=r"lacks the features \['recency_days'\]"):
        fit(train=table_source(without, "target"), validation=table_source(without, "target"))
