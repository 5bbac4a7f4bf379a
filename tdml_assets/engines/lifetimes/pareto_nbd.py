"""Pareto/NBD: purchases at a rate of their own until the customer leaves, at any moment, for good.

Elsewhere: money (``gamma_gamma.py``), checks of histories (``histories.py``).

While alive a customer buys as a Poisson process with rate lambda ~ gamma(r, alpha), and lives an exponential time with rate
mu ~ gamma(s, beta). Schmittlein, Morrison & Colombo 1987, Management Science 33(1); Fader & Hardie 2005, "A Note on Deriving the
Pareto/NBD Model and Related Expressions"; Fader & Hardie 2014, "Deriving the Conditional PMF of the Pareto/NBD Model".

The published likelihood subtracts two hypergeometric functions, which cancel for busy customers and change form with the sign of
alpha - beta. Before that integration it is a sum of positive terms, and that sum is computed here: the customer is alive at T, or
left at some tau between the last purchase and T, with tau integrated by Gauss-Legendre on a logarithmic scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, psi

from tdml_assets.engines.lifetimes.histories import Floats, Histories, checked_horizon, maximise

# In scaled time (largest age 1), r, alpha, s, beta: a customer who buys about once in the time and may well leave; one who stays.
_STARTS = ((0.5, 0.1, 0.5, 0.5), (1.0, 0.2, 0.5, 5.0))
Nodes = tuple[Floats, Floats]
# Positions and weights of an integral over tau. A search begins with few, and ends with as many as predictions take.
_FEW_NODES: Nodes = np.polynomial.legendre.leggauss(16)
_NODES: Nodes = np.polynomial.legendre.leggauss(40)
# Rows at a time: the nodes of so many stay in a processor's cache.
_BLOCK = 4_096
_FITS_KEPT = 8


@dataclass(frozen=True)
class ParetoNbd:
    """A Pareto/NBD model.

    ``r``, ``alpha``: shape and rate of the purchase rate over customers; alpha in the unit of time of the histories. ``s``,
    ``beta``: shape and rate of the rate of leaving; beta in the unit of time of the histories. ``log_likelihood``: of the
    customers it was fitted to, in the same unit of time; NaN where none were.
    """

    r: float
    alpha: float
    s: float
    beta: float
    log_likelihood: float = float("nan")

    def probability_active(self, horizon: float, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """Probability of at least one purchase in the ``horizon`` after the history, 1 - P(X(H) = 0).

        P(alive) x the integral over u in (0, H) of the density of the next purchase while alive,
        (r + x) (alpha + T)^(r + x) / (alpha + T + u)^(r + x + 1) x ((beta + T) / (beta + T + u))^s: every term is positive.
        """
        horizon, histories = checked_horizon(horizon), Histories.of(frequency, recency, age)
        return _by_block(histories, lambda rows: self._active(horizon, rows, self._alive(rows)))[histories.place]

    def expected_purchases(self, horizon: float, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """Purchases expected in the ``horizon`` after the history.

        P(alive) x (r + x) / (alpha + T) x (beta + T) / (s - 1) x (1 - ((beta + T) / (beta + T + H))^(s - 1)), with its
        limit at s = 1.
        """
        horizon, histories = checked_horizon(horizon), Histories.of(frequency, recency, age)
        return _by_block(histories, lambda rows: self._expected(horizon, rows, self._alive(rows)))[histories.place]

    def outlook(self, horizon: float, histories: Histories) -> tuple[Floats, Floats, Floats]:
        """Expected purchases, and the probabilities to be alive and to be active, of every different history.

        As the methods above give them. P(alive), which is most of the work of each, is computed once.
        """
        horizon = checked_horizon(horizon)

        def seen(rows: Histories) -> Floats:
            alive = self._alive(rows)
            return np.stack([self._expected(horizon, rows, alive), alive, self._active(horizon, rows, alive)])

        purchases, alive, active = _by_block(histories, seen)
        return purchases, alive, active

    def ahead(self, histories: Histories, horizons: Sequence[tuple[float, float]]) -> list[tuple[Floats, Floats]]:
        """Expect of every different history: purchases in the first horizon of each pair, and the probability of any in the second.

        As :meth:`expected_purchases` and :meth:`probability_active` give them. P(alive) is computed once.
        """
        pairs = [(checked_horizon(orders), checked_horizon(active)) for orders, active in horizons]

        def seen(rows: Histories) -> Floats:
            alive = self._alive(rows)
            found = [
                (self._expected(orders, rows, alive), self._active(active, rows, alive)) for orders, active in pairs
            ]
            return np.stack([column for pair in found for column in pair])

        found = _by_block(histories, seen)
        return [(found[2 * place], found[2 * place + 1]) for place in range(len(pairs))]

    def _active(self, horizon: float, rows: Histories, alive: Floats) -> Floats:
        alpha, beta = self.alpha + rows.age, self.beta + rows.age
        nothing = np.zeros(len(rows))
        u, log_weights = _nodes(nothing, nothing + horizon, np.minimum(alpha, beta))
        shape = (self.r + rows.frequency)[:, None]
        density = log_weights + np.log(shape) - np.log(alpha[:, None] + u)
        density -= shape * np.log1p(u / alpha[:, None]) + self.s * np.log1p(u / beta[:, None])
        probability: Floats = np.minimum(np.exp(density).sum(axis=1), 1.0) * alive
        return probability

    def _expected(self, horizon: float, rows: Histories, alive: Floats) -> Floats:
        growth = np.log1p(horizon / (self.beta + rows.age))
        power = (self.s - 1) * growth
        # expm1(z) / z is 1 at z = 0, and so smooth that 1 serves for all that is smaller than rounding.
        small = np.abs(power) < 1e-12
        lifetime = (
            (self.beta + rows.age) * growth * np.where(small, 1.0, -np.expm1(-power) / np.where(small, 1.0, power))
        )
        expected: Floats = alive * (self.r + rows.frequency) / (self.alpha + rows.age) * lifetime
        return expected

    def _alive(self, rows: Histories) -> Floats:
        alive, gone, _ = _log_terms(np.array([self.r, self.alpha, self.s, self.beta]), rows)
        probability: Floats = np.exp(alive - np.logaddexp(alive, np.logaddexp.reduce(gone, axis=1)))
        return probability


@dataclass
class _Kept:
    """A fit of this process, and the lock of the thread that makes it."""

    fit: ParetoNbd | None = None
    lock: Lock = field(default_factory=Lock)


# By the histories: every workflow of a session asks for the same.
_kept_fits: dict[str, _Kept] = {}
_keeping = Lock()


def fit_pareto_nbd(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, *, penalizer: float = 0.0) -> ParetoNbd:
    """Fit by maximum likelihood.

    Raises ``ValueError`` if rows are not histories, nobody was observed for any time, or no maximum is found. ``frequency``:
    days with a purchase after the first, one row a customer. ``recency``, ``age``: time from the first purchase to the last,
    and to the end of the observation, in one unit. ``penalizer``: of the squared parameters in a time where the largest age is
    1; 0 for the likelihood alone.
    """
    histories = Histories.of(frequency, recency, age)
    key = histories.digest(penalizer)
    with _keeping:
        kept = _kept_fits.setdefault(key, _Kept())
        for oldest in list(_kept_fits)[:-_FITS_KEPT]:
            del _kept_fits[oldest]
    # A thread that asks for a fit that another has begun waits for it.
    with kept.lock:
        if kept.fit is None:
            kept.fit = _fit(histories, penalizer)
        return kept.fit


def _fit(histories: Histories, penalizer: float) -> ParetoNbd:
    scaled, unit = histories.scaled()

    def search(starts: Sequence[Sequence[float]], nodes: Nodes) -> Floats:
        return maximise(
            lambda parameters: _likelihood(parameters, scaled, nodes),
            starts,
            rows=float(scaled.counts.sum()),
            penalizer=penalizer,
            name="Pareto/NBD",
        )

    near = search(_STARTS, _FEW_NODES)
    r, alpha, s, beta = search((tuple(near),), _NODES)
    level, _ = _likelihood(np.array([r, alpha * unit, s, beta * unit]), histories)
    return ParetoNbd(float(r), float(alpha * unit), float(s), float(beta * unit), level)


def _likelihood(parameters: Floats, histories: Histories, nodes: Nodes = _NODES) -> tuple[float, Floats]:
    """Log-likelihood and its gradient by r, alpha, s, beta.

    Both terms share the form (alpha + tau)^-(r + x) (beta + tau)^-s, so a derivative is a mean over tau, each tau weighing
    as much as it adds to the likelihood.
    """
    r, alpha, s, beta = parameters
    value, gradient = 0.0, np.zeros(4)
    for start in range(0, len(histories), _BLOCK):
        rows = histories.slice(start, start + _BLOCK)
        x, age = rows.frequency, rows.age
        alive, gone, tau = _log_terms(parameters, rows, nodes)
        total = np.logaddexp(alive, np.logaddexp.reduce(gone, axis=1))
        at_end = np.exp(alive - total)
        at_tau = np.exp(gone - total[:, None])
        left = at_tau.sum(axis=1)
        buying, staying = alpha + tau, beta + tau
        purchases = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        by_r = (
            psi(r + x) - psi(r) + np.log(alpha) - at_end * np.log(alpha + age) - (at_tau * np.log(buying)).sum(axis=1)
        )
        by_alpha = r / alpha - (r + x) * (at_end / (alpha + age) + (at_tau / buying).sum(axis=1))
        by_s = np.log(beta) - at_end * np.log(beta + age) - (at_tau * np.log(staying)).sum(axis=1) + left / s
        by_beta = s / beta - s * at_end / (beta + age) - (s + 1) * (at_tau / staying).sum(axis=1)
        value += float(rows.counts @ (purchases + total))
        gradient += [rows.counts @ slope for slope in (by_r, by_alpha, by_s, by_beta)]
    return value, gradient


def _log_terms(parameters: Floats, rows: Histories, nodes: Nodes = _NODES) -> tuple[Floats, Floats, Floats]:
    """Logarithms of what being alive at T (rows,), and leaving near tau (rows, nodes), add to the likelihood; and tau."""
    r, alpha, s, beta = parameters
    shape = r + rows.frequency
    alive: Floats = -shape * np.log(alpha + rows.age) - s * np.log(beta + rows.age)
    tau, gone = _nodes(rows.recency, rows.age, np.full(len(rows), min(alpha, beta)), nodes)
    gone += np.log(s) - shape[:, None] * np.log(alpha + tau) - (s + 1) * np.log(beta + tau)
    return alive, gone, tau


def _nodes(low: Floats, high: Floats, shift: Floats, nodes: Nodes = _NODES) -> tuple[Floats, Floats]:
    """Nodes between ``low`` and ``high`` and the logarithms of their weights, evenly laid on the scale of log(shift + tau).

    ``shift`` is the smaller rate: on that scale the nearest point where an integrand is not smooth lies pi away.
    """
    positions, weights = nodes
    first = np.log(shift + low)
    half = (np.log(shift + high) - first) / 2
    scale = first[:, None] + half[:, None] * (1 + positions)
    with np.errstate(divide="ignore"):
        log_weights = np.log(half)[:, None] + np.log(weights) + scale
    return np.clip(np.exp(scale) - shift[:, None], low[:, None], high[:, None]), log_weights


def _by_block(histories: Histories, function: Callable[[Histories], Floats]) -> Floats:
    starts = range(0, len(histories), _BLOCK)
    return np.concatenate([function(histories.slice(start, start + _BLOCK)) for start in starts], axis=-1)
