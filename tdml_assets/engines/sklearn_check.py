"""A stored scikit-learn estimator is looked at before it predicts, because its compiled parts trust their arrays.

Elsewhere: which types an archive may hold (``trusted_types.py``), boosters of XGBoost (``booster_check.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.neighbors import BallTree, KDTree
from sklearn.svm._base import BaseLibSVM
from sklearn.tree._tree import Tree

from tdml_assets.engines.booster_check import require_tree
from tdml_assets.models.bundles import REMEDY_OF_REPLACED, BundleDamagedError


def parts_of(estimator: Any) -> Iterator[Any]:
    """Every object inside an estimator, however deep, itself first, in the order of attributes; boosters are not entered."""
    seen: set[int] = set()
    waiting = [estimator]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, type | xgb.Booster):
            continue
        seen.add(id(value))
        yield value
        inner: list[Any] = []
        if isinstance(value, Mapping):
            inner = list(value.values())
        elif isinstance(value, list | tuple | set):
            inner = list(value)
        elif isinstance(value, np.ndarray):
            inner = value.ravel().tolist() if value.dtype == object else []
        elif hasattr(value, "__dict__") and not callable(value):
            inner = list(vars(value).values())
        waiting.extend(reversed(inner))


def require_sound(estimator: Any, features: int, what: str) -> None:
    """Refuse an estimator whose arrays do not fit together. Raises ``BundleDamagedError`` naming the kind of part and the remedy.

    ``features``: columns of the rows it will be asked about. ``what``: the model's name, for messages.
    """
    for part in parts_of(estimator):
        kind = type(part).__name__
        try:
            problem = _problem(part, features)
        except (ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
            problem = str(error)
        if problem is not None:
            raise BundleDamagedError(
                f"{what} holds a {kind} that was damaged or replaced ({problem}): {REMEDY_OF_REPLACED}"
            )


def _problem(part: Any, features: int) -> str | None:
    if hasattr(part, "tree_") and isinstance(part.tree_, Tree) and part.tree_.n_features != part.n_features_in_:
        return "its tree was grown on other features"
    found = None
    if isinstance(part, Tree):
        found = _of_tree(part)
    elif isinstance(part, TreePredictor):
        found = _of_predictor(part, features)
    elif isinstance(part, KDTree | BallTree):
        found = _of_neighbours(part)
    elif isinstance(part, BaseGradientBoosting) and hasattr(part, "estimators_"):
        found = _of_boosting(part)
    elif isinstance(part, BaseLibSVM) and hasattr(part, "support_"):
        found = _of_vectors(part)
    return found


def _of_tree(tree: Tree) -> str | None:
    if not 0 < tree.node_count <= tree.capacity:
        return f"{tree.node_count} nodes in a place for {tree.capacity}"
    require_tree(tree.children_left, tree.children_right, 0, "the tree")
    used = tree.feature[tree.children_left >= 0]
    return None if _within(used, tree.n_features) else "it splits by a feature that is not there"


def _of_predictor(part: TreePredictor, features: int) -> str | None:
    nodes = part.nodes
    inner = nodes["is_leaf"] == 0
    left, right = (np.where(inner, nodes[side].astype(np.int64), -1) for side in ("left", "right"))
    require_tree(left, right, 0, "the tree")
    if not _within(nodes["feature_idx"][inner], features):
        return "it splits by a feature that is not there"
    sets = min(len(part.raw_left_cat_bitsets), len(part.binned_left_cat_bitsets))
    categorical = inner & (nodes["is_categorical"] != 0)
    return None if _within(nodes["bitset_idx"][categorical], sets) else "it splits by categories that are not there"


def _of_neighbours(part: KDTree | BallTree) -> str | None:
    rows, order, nodes, bounds, _leaf_size, levels, count, *_ = part.__getstate__()
    if len(order) != len(rows) or not _within(order, len(rows)):
        return "its order of rows is not one"
    if len(nodes) != count or bounds.ndim != 3 or bounds.shape[1] != count or bounds.shape[2] != rows.shape[1]:
        return "its nodes are not as many as it says"
    if not 1 <= levels <= 40 or count != 2**levels - 1:
        return "its nodes are not as many as its levels hold"
    starts, ends = nodes["idx_start"], nodes["idx_end"]
    if not ((starts >= 0) & (starts <= ends) & (ends <= len(rows))).all():
        return "a node holds rows that are not there"
    # Nodes of the last level have no children in the arrays.
    return None if nodes["is_leaf"][len(nodes) // 2 :].all() else "a node of the last level is not a leaf"


def _of_boosting(part: BaseGradientBoosting) -> str | None:
    trees = part.estimators_
    if trees.ndim != 2 or trees.shape[1] != part.n_trees_per_iteration_:
        return "its trees are not as many as its classes need"
    others = [tree for tree in trees.ravel() if tree.tree_.n_features != part.n_features_in_]
    return "its trees were grown on other features" if others else None


def _of_vectors(part: BaseLibSVM) -> str | None:
    count = len(part.support_)
    vectors, weights, per_class = part.support_vectors_, part._dual_coef_, part._n_support
    if part._sparse or vectors.shape != (count, part.n_features_in_):
        return "its support vectors are not those of its rows"
    classes = len(part.classes_) if hasattr(part, "classes_") else 2
    if weights.shape != (classes - 1, count) or len(part._intercept_) != classes * (classes - 1) // 2:
        return "its weights do not fit its support vectors"
    counted = per_class[:classes] if hasattr(part, "classes_") else per_class[:1]
    fits = (counted >= 0).all() and counted.sum() == count
    return None if fits else "its support vectors do not fit its classes"


def _within(values: NDArray[Any], count: int) -> bool:
    return bool(((values >= 0) & (values < count)).all())
