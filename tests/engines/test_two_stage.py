"""The two-stage spend model: learns, refuses what it cannot learn, and comes back from its files unchanged."""

import json

import numpy as np
import pyarrow as pa
import pytest
import xgboost as xgb

from tdml_assets.engines.protocol import BatchSource, ModelSpec, Recipe, chained, table_source
from tdml_assets.engines.spend import AMOUNT, BUYS, EXPECTED_SPEND
from tdml_assets.engines.two_stage import TwoStageLearner, TwoStageParameters
from tdml_assets.platform import metrics

FEATURES = ("orders", "basket", "noise", "type[<a>]")
PARAMETERS = {"rounds": 80, "patience": 10}
LEARNER = TwoStageLearner()


def customers(rows, seed, unit=1.0):
    """Purchases depend on ``orders``, amounts on ``basket``, nothing on ``noise``; a tenth of the cells is missing."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 4)).astype(np.float32)
    buys = rng.random(rows) < 1 / (1 + np.exp(-1.5 * x[:, 0]))
    amount = np.exp(3 + 0.8 * x[:, 1] + 0.4 * rng.standard_normal(rows))
    target = np.where(buys, amount, 0.0) * unit
    missing = rng.random(x.shape) < 0.1
    columns = [pa.array(x[:, i], mask=missing[:, i]) for i in range(4)]
    return pa.table([*columns, pa.array(target)], names=[*FEATURES, "target"])


def source(rows, seed, unit=1.0, batch_rows=700):
    return table_source(customers(rows, seed, unit), "target", batch_rows)


def features_of(table):
    return table.select(list(FEATURES)).combine_chunks().to_batches()[0]


def fit(train=None, validation=None, parameters=PARAMETERS, seed=3):
    spec = ModelSpec(LEARNER.name, parameters, seed)
    return LEARNER.fit(train or source(4000, 1), validation or source(1000, 2), spec, threads=2)


@pytest.fixture(scope="module")
def model():
    return fit()


def replaced(table, name, place, value):
    values = table.column(name).to_pylist()
    values[place] = value
    column = pa.array(values, type=table.schema.field(name).type)
    return table_source(table.set_column(table.schema.get_field_index(name), name, column), "target")


def test_expected_spend_is_probability_times_amount_and_better_than_a_constant(model):
    fresh = customers(3000, 9)
    scores = model.score(features_of(fresh))
    predicted, p_buy, amount = (scores.column(i).to_numpy() for i in range(3))
    actual = fresh["target"].to_numpy()
    assert scores.schema.names == ["predicted_target", "p_buy", "amount"]
    np.testing.assert_array_equal(predicted, p_buy * amount)
    assert p_buy.min() >= 0
    assert p_buy.max() <= 1
    assert amount.min() > 0
    assert metrics.auc(actual > 0, p_buy) > 0.78
    assert metrics.mae(actual, predicted) < 0.75 * metrics.mae(actual, np.full(len(actual), actual.mean()))
    assert abs(metrics.total_bias(actual, predicted)) < 0.1


def test_equal_rows_seed_and_threads_give_equal_bytes_and_another_seed_does_not(model):
    assert fit().files() == model.files()
    assert fit(seed=4).files() != model.files()


def test_the_size_of_batches_does_not_change_scores(model):
    table = features_of(customers(500, 5))
    whole = model.score(table)
    pieces = [model.score(table.slice(start, 37)) for start in range(0, 500, 37)]
    assert pa.Table.from_batches(pieces).combine_chunks().to_batches()[0].equals(whole)


def test_null_and_nan_are_the_same_missing_value(model):
    nulls = pa.RecordBatch.from_arrays([pa.array([None], pa.float32())] * 4, names=list(FEATURES))
    nans = pa.RecordBatch.from_arrays([pa.array([np.nan], pa.float32())] * 4, names=list(FEATURES))
    assert model.score(nulls).equals(model.score(nans))


def test_another_currency_changes_nothing_but_the_unit(model):
    # A power of two, so that the division by the mean amount is exact.
    pence = fit(source(4000, 1, unit=128.0), source(1000, 2, unit=128.0))
    table = features_of(customers(500, 5))
    np.testing.assert_allclose(
        pence.score(table).column(0).to_numpy(), 128.0 * model.score(table).column(0).to_numpy(), rtol=1e-12
    )


def test_predictions_are_identical_after_a_round_trip_through_files(model):
    assert sorted(model.files()) == ["amount.json", "buys.json", "two_stage.json"]
    loaded = LEARNER.load(model.files(), threads=1)
    table = features_of(customers(2000, 6))
    assert loaded.score(table).equals(model.score(table))
    assert loaded.recipe == model.recipe
    assert loaded.files() == model.files()


def test_files_of_two_models_are_not_mixed(model):
    files, other = model.files(), fit(seed=4).files()
    with pytest.raises(ValueError, match=r"lacks buys.json"):
        LEARNER.load({name: data for name, data in files.items() if name != "buys.json"}, threads=1)
    with pytest.raises(ValueError, match="files of two models are mixed"):
        LEARNER.load({**files, "buys.json": files["amount.json"]}, threads=1)
    with pytest.raises(ValueError, match="format 99"):
        LEARNER.load({**files, "two_stage.json": b'{"format": 99}'}, threads=1)
    renamed = json.loads(other["two_stage.json"])
    renamed["features"] = ["basket", "orders", "noise", "type[<a>]"]
    with pytest.raises(ValueError, match="columns in another order"):
        LEARNER.load({**other, "two_stage.json": json.dumps(renamed).encode()}, threads=1)


def test_features_that_are_missing_extra_reordered_or_retyped_are_refused_by_name(model):
    table = features_of(customers(3, 1))
    with pytest.raises(ValueError, match=r"missing \['basket'\]"):
        model.score(table.select(["orders", "noise", "type[<a>]"]))
    with pytest.raises(ValueError, match=r"unexpected \['customer_id'\]"):
        model.score(table.append_column("customer_id", pa.array(["a", "b", "c"])))
    with pytest.raises(ValueError, match="place 1 holds 'basket' instead of 'orders'"):
        model.score(table.select(["basket", "orders", "noise", "type[<a>]"]))
    with pytest.raises(ValueError, match=r"must be FLOAT, these are not: \['noise double'\]"):
        model.score(table.set_column(2, "noise", table.column("noise").cast(pa.float64())))
    with pytest.raises(ValueError, match=r"columns repeated \['orders'\]"):
        model.score(pa.RecordBatch.from_arrays([*table.columns, table.column(0)], names=[*FEATURES, "orders"]))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("basket", float("inf"), r"training rows: infinite values in \['basket'\]"),
        ("target", float("nan"), "1 of 300 targets of a batch are NULL, NaN or infinite"),
        ("target", None, "1 of 300 targets"),
        ("target", float("inf"), "1 of 300 targets"),
        ("target", -2.0, "1 targets of a batch are negative"),
    ],
)
def test_values_that_cannot_be_learnt_are_refused_with_the_count(name, value, message):
    with pytest.raises(ValueError, match=message):
        fit(train=replaced(customers(300, 1), name, 17, value))


def test_too_few_rows_or_buyers_or_one_class_are_refused_with_the_counts():
    table = customers(1000, 1)
    nobody = table.set_column(4, "target", pa.array(np.zeros(1000)))
    everybody = table.set_column(4, "target", pa.array(np.ones(1000)))
    with pytest.raises(ValueError, match="training rows: 0 rows, 0 of them"):
        fit(train=table_source(table.slice(0, 0), "target"))
    with pytest.raises(ValueError, match=r"training rows: 100 rows, \d+ of them .* 200 rows are needed"):
        fit(train=table_source(table.slice(0, 100), "target"))
    with pytest.raises(ValueError, match="1000 rows, 0 of them with a positive target; 50 such rows are needed"):
        fit(train=table_source(nobody, "target"))
    with pytest.raises(ValueError, match=r"1000 rows, 1000 of them .* nobody is left who did not buy"):
        fit(train=table_source(everybody, "target"))
    with pytest.raises(ValueError, match="validation rows: 0 rows"):
        fit(validation=table_source(table.slice(0, 0), "target"))
    with pytest.raises(ValueError, match="validation rows: 1000 rows, 0 of them"):
        fit(validation=table_source(nobody, "target"))


def test_validation_rows_with_other_columns_are_refused():
    other = table_source(customers(500, 2).select(["basket", "orders", "noise", "type[<a>]", "target"]), "target")
    with pytest.raises(ValueError, match="validation against training rows: columns in another order"):
        fit(validation=other)


def test_every_pass_over_a_source_is_closed_also_when_a_fit_fails():
    opened, closed = [], []
    table = replaced(customers(900, 1), "target", 10, -1.0)

    def read():
        opened.append(1)
        try:
            yield from table.batches()
        finally:
            closed.append(1)

    with pytest.raises(ValueError, match="negative"):
        fit(train=BatchSource(FEATURES, "target", 900, read))
    assert len(opened) == len(closed) == 1


def test_rounds_are_recorded_and_a_refit_scales_them_with_its_rows(model):
    assert 1 <= model.recipe.rounds[BUYS] <= 80
    assert model.recipe.rows[BUYS] == 4000
    assert 0.3 < model.recipe.validation_loss[BUYS] < 0.7
    recipe = Recipe({BUYS: 20, AMOUNT: 40}, {BUYS: 4000, AMOUNT: 2000}, 1.0)
    same = LEARNER.refit(source(4000, 1), recipe, ModelSpec(LEARNER.name, PARAMETERS, 3), threads=2)
    assert same.recipe.rounds[BUYS] == 20
    larger = LEARNER.refit(
        chained([source(4000, 1), source(1000, 2)]), recipe, ModelSpec(LEARNER.name, PARAMETERS, 3), threads=2
    )
    assert larger.recipe.rounds[BUYS] == 25
    assert larger.recipe.rows[BUYS] == 5000
    much_larger = LEARNER.refit(source(20000, 1), recipe, ModelSpec(LEARNER.name, PARAMETERS, 3), threads=2)
    assert much_larger.recipe.rounds == {BUYS: 30, AMOUNT: 60}


def test_calibration_closes_the_total_on_the_validation_rows_and_is_clipped():
    parameters = {"rounds": 60, "patience": 10, "calibrate": True}
    half = fit(validation=source(1000, 2, unit=1.3), parameters=parameters)
    table = customers(1000, 2, unit=1.3)
    predicted = half.score(features_of(table)).column(0).to_numpy()
    assert half.recipe.calibration_factor > 1.1
    assert metrics.total_bias(table["target"].to_numpy(), predicted) == pytest.approx(0.0, abs=1e-9)
    far = fit(validation=source(1000, 2, unit=50.0), parameters=parameters)
    assert far.recipe.calibration_factor == 2.0
    assert LEARNER.load(far.files(), threads=2).recipe.calibration_factor == 2.0


def test_importances_find_what_drives_purchases_and_amounts(model):
    found = {(row.feature, row.stage): row for row in model.importances(source(5000, 4), rows=1000)}
    assert len(found) == 3 * len(FEATURES)

    def strongest(stage):
        return max(FEATURES, key=lambda feature: found[feature, stage].mean_abs_shap)

    assert strongest(BUYS) == "orders"
    assert strongest(AMOUNT) == "basket"
    for stage in (BUYS, AMOUNT):
        assert sum(found[feature, stage].gain_share for feature in FEATURES) == pytest.approx(1.0)
    assert found["orders", EXPECTED_SPEND].gain_share is None
    # (1 - p) < 1 damps what the first stage contributes to log spend.
    assert 0 < found["orders", EXPECTED_SPEND].mean_abs_shap < found["orders", BUYS].mean_abs_shap


def test_combined_importance_is_amount_plus_the_damped_purchase_attribution(model):
    row = customers(1, 8)
    boosters = {}
    for stage in (BUYS, AMOUNT):
        boosters[stage] = xgb.Booster()
        boosters[stage].load_model(bytearray(model.files()[f"{stage}.json"]))
    matrix = np.column_stack([row[name].to_numpy() for name in FEATURES])
    data = xgb.DMatrix(matrix, feature_names=boosters[BUYS].feature_names)
    phi = {stage: booster.predict(data, pred_contribs=True)[0] for stage, booster in boosters.items()}
    p_buy = boosters[BUYS].predict(data)[0]
    # Exactness of TreeSHAP: attributions and bias sum to the margin.
    assert phi[BUYS].sum() == pytest.approx(np.log(p_buy / (1 - p_buy)), abs=1e-5)
    expected = np.abs(phi[AMOUNT] + (1 - p_buy) * phi[BUYS])
    found = [r.mean_abs_shap for r in model.importances(table_source(row, "target")) if r.stage == EXPECTED_SPEND]
    np.testing.assert_allclose(found, expected[:-1], rtol=1e-6)


def test_importances_read_an_evenly_spaced_sample(model):
    table = customers(4000, 4)
    every_fourth = table.take(pa.array(range(0, 4000, 4)))
    assert model.importances(table_source(table, "target", 333), rows=1000) == model.importances(
        table_source(every_fourth, "target")
    )


def test_reasons_are_the_attributions_whose_mean_size_is_the_importance(model):
    table = customers(800, 4)
    reasons = model.reasons(features_of(table))
    assert reasons.shape == (800, 4)
    assert reasons.dtype == np.float64
    combined = [r.mean_abs_shap for r in model.importances(table_source(table, "target")) if r.stage == EXPECTED_SPEND]
    np.testing.assert_allclose(np.abs(reasons).mean(axis=0), combined, rtol=1e-6)


def test_reasons_add_up_to_the_log_of_expected_spend_to_first_order(model):
    table = features_of(customers(400, 12))
    predicted, p_buy, amount = (model.score(table).column(i).to_numpy() for i in range(3))
    boosters = {}
    for stage in (BUYS, AMOUNT):
        boosters[stage] = xgb.Booster()
        boosters[stage].load_model(bytearray(model.files()[f"{stage}.json"]))
    matrix = np.column_stack([column.to_numpy(zero_copy_only=False) for column in table.columns])
    data = xgb.DMatrix(matrix, feature_names=boosters[BUYS].feature_names)
    bias = {stage: booster.predict(data, pred_contribs=True)[:, -1] for stage, booster in boosters.items()}
    scale = json.loads(model.files()["two_stage.json"])["amount_scale"]
    logit = np.log(p_buy / (1 - p_buy))
    # Each stage's attributions and bias sum to its margin; the purchase's are damped by 1 - p.
    expected = np.log(amount / scale) - bias[AMOUNT] + (1 - p_buy) * (logit - bias[BUYS])
    np.testing.assert_allclose(model.reasons(table).sum(axis=1), expected, atol=2e-5)
    # And so they order customers nearly as the prediction does.
    assert metrics.spearman(np.log(predicted), model.reasons(table).sum(axis=1)) > 0.9


def test_reasons_name_what_drives_a_customer_and_follow_its_direction(model):
    values = {"orders": [2.0, -2.0, 0.0], "basket": [0.0, 0.0, 2.0], "noise": [0.0] * 3, "type[<a>]": [0.0] * 3}
    batch = pa.RecordBatch.from_pydict({name: pa.array(column, pa.float32()) for name, column in values.items()})
    reasons = model.reasons(batch)
    assert reasons[0, 0] > 0 > reasons[1, 0]
    assert [FEATURES[place] for place in np.abs(reasons).argmax(axis=1)[1:]] == ["orders", "basket"]
    assert reasons[2, 1] > 0


def test_reasons_do_not_depend_on_the_batch_they_are_asked_in(model, monkeypatch):
    table = features_of(customers(500, 5))
    whole = model.reasons(table)
    monkeypatch.setattr("tdml_assets.engines.boosted._ROWS_EXPLAINED_AT_ONCE", 37)
    np.testing.assert_array_equal(model.reasons(table), whole)
    np.testing.assert_array_equal(LEARNER.load(model.files(), threads=1).reasons(table.slice(100, 3)), whole[100:103])
    assert model.reasons(table.slice(0, 0)).shape == (0, 4)


def test_reasons_are_refused_for_other_columns(model):
    with pytest.raises(ValueError, match=r"rows to explain: columns missing \['basket'\]"):
        model.reasons(features_of(customers(3, 1)).select(["orders", "noise", "type[<a>]"]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"depth": 3}, r"no parameter \['depth'\]"),
        ({"subsample": 0}, "parameter subsample is 0: it must be a number from 0.01 to 1.0"),
        ({"tweedie_power": 2.0}, "tweedie_power is 2.0"),
        ({"rounds": "many"}, "rounds is 'many'"),
        ({"max_depth": True}, "max_depth is True"),
        ({"max_depth": 2.5}, "max_depth is 2.5: it must be a whole number"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters, message):
    with pytest.raises(ValueError, match=message):
        TwoStageParameters.from_mapping(parameters)
