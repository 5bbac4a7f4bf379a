"""Probabilities that agree with how often things happen: the logistic function, calibration, and the loss of a weighted fit.

Elsewhere: learners, measures of a report (``platform/metrics.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SLOPE_RANGE = (0.1, 10.0)
# XGBoost hands probabilities to a metric as FLOAT, which knows none closer to 0 or 1.
_FLOAT_CLIP = 1e-7


class Labelled(Protocol):
    """What XGBoost evaluates on."""

    def get_label(self) -> Any:
        """Labels, 0 or 1."""


def logistic(log_odds: Floats) -> Floats:
    """Probability at these log-odds."""
    result: Floats = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -700.0, 700.0)))
    return result


def fit_sigmoid(log_odds: Floats, happened: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit slope a and intercept b so that 1 / (1 + exp(-(a x + b))) is the probability of what happened at log-odds x.

    Maximum likelihood against the smoothed targets (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) of Platt (1999, Probabilistic
    outputs for support vector machines), by Newton's method with halved steps (Lin, Lin and Weng 2007). A slope outside
    [0.1, 10] is set to the nearer end and the intercept fitted again: rows on which the model ranks nobody decide no slope,
    and none may turn the ranking round. ``log_odds``, ``happened``: (rows,); both classes present.
    """
    positives = int(happened.sum())
    negatives = len(happened) - positives
    target = np.where(happened, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))
    slope, intercept = _newton(np.column_stack([log_odds, np.ones_like(log_odds)]), target, np.zeros_like(log_odds))
    if not _SLOPE_RANGE[0] <= slope <= _SLOPE_RANGE[1]:
        slope = float(np.clip(slope, *_SLOPE_RANGE))
        (intercept,) = _newton(np.ones((len(log_odds), 1)), target, slope * log_odds)
    # Sums may be added up in parallel: the last digits depend on their order.
    return float(f"{slope:.12g}"), float(f"{intercept:.12g}")


def _newton(design: Floats, target: Floats, offset: Floats) -> Floats:
    """Coefficients of the logistic regression of ``target``, shares from 0 to 1, on the columns of ``design``."""

    def loss_at(coefficients: Floats) -> float:
        z = design @ coefficients + offset
        return float(np.sum(np.logaddexp(0.0, z) - target * z))

    found: Floats = np.zeros(design.shape[1])
    loss = loss_at(found)
    for _ in range(100):
        p = logistic(design @ found + offset)
        gradient = design.T @ (p - target)
        if np.abs(gradient).max() <= 1e-9 * len(target):
            break
        # The ridge keeps the step finite where all log-odds are equal.
        hessian = (design * (p * (1.0 - p))[:, None]).T @ design + 1e-9 * np.eye(design.shape[1])
        step = np.linalg.solve(hessian, gradient)
        shrink = 1.0
        while shrink > 1e-10 and loss_at(found - shrink * step) > loss:
            shrink /= 2.0
        found = found - shrink * step
        loss = loss_at(found)
    return found


def log_loss_metric(weight: float) -> Callable[[Any, Labelled], tuple[str, float]]:
    """Log loss of the probabilities after the weight is undone: the metric of XGBoost would judge the weighted ones."""

    def log_loss(weighted: Any, data: Labelled) -> tuple[str, float]:
        q = np.clip(np.asarray(weighted, dtype=np.float64), _FLOAT_CLIP, 1.0 - _FLOAT_CLIP)
        odds_against = weight * (1.0 - q)
        likelihood = np.where(data.get_label() > 0, q, odds_against) / (q + odds_against)
        return "log_loss", float(-np.log(likelihood).mean())

    return log_loss
