"""Purchase histories as the lifetime models see them, and the search for their parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

# Times are brought to this length before a search, so that one start and one set of bounds serve days and years alike.
_SCALED_AGE = 1.0
# Bounds of the logarithm of every parameter in scaled time. Beyond them a gamma or beta distribution is a point for
# all that customers can show, and the likelihood is flat.
_LOG_BOUND = 12.0
_ITERATIONS = 1_000
# Where a likelihood is almost flat a search takes 200 steps: which start to follow shows after a few.
_FIRST_ITERATIONS = 6
# Largest slope of the mean log-likelihood by a log-parameter that still counts as level.
_LEVEL_SLOPE = 1e-3


@dataclass(frozen=True)
class Histories:
    """Different histories, one a row, and which customer has which.

    ``frequency``: days with a purchase after the first; 0 or at least 1. ``recency``, ``age``: time from the first purchase to
    the last, and to the end of the observation; one unit. ``counts``: customers with this history. ``place``: per customer, the
    row of its history.
    """

    frequency: Floats
    recency: Floats
    age: Floats
    counts: Floats
    place: NDArray[np.intp]

    @classmethod
    def of(cls, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Histories:
        """Check arrays with one row a customer, and keep each different row once.

        Raises ``ValueError`` if the arrays differ in length, or a row is not a history; with how many and the remedy.
        """
        columns = checked_columns(frequency, recency, age)
        x, t_x, t = columns
        order = np.lexsort((t, t_x, x))
        rows = np.stack(columns, axis=1)[order]
        first = np.concatenate(([True], (rows[1:] != rows[:-1]).any(axis=1)))
        group = np.cumsum(first) - 1
        place = np.empty(x.size, dtype=np.intp)
        place[order] = group
        different = np.ascontiguousarray(rows[first].T)
        return cls(different[0], different[1], different[2], np.bincount(group).astype(np.float64), place)

    def scaled(self) -> tuple[Histories, float]:
        """Give the histories with the largest age brought to 1, and the time that is 1 then.

        Raises ``ValueError`` if no customer was observed for any time.
        """
        oldest = float(self.age.max())
        if oldest <= 0:
            raise ValueError(
                f"all {self.place.size} customers have age 0: purchases are observed after the first, take an earlier cohort"
            )
        unit = oldest / _SCALED_AGE
        return Histories(self.frequency, self.recency / unit, self.age / unit, self.counts, self.place), unit

    def digest(self, *settings: float) -> str:
        """SHA-256 of the histories, how many customers have each, and ``settings``."""
        found = hashlib.sha256(repr(settings).encode())
        for column in (self.frequency, self.recency, self.age, self.counts):
            found.update(np.ascontiguousarray(column).tobytes())
        return found.hexdigest()

    def __len__(self) -> int:
        return int(self.frequency.size)

    def slice(self, start: int, stop: int) -> Histories:
        """Give the different histories ``start`` to ``stop``, without their customers."""
        part = slice(start, stop)
        none = np.empty(0, dtype=np.intp)
        return Histories(self.frequency[part], self.recency[part], self.age[part], self.counts[part], none)


# Log-likelihood and its gradient by the parameters, at parameters.
Likelihood = Callable[[Floats], tuple[float, Floats]]


def maximise(
    likelihood: Likelihood, starts: Sequence[Sequence[float]], *, rows: float, penalizer: float, name: str
) -> Floats:
    """Find the positive parameters with the largest likelihood, by L-BFGS-B on their logarithms.

    Every start is followed for a few iterations. The one that has come furthest goes on to its end; the next one does only where
    that end is not on level ground.

    Raises ``ValueError`` if the penalizer is negative, or no search ends on level ground. ``likelihood``: total over ``rows``
    customers, and its gradient. ``starts``: of the search; at least one. ``penalizer``: subtracted from the mean
    log-likelihood, times the sum of the squared parameters. 0 for none. ``name``: of the model, for messages.
    """
    if not (np.isfinite(penalizer) and penalizer >= 0):
        raise ValueError(f"penalizer is {penalizer!r}: it must be a number from 0")

    def loss(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logs)
        value, slope = likelihood(parameters)
        slope = slope / rows - 2 * penalizer * parameters
        return penalizer * float(parameters @ parameters) - value / rows, -slope * parameters

    def search(start: Floats, iterations: int) -> Any:
        return minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-_LOG_BOUND, _LOG_BOUND)] * len(start),
            options={"maxiter": iterations, "maxfun": 2 * _ITERATIONS, "ftol": 1e-15, "gtol": 1e-8},
        )

    with one_blas_thread():
        return _followed(search, [np.log(start) for start in starts], rows, name)


def _followed(search: Callable[[Floats, int], Any], begun: list[Floats], rows: float, name: str) -> Floats:
    """The parameters where the first search ends that ends on level ground."""
    if len(begun) > 1:
        begun = [one.x for one in sorted((search(one, _FIRST_ITERATIONS) for one in begun), key=lambda one: one.fun)]
    steepest = np.inf
    for start in begun:
        found = search(start, _ITERATIONS)
        # A slope that leads out of the bounds is not a reason to go on.
        inside = np.clip(found.x - found.jac, -_LOG_BOUND, _LOG_BOUND) - found.x
        slope = float(np.abs(inside).max())
        if slope < _LEVEL_SLOPE:
            parameters: Floats = np.exp(found.x)
            return parameters
        steepest = min(steepest, slope)
    raise ValueError(
        f"{name} found no maximum of the likelihood over {rows:,.0f} customers (slope {steepest:.1g} at the best end, at most "
        f"{_LEVEL_SLOPE:g} is level): give more customers, a longer history or a penalizer"
    )


_searching = Lock()
_searches: list[Any] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread while any search is in the block.

    L-BFGS-B solves systems of four numbers, for which BLAS wakes every core: half of the CPU time of a search. The last of
    several searches that run at the same time gives the threads back.
    """
    from threadpoolctl import threadpool_limits

    with _searching:
        _searches.append(_searches[-1] if _searches else threadpool_limits(1, user_api="blas"))
    try:
        yield
    finally:
        with _searching:
            limited = _searches.pop()
            if not _searches:
                limited.restore_original_limits()


def checked_columns(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> list[Floats]:
    """Give three arrays, one row a customer, as float64. Raises ``ValueError`` as :meth:`Histories.of`."""
    columns = [np.asarray(values, dtype=np.float64) for values in (frequency, recency, age)]
    x, t_x, t = columns
    if not x.ndim == 1 == t_x.ndim == t.ndim or not x.size == t_x.size == t.size:
        raise ValueError(
            f"frequency, recency and age have shapes {[values.shape for values in columns]}: give three columns of one length"
        )
    if not x.size:
        raise ValueError("there is no purchase history: give at least one customer")
    _refuse(~np.isfinite(x + t_x + t), "hold a missing or infinite number: leave these customers out")
    _refuse((x < 0) | ((x > 0) & (x < 1)), "have a frequency that is neither 0 nor at least 1: give it unscaled")
    _refuse((t_x < 0) | (t < t_x), "break 0 <= recency <= age: give both unscaled, in one unit of time")
    return columns


def checked_horizon(horizon: float) -> float:
    """Give the horizon back. Raises ``ValueError`` where it is not positive and finite."""
    if not (np.isfinite(horizon) and horizon > 0):
        raise ValueError(f"horizon is {horizon!r}: it must be a positive time in the unit of recency and age")
    return float(horizon)


def _refuse(bad: NDArray[np.bool_], what: str) -> None:
    if bad.any():
        raise ValueError(f"{int(bad.sum())} of {bad.size} purchase histories {what}")
