"""changefinder, sst and moving_avg: outliers and change points of a series, row after row.

The model inside changefinder is a sequentially discounting autoregression, of numbers and of vectors: Takeuchi and Yamanishi, "A
unifying framework for detecting outliers and change points from time series" (2006), with the squared Hellinger distance as
Hivemall scores it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from operator import or_
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import double_text
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import BOOLEAN, DOUBLE, Function, constant, null_pointer, table_of

_LEAST_WINDOW = 2
_LOSSES = ("hellinger", "logloss")


def _loss(options: Options, name: str) -> str:
    loss = options.text(name, "hellinger").lower()
    if loss not in _LOSSES:
        raise HivemallError(f"Unsupported LossFunction: {options.text(name)}. Known: {', '.join(_LOSSES)}.")
    return loss


def _share(options: Options, name: str) -> float:
    value = options.number(name, 0.02)
    if not 0 < value < 1:
        raise HivemallError(f"{name} must be in range (0,1): {double_text(value)}")
    return value


def _seen(rows: pa.Table) -> list[bool]:
    """Whether this row or one before it had a value: nothing is found before the first."""
    return list(accumulate((value is not None for value in rows.column(0).to_pylist()), or_))


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values)


def _changefinder(rows: pa.Table, options: Options) -> pa.Table:
    """Outlier and change-point score per row; with a threshold also whether they reach it."""
    k = options.integer("k", 7)
    if k <= 1:
        raise HivemallError(f"K must be greater than 1: {k}")
    r1, r2 = _share(options, "r1"), _share(options, "r2")
    t1, t2 = options.integer("T1", 7), options.integer("T2", 7)
    for name, window in (("T1", t1), ("T2", t2)):
        if window <= 1:
            raise HivemallError(f"{name} must be greather than 1: {window}")
    loss1, loss2 = _loss(options, "loss1"), _loss(options, "loss2")
    vector = pa.types.is_list(rows.schema.types[0])
    if vector:
        loss2 = loss1  # Hivemall's second stage of a vector follows the first option
    first: Sdar | SdarVector = SdarVector(r1, k) if vector else Sdar(r1, k)
    second = Sdar(r2, k)
    outliers: deque[float] = deque(maxlen=t1)
    changes: deque[float] = deque(maxlen=t2)
    scores: list[tuple[float, float]] = []
    last, seen = (0.0, 0.0), _seen(rows)
    for value in rows.column(0).to_pylist():
        if value is not None:
            outlier = first.score(value, loss1)
            outliers.append(outlier)
            changes.append(second.score(_mean(outliers), loss2))
            last = (outlier, _mean(changes))
        scores.append(last)
    columns: dict[str, Any] = {
        "outlier_score": [one for one, _ in scores],
        "changepoint_score": [two for _, two in scores],
    }
    kinds = {"outlier_score": DOUBLE, "changepoint_score": DOUBLE}
    outlier_bar = options.number("outlier_threshold", -1.0)
    change_bar = options.number("changepoint_threshold", -1.0)
    if outlier_bar != -1.0:
        columns["is_outlier"] = [one >= outlier_bar and met for (one, _), met in zip(scores, seen, strict=True)]
        kinds["is_outlier"] = BOOLEAN
        if change_bar != -1.0:
            columns["is_changepoint"] = [two >= change_bar and met for (_, two), met in zip(scores, seen, strict=True)]
            kinds["is_changepoint"] = BOOLEAN
    return table_of(columns, kinds)


def _spectrum(options: Options) -> tuple[int, int, int, int, int, float]:
    """Window, past, current, offset, components and threshold of sst; impossible ones are refused."""
    w = options.integer("w", 30)
    n, m, g = options.integer("n", w), options.integer("m", w), options.integer("g", -w)
    r = options.integer("r", 3)
    k = options.integer("k", 2 * r - r % 2)
    bar, score = options.number("th", -1.0), options.text("score", "svd")
    if score.lower() not in ("svd", "ika"):
        raise HivemallError(f"Unsupported ScoreFunction: {score}")
    if score.lower() == "ika":
        raise HivemallError("Only -score svd is offered: ika starts from a random vector and gives no equal results.")
    for wrong, words in (
        (w < _LEAST_WINDOW, f"w must be greather than 1: {w}"),
        (r < 1, f"r must be greater than 0: {r}"),
        (k < 1, f"k must be greater than 0: {k}"),
        (k < r, f"k must be equals to or greather than r: k={k}, r{r}"),
        (min(n, m) < 1, f"n and m must be greater than 0: {n} and {m}"),
        (
            options.given and not 0 < bar < 1,
            f"changepointThreshold must be in range (0, 1): {double_text(bar)}. Give -th.",
        ),
    ):
        if wrong:
            raise HivemallError(words)
    return w, n, m, g, r, bar


def _sst(rows: pa.Table, options: Options) -> pa.Table:
    """Change-point score by singular spectrum: 1 - the largest singular value of past and current directions."""
    w, n, m, g, r, bar = _spectrum(options)
    size = 2 * w + n + m + g
    held: deque[float] = deque(maxlen=max(size, 1))
    scores, last = [], 0.0
    for value in rows.column(0).to_pylist():
        if value is not None:
            held.append(float(value))
            last = _direction_score(np.array(held), w, n, m, g, r) if len(held) == size else 0.0
        scores.append(last)
    columns: dict[str, Any] = {"changepoint_score": scores}
    kinds = {"changepoint_score": DOUBLE}
    if bar != -1.0:
        columns["is_changepoint"], kinds["is_changepoint"] = (
            [score >= bar and met for score, met in zip(scores, _seen(rows), strict=True)],
            BOOLEAN,
        )
    return table_of(columns, kinds)


def _direction_score(series: np.ndarray, w: int, n: int, m: int, g: int, r: int) -> float:
    past = np.stack([series[start : start + w] for start in range(n)], axis=1)
    begin = n + w + g
    current = np.stack([series[begin + start : begin + start + w] for start in range(m)], axis=1)
    left = np.linalg.svd(past)[0][:, :r]
    right = np.linalg.svd(current)[0][:, :r]
    return float(1.0 - np.linalg.svd(left.T @ right, compute_uv=False)[0])


def _moving_avg(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """The mean of the last values, fewer at the start."""
    size = constant(rows, 1)
    if size is not None and size <= 1:
        raise HivemallError(f"Invalid window size: {size}")
    held: deque[float] = deque(maxlen=size or 2)
    means = []
    for value in rows.column(0).to_pylist():
        if value is None:
            raise null_pointer("a value of moving_avg")
        held.append(float(value))
        means.append(_mean(held))
    return table_of({"avg": means}, {"avg": DOUBLE})


FUNCTIONS = {
    "changefinder": Function(
        _changefinder,
        declare(
            "k,AR= r1,x_forget= r2,y_forget= T1,x_window= T2,y_window= outlier_threshold,x_threshold= "
            "changepoint_threshold,y_threshold= loss1,lossfunc1= loss2,lossfunc2= help"
        ),
        1,
        1,
    ),
    "sst": Function(
        _sst,
        declare(
            "w,window= n,n_past= m,n_current= g,current_offset= r,n_component= k,n_dim= score,scorefunc= th,threshold= help"
        ),
        1,
        1,
    ),
    "moving_avg": Function(_moving_avg, {}, 2, 2),
}


#: From this condition number on a matrix counts as singular.
_SINGULAR = 1e14


def _levinson(c: Sequence[float], order: int) -> np.ndarray:
    """Coefficients A_1.. of the autoregression from autocovariances C_0..C_order."""
    a = np.zeros(order + 1)
    a[0] = 1.0
    error = c[0]
    for m in range(order):
        reflection = 0.0 if error == 0 else -sum(a[j] * c[m + 1 - j] for j in range(m + 1)) / error
        head = a[: m + 2].copy()
        a[: m + 2] = head + reflection * head[::-1]
        error *= 1.0 - reflection * reflection
    return -a[1:]


class Sdar:
    """The model of a series of numbers; ``r`` discounts the past, ``k`` is the order."""

    def __init__(self, r: float, k: int) -> None:
        self._r, self._k = r, k
        self._past: deque[float] = deque(maxlen=k + 1)
        self._c = [0.0] * (k + 1)
        self._mean = self._variance = self._predicted = 0.0

    def score(self, x: float, loss: str) -> float:
        """Take the next value; the first scores 0."""
        before = (self._mean, self._variance)
        self._past.appendleft(x)
        if len(self._past) == 1:
            self._mean = x
            return 0.0
        r, order = self._r, min(self._k, len(self._past) - 1)
        self._mean = mean = (1.0 - r) * self._mean + r * x
        for lag in range(order + 1):
            self._c[lag] = (1.0 - r) * self._c[lag] + r * (x - mean) * (self._past[lag] - mean)
        a = _levinson(self._c, order)
        predicted = mean + sum(a[lag] * (self._past[lag + 1] - mean) for lag in range(order))
        self._variance = (1.0 - r) * self._variance + r * (x - predicted) ** 2
        if loss == "logloss":
            return _logloss(x, predicted, self._variance)
        return _hellinger(*before, self._mean, self._variance)


def _logloss(x: float, mean: float, variance: float) -> float:
    if variance <= 0:
        return 0.0
    exponent = -((x - mean) ** 2) / (2.0 * variance)
    density = math.exp(exponent) / math.sqrt(2.0 * math.pi * variance)
    return -math.log(density) if density > 0 else 0.0


def _hellinger(mean: float, variance: float, new_mean: float, new_variance: float) -> float:
    """100 times the squared Hellinger distance of two Gaussians."""
    total = variance + new_variance
    if total == 0:
        return 0.0
    shared: float = (variance * new_variance) ** 0.25 * math.exp(-((mean - new_mean) ** 2) / (4.0 * total))
    return 100.0 * (1.0 - shared / math.sqrt(total / 2.0))


class SdarVector:
    """The model of a series of vectors."""

    def __init__(self, r: float, k: int) -> None:
        self._r, self._k = r, k
        self._past: deque[np.ndarray] = deque(maxlen=k + 1)
        self._c: list[np.ndarray] = []
        self._mean = self._covariance = np.zeros(0)

    def score(self, x: Sequence[float], loss: str) -> float:
        """Take the next vector; the first scores 0."""
        value = np.array(x, np.float64)
        size = len(value)
        self._past.appendleft(value)
        if len(self._past) == 1:
            self._mean, self._covariance = value, np.zeros((size, size))
            self._c = [np.zeros((size, size)) for _ in range(self._k + 1)]
            return 0.0
        before = (self._mean, self._covariance)
        r, order = self._r, min(self._k, len(self._past) - 1)
        self._mean = mean = (1.0 - r) * self._mean + r * value
        for lag in range(order + 1):
            self._c[lag] = (1.0 - r) * self._c[lag] + r * np.outer(value - mean, self._past[lag] - mean)
        predicted = mean + self._coefficients(order, size, mean)
        error = value - predicted
        self._covariance = (1.0 - r) * self._covariance + r * np.outer(error, error)
        if loss == "logloss":
            return self._logloss(error)
        return _hellinger_vector(*before, self._mean, self._covariance)

    def _coefficients(self, order: int, size: int, mean: np.ndarray) -> np.ndarray:
        """The sum of A_j (x_-j - mean), with A from the block Toeplitz system of autocovariances."""
        blocks = [
            [self._c[row - column] if row >= column else self._c[column - row].T for column in range(order)]
            for row in range(order)
        ]
        matrix = np.block(blocks)
        wanted = np.concatenate(self._c[1 : order + 1], axis=0)
        regular = np.linalg.cond(matrix) < _SINGULAR
        solved = np.linalg.solve(matrix, wanted) if regular else np.linalg.pinv(matrix) @ wanted
        total = np.zeros(size)
        for lag in range(order):
            total += solved[lag * size : (lag + 1) * size] @ (self._past[lag + 1] - mean)
        return total

    def _logloss(self, error: np.ndarray) -> float:
        determinant = float(np.linalg.det(self._covariance))
        if determinant <= 0:
            return 0.0
        exponent = -0.5 * float(error @ np.linalg.inv(self._covariance) @ error)
        density = math.exp(exponent) / math.sqrt((2.0 * math.pi) ** len(error) * determinant)
        return -math.log(density) if density > 0 else 0.0


def _hellinger_vector(
    mean: np.ndarray, covariance: np.ndarray, new_mean: np.ndarray, new_covariance: np.ndarray
) -> float:
    middle = (covariance + new_covariance) / 2.0
    determinant = float(np.linalg.det(middle))
    if determinant == 0 or np.linalg.matrix_rank(middle) < len(mean):
        return 100.0
    shift = mean - new_mean
    product = float(np.linalg.det(covariance)) * float(np.linalg.det(new_covariance))
    ratio = max(product, 0.0) ** 0.25 / math.sqrt(determinant)
    shared: float = ratio * math.exp(-float(shift @ np.linalg.inv(middle) @ shift) / 8.0)
    return 100.0 * (1.0 - shared)
