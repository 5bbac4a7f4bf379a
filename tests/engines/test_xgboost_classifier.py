"""The classifier: learns, tells probabilities that hold, refuses what it cannot learn, and comes back from its files."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from tdml_assets.engines.probabilities import fit_sigmoid, log_loss_metric, logistic
from tdml_assets.engines.protocol import ModelSpec, chained, table_source
from tdml_assets.engines.xgboost_classifier import PROBABILITY, ClassifierParameters, XgboostClassifierLearner
from tdml_assets.platform import metrics

FEATURES = ("orders", "basket", "noise", "type[<a>]")
LEARNER = XgboostClassifierLearner()
FAST = {"rounds": 80, "patience": 10}


def customers(rows, seed, shift=-1.0):
    """The event depends on ``orders`` and a little on ``basket``; about 30 % have it; a tenth of the cells is missing."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 4)).astype(np.float32)
    happened = rng.random(rows) < 1 / (1 + np.exp(-(1.5 * x[:, 0] + 0.5 * x[:, 1] + shift)))
    missing = rng.random(x.shape) < 0.1
    columns = [pa.array(x[:, i], mask=missing[:, i]) for i in range(4)]
    return pa.table([*columns, pa.array(happened.astype(float))], names=[*FEATURES, "target"])


def source(rows, seed, shift=-1.0, batch_rows=700):
    return table_source(customers(rows, seed, shift), "target", batch_rows)


def spec(seed=3, **parameters):
    return ModelSpec("xgboost_classifier", {**FAST, **parameters}, seed, "classification")


def fit(train=None, validation=None, seed=3, **parameters):
    return LEARNER.fit(train or source(4000, 1), validation or source(1000, 2), spec(seed, **parameters), threads=1)


def features_of(table):
    return table.select(list(FEATURES)).combine_chunks().to_batches()[0]


def probabilities(model, table):
    return model.score(features_of(table)).column(0).to_numpy()


def labelled(table, target):
    return table_source(table.set_column(4, "target", pa.array(target)), "target")


@pytest.fixture(scope="module")
def model():
    return fit()


@pytest.fixture(scope="module")
def calibrated():
    return fit(calibration="sigmoid")


def test_the_probability_ranks_well_and_tells_more_than_a_constant(model):
    fresh = customers(3000, 9)
    happened = fresh["target"].to_numpy() > 0
    p = probabilities(model, fresh)
    assert model.score(features_of(fresh)).schema == pa.schema([("predicted_target", pa.float64())])
    assert 0 < p.min() < p.max() < 1
    assert metrics.auc(happened, p) > 0.77
    assert metrics.log_loss(happened, p) < 0.9 * metrics.log_loss(happened, np.full(3000, happened.mean()))
    assert p.mean() == pytest.approx(happened.mean(), abs=0.02)


def test_equal_rows_seed_and_threads_give_equal_bytes_and_another_seed_does_not(model):
    assert fit().files() == model.files()
    assert fit(seed=4).files() != model.files()


@pytest.mark.parametrize("parameters", [{}, {"calibration": "sigmoid", "positive_weight": "balanced"}])
def test_a_model_comes_back_from_its_files_byte_for_byte(parameters):
    before = fit(**parameters)
    after = LEARNER.load(before.files(), threads=1)
    batch = features_of(customers(1000, 6))
    assert after.files() == before.files()
    assert after.recipe == before.recipe
    assert after.score(batch).equals(before.score(batch))
    np.testing.assert_array_equal(after.reasons(batch), before.reasons(batch))
    assert sorted(before.files()) == ["classifier.json", "xgboost_classifier.json"]


def test_files_of_two_models_are_not_mixed(model):
    files, other = model.files(), fit(learning_rate=0.3).files()
    with pytest.raises(ValueError, match=r"lacks classifier.json"):
        LEARNER.load({"xgboost_classifier.json": files["xgboost_classifier.json"]}, threads=1)
    with pytest.raises(ValueError, match="files of two models are mixed"):
        LEARNER.load({**files, "classifier.json": other["classifier.json"]}, threads=1)
    with pytest.raises(ValueError, match="format 99"):
        LEARNER.load({**files, "xgboost_classifier.json": b'{"format": 99}'}, threads=1)
    renamed = json.loads(files["xgboost_classifier.json"])
    renamed["features"] = ["basket", "orders", "noise", "type[<a>]"]
    with pytest.raises(ValueError, match="columns in another order"):
        LEARNER.load({**files, "xgboost_classifier.json": json.dumps(renamed).encode()}, threads=1)


