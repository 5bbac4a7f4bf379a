"""The form of a stored XGBoost model is checked before XGBoost, which ends the process on some deformed ones, parses it."""

import copy
import json

import numpy as np
import pytest
import xgboost as xgb

from tdml_assets.engines.booster_check import checked_booster
from tdml_assets.models.bundles import BundleDamagedError

ROWS = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
TARGET = (ROWS[:, 0] + ROWS[:, 1] * ROWS[:, 2] > 0).astype(float)
MATRIX = xgb.DMatrix(ROWS, TARGET, feature_names=["a", "b%5B", "c"])


def trained(**parameters):
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1, **parameters}, MATRIX, 3)
    return booster, bytes(booster.save_raw("json"))


@pytest.fixture(scope="module")
def record():
    return json.loads(trained()[1])


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"tree_method": "exact", "gamma": 5},
        {"booster": "dart", "rate_drop": 0.5},
        {"booster": "gblinear", "max_depth": None},
        {"num_parallel_tree": 3, "subsample": 0.5},
        {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 7},
        {"objective": "reg:tweedie"},
    ],
)
def test_a_model_as_xgboost_writes_it_passes_and_predicts_the_same(parameters):
    booster, data = trained(**{name: value for name, value in parameters.items() if value is not None})
    again = xgb.Booster()
    again.load_model(checked_booster(data, "model.json"))
    assert np.array_equal(again.predict(MATRIX), booster.predict(MATRIX))
    assert bytes(again.save_raw("json")) == data


def tree_of(content):
    return content["learner"]["gradient_booster"]["model"]["trees"][1]


def put(key, place, value):
    return lambda content: tree_of(content)[key].__setitem__(place, value)


DEFORMED = {
    "a child out of range": put("left_children", 0, 2**30),
    "a loop": put("left_children", 1, 0),
    "a node with two parents": put("left_children", 1, 2),
    "a negative child": put("right_children", 0, -7),
    "a feature out of range": put("split_indices", 0, 10**6),
    "a short list": lambda content: tree_of(content)["parents"].pop(),
    "a tree that names another's place": lambda content: tree_of(content).update(id=10**6),
    "a number too large": put("split_conditions", 0, 1e300),
    "a text among numbers": put("base_weights", 0, "1"),
    "categories": lambda content: tree_of(content).update(categories_nodes=[0]),
    "more nodes than there are": lambda content: tree_of(content)["tree_param"].update(num_nodes="4000000000"),
    "another count of trees": lambda content: content["learner"]["gradient_booster"]["model"]["trees"].pop(),
    "a group that is not there": lambda content: content["learner"]["gradient_booster"]["model"].update(
        tree_info=[9] * 3
    ),
    "rounds that are not there": lambda content: content["learner"]["gradient_booster"]["model"].update(
        iteration_indptr=[0, 900]
    ),
    "no learner": lambda content: content.pop("learner"),
    "a key that XGBoost does not write": lambda content: content["learner"].update(extra=1),
    "a version that is a text": lambda content: content.update(version="3"),
    "another number of features": lambda content: content["learner"]["learner_model_param"].update(num_feature="1"),
}


@pytest.mark.parametrize("what", DEFORMED)
def test_a_deformed_model_is_refused_with_its_file_and_the_remedy(record, what):
    content = copy.deepcopy(record)
    DEFORMED[what](content)
    with pytest.raises(
        BundleDamagedError, match=r"model\.json is not a model .* promote another version, or remove its folder"
    ):
        checked_booster(json.dumps(content).encode(), "model.json")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[" * 100_000, b"null", b"\xff\xfe{\x00", b'{"learner": NaN, "version": [3, 2, 0]}']
)
def test_what_is_not_a_json_object_is_refused(data):
    with pytest.raises(BundleDamagedError, match=r"model\.json is not a model"):
        checked_booster(data, "model.json")
