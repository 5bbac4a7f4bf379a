"""BG/NBD: purchases at a rate of their own until, after one of them, the customer leaves for good.

Elsewhere: money (``gamma_gamma.py``), checks of histories (``histories.py``).

While alive a customer buys as a Poisson process with rate lambda ~ gamma(r, alpha), and leaves after any purchase with
probability p ~ beta(a, b). Fader, Hardie & Lee 2005, "Counting Your Customers" the Easy Way, Marketing Science 24(2);
Fader & Hardie 2004, "Implementing the BG/NBD Model for Customer Base Analysis in Excel".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh_tridiagonal
from scipy.special import betaln, gammaln, psi

from tdml_assets.engines.lifetimes.histories import Floats, Histories, checked_horizon, maximise

# In scaled time (largest age 1), r, alpha, a, b: a customer who buys about once in the time and may well leave; one who stays.
_STARTS = ((0.5, 0.1, 0.5, 2.0), (1.0, 0.2, 0.05, 1.0))
_NODES = 48


@dataclass(frozen=True)
class BgNbd:
    """A BG/NBD model.

    ``r``, ``alpha``: shape and rate of the purchase rate over customers; alpha in the unit of time of the histories. ``a``,
    ``b``: of the beta distribution of the probability to leave after a purchase. ``log_likelihood``: of the customers it was
    fitted to, in the same unit of time; NaN where none were.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = float("nan")

    def probability_active(self, horizon: float, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """Probability of at least one purchase in the ``horizon`` after the history, 1 - P(X(H) = 0).

        Nobody leaves between purchases, so it is P(alive) x (1 - ((alpha + T) / (alpha + T + H))^(r + x)).
        """
        horizon, histories = checked_horizon(horizon), Histories.of(frequency, recency, age)
        return self._active(horizon, histories, self._alive(histories))[histories.place]

    def expected_purchases(self, horizon: float, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """Purchases expected in the ``horizon`` after the history.

        The published form is a hypergeometric function over a - 1, which has no value at a = 1 and cancels near it. Here the
        expectation given p, (1 - (1 + p H / (alpha + T))^-(r + x)) / p, is averaged over p ~ beta(a, b + x) by Gauss's rule.
        """
        horizon, histories = checked_horizon(horizon), Histories.of(frequency, recency, age)
        return self._expected(horizon, histories, self._alive(histories))[histories.place]

    def outlook(self, horizon: float, histories: Histories) -> tuple[Floats, Floats, Floats]:
        """Expected purchases, and the probabilities to be alive and to be active, of every different history.

        A one-time buyer is alive with probability 1.
        """
        horizon, alive = checked_horizon(horizon), self._alive(histories)
        return self._expected(horizon, histories, alive), alive, self._active(horizon, histories, alive)

    def _active(self, horizon: float, histories: Histories, alive: Floats) -> Floats:
        growth = np.log1p(horizon / (self.alpha + histories.age))
        active: Floats = -np.expm1(-(self.r + histories.frequency) * growth) * alive
        return active

    def _expected(self, horizon: float, histories: Histories, alive: Floats) -> Floats:
        reach = horizon / (self.alpha + histories.age)
        expected = np.empty(len(histories))
        kinds, kind = np.unique(histories.frequency, return_inverse=True)
        for number, x in enumerate(kinds):
            rows = kind == number
            leaves, weights = beta_rule(self.a, self.b + float(x))
            bought = -np.expm1(-(self.r + x) * np.log1p(np.outer(reach[rows], leaves))) / leaves
            # Not a matrix product, whose last bit depends on how many rows there are.
            expected[rows] = (bought * weights).sum(axis=1)
        return expected * alive

    def _alive(self, histories: Histories) -> Floats:
        x = histories.frequency
        with np.errstate(divide="ignore"):
            left = np.where(x > 0, np.log(self.a) - np.log(np.maximum(self.b + x - 1, self.b)), -np.inf)
        odds = left + (self.r + x) * np.log((self.alpha + histories.age) / (self.alpha + histories.recency))
        alive: Floats = np.exp(-np.logaddexp(0.0, odds))
        return alive


def fit_bg_nbd(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, *, penalizer: float = 0.0) -> BgNbd:
    """Fit by maximum likelihood.

    Raises ``ValueError`` if rows are not histories, nobody was observed for any time, or no maximum is found. ``frequency``:
    days with a purchase after the first, one row a customer. ``recency``, ``age``: time from the first purchase to the last,
    and to the end of the observation, in one unit. ``penalizer``: of the squared parameters in a time where the largest age is
    1; 0 for the likelihood alone.
    """
    histories = Histories.of(frequency, recency, age)
    scaled, unit = histories.scaled()
    r, alpha, a, b = maximise(
        lambda parameters: _likelihood(parameters, scaled),
        _STARTS,
        rows=float(scaled.counts.sum()),
        penalizer=penalizer,
        name="BG/NBD",
    )
    level, _ = _likelihood(np.array([r, alpha * unit, a, b]), histories)
    return BgNbd(float(r), float(alpha * unit), float(a), float(b), level)


def beta_rule(a: float, b: float) -> tuple[Floats, Floats]:
    """Gauss's rule for the mean under beta(a, b): nodes in (0, 1) and weights that sum to 1.

    Golub & Welsch 1969: the nodes are the eigenvalues of the matrix of the recurrence of Jacobi's polynomials. No gamma function
    is evaluated, so nothing overflows where b counts hundreds of purchases.
    """
    upper, lower = b - 1, a - 1
    # From k = 2 on: at k = 1 a factor of numerator and denominator is the same number, and 0 at a + b = 1.
    first = 4 * (1 + upper) * (1 + lower) / ((2 + upper + lower) ** 2 * (3 + upper + lower))
    k = np.arange(2, _NODES, dtype=np.float64)
    both = 2 * k + upper + lower
    further = 4 * k * (k + upper) * (k + lower) * (k + upper + lower) / (both**2 * (both + 1) * (both - 1))
    beside = np.concatenate(([first], further))
    both = np.concatenate(([2 + upper + lower], both))
    diagonal = np.concatenate(([(lower - upper) / (upper + lower + 2)], (lower**2 - upper**2) / (both * (both + 2))))
    values, vectors = eigh_tridiagonal(diagonal, np.sqrt(beside))
    weights: Floats = vectors[0] ** 2
    return np.clip((1 + values) / 2, 1e-14, 1.0), weights


def _likelihood(parameters: Floats, histories: Histories) -> tuple[float, Floats]:
    """Log-likelihood and its gradient by r, alpha, a, b. The two terms are: still alive; left after the last purchase."""
    r, alpha, a, b = parameters
    x = histories.frequency
    until_now, until_last = np.log(alpha + histories.age), np.log(alpha + histories.recency)
    before_last = np.where(x > 0, b + x - 1, 1.0)
    odds = np.where(x > 0, np.log(a) - np.log(before_last) + (r + x) * (until_now - until_last), -np.inf)
    left = np.exp(-np.logaddexp(0.0, -odds))
    value = (
        betaln(a, b + x)
        - betaln(a, b)
        + gammaln(r + x)
        - gammaln(r)
        + r * np.log(alpha)
        - (r + x) * until_now
        + np.logaddexp(0.0, odds)
    )
    by_r = psi(r + x) - psi(r) + np.log(alpha) - (1 - left) * until_now - left * until_last
    by_alpha = r / alpha - (r + x) * ((1 - left) / (alpha + histories.age) + left / (alpha + histories.recency))
    both = psi(a + b) - psi(a + b + x)
    by_a = both + left / a
    by_b = both + psi(b + x) - psi(b) - left / before_last
    counts = histories.counts
    return float(counts @ value), np.array([counts @ slope for slope in (by_r, by_alpha, by_a, by_b)])
