"""Which parameters to take: a declared grid, measured on later-in-time folds.

A fold validates on one snapshot and trains on those whose whole horizon had passed by then, as a person standing on that
day would have had to. Only snapshots that the evaluation fit may see belong in here: a grid chosen on the test snapshot
would make its measures too good.
"""

from __future__ import annotations

import datetime
import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tdml_assets.platform import metrics

#: Points of a grid at most by default: every point costs a fit per fold.
MOST_POINTS = 64
TWEEDIE_DEVIANCE, SQUARED_ERROR, LOG_LOSS = "tweedie_deviance", "mean_squared_error", "log_loss"

# A prediction below this share of the mean target counts as that share: at 0 the deviance of a buyer is infinite, and one
# customer would decide between two points.
_SMALLEST_SHARE_OF_MEAN = 0.01
# Probabilities are kept this far from 0 and 1, for the same reason.
_SURE = 1e-6
# Sums that differ only in their last digits are a tie.
_SIGNIFICANT_DIGITS = 12

#: Loss per task, and the one where targets below 0 occur.
_LOSSES = {"classification": (LOG_LOSS, LOG_LOSS), "regression": (TWEEDIE_DEVIANCE, SQUARED_ERROR)}

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Fold:
    """Rows of one trial.

    ``train``: snapshot dates to learn from, ascending. ``validation``: the snapshot to score; None for the split called validation,
    with the split called train to learn from.
    """

    train: tuple[datetime.date, ...]
    validation: datetime.date | None

    @property
    def name(self) -> str:
        """What the fold is called in tables."""
        return "validation split" if self.validation is None else self.validation.isoformat()


#: Where no later snapshot exists: learn from the training split, score the validation split.
VALIDATION_SPLIT = Fold((), None)


@dataclass(frozen=True)
class SearchRow:
    """What one point of the grid gave.

    ``number``: place in the declared order, from 1. ``losses``: loss per fold, by the fold's name.
    """

    number: int
    parameters: Point
    losses: Mapping[str, float]
    mean_loss: float
    chosen: bool


@dataclass(frozen=True)
class SearchResult:
    """The choice, with everything it was made from.

    ``rows``: one per point, in the declared order. ``best``: parameters of the point with the smallest mean loss. ``note``: how
    it was measured, for people.
    """

    rows: tuple[SearchRow, ...]
    best: Point
    note: str

    def table(self) -> list[dict[str, Any]]:
        """Give plain rows to show: number, parameters as JSON, one loss per fold, mean loss, chosen."""
        return [
            {
                "number": row.number,
                "parameters": json.dumps(dict(row.parameters)),
                **{f"loss {name}": loss for name, loss in row.losses.items()},
                "mean loss": row.mean_loss,
                "chosen": row.chosen,
            }
            for row in self.rows
        ]


def time_folds(dates: Iterable[datetime.date], horizon_days: int, max_folds: int) -> tuple[Fold, ...]:
    """Make folds that validate on a later snapshot than any target they learn from.

    Returns folds by ascending validation date; none where no snapshot's horizon had passed at a later one. Raises
    ``ValueError`` if horizon_days or max_folds is below 1. ``dates``: snapshot dates of labelled rows, in any order, repeated
    or not. ``horizon_days``: length of the target's window: the target of S is known at the end of day S + horizon_days.
    ``max_folds``: the latest so many are kept.
    """
    if horizon_days < 1 or max_folds < 1:
        raise ValueError(f"horizon_days is {horizon_days}, max_folds {max_folds}: both must be at least 1")
    snapshots = sorted({date.date() if isinstance(date, datetime.datetime) else date for date in dates})
    horizon = datetime.timedelta(days=horizon_days)
    folds = [Fold(tuple(s for s in snapshots if s + horizon <= validation), validation) for validation in snapshots]
    return tuple(fold for fold in folds if fold.train)[-max_folds:]


def grid_points(grid: Mapping[str, Sequence[Any]], most: int = MOST_POINTS) -> tuple[dict[str, Any], ...]:
    """Give every combination of the grid's values, in the declared order, the last key changing fastest.

    Raises ``ValueError`` if a key has no list of values, an empty one or a value twice, or the points are more than ``most``; names
    the key to shorten.
    """
    for key, values in grid.items():
        if isinstance(values, str | bytes) or not isinstance(values, Sequence) or not values:
            raise ValueError(f"search.grid: {key} is {values!r}: give a list with at least one value")
        seen = [json.dumps(value, sort_keys=True, default=repr) for value in values]
        if len(set(seen)) < len(seen):
            raise ValueError(f"search.grid: {key} is {list(values)!r}: give every value once")
    count = math.prod(len(values) for values in grid.values())
    if count > most:
        longest = max(grid, key=lambda key: len(grid[key]))
        product = " x ".join(f"{len(values)} of {key}" for key, values in grid.items())
        raise ValueError(
            f"search.grid has {count:,} points ({product}), at most {most} are tried: shorten {longest} "
            f"({len(grid[longest])} values) first"
        )
    return tuple(dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values()))