def test_the_size_of_batches_and_the_order_of_rows_do_not_change_scores(model):
    batch = features_of(customers(500, 5))
    whole = model.score(batch)
    pieces = [model.score(batch.slice(start, 37)) for start in range(0, 500, 37)]
    assert pa.Table.from_batches(pieces).combine_chunks().to_batches()[0].equals(whole)
    order = pa.array(np.random.default_rng(0).permutation(500))
    assert model.score(batch.take(order)).equals(whole.take(order))


def test_shuffled_labels_teach_nothing():
    rng = np.random.default_rng(5)
    train, held, test = customers(6000, 1), customers(1500, 2), customers(6000, 3)
    shuffled = [labelled(table, rng.permutation(table["target"].to_numpy())) for table in (train, held)]
    found = fit(*shuffled)
    happened = rng.permutation(test["target"].to_numpy())
    assert metrics.auc(happened, probabilities(found, test)) == pytest.approx(0.5, abs=0.03)
    # Nor does it rank what the features really drive: a leak of the true labels would show here.
    base_rate = test["target"].to_numpy().mean()
    assert np.abs(probabilities(found, test) - base_rate).mean() < 0.03


@pytest.mark.parametrize("weight", [4.0, "balanced"])
def test_a_weight_of_positives_is_undone_in_the_mean_probability_and_in_every_customers(model, weight):
    fresh = customers(3000, 9)
    plain = probabilities(model, fresh)
    weighted = fit(positive_weight=weight)
    undone = probabilities(weighted, fresh)
    w = weighted.recipe.chosen["positive_weight"]
    assert w == 4.0 if weight == 4.0 else 1.8 < w < 2.2
    assert undone.mean() == pytest.approx(plain.mean(), rel=0.03)
    assert np.abs(undone - plain).mean() < 0.025
    # Before undoing, with the odds multiplied by the weight, they are far from it.
    assert (w * undone / (1 - undone + w * undone)).mean() > 1.3 * plain.mean()


def test_calibration_takes_out_what_a_heavy_weight_leaves_of_a_rare_event():
    train, held, fresh = source(8000, 1, -3.5), source(4000, 2, -3.5), customers(3000, 9, -3.5)
    plain, undone, mended = (
        probabilities(fit(train, held, **parameters), fresh).mean()
        for parameters in (
            {},
            {"positive_weight": "balanced"},
            {"positive_weight": "balanced", "calibration": "sigmoid"},
        )
    )
    base_rate = customers(4000, 2, -3.5)["target"].to_numpy().mean()
    assert base_rate < 0.08
    assert undone == pytest.approx(plain, rel=0.2)
    assert mended == pytest.approx(base_rate, rel=0.05)


def test_the_weight_is_undone_by_the_formula_of_the_odds():
    plain = fit(positive_weight=4.0)
    facts = json.loads(plain.files()["xgboost_classifier.json"])
    facts["recipe"]["chosen"]["positive_weight"] = 1.0
    kept = LEARNER.load({**plain.files(), "xgboost_classifier.json": json.dumps(facts).encode()}, threads=1)
    table = customers(200, 8)
    q = probabilities(kept, table)
    np.testing.assert_allclose(probabilities(plain, table), q / (q + 4.0 * (1 - q)), rtol=1e-12)


def test_early_stopping_judges_the_probabilities_after_the_weight_is_undone():
    for weight in (1.0, 6.0):
        found = fit(positive_weight=weight)
        held = customers(1000, 2)
        loss = metrics.log_loss(held["target"].to_numpy(), probabilities(found, held))
        assert found.recipe.validation_loss[PROBABILITY] == pytest.approx(loss, abs=1e-6)


def test_the_metric_of_a_weighted_fit_by_hand():
    class Rows:
        def get_label(self):
            return np.array([1.0, 0.0])

    # q = .8 with weight 4: odds 4 / 4 = 1, p = .5 for both rows.
    assert log_loss_metric(4.0)(np.array([0.8, 0.8]), Rows()) == ("log_loss", pytest.approx(np.log(2)))
    assert log_loss_metric(1.0)(np.array([0.8, 0.8]), Rows())[1] == pytest.approx(-(np.log(0.8) + np.log(0.2)) / 2)


