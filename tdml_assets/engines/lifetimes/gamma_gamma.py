"""Gamma-Gamma: what a purchase of a customer is worth, shrunk to all customers where there are few of them.

Elsewhere: how often a customer buys (``bg_nbd.py``, ``pareto_nbd.py``), which the model takes to be independent.

A customer's purchases are gamma(p, nu) with nu ~ gamma(q, gamma) over customers. Fader, Hardie & Lee 2005, "RFM and CLV",
Journal of Marketing Research 42(4); Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, psi

from tdml_assets.engines.lifetimes.histories import Floats, maximise

# p, q, gamma with values in units of their mean; the mean over customers, p gamma / (q - 1), is 1.
_STARTS = ((2.0, 3.0, 1.0), (6.0, 4.0, 0.5))
_LEAST_CUSTOMERS = 2
# p and q - 1 where that mean is held.
_STARTS_OF_HELD = ((2.0, 2.0), (0.5, 0.2))
# A few accounts far above the others make the likelihood's mean grow without bound: beyond this many observed means it is held.
_LARGEST_MEAN = 2.0


@dataclass(frozen=True)
class GammaGamma:
    """A Gamma-Gamma model.

    ``p``: shape of a customer's purchases; the larger, the more alike they are. ``q``, ``gamma``: shape and rate of what
    differs between customers; gamma in the unit of money of the values. ``log_likelihood``: of the customers it was fitted to,
    in the same unit of money; NaN where none were.
    """

    p: float
    q: float
    gamma: float
    log_likelihood: float = float("nan")

    @property
    def population_value(self) -> float:
        """Mean value of a purchase over customers, p gamma / (q - 1).

        Raises ``ValueError`` if q is at most 1: values spread so far that they have no mean.
        """
        if self.q <= 1:
            raise ValueError(
                f"Gamma-Gamma has q {self.q:.3g}, and a mean only above 1: clip the largest purchases before the fit"
            )
        return self.p * self.gamma / (self.q - 1)

    def expected_value(self, frequency: ArrayLike, mean_value: ArrayLike) -> Floats:
        """Value of a purchase to come: p (gamma + x m) / (p x + q - 1), and the population's where frequency is 0.

        Raises ``ValueError`` if a customer with purchases has no value, or the population has no mean. ``frequency``: purchases
        ``mean_value`` is the mean of, one row a customer. ``mean_value``: anything where frequency is 0. Below 0 (more was returned
        than bought) it counts as 0.
        """
        x, m = _pair(frequency, mean_value)
        _ = self.population_value
        value: Floats = self.p * (self.gamma + x * np.maximum(m, 0.0)) / (self.p * x + self.q - 1)
        return value


def fit_gamma_gamma(frequency: ArrayLike, mean_value: ArrayLike) -> GammaGamma:
    """Fit by maximum likelihood, to the customers with a frequency and a mean value above 0: the others show no spread.

    Where the population's mean would be infinite, or more than twice the mean of their values, it is held at the latter.

    Raises ``ValueError`` if fewer than two customers are left, one of them has no value, or no maximum is found. ``frequency``:
    purchases ``mean_value`` is the mean of, one row a customer. ``mean_value``: anything where frequency is 0.
    """
    x, m = _pair(frequency, mean_value)
    usable = (x > 0) & (m > 0)
    if usable.sum() < _LEAST_CUSTOMERS:
        raise ValueError(
            f"{int(usable.sum())} of {x.size} customers bought again, at a positive value; Gamma-Gamma needs {_LEAST_CUSTOMERS}: "
            "give more customers or a longer history"
        )
    x, m = x[usable], m[usable]
    unit = float(m.mean())
    common: dict[str, Any] = {"rows": float(x.size), "penalizer": 0.0, "name": "Gamma-Gamma"}
    p, q, gamma = maximise(lambda parameters: _likelihood(parameters, x, m / unit), _STARTS, **common)
    if p * gamma > _LARGEST_MEAN * (q - 1):
        p, excess = maximise(lambda parameters: _held_likelihood(parameters, x, m / unit), _STARTS_OF_HELD, **common)
        q, gamma = 1 + excess, excess / p
    level, _ = _likelihood(np.array([p, q, gamma * unit]), x, m)
    return GammaGamma(float(p), float(q), float(gamma * unit), level)


def _likelihood(parameters: Floats, x: Floats, m: Floats) -> tuple[float, Floats]:
    """Log-likelihood of mean values and its gradient by p, q, gamma."""
    p, q, gamma = parameters
    shape, log_rate = p * x, np.log(gamma + m * x)
    value = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma)
    value += (shape - 1) * np.log(m) + shape * np.log(x) - (shape + q) * log_rate
    by_p = x * (psi(shape + q) - psi(shape) + np.log(m * x) - log_rate)
    by_q = psi(shape + q) - psi(q) + np.log(gamma) - log_rate
    by_gamma = q / gamma - (shape + q) / (gamma + m * x)
    return float(value.sum()), np.array([by_p.sum(), by_q.sum(), by_gamma.sum()])


def _held_likelihood(parameters: Floats, x: Floats, m: Floats) -> tuple[float, Floats]:
    """Log-likelihood and its gradient by p and q - 1, where the population's mean p gamma / (q - 1) is 1."""
    p, excess = parameters
    value, (by_p, by_q, by_gamma) = _likelihood(np.array([p, 1 + excess, excess / p]), x, m)
    return value, np.array([by_p - by_gamma * excess / p**2, by_q + by_gamma / p])


def _pair(frequency: ArrayLike, mean_value: ArrayLike) -> tuple[Floats, Floats]:
    x, m = np.asarray(frequency, dtype=np.float64), np.asarray(mean_value, dtype=np.float64)
    if x.ndim != 1 or x.shape != m.shape:
        raise ValueError(
            f"frequency and mean_value have shapes {x.shape} and {m.shape}: give two columns of one length"
        )
    if not x.size:
        raise ValueError("there is no customer: give at least one")
    wrong = int((~np.isfinite(x) | (x < 0)).sum())
    if wrong:
        raise ValueError(f"{wrong} of {x.size} frequencies are negative, missing or infinite: give them unscaled")
    bare = int((~np.isfinite(m) & (x > 0)).sum())
    if bare:
        raise ValueError(f"{bare} of {x.size} customers bought again and have no finite mean value: leave them out")
    return x, np.where(x > 0, m, 0.0)