def with_point(parameters: Point, point: Point) -> dict[str, Any]:
    """Give ``parameters`` with those of a point in their place.

    A key with two underscores descends into a declared estimator, as in scikit-learn: ``regressor__max_depth`` sets
    ``max_depth`` of ``{"estimator": ..., "parameters": {...}}`` under ``regressor``. Nothing given is changed.
    """
    merged = dict(parameters)
    for key, value in point.items():
        outer, descends, inner = key.partition("__")
        nested = merged.get(outer)
        if descends and isinstance(nested, Mapping) and isinstance(nested.get("estimator"), str):
            merged[outer] = {**nested, "parameters": with_point(nested.get("parameters") or {}, {inner: value})}
        else:
            merged[key] = value
    return merged


def search(
    fit_and_score: Callable[[Point, Fold], float], points: Sequence[Point], folds: Sequence[Fold]
) -> SearchResult:
    """Measure every point on every fold and take the one with the smallest mean loss.

    The folds weigh the same: each stands for one moment, and the next is not like the one with the most customers. Of
    points that tie, the one declared first is taken, so declare the simpler value first. Raises ``ValueError`` if there are no
    points, or a loss is not finite; names the point and the fold.

    ``fit_and_score``: fits the point's parameters on the fold's training rows; returns the loss on its validation rows.
    ``points``: from :func:`grid_points`. ``folds``: from :func:`time_folds`; if there are none, :data:`VALIDATION_SPLIT` is
    used and the note says so.
    """
    if not points:
        raise ValueError("there is no point to try: give search.grid at least one key")
    used = tuple(folds) or (VALIDATION_SPLIT,)
    losses = [{fold.name: _finite_loss(fit_and_score(point, fold), point, fold) for fold in used} for point in points]
    means = [float(f"{math.fsum(found.values()) / len(found):.{_SIGNIFICANT_DIGITS}g}") for found in losses]
    chosen = means.index(min(means))
    rows = tuple(
        SearchRow(place + 1, dict(point), losses[place], means[place], place == chosen)
        for place, point in enumerate(points)
    )
    if folds:
        how = f"{len(used)} later-in-time folds, validated on {', '.join(fold.name for fold in used)}"
    else:
        how = "the validation split: no snapshot's horizon had passed at a later labelled one, so no fold is later in time"
    return SearchResult(rows, dict(points[chosen]), f"{len(rows)} points measured on {how}")


def loss_name(task: str, targets: ArrayLike) -> str:
    """Name the loss that a task's points are compared by.

    Regression predicts an expected value, so the loss must be smallest at the mean. The absolute error is not: it is
    smallest at the median, which is 0 as soon as half of the customers buy nothing. Squared error is, but the few largest
    customers decide it. The Tweedie deviance with power 1.5 is, and its variance grows as spend with many zeros does; it
    needs targets of at least 0. With negative targets the squared error is taken. ``targets``: of all rows that take part, so that
    every fold is measured alike. Raises ``ValueError`` if the task has none.
    """
    if task not in _LOSSES:
        raise ValueError(f"task {task} has no target to search by: leave search.grid empty")
    proper, for_negative_targets = _LOSSES[task]
    negative = np.min(np.asarray(targets, dtype=np.float64), initial=0.0) < 0.0
    return for_negative_targets if negative else proper


def loss(name: str, target: ArrayLike, predicted: ArrayLike) -> float:
    """Measure predictions by a loss of :func:`loss_name`; smaller is better.

    Raises ``ValueError`` if the name is unknown, or values are missing, not finite or outside the loss's range.
    """
    if name == LOG_LOSS:
        return metrics.log_loss(target, np.clip(np.asarray(predicted, dtype=np.float64), _SURE, 1.0 - _SURE))
    if name == SQUARED_ERROR:
        return metrics.rmse(target, predicted) ** 2
    if name == TWEEDIE_DEVIANCE:
        return tweedie_deviance(target, predicted)
    raise ValueError(f"{name!r} is not a loss: use {TWEEDIE_DEVIANCE}, {SQUARED_ERROR} or {LOG_LOSS}")


def tweedie_deviance(target: ArrayLike, predicted: ArrayLike) -> float:
    """Mean Tweedie deviance with power 1.5: the mean of 4 (sqrt y - sqrt m)² / sqrt m.

    That is 2 (y^(2-p) / ((1-p)(2-p)) - y m^(1-p) / (1-p) + m^(2-p) / (2-p)) (Jørgensen 1987) at p = 1.5. Predictions
    below a hundredth of the mean target count as that. In the square root of the target's unit. Raises ``ValueError`` if a target
    is negative, or values are missing or not finite.
    """
    mean_error = metrics.mae(target, predicted)  # refuses shapes and values that cannot be measured
    y, m = (np.asarray(values, dtype=np.float64) for values in (target, predicted))
    negative = int((y < 0.0).sum())
    if negative:
        raise ValueError(f"{negative} of {y.size} targets are negative: use {SQUARED_ERROR}")
    if mean_error == 0.0:
        return 0.0
    root = np.sqrt(np.maximum(m, _SMALLEST_SHARE_OF_MEAN * float(y.mean())))
    excess = np.sqrt(y) - root
    # Without any spend the floor is 0, and so is the deviance of a prediction of 0.
    return float(4.0 * np.mean(np.divide(excess**2, root, out=np.zeros_like(root), where=root > 0.0)))


def _finite_loss(value: float, point: Point, fold: Fold) -> float:
    if not math.isfinite(value):
        raise ValueError(
            f"search.grid: the loss of {dict(point)} on {fold.name} is {value}: take its values out of the grid"
        )
    return float(value)