def test_calibration_makes_the_mean_probability_the_base_rate_of_the_validation_rows():
    elsewhere = customers(1500, 2, shift=0.5)
    bare = fit(validation=table_source(elsewhere, "target"))
    found = fit(validation=table_source(elsewhere, "target"), calibration="sigmoid")
    base_rate = elsewhere["target"].to_numpy().mean()
    assert abs(probabilities(bare, elsewhere).mean() - base_rate) > 0.1
    # Platt's smoothed targets leave a difference of the order of 1 / rows.
    assert probabilities(found, elsewhere).mean() == pytest.approx(base_rate, abs=2 / 1500)
    assert found.recipe.validation_loss["calibrated"] < bare.recipe.validation_loss[PROBABILITY]
    happened = elsewhere["target"].to_numpy()
    assert metrics.auc(happened, probabilities(found, elsewhere)) == pytest.approx(
        metrics.auc(happened, probabilities(bare, elsewhere)), abs=1e-12
    )


def test_calibration_agrees_with_scikit_learn_on_platts_targets():
    rng = np.random.default_rng(3)
    x = rng.normal(0.3, 1.5, 400)
    happened = rng.random(400) < logistic(0.6 * x - 0.4)
    positives, negatives = happened.sum(), (~happened).sum()
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    # A soft target is a row of either class with that weight.
    target = np.where(happened, high, low)
    rows, labels = np.concatenate([x, x])[:, None], np.repeat([1, 0], 400)
    expected = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(
        rows, labels, sample_weight=np.concatenate([target, 1 - target])
    )
    assert fit_sigmoid(x, happened) == (
        pytest.approx(expected.coef_[0, 0], rel=1e-5),
        pytest.approx(expected.intercept_[0], rel=1e-5),
    )


def test_calibration_never_turns_the_ranking_round_and_takes_rows_that_decide_nothing():
    x = np.linspace(-2, 2, 100)
    slope, intercept = fit_sigmoid(x, x < 0)
    assert slope == 0.1
    assert logistic(slope * x + intercept).mean() == pytest.approx(0.5)
    same = np.full(100, 1.7)
    slope, intercept = fit_sigmoid(same, np.arange(100) < 30)
    assert slope > 0
    assert logistic(slope * same + intercept).mean() == pytest.approx(0.3, abs=0.01)
    separable = fit_sigmoid(x * 1000, x > 0)
    assert np.isfinite(separable).all()


def test_reasons_sum_to_the_log_odds_up_to_one_constant(calibrated):
    batch = features_of(customers(300, 8))
    p = calibrated.score(batch).column(0).to_numpy()
    reasons = calibrated.reasons(batch)
    assert reasons.shape == (300, 4)
    assert reasons.dtype == np.float64
    rest = np.log(p / (1 - p)) - reasons.sum(axis=1)
    assert np.ptp(rest) < 1e-5
    assert np.abs(reasons).mean(axis=0).argmax() == 0


def test_importances_find_what_drives_the_event_on_an_evenly_spaced_sample(model):
    table = customers(4000, 4)
    found = model.importances(table_source(table, "target", 333), rows=1000)
    assert found == model.importances(table_source(table.take(pa.array(range(0, 4000, 4))), "target"))
    assert [row.feature for row in found] == list(FEATURES)
    assert max(found, key=lambda row: row.mean_abs_shap).feature == "orders"
    assert sum(row.gain_share for row in found) == pytest.approx(1.0)
    sample = features_of(table.take(pa.array(range(0, 4000, 4))))
    np.testing.assert_allclose([row.mean_abs_shap for row in found], np.abs(model.reasons(sample)).mean(axis=0))


