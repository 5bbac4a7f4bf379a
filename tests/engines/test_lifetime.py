"""The lifetime learners: from histories to spend, without a look at the target."""

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.lifetime import BgNbdLearner, ParetoNbdLearner
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.protocol import ModelSpec, chained, table_source
from tdml_assets.platform import metrics

FEATURES = ("total_pageviews", *HISTORY)
HORIZON = 90
LEARNERS = [ParetoNbdLearner(), BgNbdLearner()]


def histories(rows, seed, unit=1.0):
    """Customers who buy at a rate of their own while they stay; the features a year on, the spend of the 90 days after."""
    rng = np.random.default_rng(seed)
    age = rng.integers(100, 365, rows).astype(float)
    lifetime = rng.exponential(1 / rng.gamma(0.8, 1 / 120.0, rows))
    rate = rng.gamma(0.9, 1 / 40.0, rows)
    value = 40.0 / rng.gamma(4.0, 1 / 3.0, rows)
    x = rng.poisson(rate * np.minimum(lifetime, age)).astype(float)
    last = np.minimum(lifetime, age) * rng.random(rows) ** (1 / np.maximum(x, 1))
    recency = np.where(x > 0, np.clip(np.round(last), 1, age), 0.0)
    mean = np.where(x > 0, value * rng.gamma(6.0 * np.maximum(x, 1), 1 / (6.0 * np.maximum(x, 1))), np.nan)
    later = rng.poisson(rate * np.clip(lifetime - age, 0, HORIZON))
    columns = [rng.integers(0, 50, rows).astype(float), x, recency, age, mean * unit]
    arrays = [pa.array(column.astype(np.float32), from_pandas=True) for column in columns]
    return pa.table([*arrays, pa.array(later * value * unit)], names=[*FEATURES, "target"])


def source(rows, seed, unit=1.0):
    return table_source(histories(rows, seed, unit), "target", 700)


def features_of(table):
    return table.select(list(FEATURES)).combine_chunks().to_batches()[0]


def spec(learner, **parameters):
    return ModelSpec(learner.name, parameters, 3, horizon_days=HORIZON)


def fit(learner, train=None, validation=None, **parameters):
    return learner.fit(train or source(3000, 1), validation or source(800, 2), spec(learner, **parameters), threads=1)


def scored(model, table):
    return [column.to_numpy() for column in model.score(features_of(table)).columns]


def replaced(table, name, values):
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(np.asarray(values, dtype=np.float32), from_pandas=True))


@pytest.fixture(scope="module", params=LEARNERS, ids=lambda learner: learner.name)
def learner(request):
    return request.param


@pytest.fixture(scope="module")
def model(learner):
    return fit(learner)


def test_spend_is_probability_times_amount_and_comes_true(model):
    fresh = histories(4000, 9)
    predicted, p_buy, amount = scored(model, fresh)
    actual = fresh["target"].to_numpy()
    assert model.score(features_of(fresh)).schema.names == ["predicted_target", "p_buy", "amount"]
    np.testing.assert_array_equal(predicted, p_buy * amount)
    assert (p_buy.min() >= 0) & (p_buy.max() <= 1) & (amount.min() > 0)
    assert metrics.auc(actual > 0, p_buy) > 0.75
    assert metrics.mae(actual, predicted) < 0.8 * metrics.mae(actual, np.full(len(actual), actual.mean()))
    assert abs(metrics.total_bias(actual, predicted)) < 0.15
    assert metrics.log_loss(actual > 0, p_buy) < metrics.log_loss(actual > 0, np.full(len(actual), (actual > 0).mean()))


def test_the_target_is_not_looked_at(learner, model):
    table = histories(3000, 1)
    shuffled = table.set_column(5, "target", pa.array(table["target"].to_numpy()[::-1].copy()))
    assert fit(learner, table_source(shuffled, "target", 700)).files() == model.files()


def test_a_one_time_buyer_is_worth_the_population_mean_and_a_longer_horizon_more(learner, model):
    once = replaced(histories(1, 4), "repeat_purchase_days", [0])
    once = replaced(replaced(once, "recency_days", [0]), "avg_repeat_day_value", [np.nan])
    predicted, _, _ = scored(model, once)
    purchases = model.lifetime.purchases.expected_purchases(HORIZON, [0], [0], once["tenure_days"].to_numpy())[0]
    assert predicted[0] == pytest.approx(purchases * model.lifetime.value.population_value)
    longer = learner.fit(
        source(3000, 1), source(800, 2), ModelSpec(learner.name, {}, 3, horizon_days=2 * HORIZON), threads=1
    )
    assert scored(longer, once)[0][0] > 1.2 * predicted[0]


def test_a_total_is_calibrated_only_when_asked(learner, model):
    validation = histories(800, 2)
    double = validation.set_column(5, "target", pa.array(1.4 * validation["target"].to_numpy()))
    asked = fit(learner, validation=table_source(double, "target"), calibrate=True)
    assert model.recipe.calibration_factor == 1.0
    assert asked.recipe.calibration_factor > 1.1
    assert scored(asked, validation)[0].sum() == pytest.approx(double["target"].to_numpy().sum())
    again = learner.refit(source(3000, 1), asked.recipe, spec(learner, calibrate=True), threads=1)
    assert again.recipe.calibration_factor == asked.recipe.calibration_factor


def test_a_refit_on_the_rows_of_the_fit_is_the_fit(learner, model):
    again = learner.refit(chained([source(3000, 1), source(800, 2)]), model.recipe, spec(learner), threads=1)
    assert again.files() == model.files()


