"""Treated customers against a control group: difference, interval, and how many customers it would take to tell.

Belongs here: the statistics of one comparison and of a table of them. Does not: who is in the control group
(``stages/audience/control.py``), what happened (``lift.py``).

Spend is zero for most and large for a few, and a control group is small. There an interval of means by Student's t misses the truth
two to five times as often as it says (docs/lift.md). So the difference, divided by its standard error, is compared with itself
under random exchanges of the two groups (a permutation test, which holds exactly where nothing was caused, whatever the tails),
and the interval holds every effect that this test does not refuse: the control group's outcomes times a factor (Garthwaite,
Biometrics 52, 1996; Chung and Romano, Annals of Statistics 41, 2013, for the division by the standard error).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Share of tables without any effect in which one is shown anywhere.
FALSE_ALARMS = 0.05
#: Of that, what the whole may use; the bands share the rest.
_SHARE_OF_WHOLE = 0.5
#: Customers, and customers to whom it happened, below which nothing is said.
_FEWEST_CONTROL, _FEWEST_EVENTS = 20, 5
_PERMUTATIONS = 1_999
#: Control customers from which means are normal enough, so that exchanging groups is not worth its time.
_MANY_CONTROL = 2_000
_POWER = 0.8
#: Random numbers drawn at once.
_AT_ONCE = 4_000_000
#: Factors that are looked at, as logarithms.
_WIDEST = math.log(1_000)


@dataclass(frozen=True)
class Stratum:
    """Customers who were assigned with the same chance.

    Parameters
    ----------
    treated, control : outcomes, (customers,) each.
    """

    treated: Floats
    control: Floats


@dataclass(frozen=True)
class Comparison:
    """Treated customers against the control group.

    Parameters
    ----------
    treated, control : number of customers.
    treated_mean, control_mean : of the outcome, strata weighted by their size.
    difference : treated less control.
    low, high : interval of the difference; None where too few customers tell nothing.
    needed : customers, both groups together, with whom the wanted relative difference would be shown with a chance of 80 %; None
        where it cannot be said.
    """

    treated: int
    control: int
    treated_mean: float | None
    control_mean: float | None
    difference: float | None
    low: float | None
    high: float | None
    needed: int | None

    @property
    def is_shown(self) -> bool:
        """Whether chance alone does not explain the difference."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def compare_table(
    whole: Sequence[Stratum], bands: Sequence[Sequence[Stratum]], *, detect: float, seed: int
) -> tuple[Comparison, list[Comparison]]:
    """Compare the whole and every band, so that all intervals hold together with 95 %.

    Half of the 5 % is the whole's, the other half is shared by the bands: whatever is shown in a table without any effect is shown
    in at most 5 % of such tables.

    Parameters
    ----------
    detect : relative difference that should be told from chance.
    seed : of the exchanges of groups.
    """
    of_whole = _SHARE_OF_WHOLE * FALSE_ALARMS
    of_band = (FALSE_ALARMS - of_whole) / max(1, len(bands))
    generator = np.random.default_rng(seed)
    return compare(whole, of_whole, detect, generator), [compare(band, of_band, detect, generator) for band in bands]


def compare(strata: Sequence[Stratum], alpha: float, detect: float, generator: np.random.Generator) -> Comparison:
    """Compare treated customers with the control group.

    Parameters
    ----------
    strata : those in which a group has fewer than two customers are left out.
    alpha : chance that the interval misses the truth.
    detect : relative difference that should be told from chance.
    """
    kept = [one for one in strata if min(len(one.treated), len(one.control)) >= 2]
    treated, control = (sum(len(getattr(one, name)) for one in kept) for name in ("treated", "control"))
    if not kept:
        return Comparison(treated, control, None, None, None, None, None, None)
    whole = _Split(kept)
    m1, m0 = whole.mean_treated, whole.mean_control
    events = [sum(int(np.count_nonzero(getattr(one, name))) for one in kept) for name in ("treated", "control")]
    known = (treated, control, m1, m0, m1 - m0)
    if control < _FEWEST_CONTROL or treated < _FEWEST_CONTROL or min(events) < _FEWEST_EVENTS:
        return Comparison(*known, None, None, None)
    error = whole.error
    low: float | None
    high: float | None
    if control >= _MANY_CONTROL:
        reach = NormalDist().inv_cdf(1 - alpha / 2) * error
        low, high = m1 - m0 - reach, m1 - m0 + reach
    else:
        low, high = _by_exchange(kept, alpha, generator)
    return Comparison(*known, low, high, _needed(treated + control, error, detect * abs(m0), alpha))


def _needed(customers: int, error: float, difference: float, alpha: float) -> int | None:
    """Customers with whom a difference would be shown: the error shrinks with the root of their number."""
    if difference <= 0 or error <= 0:
        return None
    normal = NormalDist()
    detectable = (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(_POWER)) * error
    return math.ceil(customers * (detectable / difference) ** 2)


