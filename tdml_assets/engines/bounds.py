"""Parameters of a learner as a user gives them: known by name, and within bounds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

#: Lowest and highest value by name; whole numbers where these are.
Bounds = Mapping[str, tuple[float, float]]

#: Parameters of boosted trees, as in XGBoost.
TREE_BOUNDS: Bounds = {
    "rounds": (1, 100_000),
    "patience": (1, 100_000),
    "max_depth": (1, 15),
    "learning_rate": (1e-4, 1.0),
    "subsample": (0.01, 1.0),
    "colsample": (0.01, 1.0),
    "min_child_weight": (0.0, 1e9),
    "reg_lambda": (0.0, 1e9),
    "max_bin": (2, 65_536),
}


def require_known(given: Iterable[str], known: Collection[str], estimator: str) -> None:
    """Refuse names that are not parameters. Raises ``ValueError`` naming them, and those that are."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"{estimator} has no parameter {unknown}: it has {list(known)}")


def require_bounds(parameters: object, bounds: Bounds, words: Mapping[str, str | None] | None = None) -> None:
    """Refuse the first attribute of ``parameters`` that is not a number, or outside its bounds.

    Raises ``ValueError`` naming the parameter, its value and what it may be. ``bounds``: True and False are not numbers. ``words``:
    what an attribute may be instead of a number; None for one that need not be given.
    """
    words = words or {}
    for name, (lowest, highest) in bounds.items():
        value = getattr(parameters, name)
        if name in words and value == words[name]:
            continue
        if not _within(value, lowest, highest):
            kind = "whole number" if isinstance(lowest, int) else "number"
            instead = f", or {words[name]!r}" if words.get(name) else ""
            raise ValueError(f"parameter {name} is {value!r}: it must be a {kind} from {lowest} to {highest}{instead}")


def _within(value: Any, lowest: float, highest: float) -> bool:
    kinds = int if isinstance(lowest, int) else (int, float)
    return not isinstance(value, bool) and isinstance(value, kinds) and lowest <= value <= highest
