"""Any scikit-learn-compatible class learns, explains itself, and comes back from files that run no code."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from tdml_assets.engines.protocol import TIER1, BatchSource, ModelSpec, Recipe, table_source
from tdml_assets.engines.python import PythonEngine
from tdml_assets.engines.sklearn_build import build
from tdml_assets.engines.sklearn_estimator import ARCHIVE_FILE, SklearnLearner
from tdml_assets.engines.sklearn_model import MODEL_FILE
from tdml_assets.engines.trusted_types import ModelRefusedError
from tdml_assets.models.bundles import describe_files
from tdml_assets.models.golden import GoldenMismatchError, check_golden, golden_predictions

FEATURES = ("orders", "basket", "noise", "type[<a>]")
LEARNER = SklearnLearner()
SCALER = {"estimator": "sklearn.preprocessing.StandardScaler"}
XGB = {"estimator": "xgboost.XGBRegressor", "parameters": {"n_estimators": 4}}
HIST, RIDGE = "sklearn.ensemble.HistGradientBoostingRegressor", "sklearn.linear_model.Ridge"
LOGISTIC, KMEANS = "sklearn.linear_model.LogisticRegression", "sklearn.cluster.KMeans"


def customers(rows=300, seed=1, task="regression", missing=()):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 4)).astype(np.float32)
    target = np.maximum(0.0, 3 * x[:, 0] + x[:, 1] + rng.standard_normal(rows))
    if task == "classification":
        target = (target > 1).astype(float)
    columns = [
        pa.array(x[:, i], mask=(np.arange(rows) % 7 == 0) if name in missing else None)
        for i, name in enumerate(FEATURES)
    ]
    return pa.table([*columns, pa.array(target)], names=[*FEATURES, "target"])


def source(*args, **options):
    return table_source(customers(*args, **options), "target", 90)


def batch_of(table):
    return table.select(list(FEATURES)).combine_chunks().to_batches()[0]


def fit(estimator, parameters=None, task="regression", steps=(), learner=LEARNER, seed=3, threads=1, **options):
    spec = ModelSpec(estimator, parameters or {}, seed, task, tuple(steps))
    return learner.fit(source(300, 1, task, **options), source(100, 2, task, **options), spec, threads=threads)


def predictions(model, **options):
    return model.score(batch_of(customers(200, 9, **options))).column(0).to_numpy()


CASES = [
    (RIDGE, {}, "regression", [SCALER]),
    (HIST, {"max_iter": 8}, "regression", []),
    ("sklearn.ensemble.RandomForestRegressor", {"n_estimators": 8}, "regression", []),
    (
        "xgboost.XGBRegressor",
        {"n_estimators": 8, "objective": "reg:tweedie", "tweedie_variance_power": 1.3},
        "regression",
        [],
    ),
    ("sklearn.ensemble.BaggingRegressor", {"estimator": XGB, "n_estimators": 2}, "regression", []),
    (
        "sklearn.ensemble.StackingRegressor",
        {"estimators": [["line", {"estimator": RIDGE}], ["trees", XGB]], "cv": 2},
        "regression",
        [],
    ),
    (
        "sklearn.compose.TransformedTargetRegressor",
        {
            "regressor": {"estimator": RIDGE, "parameters": {"alpha": 2.0}},
            "func": {"function": "numpy.log1p"},
            "inverse_func": {"function": "numpy.expm1"},
        },
        "regression",
        [],
    ),
    ("sklearn.neighbors.KNeighborsRegressor", {}, "regression", []),
    ("sklearn.linear_model.TweedieRegressor", {"power": 1.5}, "regression", []),
    (LOGISTIC, {}, "classification", [SCALER]),
    (
        "sklearn.calibration.CalibratedClassifierCV",
        {"estimator": {"estimator": "sklearn.svm.LinearSVC"}, "cv": 3},
        "classification",
        [],
    ),
    (KMEANS, {"n_clusters": 3}, "clustering", [SCALER]),
    ("sklearn.mixture.GaussianMixture", {"n_components": 2}, "clustering", []),
]


@pytest.mark.parametrize(
    ("path", "parameters", "task", "steps"), CASES, ids=[case[0].rpartition(".")[2] for case in CASES]
)
def test_what_was_stored_predicts_byte_for_byte_what_was_measured(path, parameters, task, steps):
    model = fit(path, parameters, task, steps)
    again = LEARNER.load(model.files(), threads=2)
    found = predictions(model)
    assert model.score(batch_of(customers())).schema == pa.schema([("predicted_target", pa.float64())])
    assert found.tobytes() == predictions(again).tobytes()
    assert again.files() == model.files()
    assert fit(path, parameters, task, steps).files() == model.files()
    actual = customers(200, 9, task)["target"].to_numpy()
    if task == "clustering":
        assert set(found) == set(range(1, int(found.max()) + 1))
        assert found.max() >= 2
    else:
        assert np.corrcoef(found, actual)[0, 1] > 0.6
    if task == "classification":
        assert 0 <= found.min() < found.max() <= 1


def test_a_pipeline_is_what_it_would_be_by_hand():
    table = customers()
    x = np.column_stack([table[name].to_numpy() for name in FEATURES]).astype(float)
    fresh = np.column_stack([customers(200, 9)[name].to_numpy() for name in FEATURES]).astype(float)
    scaler = StandardScaler().fit(x)
    by_hand = Ridge(alpha=5.0).fit(scaler.transform(x), table["target"].to_numpy()).predict(scaler.transform(fresh))
    found = predictions(fit(RIDGE, {"alpha": 5.0}, steps=[SCALER]))
    np.testing.assert_allclose(found, np.maximum(by_hand, 0.0), rtol=1e-12)
    assert (by_hand < 0).any()


def test_predictions_are_floored_at_zero_only_where_no_training_target_is_negative():
    assert predictions(fit(RIDGE)).min() == 0.0
    table = customers()
    shifted = table_source(table.set_column(4, "target", pa.array(table["target"].to_numpy() - 1.0)), "target")
    model = LEARNER.fit(shifted, shifted, ModelSpec(RIDGE), threads=1)
    assert predictions(model).min() < -1.0
    assert predictions(LEARNER.load(model.files(), threads=1)).min() < -1.0
    assert list(model.recipe.validation_loss) == ["mean_squared_error"]


def test_every_seed_left_open_is_fixed_also_inside_and_declared_ones_stay():
    nested = {"estimator": {"estimator": "sklearn.tree.DecisionTreeRegressor"}, "n_estimators": 3}
    spec = ModelSpec(
        "sklearn.ensemble.BaggingRegressor", nested, seed=11, steps=({"estimator": "sklearn.decomposition.PCA"},)
    )
    found = build(spec, FEATURES, threads=2).get_params(deep=True)
    seeds = {name: value for name, value in found.items() if name.endswith("random_state")}
    assert len(seeds) == 3
    assert set(seeds.values()) == {11}
    declared = ModelSpec("sklearn.tree.DecisionTreeRegressor", {"random_state": 5}, seed=11)
    assert build(declared, FEATURES, threads=2).random_state == 5
    forest = "sklearn.ensemble.ExtraTreesRegressor", {"n_estimators": 5}
    assert fit(*forest, seed=1).files() != fit(*forest, seed=2).files()


def test_threads_reach_libraries_that_would_take_all_and_leave_no_trace_in_the_files():
    spec = ModelSpec("sklearn.compose.TransformedTargetRegressor", {"regressor": XGB})
    assert build(spec, FEATURES, threads=2).regressor.n_jobs == 2
    one = fit(XGB["estimator"], XGB["parameters"], threads=1)
    two = fit(XGB["estimator"], XGB["parameters"], threads=2)
    assert one.files() == two.files()


def test_boosters_are_stored_as_xgboost_json_and_a_lost_one_is_named():
    files = fit("sklearn.ensemble.BaggingRegressor", {"estimator": XGB, "n_estimators": 2}).files()
    assert set(files) == {ARCHIVE_FILE, MODEL_FILE, "booster_1.json", "booster_2.json"}
    assert "learner" in json.loads(files["booster_1.json"])
    with pytest.raises(ValueError, match=r"lacks the booster 'booster_2.json'"):
        LEARNER.load({name: data for name, data in files.items() if name != "booster_2.json"}, threads=1)


def test_columns_of_a_column_transformer_are_given_by_name():
    def transformer(column):
        parts = [["scaled", SCALER, [column, "orders"]], ["rest", "passthrough", ["basket"]]]
        return [{"estimator": "sklearn.compose.ColumnTransformer", "parameters": {"transformers": parts}}]

    model = fit(RIDGE, steps=transformer("noise"))
    assert model.estimator.steps[0][1].transformers[0][2] == [2, 0]
    assert model.reasons(batch_of(customers())) is None
    with pytest.raises(ValueError, match=r"columns \['nois'\] are not among the features"):
        fit(RIDGE, steps=transformer("nois"))


# Explanations


def test_reasons_of_a_linear_model_add_up_to_the_prediction_less_its_mean():
    model = fit(LOGISTIC, task="classification", steps=[SCALER])
    batch = batch_of(customers())  # the training rows
    reasons = model.reasons(batch)
    p = model.score(batch).column(0).to_numpy()
    margin = np.log(p / (1 - p))
    assert reasons.shape == (300, 4)
    np.testing.assert_allclose(reasons.sum(axis=1), margin - margin.mean(), atol=1e-9)
    np.testing.assert_allclose(reasons.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_array_equal(LEARNER.load(model.files(), threads=1).reasons(batch), reasons)


def test_reasons_of_xgboost_add_up_to_its_margin():
    model = fit("xgboost.XGBClassifier", {"n_estimators": 10, "max_depth": 3}, task="classification", steps=[SCALER])
    batch = batch_of(customers())
    p = model.score(batch).column(0).to_numpy()
    rest = np.log(p / (1 - p)) - model.reasons(batch).sum(axis=1)
    assert np.ptp(rest) < 1e-4


@pytest.mark.parametrize(
    ("estimator", "steps"), [(HIST, []), (RIDGE, [{"estimator": "sklearn.decomposition.PCA"}])], ids=["trees", "mixed"]
)
def test_there_are_no_reasons_where_they_would_not_be_exact(estimator, steps):
    model = fit(estimator, steps=steps)
    assert model.reasons(batch_of(customers())) is None
    strength = {found.feature: found.mean_abs_shap for found in model.importances(source())}
    assert strength["orders"] > strength["basket"] > 3 * strength["noise"] > 0


def test_importances_are_the_estimators_own_shares_and_steady_attributions():
    forest = fit("sklearn.ensemble.RandomForestRegressor", {"n_estimators": 8})
    found = forest.importances(source())
    assert [one.feature for one in found] == list(FEATURES)
    assert sum(one.gain_share for one in found) == pytest.approx(1.0)
    assert found[0].gain_share > 0.6
    assert found == forest.importances(source())
    linear = fit(RIDGE).importances(source())
    assert linear[0].gain_share is None
    coefficient = fit(RIDGE).coefficients[0]
    orders = customers()["orders"].to_numpy().astype(float)
    assert linear[0].mean_abs_shap == pytest.approx(np.abs(coefficient * (orders - orders.mean())).mean(), rel=1e-9)


def test_importances_of_clusters_are_the_share_of_rows_that_move():
    found = fit(KMEANS, {"n_clusters": 3}, "clustering").importances(source())
    assert all(0 < one.mean_abs_shap < 1 for one in found)


# What is refused before training

REFUSED = [
    ("sklearn.linear_model.Rigde", {}, "regression", "cannot be imported .*Rigde.*PYTHONPATH"),
    ("no_such_package.Model", {}, "regression", "cannot be imported .*no_such_package"),
    ("Ridge.", {}, "regression", "is not an import path"),
    ("numpy.log1p", {}, "regression", "is a ufunc, no class"),
    ("decimal.Decimal", {}, "regression", "has no fit, get_params, set_params"),
    (RIDGE, {"alfa": 1, "alpha": 2}, "regression", "no parameter alfa: it has alpha, fit_intercept"),
    ("xgboost.XGBRegressor", {"n_estimater": 3}, "regression", 'no parameter "n_estimater"'),
    ("sklearn.compose.TransformedTargetRegressor", {"regressor": {**XGB, "parameters": {"x": 1}}}, "regression", '"x"'),
    ("sklearn.ensemble.StackingRegressor", {}, "regression", "cannot be made of its parameters.*estimators"),
    (LOGISTIC, {}, "regression", "is a classifier, the task is regression: take for instance sklearn.ensemble.Hist"),
    (RIDGE, {}, "classification", "is a regressor, the task is classification"),
    ("sklearn.svm.LinearSVC", {}, "classification", "no predict_proba as declared.*CalibratedClassifierCV"),
    ("sklearn.linear_model.SGDClassifier", {"loss": "hinge"}, "classification", "no predict_proba as declared"),
    ("sklearn.cluster.DBSCAN", {}, "clustering", "no predict as declared, clustering needs it.*KMeans"),
    (RIDGE, {}, "clustering", "is a regressor, the task is clustering"),
    ("sklearn.preprocessing.StandardScaler", {}, "regression", "StandardScaler"),
    ("sklearn.cluster.Birch", {}, "clustering", "cannot be stored without a pickle"),
    (
        "sklearn.model_selection.FixedThresholdClassifier",
        {"estimator": {"estimator": LOGISTIC}, "pos_label": {"function": "os.getcwd"}},
        "classification",
        "types that a stored model may not hold: .*getcwd.*trusted_types",
    ),
]


@pytest.mark.parametrize(("path", "parameters", "task", "message"), REFUSED, ids=[f"{c[0]} {c[2]}" for c in REFUSED])
def test_a_wrong_declaration_is_refused_before_a_row_is_read(path, parameters, task, message):
    def never():
        raise AssertionError("rows were read")

    unread = BatchSource(FEATURES, "target", 300, never)
    with pytest.raises(ValueError, match=message):
        LEARNER.fit(unread, unread, ModelSpec(path, parameters, task=task), threads=1)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"class": "x.Y"}, r"keys \['class'\]"),
        ({"estimator": RIDGE}, "has no transform"),
        (SCALER | {"parameters": {"a": 1}}, "no parameter a"),
    ],
)
def test_a_wrong_step_is_refused(step, message):
    with pytest.raises(ValueError, match=message):
        fit(RIDGE, steps=[step])


def test_a_parameter_of_the_wrong_kind_is_told_with_the_estimators_own_words():
    with pytest.raises(ValueError, match=r"training rows: sklearn.linear_model.Ridge cannot be fitted: .*alpha"):
        fit(RIDGE, {"alpha": "much"})


# Rows


def test_missing_values_are_named_with_the_remedy_and_taken_where_the_estimator_can():
    with pytest.raises(
        ValueError, match=r"Ridge takes no missing values, \['noise'\] have some: set prepare.nulls: median"
    ):
        fit(RIDGE, missing=("noise",))
    fit(HIST, {"max_iter": 3}, missing=("noise",))
    imputed = fit(RIDGE, steps=[{"estimator": "sklearn.impute.SimpleImputer"}, SCALER], missing=("noise",))
    assert imputed.reasons(batch_of(customers(missing=("noise",)))).shape == (300, 4)
    whole = fit(LOGISTIC, task="classification")
    with pytest.raises(ValueError, match=r"rows to score: .*LogisticRegression takes no missing values, \['orders'\]"):
        whole.score(batch_of(customers(missing=("orders",))))


def with_target(change, task="regression"):
    table = customers(task=task)
    values = table["target"].to_numpy().copy()
    change(values)
    return table_source(table.set_column(4, "target", pa.array(values)), "target")


@pytest.mark.parametrize(
    ("estimator", "task", "change", "message"),
    [
        (RIDGE, "regression", lambda y: y.__setitem__(3, np.nan), "1 of 300 targets are NULL"),
        (RIDGE, "regression", lambda y: y.fill(0.0), "all 300 targets are equal"),
        (LOGISTIC, "classification", lambda y: y.__setitem__(3, 2.0), "1 of 300 targets are neither 0 nor 1"),
        (LOGISTIC, "classification", lambda y: y.fill(1.0), "all 300 targets are equal"),
    ],
)
def test_targets_that_cannot_be_learnt_are_refused_with_counts(estimator, task, change, message):
    with pytest.raises(ValueError, match=message):
        LEARNER.fit(with_target(change, task), source(100, 2, task), ModelSpec(estimator, task=task), threads=1)


def test_too_few_rows_other_columns_and_a_source_that_miscounts_are_refused():
    with pytest.raises(ValueError, match="49 rows; 50 are needed"):
        LEARNER.fit(source(49), source(49), ModelSpec(RIDGE), threads=1)
    with pytest.raises(ValueError, match="missing"):
        LEARNER.fit(source(), table_source(customers().drop_columns(["noise"]), "target"), ModelSpec(RIDGE), threads=1)
    for said in (299, 301):
        liar = BatchSource(FEATURES, "target", said, lambda: iter(customers().to_batches()))
        with pytest.raises(ValueError, match=f"says {said} rows"):
            LEARNER.fit(liar, source(), ModelSpec(RIDGE), threads=1)


def test_clusters_need_no_target():
    unlabelled = with_target(lambda y: y.fill(np.nan))
    model = LEARNER.fit(unlabelled, unlabelled, ModelSpec(KMEANS, {"n_clusters": 2}, task="clustering"), threads=1)
    assert set(predictions(model)) == {1.0, 2.0}
    assert model.recipe.validation_loss == {}


def test_validation_rows_change_the_reported_loss_and_nothing_else():
    spec = ModelSpec(HIST, {"max_iter": 5})
    one, other = (LEARNER.fit(source(), source(100, seed), spec, threads=1) for seed in (2, 5))
    assert one.stored == other.stored
    assert one.recipe.validation_loss["tweedie_deviance"] != other.recipe.validation_loss["tweedie_deviance"]
    assert one.recipe.rows == {"model": 300}


def test_a_refit_takes_all_rows_and_keeps_the_loss_found_before():
    recipe = Recipe({}, {"model": 300}, validation_loss={"tweedie_deviance": 1.5})
    model = LEARNER.refit(source(400), recipe, ModelSpec(RIDGE), threads=1)
    assert model.recipe == Recipe({}, {"model": 400}, validation_loss={"tweedie_deviance": 1.5})
    assert LEARNER.load(model.files(), threads=1).recipe == model.recipe


def test_the_memory_estimate_grows_with_rows_and_features():
    assert LEARNER.bytes_needed(1_000_000, 50) == 1_000_000 * (50 * 36 + 64)


# A user's own class

OWN = """
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

