"""A stored XGBoost model is looked at before XGBoost parses it, because its parser trusts what it reads.

Elsewhere: parsing it into a booster and comparing it with the model's other files (``model_files.py``), hashes
(``models/bundles.py``).

XGBoost uses child positions, tree ids and list lengths of the file as addresses in memory without a test of their range: a
deformed file ends the process instead of raising an error. So every list has its length and every position its range compared
here, each tree is walked once, and XGBoost then parses a file that is written anew from what was checked: how two parsers read
repeated keys, encodings or number formats cannot differ.

Not accepted, because no learner here makes them: categorical splits, trees with several outputs per leaf, several targets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdml_assets.models.bundles import REMEDY_OF_REPLACED, BundleDamagedError

#: Parent of a root, and split index of a node that pruning removed.
_NOWHERE = 2**31 - 1
_INT_LISTS = ("left_children", "right_children", "parents", "split_indices", "default_left", "split_type")
_FLOAT_LISTS = ("split_conditions", "base_weights", "sum_hessian", "loss_changes")
_EMPTY_LISTS = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
_TREE_KEYS = frozenset({*_INT_LISTS, *_FLOAT_LISTS, *_EMPTY_LISTS, "id", "tree_param"})
_CATEGORIES: dict[str, list[Any]] = {"enc": [], "feature_segments": [], "sorted_idx": []}
_TEXT_LIMIT = 10_000
_FEATURE_TYPES = frozenset({"float", "int", "q", "i"})


class _FormError(ValueError):
    """What is wrong with the file, without its name."""


def checked_booster(data: bytes, name: str) -> bytearray:
    """Give the file as XGBoost may parse it.

    Raises ``BundleDamagedError`` if it is not of the form that XGBoost writes: names the part and the remedy. ``data``: a booster
    as JSON. ``name``: of its file, for messages.
    """
    try:
        record = json.loads(data.decode("utf-8"))
        clean = {"learner": _learner(record), "version": _integers(record, "version", 3, 0, 10_000).tolist()}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise BundleDamagedError(
            f"{name} is not a model as XGBoost writes it ({what[:200]}): {REMEDY_OF_REPLACED}"
        ) from None
    return bytearray(json.dumps(clean, allow_nan=False), "utf-8")


def _learner(record: Any) -> dict[str, Any]:
    _require_keys(record, {"learner", "version"}, "the file")
    learner = record["learner"]
    needed = {"attributes", "feature_names", "feature_types", "gradient_booster", "learner_model_param", "objective"}
    _require_keys(learner, needed, "learner")
    facts = _texts(learner["learner_model_param"], "learner_model_param")
    features = _count(facts, "num_feature", 1, 10_000_000)
    groups = max(_count(facts, "num_class", 0, 100_000), 1)
    if _count(facts, "num_target", 1, 1) != 1 or not np.isfinite(np.array(_base_scores(facts))).all():
        raise _FormError("base_score is not finite")
    return {
        "attributes": _texts(learner["attributes"], "attributes"),
        "feature_names": _names(learner["feature_names"], features, "feature_names"),
        "feature_types": _names(learner["feature_types"], features, "feature_types", _FEATURE_TYPES),
        "gradient_booster": _gradient_booster(learner["gradient_booster"], features, groups),
        "learner_model_param": facts,
        "objective": _objective(learner["objective"]),
    }


def _gradient_booster(found: Any, features: int, groups: int) -> dict[str, Any]:
    kind = found["name"]
    if kind == "gbtree":
        _require_keys(found, {"name", "model"}, "gradient_booster")
        return {"name": kind, "model": _trees(found["model"], features, groups)}
    if kind == "dart":
        _require_keys(found, {"name", "gbtree", "weight_drop"}, "gradient_booster")
        inner = _gradient_booster(found["gbtree"], features, groups)
        if inner["name"] != "gbtree":
            raise _FormError("dart holds something else than trees")
        weights = _floats(found, "weight_drop", len(inner["model"]["trees"]))
        return {"name": kind, "gbtree": inner, "weight_drop": weights.tolist()}
    if kind == "gblinear":
        _require_keys(found, {"name", "model"}, "gradient_booster")
        _require_keys(found["model"], {"weights", "boosted_rounds"}, "gblinear")
        weights = _floats(found["model"], "weights", (features + 1) * groups)
        rounds = _whole(found["model"]["boosted_rounds"], 0, 10_000_000, "boosted_rounds")
        return {"name": kind, "model": {"weights": weights.tolist(), "boosted_rounds": rounds}}
    raise _FormError("gradient_booster is none of gbtree, dart and gblinear")


def _trees(model: Any, features: int, groups: int) -> dict[str, Any]:
    _require_keys(model, {"gbtree_model_param", "iteration_indptr", "tree_info", "trees"}, "model", {"cats"})
    facts = _texts(model["gbtree_model_param"], "gbtree_model_param")
    trees = _list(model["trees"], "trees")
    if _count(facts, "num_trees", 0, 10_000_000) != len(trees):
        raise _FormError("num_trees is not the number of trees")
    _count(facts, "num_parallel_tree", 1, 10_000_000)
    starts = _integers(model, "iteration_indptr", None, 0, len(trees))
    if not len(starts) or starts[0] != 0 or starts[-1] != len(trees) or (np.diff(starts) < 0).any():
        raise _FormError("iteration_indptr does not part the trees into rounds")
    if "cats" in model and model["cats"] != _CATEGORIES:
        raise _FormError("it holds categories, which no model here has")
    checked = {
        "gbtree_model_param": facts,
        "iteration_indptr": starts.tolist(),
        "tree_info": _integers(model, "tree_info", len(trees), 0, groups - 1).tolist(),
        "trees": [_tree(tree, place, features) for place, tree in enumerate(trees)],
    }
    return checked | ({"cats": _CATEGORIES} if "cats" in model else {})


def _tree(tree: Any, place: int, features: int) -> dict[str, Any]:
    _require_keys(tree, _TREE_KEYS, f"tree {place}")
    facts = _texts(tree["tree_param"], "tree_param")
    nodes = _count(facts, "num_nodes", 1, _NOWHERE - 1)
    removed = _count(facts, "num_deleted", 0, nodes - 1)
    _count(facts, "size_leaf_vector", 0, 1)
    if _count(facts, "num_feature", 0, 10_000_000) != features or tree["id"] != place or isinstance(tree["id"], bool):
        raise _FormError(f"tree {place} has another id or number of features")
    if any(tree[key] != [] for key in _EMPTY_LISTS):
        raise _FormError(f"tree {place} holds categories, which no model here has")
    whole = {key: _integers(tree, key, nodes, -1, _NOWHERE) for key in _INT_LISTS}
    exact = {key: _floats(tree, key, nodes) for key in _FLOAT_LISTS}
    require_tree(whole["left_children"], whole["right_children"], removed, f"tree {place}")
    inner = whole["left_children"] >= 0
    if (whole["split_indices"][inner] >= features).any() or (whole["split_indices"] < 0).any():
        raise _FormError(f"tree {place} splits by a feature that is not there")
    parents = np.full(nodes, _NOWHERE)
    for side in ("left_children", "right_children"):
        parents[whole[side][inner]] = np.flatnonzero(inner)
    live = whole["split_indices"] != _NOWHERE
    lost = whole["parents"][~live]
    if (
        (whole["parents"][live] != parents[live]).any()
        or len(lost) != removed
        or not ((lost >= 0) & (lost < nodes)).all()
    ):
        raise _FormError(f"tree {place}: parents and children do not agree")
    if whole["split_type"].any() or (whole["default_left"] < 0).any() or (whole["default_left"] > 1).any():
        raise _FormError(f"tree {place} has a kind of split that no model here has")
    lists = {key: values.tolist() for key, values in {**whole, **exact}.items()}
    return {**lists, **{key: [] for key in _EMPTY_LISTS}, "id": place, "tree_param": facts}


def require_tree(left: NDArray[Any], right: NDArray[Any], removed: int, what: str) -> None:
    """Refuse child positions that are not those of one binary tree with its root at 0.

    Raises ``ValueError`` if a position is out of range, a node has one child, two parents, or is never reached. ``left``,
    ``right``: position of each node's children; negative for a leaf. ``removed``: nodes that no other may point to, as pruning
    leaves them.
    """
    inner = left >= 0
    if (inner != (right >= 0)).any() or max(left.max(), right.max()) >= len(left):
        raise _FormError(f"{what} points to a node that is not there")
    children = np.concatenate([left[inner], right[inner]])
    # No node has two parents and the root has none: what is reached from the root then has no loop.
    if (np.bincount(children, minlength=1) > 1).any() or (children == 0).any():
        raise _FormError(f"{what} has a loop or a node with two parents")
    reached, level = 1, np.zeros(1, dtype=np.int64)
    while level.size:
        level = level[inner[level]]
        level = np.concatenate([left[level], right[level]])
        reached += level.size
    if reached != len(left) - removed:
        raise _FormError(f"{what} has nodes that are not reached from its root")


def _objective(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or not _is_text(found.get("name")):
        raise _FormError("objective has no name")
    return {key: value if key == "name" else _texts(value, key) for key, value in found.items()}


def _base_scores(facts: Mapping[str, str]) -> list[float]:
    return [float(part) for part in facts["base_score"].removeprefix("[").removesuffix("]").split(",")]


def _require_keys(found: Any, needed: set[str] | frozenset[str], where: str, optional: set[str] | None = None) -> None:
    keys = set(found) if isinstance(found, dict) else set()
    if not needed <= keys <= needed | (optional or set()):
        raise _FormError(f"{where} has other keys than XGBoost writes")


def _is_text(found: Any) -> bool:
    return isinstance(found, str) and len(found) <= _TEXT_LIMIT and "\0" not in found


def _texts(found: Any, where: str) -> dict[str, str]:
    # Attributes may hold what scikit-learn's classes add, as text too.
    if not isinstance(found, dict) or not all(_is_text(value) for value in found.values()):
        raise _FormError(f"{where} holds something else than texts")
    return found


def _names(found: Any, features: int, where: str, allowed: frozenset[str] | None = None) -> list[str]:
    names = _list(found, where)
    if len(names) not in (0, features) or not all(_is_text(name) for name in names):
        raise _FormError(f"{where} does not give one text per feature")
    if allowed is not None and not set(names) <= allowed:
        raise _FormError(f"{where} names a kind of feature that no model here has")
    return names


def _list(found: Any, where: str) -> list[Any]:
    if not isinstance(found, list):
        raise _FormError(f"{where} is not a list")
    return found


def _count(facts: Mapping[str, str], name: str, low: int, high: int) -> int:
    text = facts[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise _FormError(f"{name} is not a whole number")
    return _whole(int(text), low, high, name)


def _whole(found: Any, low: int, high: int, where: str) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise _FormError(f"{where} is not a whole number from {low} to {high}")
    return found


def _integers(record: Mapping[str, Any], key: str, length: int | None, low: int, high: int) -> NDArray[np.int64]:
    values = _list(record[key], key)
    if any(type(value) is not int for value in values) or length not in (None, len(values)):
        raise _FormError(f"{key} is not a list of {'' if length is None else length} whole numbers")
    if values and not (low <= min(values) and max(values) <= high):
        raise _FormError(f"{key} holds numbers outside of {low} to {high}")
    return np.array(values, dtype=np.int64)


def _floats(record: Mapping[str, Any], key: str, length: int) -> NDArray[np.float64]:
    values = _list(record[key], key)
    if len(values) != length or any(type(value) not in (int, float) for value in values):
        raise _FormError(f"{key} is not a list of {length} numbers")
    found = np.array(values, dtype=np.float64)
    if not (np.abs(found) <= np.finfo(np.float32).max).all():
        raise _FormError(f"{key} holds a number that is not finite")
    return found
