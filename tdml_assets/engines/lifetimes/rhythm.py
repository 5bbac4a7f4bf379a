"""When the next order comes: the days between the orders of a customer, shrunk to those of all customers.

Elsewhere: whether it comes (``pareto_nbd.py``), calibration against what happened (``engines/next_orders.py``).

The gaps of a customer are gamma(k, k lambda) with a rate lambda ~ gamma(r, alpha) over customers, which are those of the
Pareto/NBD model; k is the regularity, the same for all. With k = 1 gaps are exponential and the model is the Pareto/NBD. After n
gaps of together s days the gap to come, divided by alpha / k + s, has a beta prime(k, r + k n) distribution. Platzer & Reutterer
2016, "Ticking Away the Moments: Timing Regularity Helps to Better Predict Customer Activity", Marketing Science 35(5), have a k for
each customer and fit it by simulation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv

from tdml_assets.engines.lifetimes.histories import Floats
from tdml_assets.engines.lifetimes.pareto_nbd import ParetoNbd

# The few gaps that customers have cannot separate regularities beyond these bounds.
_REGULARITY = (0.3, 12.0)
_HALVINGS = 50
# Customers with two gaps and more that are needed to estimate the regularity; with fewer it is 1.
_LEAST_CUSTOMERS = 20
# A customer with hundreds of orders counts as one with this many.
_MOST_GAPS = 20.0
_STEPS = 64
_BLOCK = 4_096


def estimate_regularity(repeats: Floats, mean_gap: Floats, stddev_gap: Floats) -> float:
    """Estimate k from the variation of gaps within customers.

    For gamma gaps the squared coefficient of variation of a sample of n has the expectation n / (n k + 1), whatever the rate.
    ``repeats``: gaps of each customer; those with fewer than two say nothing. ``mean_gap``, ``stddev_gap``: their mean and sample
    standard deviation, in days.
    """
    known = (repeats >= 2) & (mean_gap > 0) & np.isfinite(stddev_gap)
    if known.sum() < _LEAST_CUSTOMERS:
        return 1.0
    n = repeats[known]
    weight = np.minimum(n, _MOST_GAPS) - 1
    observed = float((weight * (stddev_gap[known] / mean_gap[known]) ** 2).sum())
    low, high = _REGULARITY
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high))
        if float((weight * n / (n * middle + 1)).sum()) > observed:
            low = middle
        else:
            high = middle
    return float(np.sqrt(low * high))


def usual_gap(model: ParetoNbd, regularity: float, repeats: Floats, recency: Floats) -> Floats:
    """Median of the days between two orders of a customer; of all customers where it has bought once."""
    shape, scale = _posterior(model, regularity, repeats, recency)
    share = betaincinv(regularity, shape, 0.5)
    days: Floats = scale * share / (1 - share)
    return days


def next_order_days(
    model: ParetoNbd, regularity: float, history: Floats, quantiles: Sequence[float], within_days: int
) -> Floats:
    """Quantiles of the days until the next order, given that it comes within ``within_days``.

    The gap is longer than the days that have passed since the last order, and the customer has not left before its end:
    Pareto/NBD's survival ((beta + T) / (beta + T + u))^s. Returns (customers, quantiles) days, above 0 and at most ``within_days``.
    ``history``: (customers, 3): repeat purchase days, recency and age in days. ``quantiles``: ascending, in (0, 1).
    """
    bounds = np.expm1(np.linspace(0.0, np.log1p(within_days), _STEPS + 1))
    blocks = [
        _quantiles(model, regularity, history[start : start + _BLOCK], quantiles, bounds)
        for start in range(0, len(history), _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.empty((0, len(quantiles)))


def _quantiles(
    model: ParetoNbd, regularity: float, history: Floats, quantiles: Sequence[float], bounds: Floats
) -> Floats:
    repeats, recency, age = (column[:, None] for column in history.T)
    shape, scale = _posterior(model, regularity, repeats, recency)
    ahead = (bounds[1:] + bounds[:-1]) / 2
    gap = age - recency + ahead
    density = (regularity - 1) * np.log(gap / (scale + gap)) - (shape + 1) * np.log1p(gap / scale)
    density -= model.s * np.log1p(ahead / (model.beta + age))
    mass = np.exp(density - density.max(axis=1, keepdims=True)) * np.diff(bounds)
    reached = np.cumsum(mass, axis=1)
    reached = np.concatenate([np.zeros((len(history), 1)), reached / reached[:, -1:]], axis=1)
    rows = np.arange(len(history))
    found = np.empty((len(history), len(quantiles)))
    for column, quantile in enumerate(quantiles):
        step = np.clip((reached < quantile).sum(axis=1), 1, _STEPS)
        before, after = reached[rows, step - 1], reached[rows, step]
        share = (quantile - before) / np.maximum(after - before, 1e-300)
        found[:, column] = bounds[step - 1] + share * (bounds[step] - bounds[step - 1])
    return found


def _posterior(model: ParetoNbd, regularity: float, repeats: Floats, recency: Floats) -> tuple[Floats, Floats]:
    """Shape and scale of the rate of a customer's gaps."""
    return model.r + regularity * repeats, model.alpha / regularity + recency
