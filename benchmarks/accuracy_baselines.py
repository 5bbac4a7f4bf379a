"""Baselines on the raw transactions: one-line heuristics, and the models of the literature.

Belongs here: what each predicts for a population. Does not: the populations (``accuracy_truth.py``), the formulas of the
models (``tdml_assets.engines.lifetimes``), our pipeline's features: nothing here has seen one.
"""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy_truth import Floats, Truth
from tdml_assets.engines.lifetimes import BgNbd, ParetoNbd, fit_bg_nbd, fit_gamma_gamma, fit_pareto_nbd

_DAYS_A_WEEK = 7.0
BG_NBD, PARETO_NBD = "BG/NBD + Gamma-Gamma", "Pareto/NBD + Gamma-Gamma"
TOTAL, RECENT, RECENCY, ORDERS = (
    "total spend, rescaled",
    "spend of the last horizon",
    "recency only",
    "number of orders",
)


def heuristics(truth: Truth) -> dict[str, Floats]:
    """Spend by rules of one line: all spend so far, scaled to the sum of the last horizon's; the last horizon's itself."""
    total, recent = np.maximum(truth.total, 0.0), np.maximum(truth.recent, 0.0)
    return {TOTAL: total * (recent.sum() / total.sum()), RECENT: recent}


def rankings(truth: Truth) -> dict[str, Floats]:
    """Scores of who buys, which are not probabilities."""
    return {RECENCY: -truth.recency, ORDERS: truth.orders}


def lifetimes(truth: Truth, *, penalizer: float) -> dict[str, tuple[Floats, Floats]]:
    """Expected spend and probability to buy in the horizon, 1 - P(X(H) = 0), of both models.

    Parameters
    ----------
    penalizer : of BG/NBD; Pareto/NBD has none.
    """
    history = (truth.repeats, truth.until_last, truth.age)
    horizon = truth.window.days
    value = fit_gamma_gamma(truth.repeats, truth.value).expected_value(truth.repeats, truth.value)
    models: dict[str, BgNbd | ParetoNbd] = {
        BG_NBD: fit_bg_nbd(*history, penalizer=penalizer),
        PARETO_NBD: fit_pareto_nbd(*history),
    }
    return {
        name: (model.expected_purchases(horizon, *history) * value, model.probability_active(horizon, *history))
        for name, model in models.items()
    }


def published_parameters(truth: Truth, customers: frozenset[str]) -> dict[str, float]:
    """Parameters fitted to some customers of a population, in weeks, by the names they are quoted under."""
    kept = truth.customers.isin(customers)
    x, value = truth.repeats[kept], truth.value[kept]
    recency, age = truth.until_last[kept] / _DAYS_A_WEEK, truth.age[kept] / _DAYS_A_WEEK
    fitted = {
        "bg_nbd": fit_bg_nbd(x, recency, age),
        "pareto_nbd": fit_pareto_nbd(x, recency, age),
        "gamma_gamma": fit_gamma_gamma(x, value),
    }
    return {
        f"{model}_{name}": float(number)
        for model, found in fitted.items()
        for name, number in vars(found).items()
        if name != "log_likelihood"
    }