class Mean(RegressorMixin, BaseEstimator):
    def __init__(self, shift=0.0, fail=False):
        self.shift, self.fail = shift, fail

    def fit(self, X, y):
        self.mean_ = float(y.mean()) + self.shift
        return self

    def predict(self, X):
        return np.full(len(X), np.nan if self.fail else self.mean_)
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "our_models.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "our_models.Mean"
    import sys

    sys.modules.pop("our_models", None)


def test_a_class_of_ones_own_is_trusted_by_the_settings_and_never_by_its_file(own_module):
    with pytest.raises(ModelRefusedError, match=r"our_models.Mean; if they are yours.*add them to trusted_types"):
        fit(own_module)
    trusting = SklearnLearner(extra_trusted=[own_module])
    model = fit(own_module, {"shift": 2.0}, learner=trusting)
    assert predictions(model)[0] == pytest.approx(customers()["target"].to_numpy().mean() + 2.0)
    assert predictions(trusting.load(model.files(), threads=1)).tobytes() == predictions(model).tobytes()
    with pytest.raises(ModelRefusedError, match=r"may not hold: our_models.Mean"):
        LEARNER.load(model.files(), threads=1)


def test_predictions_that_are_not_finite_are_refused(own_module):
    with pytest.raises(ValueError, match="100 of 100 predictions that are not finite"):
        fit(own_module, {"fail": True}, learner=SklearnLearner([own_module]))


@pytest.mark.parametrize("name", ["Mean", "os.system", "builtins.eval", "our models.Mean", ""])
def test_only_import_paths_outside_the_standard_library_can_be_trusted(name):
    with pytest.raises(ValueError, match="trusted_types"):
        SklearnLearner(extra_trusted=[name])


def test_the_engine_finds_the_learner_by_a_path_and_a_bundle_takes_its_files():
    engine, spec = PythonEngine(), ModelSpec(HIST, {"max_iter": 5})
    model = engine.fit(source(), source(100, 2), spec, TIER1)
    files = model.files()
    assert [file.name for file in describe_files(files)] == [ARCHIVE_FILE, MODEL_FILE]
    batch = batch_of(customers(20, 9))
    golden = golden_predictions(batch, model.score(batch))
    check_golden(golden, engine.load(files, spec, TIER1).score, tolerance=0.0)
    with pytest.raises(GoldenMismatchError):
        check_golden(golden, engine.refit([source(400)], model.recipe, spec, TIER1).score)
