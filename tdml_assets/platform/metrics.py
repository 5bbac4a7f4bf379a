"""Measures of predicted spend and of purchase probabilities, on NumPy arrays.

Every measure is invariant to the order of the rows: where scores tie, the rows of a tie share their mean. A measure
that is not defined on the data (no variation, no spend) is ``None``, never NaN, so that it is stored as NULL. All run
in O(n log n).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_LOG_LOSS_CLIP = 1e-15


@dataclass(frozen=True)
class Decile:
    """One row of the calibration table: customers of similar score.

    ``decile``: 1 for the lowest scores. ``customers``: number of rows. ``mean_predicted``, ``mean_actual``: in the unit of the
    target. ``share_of_actual``: share of the total actual value these customers hold; None if that total is zero.
    """

    decile: int
    customers: int
    mean_predicted: float
    mean_actual: float
    share_of_actual: float | None


def rmse(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Root mean squared error, in the unit of the target."""
    y, p = _pair(actual, predicted)
    return float(np.sqrt(np.mean((y - p) ** 2)))


def mae(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error, in the unit of the target."""
    y, p = _pair(actual, predicted)
    return float(np.mean(np.abs(y - p)))


def wape(actual: ArrayLike, predicted: ArrayLike) -> float | None:
    """Sum of absolute errors over the sum of absolute actual values; None if the latter is zero."""
    y, p = _pair(actual, predicted)
    return _ratio(np.abs(y - p).sum(), np.abs(y).sum())


def total_bias(actual: ArrayLike, predicted: ArrayLike) -> float | None:
    """Total predicted over total actual, minus one: -0.1 is ten per cent too little. None if nothing was spent."""
    y, p = _pair(actual, predicted)
    ratio = _ratio(p.sum(), y.sum())
    return None if ratio is None else ratio - 1.0


def r2(actual: ArrayLike, predicted: ArrayLike) -> float | None:
    """Coefficient of determination, 1 - SSE/SST; None if the actual values do not vary (SST = 0)."""
    y, p = _pair(actual, predicted)
    if y.min() == y.max():
        return None
    ratio = _ratio(((y - p) ** 2).sum(), ((y - y.mean()) ** 2).sum())
    return None if ratio is None else 1.0 - ratio


def average_ranks(values: ArrayLike) -> Floats:
    """Ranks from 1 for the smallest; equal values share the mean of their ranks."""
    return _Ties.of(_finite("values", values)).ranks()


def spearman(actual: ArrayLike, predicted: ArrayLike) -> float | None:
    """Rank correlation with average ranks for ties; None if either side does not vary."""
    y, p = _pair(actual, predicted)
    return _spearman(_Ties.of(y).ranks(), _Ties.of(p).ranks())


def normalised_gini(actual: ArrayLike, predicted: ArrayLike) -> float | None:
    """Gini of the gain curve of the actual values ordered by score, over the Gini when ordered by themselves.

    With ties averaged, the area between the gain curve and the diagonal is proportional to the sum over customers of
    actual value times (rank of the score - mean rank), so both areas follow from ranks alone. 1 is the perfect order,
    0 a constant or random score, -1 the reverse order. None if the actual values do not vary.
    """
    y, p = _pair(actual, predicted)
    return _normalised_gini(y, _Ties.of(y).ranks(), _Ties.of(p).ranks())


def decile_table(actual: ArrayLike, predicted: ArrayLike, bins: int = 10) -> list[Decile]:
    """Calibration by score: customers ordered by score, cut into ``bins`` groups whose sizes differ by at most one.

    With fewer customers than ``bins`` there are as many groups as customers.
    """
    y, p = _pair(actual, predicted)
    if bins < 1:
        raise ValueError(f"bins is {bins}: it must be at least 1")
    ties = _Ties.of(p)
    return _decile_table(ties.means(y), ties.ordered(), bins)


def auc(happened: ArrayLike, score: ArrayLike) -> float | None:
    """Probability that a random event outscores a random non-event, ties counted half; None with one class only."""
    label, p = _labels(happened, score)
    return _auc(label, _Ties.of(p).ranks())


def log_loss(happened: ArrayLike, probability: ArrayLike) -> float:
    """Mean negative log-likelihood in nats, probabilities clipped to [1e-15, 1 - 1e-15].

    Raises ``ValueError`` if a probability lies outside [0, 1].
    """
    label, p = _labels(happened, probability)
    if p.min() < 0.0 or p.max() > 1.0:
        raise ValueError(f"probabilities range from {p.min():g} to {p.max():g}: they must lie in [0, 1]")
    p = np.clip(p, _LOG_LOSS_CLIP, 1.0 - _LOG_LOSS_CLIP)
    return float(-np.mean(np.where(label, np.log(p), np.log1p(-p))))


def regression_metrics(actual: ArrayLike, predicted: ArrayLike) -> dict[str, float | None]:
    """Every measure of predicted spend by the name it is stored under."""
    y, p = _pair(actual, predicted)
    by_score = _Ties.of(p)
    ordered = by_score.means(y)
    ranks_y, ranks_p = _Ties.of(y).ranks(), by_score.ranks()
    return {
        "mae": mae(y, p),
        "rmse": rmse(y, p),
        "r2": r2(y, p),
        "wape": wape(y, p),
        "spearman": _spearman(ranks_y, ranks_p),
        "normalised_gini": _normalised_gini(y, ranks_y, ranks_p),
        "total_bias": total_bias(y, p),
        "decile_mape": _decile_mape(_decile_table(ordered, by_score.ordered(), 10)),
        "top_decile_share": _top_share(ordered, 0.1),
        "mean_actual": float(y.mean()),
        "mean_predicted": float(p.mean()),
    }


def purchase_metrics(bought: ArrayLike, probability: ArrayLike) -> dict[str, float | None]:
    """Every measure of the purchase probability by the name it is stored under."""
    return {"buys_auc": auc(bought, probability), "buys_log_loss": log_loss(bought, probability)}


@dataclass(frozen=True)
class _Ties:
    """Values sorted once: the distinct ones in order, the group of every row, and the size of every group."""

    distinct: Floats
    group: NDArray[np.int64]
    size: NDArray[np.int64]

    @classmethod
    def of(cls, values: Floats) -> _Ties:
        distinct, group, size = np.unique(values, return_inverse=True, return_counts=True)
        return cls(distinct, group, size)

    def ranks(self) -> Floats:
        """Rank per row, from 1 for the smallest, ties averaged."""
        mean_rank = np.cumsum(self.size) - (self.size - 1) / 2.0
        return np.asarray(mean_rank[self.group], dtype=np.float64)

    def ordered(self) -> Floats:
        """Give the values in ascending order."""
        return np.repeat(self.distinct, self.size)

    def means(self, other: Floats) -> Floats:
        """``other`` in the order of :meth:`ordered`, replaced by its mean within every tie."""
        return np.repeat(np.bincount(self.group, weights=other) / self.size, self.size)


class ResampledRanks:
    """Ranks of resamples of the same values, which are sorted once. ``values``: (rows,)."""

    def __init__(self, values: Floats) -> None:
        self._group = _Ties.of(values).group

    def of(self, rows: NDArray[np.int64]) -> Floats:
        """Rank of every row of the resample, as :func:`average_ranks` gives it."""
        group = self._group[rows]
        size = np.bincount(group)
        return np.asarray((np.cumsum(size) - (size - 1) / 2.0)[group], dtype=np.float64)


def _auc(label: NDArray[np.bool_], ranks_p: Floats) -> float | None:
    events = int(label.sum())
    others = len(label) - events
    if events == 0 or others == 0:
        return None
    return (float(ranks_p[label].sum()) - events * (events + 1) / 2.0) / (events * others)


def _spearman(ranks_y: Floats, ranks_p: Floats) -> float | None:
    middle = (len(ranks_y) + 1) / 2.0
    y, p = ranks_y - middle, ranks_p - middle
    return _ratio(float(y @ p), float(np.sqrt((y @ y) * (p @ p))))


def _normalised_gini(y: Floats, ranks_y: Floats, ranks_p: Floats) -> float | None:
    if y.min() == y.max():
        return None
    middle = (len(y) + 1) / 2.0
    return _ratio(float(y @ (ranks_p - middle)), float(y @ (ranks_y - middle)))


def _top_share(ordered: Floats, share: float) -> float | None:
    customers = max(1, round(share * len(ordered)))
    return _ratio(ordered[-customers:].sum(), ordered.sum())


def _decile_table(ordered_y: Floats, ordered_p: Floats, bins: int) -> list[Decile]:
    total = ordered_y.sum()
    edges = np.array_split(np.arange(len(ordered_y)), min(bins, len(ordered_y)))
    return [
        Decile(
            decile=number,
            customers=len(rows),
            mean_predicted=float(ordered_p[rows].mean()),
            mean_actual=float(ordered_y[rows].mean()),
            share_of_actual=_ratio(ordered_y[rows].sum(), total),
        )
        for number, rows in enumerate(edges, start=1)
    ]


def _decile_mape(table: list[Decile]) -> float | None:
    errors = [
        abs(row.mean_predicted - row.mean_actual) / abs(row.mean_actual) for row in table if row.mean_actual != 0.0
    ]
    return float(np.mean(errors)) if errors else None


def _pair(actual: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    y, p = _finite("actual", actual), _finite("predicted", predicted)
    if y.shape != p.shape:
        raise ValueError(f"{len(y)} actual values but {len(p)} predictions: give one prediction per actual value")
    return y, p


def _labels(happened: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    label, p = _pair(np.asarray(happened, dtype=np.float64), score)
    if not np.all((label == 0.0) | (label == 1.0)):
        raise ValueError("labels must be 0 or 1, or booleans")
    return label == 1.0, p


def _finite(name: str, values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"{name} has shape {x.shape}: it must be one-dimensional with at least one value")
    bad = int(x.size - np.isfinite(x).sum())
    if bad:
        raise ValueError(f"{name} holds {bad} of {x.size} values that are not finite: remove or fill them first")
    return x


def _ratio(above: float, below: float) -> float | None:
    return float(above) / float(below) if below != 0.0 else None


#: Measures of an order by name: of what happened, its ranks, and the ranks of the score, each (rows,).
OF_RANKS: Mapping[str, Callable[[Floats, Floats, Floats], float | None]] = {
    "spearman": lambda _, ranks_y, ranks_p: _spearman(ranks_y, ranks_p),
    "normalised_gini": _normalised_gini,
    "roc_auc": lambda y, _, ranks_p: _auc(y > 0, ranks_p),
}
