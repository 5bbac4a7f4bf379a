"""Sequentially discounting autoregression, the model inside changefinder, of numbers and of vectors.

Belongs here: its update and its losses. Formulas: Takeuchi and Yamanishi, "A unifying framework for detecting outliers and change
points from time series" (2006), with the squared Hellinger distance as Hivemall scores it. Does not: windows and options.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

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