def test_a_refit_repeats_what_the_validation_rows_chose_and_grows_the_rounds(calibrated):
    chosen = {"positive_weight": 2.0, "slope": 1.5, "intercept": -0.2}
    recipe = type(calibrated.recipe)({PROBABILITY: 20}, {PROBABILITY: 4000}, chosen=chosen)
    same = LEARNER.refit(source(4000, 1), recipe, spec(positive_weight="balanced"), threads=1)
    assert same.recipe.rounds == {PROBABILITY: 20}
    assert same.recipe.chosen == chosen
    larger = LEARNER.refit(chained([source(4000, 1), source(1000, 2)]), recipe, spec(), threads=1)
    assert larger.recipe.rounds == {PROBABILITY: 25}
    assert larger.recipe.rows == {PROBABILITY: 5000}
    assert LEARNER.refit(source(16000, 1), recipe, spec(), threads=1).recipe.rounds == {PROBABILITY: 30}
    unlike = {**chosen, "slope": 1.0, "intercept": 0.0}
    bare = LEARNER.refit(
        source(4000, 1), type(recipe)({PROBABILITY: 20}, {PROBABILITY: 4000}, chosen=unlike), spec(), threads=1
    )
    p, q = (probabilities(found, customers(100, 7)) for found in (same, bare))
    np.testing.assert_allclose(np.log(p / (1 - p)), 1.5 * np.log(q / (1 - q)) - 0.2, atol=1e-9)


def test_null_and_nan_are_the_same_missing_value(model):
    nulls = pa.RecordBatch.from_arrays([pa.array([None], pa.float32())] * 4, names=list(FEATURES))
    nans = pa.RecordBatch.from_arrays([pa.array([np.nan], pa.float32())] * 4, names=list(FEATURES))
    assert model.score(nulls).equals(model.score(nans))


def test_features_that_are_missing_reordered_or_infinite_are_refused_by_name(model):
    batch = features_of(customers(3, 1))
    with pytest.raises(ValueError, match=r"missing \['basket'\]"):
        model.score(batch.select(["orders", "noise", "type[<a>]"]))
    with pytest.raises(ValueError, match="rows to explain: columns in another order, place 1 holds 'basket'"):
        model.reasons(batch.select(["basket", "orders", "noise", "type[<a>]"]))
    with pytest.raises(ValueError, match=r"infinite values in \['orders'\]"):
        model.score(batch.set_column(0, "orders", pa.array([np.inf] * 3, pa.float32())))
    with pytest.raises(ValueError, match="validation against training rows: columns in another order"):
        fit(
            validation=table_source(
                customers(500, 2).select(["basket", "orders", "noise", "type[<a>]", "target"]), "target"
            )
        )


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0, float("nan"), float("inf"), None])
def test_targets_that_are_neither_0_nor_1_are_refused_with_the_count(value):
    table = customers(300, 1)
    target = [*table["target"].to_pylist()[:299], value]
    with pytest.raises(ValueError, match="training rows: 1 of 300 targets of a batch are neither 0 nor 1"):
        fit(train=labelled(table, target))


def test_too_few_rows_or_one_class_are_refused_with_the_counts():
    table = customers(1000, 1)
    few = np.zeros(1000)
    few[:9] = 1
    with pytest.raises(ValueError, match="training rows: 0 rows, 0 positive and 0 negative; 100 rows are needed"):
        fit(train=table_source(table.slice(0, 0), "target"))
    with pytest.raises(ValueError, match="training rows: 1000 rows, 9 positive and 991 negative; 10 of each"):
        fit(train=labelled(table, few))
    with pytest.raises(ValueError, match="991 positive and 9 negative; 10 of each"):
        fit(train=labelled(table, 1 - few))
    with pytest.raises(ValueError, match="validation rows: 1000 rows, 0 positive and 1000 negative; 1 of each"):
        fit(validation=labelled(table, few * 0))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"depth": 3}, r"no parameter \['depth'\]"),
        ({"subsample": 0}, "parameter subsample is 0: it must be a number from 0.01 to 1.0"),
        ({"max_depth": 2.5}, "max_depth is 2.5: it must be a whole number"),
        ({"rounds": True}, "rounds is True"),
        ({"positive_weight": 0}, "positive_weight is 0: it must be a number from 0.0001 to 10000.0, or 'balanced'"),
        ({"positive_weight": "heavy"}, "positive_weight is 'heavy'"),
        ({"calibration": "isotonic"}, "calibration is 'isotonic': it must be none or sigmoid"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters, message):
    with pytest.raises(ValueError, match=message):
        ClassifierParameters.from_mapping(parameters)


def test_the_learner_says_what_it_is_for():
    assert LEARNER.name == "xgboost_classifier"
    assert LEARNER.tasks == {"classification"}
    assert LEARNER.bytes_needed(1_000_000, 100) > 6e8