class _Split:
    """Means and the standard error of their difference, as the groups are."""

    def __init__(self, strata: Sequence[Stratum]) -> None:
        total = sum(len(one.treated) + len(one.control) for one in strata)
        weights = [(len(one.treated) + len(one.control)) / total for one in strata]
        pairs = list(zip(weights, strata, strict=True))
        self.mean_treated = float(sum(weight * one.treated.mean() for weight, one in pairs))
        self.mean_control = float(sum(weight * one.control.mean() for weight, one in pairs))
        variance = sum(
            weight**2 * (one.treated.var(ddof=1) / len(one.treated) + one.control.var(ddof=1) / len(one.control))
            for weight, one in pairs
        )
        self.error = math.sqrt(variance)


def _by_exchange(
    strata: Sequence[Stratum], alpha: float, generator: np.random.Generator
) -> tuple[float, float] | tuple[None, None]:
    """Differences that exchanging the groups at random does not refuse, lowest and highest."""
    statistic = _statistic(strata, generator)
    least = alpha / 2 * (_PERMUTATIONS + 1)

    def is_refused_above(log_factor: float) -> bool:
        seen = statistic(math.exp(log_factor))
        return 1 + int(np.count_nonzero(seen[1:] <= seen[0])) <= least

    def is_refused_below(log_factor: float) -> bool:
        seen = statistic(math.exp(log_factor))
        return 1 + int(np.count_nonzero(seen[1:] >= seen[0])) <= least

    mean = _Split(strata).mean_treated
    high = _edge(is_refused_above, _WIDEST)
    low = _edge(is_refused_below, -_WIDEST)
    if high is None or low is None:
        return None, None
    # Had the campaign multiplied what customers spend by f, they would have spent mean / f without it.
    return mean * (1 - math.exp(-low)), mean * (1 - math.exp(-high))


def _edge(is_refused: Callable[[float], bool], far: float) -> float | None:
    """Where refusing begins between the middle of what is not refused and ``far``; None where nothing is refused there."""
    if not is_refused(far):
        return None
    near = -far
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (near, middle) if is_refused(middle) else (middle, far)
    return near


def _statistic(strata: Sequence[Stratum], generator: np.random.Generator) -> Callable[[float], Floats]:
    """The difference over its standard error by factor: as the groups are, then for every exchange of them.

    The control group's outcomes are multiplied by the factor first. Sums of each origin are kept apart, so that a further factor
    takes no further exchange.
    """
    parts = [_sums(one, generator) for one in strata]
    total = sum(len(one.treated) + len(one.control) for one in strata)

    def at(factor: float) -> Floats:
        difference, variance = np.zeros(_PERMUTATIONS + 1), np.zeros(_PERMUTATIONS + 1)
        for one, (sums, whole) in zip(strata, parts, strict=True):
            n1, n0 = len(one.treated), len(one.control)
            weight = (n1 + n0) / total
            scale = np.array([1.0, factor])
            in_control, in_treated = sums[0] @ scale, (whole[0] - sums[0]) @ scale
            squares_control, squares_treated = sums[1] @ scale**2, (whole[1] - sums[1]) @ scale**2
            v0 = (squares_control - in_control**2 / n0) / (n0 - 1)
            v1 = (squares_treated - in_treated**2 / n1) / (n1 - 1)
            difference += weight * (in_treated / n1 - in_control / n0)
            variance += weight**2 * (np.maximum(v1, 0) / n1 + np.maximum(v0, 0) / n0)
        with np.errstate(all="ignore"):
            return np.where(variance > 0, difference / np.sqrt(variance), np.sign(difference) * np.inf)

    return at


def _sums(one: Stratum, generator: np.random.Generator) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Sums and sums of squares in the control group, (1 + permutations, origin), and in both groups together, (origin,)."""
    n1, n0 = len(one.treated), len(one.control)
    values = np.zeros((n1 + n0, 2))
    values[:n1, 0], values[n1:, 1] = one.treated, one.control
    squares = values**2
    # One order of all customers gives several control groups that do not overlap.
    groups = (n1 + n0) // n0
    orders = math.ceil(_PERMUTATIONS / groups)
    places = [np.arange(n1, n1 + n0)[None, :]]
    step = max(1, _AT_ONCE // (n1 + n0))
    for start in range(0, orders, step):
        rows = min(step, orders - start)
        order = np.argsort(generator.random((rows, n1 + n0), dtype=np.float32), axis=1)
        places.append(order[:, : groups * n0].reshape(rows * groups, n0))
    found = [
        np.concatenate([table[chosen].sum(axis=1) for chosen in places])[: _PERMUTATIONS + 1]
        for table in (values, squares)
    ]
    return (found[0], found[1]), (values.sum(axis=0), squares.sum(axis=0))
