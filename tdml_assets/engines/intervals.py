"""Intervals of predicted amounts, from the errors on rows that the measured model had not learnt from.

Elsewhere: which rows (the test split, the latest with a target), writing bounds (``sql/predictions/parts/intervals.sql`` says
the same as :meth:`Intervals.of`).

Split conformal prediction within groups of like predictions (Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random
World", Mondrian predictors): what happened over what was predicted is ranked within each group, and its quantiles are the bounds.
Where many spend nothing, the lower bound is 0 and all that is missed lies above the upper one. Where more than the level spend
nothing, both bounds are 0 and cover more than the level: no bounds that hold 0 cover less.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Levels and the columns of their bounds.
LEVELS: Mapping[float, tuple[str, str]] = {0.8: ("lower_80", "upper_80"), 0.95: ("lower_95", "upper_95")}
#: Columns of the bounds, in order.
BOUNDS = tuple(name for names in LEVELS.values() for name in names)
_FORMAT = 1
# Rows of a group: its 95 % bound is then one of its five largest.
_ROWS_OF_GROUP, _MOST_GROUPS, _LEAST_ROWS = 100, 20, 100
# Predictions below this share of the mean count as this much: ratios to nearly nothing have no scale.
_FLOOR = 0.01


@dataclass(frozen=True)
class Intervals:
    """Bounds of predictions, as multiples of them.

    ``floor``: smaller predictions count as this much. ``lowest``: smallest prediction of each group, ascending; the first is 0.
    ``bounds``: per name of :data:`BOUNDS`, the multiple for each group. ``rows``: rows they were taken from.
    """

    floor: float
    lowest: tuple[float, ...]
    bounds: Mapping[str, tuple[float, ...]]
    rows: int

    def of(self, predicted: Floats) -> dict[str, Floats]:
        """Bounds of predictions, one number a row."""
        group = np.clip(np.searchsorted(np.asarray(self.lowest), predicted, side="right") - 1, 0, None)
        scale = np.maximum(predicted, self.floor)
        return {name: scale * np.asarray(self.bounds[name])[group] for name in BOUNDS}

    def to_json(self) -> str:
        """The form kept in a bundle."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, sort_keys=True, indent=1, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Intervals:
        """Read back what :meth:`to_json` gave. Raises ``ValueError`` or ``TypeError`` where it is of another form."""
        facts: dict[str, Any] = json.loads(text)
        if facts["format"] != _FORMAT or set(facts["bounds"]) != set(BOUNDS):
            raise ValueError(f"intervals have format {facts['format']!r} with {sorted(facts['bounds'])}: train again")
        floor, lowest = _number(facts["floor"], "floor"), _numbers(facts["lowest"], "lowest")
        bounds = {name: _numbers(facts["bounds"][name], name) for name in BOUNDS}
        if not lowest or {len(values) for values in bounds.values()} != {len(lowest)}:
            raise ValueError(f"intervals have bounds for other than {len(lowest)} groups: train again")
        if floor <= 0 or lowest[0] != 0 or any(low >= high for low, high in pairwise(lowest)):
            raise ValueError("intervals have a floor or groups that do not ascend from 0: train again")
        ordered = (bounds[name] for name in ("lower_95", "lower_80", "upper_80", "upper_95"))
        if any(list(group) != sorted(group) for group in zip(*ordered, strict=True)):
            raise ValueError("intervals have bounds in another order than their levels: train again")
        if type(facts["rows"]) is not int or facts["rows"] < _LEAST_ROWS:
            raise ValueError(f"intervals were taken from fewer than {_LEAST_ROWS} rows: train again")
        return Intervals(floor, lowest, bounds, facts["rows"])


def _numbers(values: Any, what: str) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{what} of the intervals is not a list of numbers: train again")
    return tuple(_number(value, what) for value in values)


def _number(value: Any, what: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{what} of the intervals holds what is not a finite number: train again")
    return float(value)


def fit_intervals(predicted: Floats, actual: Floats) -> Intervals | None:
    """Take intervals from rows that the model had not learnt from; None with fewer than 100, or where nothing is predicted."""
    count = len(predicted)
    if count < _LEAST_ROWS or predicted.max() <= 0:
        return None
    floor = _FLOOR * float(np.maximum(predicted, 0.0).mean())
    groups = min(max(count // _ROWS_OF_GROUP, 1), _MOST_GROUPS)
    shares = np.arange(1, groups) / groups
    lowest = np.unique(np.concatenate([[0.0], np.maximum(np.quantile(predicted, shares, method="inverted_cdf"), 0.0)]))
    group = np.clip(np.searchsorted(lowest, predicted, side="right") - 1, 0, None)
    # Equal predictions may leave the lowest group without rows.
    used = np.unique(group)
    lowest = np.concatenate([[0.0], lowest[used][1:]])
    ratios = actual / np.maximum(predicted, floor)
    ranked = [np.sort(ratios[group == number]) for number in used]
    bounds: dict[str, tuple[float, ...]] = {}
    for level, (low, high) in LEVELS.items():
        found = [_bounds(values, level) for values in ranked]
        bounds[low], bounds[high] = tuple(one[0] for one in found), tuple(one[1] for one in found)
    # The wider level holds the narrower.
    bounds["lower_95"] = tuple(map(min, bounds["lower_95"], bounds["lower_80"]))
    bounds["upper_95"] = tuple(map(max, bounds["upper_95"], bounds["upper_80"]))
    return Intervals(floor, tuple(lowest.tolist()), bounds, count)


def _bounds(values: Floats, aim: float) -> tuple[float, float]:
    """Interval of ranked values that holds the share ``aim`` of the next one, counting that one too."""
    count = len(values)
    missed = (1 - aim) / 2
    below = math.floor(missed * (count + 1)) - 1
    # Not only where more than the missed share is 0: near it, which side 0 falls on would be chance, and cost coverage.
    if below < 0 or values[below // 2] <= 0:
        return 0.0, float(values[min(math.ceil(aim * (count + 1)), count) - 1])
    return float(values[below]), float(values[min(math.ceil((1 - missed) * (count + 1)), count) - 1])


def coverage(lower: Floats, upper: Floats, actual: Floats) -> tuple[float, float | None]:
    """Share of what happened that lies within bounds: of all rows, and of those with an upper bound above 0; None without any."""
    inside, wide = (lower <= actual) & (actual <= upper), upper > 0
    return float(inside.mean()), float(inside[wide].mean()) if wide.any() else None


def cross_coverage(predicted: Floats, actual: Floats) -> dict[str, float]:
    """Coverage of each half of the rows by intervals taken from the other.

    Rows are halved by their place, every other one; empty where a half is too small for intervals.
    """
    place = np.arange(len(predicted)) % 2
    bounds = {name: np.full(len(predicted), np.nan) for name in BOUNDS}
    for half in (0, 1):
        taken = fit_intervals(predicted[place != half], actual[place != half])
        if taken is None:
            return {}
        for name, values in taken.of(predicted[place == half]).items():
            bounds[name][place == half] = values
    found = {}
    for level, (low, high) in LEVELS.items():
        everybody, above = coverage(bounds[low], bounds[high], actual)
        found[f"interval_coverage_{level:.0%}".rstrip("%")] = everybody
        if above is not None:
            found[f"interval_coverage_{level:.0%}".rstrip("%") + "_above_0"] = above
    return found
