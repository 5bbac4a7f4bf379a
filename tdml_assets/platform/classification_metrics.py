"""Measures of a predicted probability, on NumPy arrays, beyond those that spend models share (``metrics.py``).

Elsewhere: which of them are kept and under which name, the gate (``tasks/parts/classification.py``).

None depends on the order of the rows: rows of equal score share their mean or are taken together. What is not defined on
the data is ``None``, never NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tdml_assets.platform.metrics import Decile, auc

# Two-sided 95 % of the normal distribution.
_Z = 1.959963984540054
_BINS = 10


@dataclass(frozen=True)
class Confusion:
    """What comes of acting on everybody whose probability reaches a threshold: numbers of rows."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def accuracy(self) -> float | None:
        """Share of rows that are called rightly."""
        right = self.true_positives + self.true_negatives
        return _ratio(right, right + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> float | None:
        """Share of those called positive who are; None if nobody is called so."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        """Share of the positives who are called so; None if there are none."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); None if there is no positive of either kind."""
        twice = 2 * self.true_positives
        return _ratio(twice, twice + self.false_positives + self.false_negatives)


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of similar probability, and how often it happened among them.

    ``low``, ``high``: bounds of the predicted probability; ``high`` belongs to the next bin, but for the last. ``count``: rows.
    ``mean_predicted``, ``mean_actual``: mean probability, and share of the rows in which it happened. ``actual_low``,
    ``actual_high``: 95 % interval of that share by Wilson's score (Wilson 1927, JASA 22), which holds for small counts and for
    shares of 0 and 1.
    """

    low: float
    high: float
    count: int
    mean_predicted: float
    mean_actual: float
    actual_low: float
    actual_high: float


def rank_auc(happened: ArrayLike, score: ArrayLike) -> float | None:
    """Probability that a random positive outscores a random negative, ties counted half; None with one class or no row."""
    return auc(happened, score) if np.size(happened) else None


def average_precision(happened: ArrayLike, score: ArrayLike) -> float | None:
    """Area under the curve of precision by recall: sum over distinct scores, the highest first, of gained recall x precision.

    No interpolation, and rows of equal score enter together. The base rate is what chance reaches. None with one class or
    no row.
    """
    label, s = np.asarray(happened, dtype=np.float64), np.asarray(score, dtype=np.float64)
    positives = float(label.sum())
    if not 0 < positives < len(label):
        return None
    _, group, size = np.unique(-s, return_inverse=True, return_counts=True)
    hits = np.bincount(group, weights=label)
    precision = np.cumsum(hits) / np.cumsum(size)
    return float((hits / positives * precision).sum())


def brier(happened: ArrayLike, probability: ArrayLike) -> float | None:
    """Mean squared difference of probability and outcome; None without rows."""
    y, p = np.asarray(happened, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    return float(np.mean((p - y) ** 2)) if y.size else None


def expected_calibration_error(deciles: list[Decile]) -> float | None:
    """Mean over rows of how far their decile's mean probability lies from what happened in it; None without rows."""
    rows = sum(row.customers for row in deciles)
    return _ratio(sum(row.customers * abs(row.mean_predicted - row.mean_actual) for row in deciles), rows)


def confusion(happened: ArrayLike, probability: ArrayLike, threshold: float) -> Confusion:
    """Count what comes of calling positive whoever's probability is at least ``threshold``."""
    label = np.asarray(happened, dtype=np.float64) > 0
    called = np.asarray(probability, dtype=np.float64) >= threshold
    counts = [int(np.sum(pair)) for pair in (called & label, called & ~label, ~called & label, ~called & ~label)]
    return Confusion(*counts)


def reliability_table(happened: ArrayLike, probability: ArrayLike) -> list[ReliabilityBin]:
    """Predicted against actual share in ten bins of equal width; empty ones are left out."""
    y, p = np.asarray(happened, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    place = np.minimum((p * _BINS).astype(np.int64), _BINS - 1)
    found = []
    for number in np.unique(place):
        rows = place == number
        count, actual = int(rows.sum()), float(y[rows].mean())
        low, high = _wilson(actual, count)
        found.append(
            ReliabilityBin(
                float(number / _BINS), float((number + 1) / _BINS), count, float(p[rows].mean()), actual, low, high
            )
        )
    return found


def _wilson(share: float, count: int) -> tuple[float, float]:
    middle = share + _Z**2 / (2 * count)
    reach = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    total = 1 + _Z**2 / count
    return max(0.0, (middle - reach) / total), min(1.0, (middle + reach) / total)


def _ratio(above: float, below: float) -> float | None:
    return float(above) / float(below) if below else None
