"""Trees on a lifetime model: they start from it, correct it, and come back from their files unchanged."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import logit

from tdml_assets.engines.lifetime import ParetoNbdLearner
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.lifetime_xgboost import LifetimeXgboostLearner
from tdml_assets.engines.protocol import ModelSpec, chained, table_source
from tdml_assets.engines.spend import AMOUNT, BUYS, EXPECTED_SPEND
from tdml_assets.engines.two_stage import TwoStageLearner
from tdml_assets.platform import metrics

FEATURES = ("clicks[<7d]", *HISTORY)
HORIZON = 90
LEARNER = LifetimeXgboostLearner()


def customers(rows, seed, unit=1.0, ages=(100, 365)):
    """As the lifetime models suppose, but half of those who stay are known by their clicks to buy three times as often."""
    rng = np.random.default_rng(seed)
    age = rng.integers(*ages, rows).astype(float)
    lifetime = rng.exponential(1 / rng.gamma(0.8, 1 / 120.0, rows))
    rate = rng.gamma(0.9, 1 / 40.0, rows)
    value = 40.0 / rng.gamma(4.0, 1 / 3.0, rows)
    x = rng.poisson(rate * np.minimum(lifetime, age)).astype(float)
    last = np.minimum(lifetime, age) * rng.random(rows) ** (1 / np.maximum(x, 1))
    recency = np.where(x > 0, np.clip(np.round(last), 1, age), 0.0)
    mean = np.where(x > 0, value * rng.gamma(6.0 * np.maximum(x, 1), 1 / (6.0 * np.maximum(x, 1))), np.nan)
    eager = rng.random(rows) < 0.5
    later = rng.poisson(rate * np.where(eager, 1.5, 0.5) * np.clip(lifetime - age, 0, HORIZON))
    clicks = np.where(rng.random(rows) < 0.1, np.nan, rng.poisson(np.where(eager, 8, 2)))
    columns = [clicks, x, recency, age, mean * unit]
    arrays = [pa.array(column.astype(np.float32), from_pandas=True) for column in columns]
    return pa.table([*arrays, pa.array(later * value * unit)], names=[*FEATURES, "target"])


def source(rows, seed, unit=1.0):
    return table_source(customers(rows, seed, unit), "target", 700)


def features_of(table):
    return table.select(list(FEATURES)).combine_chunks().to_batches()[0]


def spec(seed=3, **parameters):
    return ModelSpec(LEARNER.name, {"rounds": 80, "patience": 10, **parameters}, seed, horizon_days=HORIZON)


def fit(train=None, validation=None, seed=3, learner=LEARNER, **parameters):
    return learner.fit(train or source(5000, 1), validation or source(1200, 2), spec(seed, **parameters), threads=1)


def scored(model, table):
    return [column.to_numpy() for column in model.score(features_of(table)).columns]


@pytest.fixture(scope="module")
def model():
    return fit()


def test_it_ranks_better_than_the_lifetime_model_and_follows_older_customers_better_than_trees(model):
    fresh = customers(6000, 9)
    lifetime = ParetoNbdLearner().fit(
        source(5000, 1), source(1200, 2), ModelSpec("", {}, 3, horizon_days=HORIZON), threads=1
    )
    actual = fresh["target"].to_numpy()
    predicted, p_buy, amount = scored(model, fresh)
    np.testing.assert_array_equal(predicted, p_buy * amount)
    assert metrics.auc(actual > 0, p_buy) > metrics.auc(actual > 0, scored(lifetime, fresh)[1]) + 0.002
    assert metrics.normalised_gini(actual, predicted) > metrics.normalised_gini(actual, scored(lifetime, fresh)[0])
    assert abs(metrics.total_bias(actual, predicted)) < 0.15
    older = customers(6000, 10, ages=(700, 1000))
    trees = fit(learner=TwoStageLearner())
    bias = [metrics.total_bias(older["target"].to_numpy(), scored(one, older)[0]) for one in (model, trees)]
    assert abs(bias[0]) < 0.75 * abs(bias[1])


def test_carried_to_older_customers_its_total_is_theirs_and_nobody_changes_place(model):
    older = customers(6000, 10, ages=(700, 1000))
    unlabelled = older.set_column(len(FEATURES), "target", pa.array(np.zeros(older.num_rows)))
    known = replace(spec(), unlabelled=table_source(unlabelled, "target", 700))
    carried = LEARNER.fit(source(5000, 1), source(1200, 2), known, threads=1)
    actual = older["target"].to_numpy()
    wrong, right = (abs(metrics.total_bias(actual, scored(one, older)[0])) for one in (model, carried))
    assert right < 0.5 * wrong
    assert right < 0.1
    levels = carried.recipe.chosen["carried"]
    assert set(levels) == {BUYS, AMOUNT}
    assert LEARNER.load(carried.files(), threads=1).score(features_of(older)).equals(carried.score(features_of(older)))


def test_without_trees_it_is_the_lifetime_model_at_the_level_of_the_training_rows():
    table = customers(5000, 1)
    bare = fit(table_source(table, "target"), lifetime_weight=1.0, rounds=1, learning_rate=1e-4)
    history = np.stack([table[name].to_numpy() for name in HISTORY], axis=1).astype(float)
    seen = bare.lifetime.outlook(history)
    _, p_buy, amount = scored(bare, table)
    shift = logit(p_buy) - logit(np.clip(seen.active, 1e-6, 1 - 1e-6))
    assert np.ptp(shift) < 1e-2
    assert p_buy.mean() == pytest.approx((table["target"].to_numpy() > 0).mean(), rel=1e-3)
    assert np.ptp(np.log(amount / seen.spend_if_active)) < 1e-2
    bought = table["target"].to_numpy() > 0
    assert amount[bought].sum() == pytest.approx(table["target"].to_numpy()[bought].sum(), rel=1e-2)


def test_weight_nought_is_the_plain_two_stages(model):
    table = customers(500, 5)
    plain, none = fit(learner=TwoStageLearner()), fit(lifetime_weight=0.0)
    np.testing.assert_allclose(scored(none, table)[0], scored(plain, table)[0], rtol=1e-3)
    assert np.abs(scored(model, table)[0] / scored(plain, table)[0] - 1).max() > 0.1


def test_equal_rows_seed_and_threads_give_equal_bytes_and_another_seed_does_not(model):
    assert fit().files() == model.files()
    at_once = LEARNER.fit(source(5000, 1), source(1200, 2), spec(), threads=2)
    assert at_once.files() == model.files()
    assert fit(seed=4).files() != model.files()


def test_predictions_are_identical_after_a_round_trip_and_in_any_batch(model):
    table = features_of(customers(500, 6))
    loaded = LEARNER.load(model.files(), threads=1)
    assert loaded.files() == model.files()
    assert loaded.recipe == model.recipe
    pieces = pa.Table.from_batches([loaded.score(table.slice(start, 37)) for start in range(0, 500, 37)])
    assert pieces.combine_chunks().to_batches()[0].equals(model.score(table))


def test_another_currency_changes_only_the_unit(model):
    pence = fit(source(5000, 1, 128.0), source(1200, 2, 128.0))
    np.testing.assert_allclose(
        scored(pence, customers(400, 5, 128.0))[0], 128.0 * scored(model, customers(400, 5))[0], rtol=1e-3
    )


def test_null_and_nan_are_the_same_missing_value(model):
    table = features_of(customers(50, 5))
    values = table.column(0).to_numpy(zero_copy_only=False)
    with_nan = table.set_column(0, FEATURES[0], pa.array(values, from_pandas=False))
    assert with_nan.column(0).null_count == 0 < table.column(0).null_count
    assert model.score(with_nan).equals(model.score(table))


def test_rounds_grow_with_the_rows_of_a_refit_by_half_at_most(model):
    same = LEARNER.refit(source(5000, 1), model.recipe, spec(), threads=1)
    assert same.recipe.rounds == dict(model.recipe.rounds)
    larger = LEARNER.refit(chained([source(5000, 1), source(5000, 11)]), model.recipe, spec(), threads=1)
    assert larger.recipe.rounds == {stage: round(1.5 * rounds) for stage, rounds in model.recipe.rounds.items()}


def test_reasons_are_what_the_start_and_the_trees_added(model):
    """The amount's part is exact, so with p as it is the whole differs from log amount by a constant and the purchase's part."""
    table = features_of(customers(300, 7))
    matrix = np.stack([column.to_numpy(zero_copy_only=False) for column in table.columns], axis=1)
    parts = model._attributions(matrix)
    _, p_buy, amount = scored(model, pa.table(table))
    np.testing.assert_allclose(np.ptp(parts[AMOUNT].sum(axis=1) - np.log(amount)), 0, atol=1e-4)
    np.testing.assert_allclose(np.ptp(parts[BUYS].sum(axis=1) - logit(p_buy)), 0, atol=1e-4)
    np.testing.assert_allclose(model.reasons(table), parts[AMOUNT] + (1 - p_buy)[:, None] * parts[BUYS])


def test_importances_name_every_feature_in_both_stages_and_combined(model):
    found = model.importances(source(500, 8))
    assert [one.stage for one in found] == [BUYS] * 5 + [AMOUNT] * 5 + [EXPECTED_SPEND] * 5
    assert [one.feature for one in found[:5]] == list(FEATURES)
    size = {one.feature: one.mean_abs_shap for one in found if one.stage == EXPECTED_SPEND}
    assert size["clicks[<7d]"] > 0.1
    assert sum(one.gain_share for one in found[:5]) == pytest.approx(1)


def test_a_total_is_calibrated_only_when_asked(model):
    validation = customers(1200, 2)
    double = validation.set_column(5, "target", pa.array(1.4 * validation["target"].to_numpy()))
    asked = fit(validation=table_source(double, "target"), calibrate=True)
    assert model.recipe.calibration_factor == 1.0
    assert scored(asked, validation)[0].sum() == pytest.approx(double["target"].to_numpy().sum(), rel=1e-6)
    again = LEARNER.refit(source(5000, 1), asked.recipe, spec(calibrate=True), threads=1)
    assert again.recipe.calibration_factor == asked.recipe.calibration_factor > 1.1


def test_files_of_two_models_are_not_mixed(model):
    files = model.files()
    assert sorted(files) == ["amount.json", "buys.json", "lifetime_xgboost.json"]
    with pytest.raises(ValueError, match=r"lacks buys.json"):
        LEARNER.load({name: data for name, data in files.items() if name != "buys.json"}, threads=1)
    with pytest.raises(ValueError, match="files of two models are mixed"):
        LEARNER.load({**files, "buys.json": files["amount.json"]}, threads=1)
    with pytest.raises(ValueError, match="format 99"):
        LEARNER.load({**files, "lifetime_xgboost.json": b'{"format": 99}'}, threads=1)
    facts = json.loads(files["lifetime_xgboost.json"])
    facts["features"] = [*FEATURES[1:], FEATURES[0]]
    with pytest.raises(ValueError, match="columns in another order"):
        LEARNER.load({**files, "lifetime_xgboost.json": json.dumps(facts).encode()}, threads=1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"depth": 3}, r"no parameter \['depth'\]: it has .*lifetime_weight.*max_depth"),
        ({"lifetime_weight": 1.5}, "lifetime_weight is 1.5: it must be a number from 0 to 1"),
        ({"purchases": "nbd"}, "purchases is 'nbd': it must be pareto_nbd or bg_nbd"),
        ({"penalizer": -1}, "penalizer is -1"),
        ({"max_depth": 0}, "max_depth is 0"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters, message):
    with pytest.raises(ValueError, match=message):
        fit(**parameters)


def test_what_cannot_be_learnt_is_refused_with_counts_and_remedy(model):
    table = customers(600, 1)
    with pytest.raises(ValueError, match="training rows: 100 rows, .* 200 rows are needed"):
        fit(source(100, 1), source(600, 2))
    nobody = table.set_column(5, "target", pa.array(np.zeros(600)))
    with pytest.raises(ValueError, match="training rows: 600 rows, 0 of them with a positive target; 50 such rows"):
        fit(table_source(nobody, "target"))
    gone = table.set_column(5, "target", pa.array(np.full(600, np.nan)))
    with pytest.raises(ValueError, match="600 of 600 targets of a batch are NULL"):
        fit(table_source(gone, "target"))
    without = table.drop_columns(["recency_days"])
    with pytest.raises(ValueError, match=r"lifetime_xgboost lacks the features \['recency_days'\]"):
        fit(table_source(without, "target"), table_source(without, "target"))
    scaled = table.set_column(3, "tenure_days", pa.array(np.full(600, -0.5, dtype=np.float32)))
    with pytest.raises(ValueError, match=r"negative values in \['tenure_days'\].*prepare.scaling"):
        fit(table_source(scaled, "target"))
    with pytest.raises(ValueError, match=r"rows to score: negative values in \['tenure_days'\]"):
        model.score(features_of(scaled))


def test_bg_nbd_may_stand_in_for_pareto_nbd():
    model = fit(purchases="bg_nbd")
    assert json.loads(model.files()["lifetime_xgboost.json"])["lifetime"]["family"] == "bg_nbd"
    assert scored(LEARNER.load(model.files(), threads=1), customers(50, 3))[0].min() > 0


def test_a_share_of_the_lifetime_model_is_mixed_into_spend_probability_and_reasons(model):
    table = customers(300, 11)
    mixed = model.mixed(0.25)
    batch = features_of(table)
    spend, p_buy, amount = scored(mixed, table)
    seen = model.lifetime.outlook(np.column_stack([table[name].to_numpy() for name in HISTORY]).astype(float))
    trees, bought, _ = scored(model, table)
    np.testing.assert_allclose(spend, 0.75 * trees + 0.25 * seen.spend)
    np.testing.assert_allclose(p_buy, 0.75 * bought + 0.25 * seen.active)
    np.testing.assert_allclose(spend, p_buy * amount)
    weight = 0.25 * seen.spend / spend
    of_trees, of_lifetime = (
        model.reasons(batch),
        model.lifetime.attributions(np.column_stack([table[name].to_numpy() for name in HISTORY]).astype(float))[2],
    )
    expected = (1 - weight)[:, None] * of_trees
    expected[:, 1:] += weight[:, None] * of_lifetime
    np.testing.assert_allclose(mixed.reasons(batch), expected)


def test_a_mixed_model_comes_back_from_its_files_with_its_share(model):
    mixed = model.mixed(0.5)
    again = LEARNER.load(mixed.files(), threads=1)
    table = customers(200, 12)
    np.testing.assert_array_equal(scored(again, table)[0], scored(mixed, table)[0])
    facts = json.loads(mixed.files()["lifetime_xgboost.json"])
    facts["recipe"]["chosen"]["lifetime_share"] = 2.0
    with pytest.raises(ValueError, match="lifetime_share is 2.0"):
        LEARNER.load({**mixed.files(), "lifetime_xgboost.json": json.dumps(facts).encode()}, threads=1)
