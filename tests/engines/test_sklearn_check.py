"""Arrays of a stored scikit-learn estimator are checked before its compiled parts use them as positions in memory."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.neighbors import KDTree, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from tdml_assets.engines.sklearn_check import require_sound
from tdml_assets.models.bundles import BundleDamagedError

ROWS = np.random.default_rng(0).normal(size=(120, 3))
TARGET = ROWS[:, 0] + ROWS[:, 1] ** 2


def spoilt_tree(tree, field, place, value):
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    nodes[field][place] = value
    tree.__setstate__({**state, "nodes": nodes})


@pytest.mark.parametrize(
    ("field", "value"), [("left_child", 10**6), ("right_child", 0), ("feature", 99), ("left_child", -1)]
)
def test_a_tree_with_positions_out_of_range_is_refused_however_deep_it_lies(field, value):
    model = make_pipeline(StandardScaler(), RandomForestRegressor(3, random_state=0)).fit(ROWS, TARGET)
    require_sound(model, 3, "the model")
    spoilt_tree(model[-1].estimators_[1].tree_, field, 0, value)
    with pytest.raises(BundleDamagedError, match=r"the model holds a Tree that was damaged .* run again"):
        require_sound(model, 3, "the model")


@pytest.mark.parametrize(("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", 3), ("is_categorical", 1)])
def test_a_histogram_tree_with_positions_out_of_range_is_refused(field, value):
    model = HistGradientBoostingRegressor(max_iter=2).fit(ROWS, TARGET)
    require_sound(model, 3, "the model")
    model._predictors[0][0].nodes[field][0] = value
    with pytest.raises(BundleDamagedError, match="TreePredictor"):
        require_sound(model, 3, "the model")


def test_boosted_trees_that_are_not_of_the_models_rows_are_refused():
    model = GradientBoostingRegressor(n_estimators=2, random_state=0).fit(ROWS, TARGET)
    require_sound(model, 3, "the model")
    model.n_trees_per_iteration_ = 2
    with pytest.raises(BundleDamagedError, match="GradientBoostingRegressor"):
        require_sound(model, 3, "the model")


@pytest.mark.parametrize(("part", "field", "value"), [(1, None, 10**6), (2, "idx_end", 500), (2, "is_leaf", 0)])
def test_neighbours_out_of_range_are_refused(part, field, value):
    model = KNeighborsRegressor(algorithm="kd_tree", leaf_size=10).fit(ROWS, TARGET)
    require_sound(model, 3, "the model")
    state = list(model._tree.__getstate__())
    state[part] = state[part].copy()
    if field is None:
        state[part][-1] = value
    else:
        state[part][field][-1] = value
    model._tree.__setstate__(tuple(state))
    assert isinstance(model._tree, KDTree)
    with pytest.raises(BundleDamagedError, match="KDTree"):
        require_sound(model, 3, "the model")


@pytest.mark.parametrize("model", [SVR(), SVC()])
def test_support_vectors_that_are_not_there_are_refused(model):
    model.fit(ROWS, TARGET if isinstance(model, SVR) else TARGET > 1)
    require_sound(model, 3, "the model")
    model._n_support = model._n_support + 1
    with pytest.raises(BundleDamagedError, match="its support vectors do not fit its classes"):
        require_sound(model, 3, "the model")