def test_another_currency_changes_only_the_unit(learner, model):
    pence = fit(learner, source(3000, 1, 128.0), source(800, 2, 128.0))
    pounds, cents = histories(300, 5), histories(300, 5, 128.0)
    np.testing.assert_allclose(scored(pence, cents)[0], 128.0 * scored(model, pounds)[0], rtol=1e-6)
    np.testing.assert_allclose(
        pence.reasons(features_of(cents)), model.reasons(features_of(pounds)), rtol=1e-4, atol=1e-6
    )


def test_predictions_are_identical_after_a_round_trip_and_in_any_batch(learner, model):
    table = features_of(histories(500, 6))
    loaded = learner.load(model.files(), threads=1)
    assert loaded.files() == model.files()
    assert loaded.recipe == model.recipe
    pieces = pa.Table.from_batches([loaded.score(table.slice(start, 37)) for start in range(0, 500, 37)])
    assert pieces.combine_chunks().to_batches()[0].equals(model.score(table))


def test_files_of_another_model_are_refused(learner, model):
    other = next(one for one in LEARNERS if one.name != learner.name)
    with pytest.raises(ValueError, match="reads"):
        other.load(model.files(), threads=1)
    with pytest.raises(ValueError, match=r"lacks lifetime\.json"):
        learner.load({}, threads=1)
    with pytest.raises(ValueError, match="format 99"):
        learner.load({"lifetime.json": json.dumps({"format": 99}).encode()}, threads=1)


@pytest.mark.parametrize("reference", [[2.0, float("nan"), 90.0], [0.5, 0.4, 90.0], [2.0, 1.4, 90.0], [2.0, 0.4, 0.0]])
def test_a_mean_customer_that_is_not_a_history_is_refused(learner, model, reference):
    facts = json.loads(model.files()["lifetime.json"])
    facts["lifetime"]["reference"] = reference
    with pytest.raises(ValueError, match="the mean customer"):
        learner.load({"lifetime.json": json.dumps(facts).encode()}, threads=1)


def test_reasons_add_up_to_the_difference_from_the_mean_customer(model):
    table = features_of(histories(400, 7))
    reasons = model.reasons(table)
    lifetime = model.lifetime
    repeats, share, age = lifetime.reference
    mean = lifetime.outlook(np.array([[repeats, share * age, age, lifetime.value.population_value]])).spend[0]
    np.testing.assert_allclose(reasons.sum(axis=1), np.log(scored(model, pa.table(table))[0] / mean), atol=1e-9)
    assert (reasons[:, 0] == 0).all()
    once = table.column("repeat_purchase_days").to_numpy() == 0
    assert (reasons[once][:, [2, 4]] == 0).all()
    found = {one.feature: one.mean_abs_shap for one in model.importances(table_source(histories(400, 7), "target"))}
    assert found["total_pageviews"] == 0
    assert found["recency_days"] == pytest.approx(np.abs(reasons[:, 2]).mean())


def test_recent_buyers_are_told_that_they_are(model):
    late = replaced(replaced(histories(2, 8), "repeat_purchase_days", [4, 4]), "tenure_days", [300, 300])
    late = replaced(replaced(late, "recency_days", [295, 40]), "avg_repeat_day_value", [20, 20])
    recent, lapsed = model.reasons(features_of(late))[:, 2]
    assert recent > 0 > lapsed


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("repeat_purchase_days", [0.3] * 300, "300 of .00 purchase histories have a frequency that is neither"),
        (
            "recency_days",
            [-1.2] * 300,
            r"negative values in \['recency_days'\], which a lifetime model takes for scaled",
        ),
        ("avg_repeat_day_value", [-0.4] * 300, r"negative values in \['avg_repeat_day_value'\]"),
        ("tenure_days", [0.5] * 300, "break 0 <= recency <= age.* prepare.scaling and prepare.transform"),
        ("tenure_days", [np.nan] * 300, "missing or infinite"),
    ],
)
def test_scaled_or_missing_columns_are_refused_with_the_remedy(learner, model, name, values, message):
    table = replaced(histories(300, 1), name, values)
    with pytest.raises(ValueError, match="training rows: .*" + message):
        fit(learner, table_source(table, "target"), source(100, 2))
    with pytest.raises(ValueError, match="rows to score: .*" + message):
        model.score(features_of(table))


def test_what_is_not_there_or_too_little_is_refused_by_name_and_count(learner):
    without = histories(300, 1).drop_columns(["tenure_days"])
    with pytest.raises(ValueError, match=rf"{learner.name} lacks the features \['tenure_days'\]"):
        fit(learner, table_source(without, "target"), table_source(without, "target"))
    with pytest.raises(ValueError, match="30 purchase histories, .* 50 histories are needed"):
        fit(learner, source(20, 1), source(10, 2))
    lonely = histories(300, 1)
    for name in ("repeat_purchase_days", "recency_days"):
        lonely = replaced(lonely, name, [0] * 300)
    with pytest.raises(ValueError, match="600 purchase histories, 0 of them with a second day; 20 such are needed"):
        fit(learner, table_source(lonely, "target"), table_source(lonely, "target"))
    with pytest.raises(ValueError, match=r"no parameter \['rounds'\]: it has \['penalizer', 'calibrate'"):
        fit(learner, rounds=3)
    for bad in ({"penalizer": -1}, {"fit_rows": 1.5}, {"calibrate": "yes"}, {"min_rows": True}):
        with pytest.raises(ValueError, match=f"parameter {next(iter(bad))} is"):
            fit(learner, **bad)


def test_a_fit_looks_at_no_more_histories_than_asked(learner):
    assert fit(learner, fit_rows=500).recipe.rows["histories"] <= 500
    assert learner.bytes_needed(10**8, 60) < 2e9
    assert dataclasses.asdict(fit(learner).recipe)["chosen"] == {}
