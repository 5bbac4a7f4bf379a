"""The interval of a difference of means between two groups that were drawn at random, by exchanging the groups.

Elsewhere: what is compared and how often (``lift_statistics.py``).

Spend is zero for most and large for a few, and a control group is small. There an interval of means by Student's t misses the truth
two to five times as often as it says (docs/lift.md): the small group's spread is estimated too low just where it holds none of the
large spenders. So a difference is put to a test instead: it is taken off the treated outcomes, and the studentised difference of
means is compared with itself under random exchanges of the two groups. The interval holds the differences that this test does not
refuse. With no effect it holds exactly whatever the tails are; with one, where the two groups then differ in more than their
means, in large samples (Janssen, Statistics and Probability Letters 36, 1997; Chung and Romano, Annals of Statistics 41, 2013, for
the studentised form; Garthwaite, Biometrics 52, 1996, for intervals from such tests).

A comparison is only made where each group has some events. The exchanges are held to the same condition, so that the test stays
exact given that it is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EXCHANGES = 1_999
#: From twice this number of customers in the smaller group on, several customers at a time are exchanged.
_UNITS = 200
#: Random numbers drawn at once.
_AT_ONCE = 4_000_000
#: How far a bound is looked for, in standard errors.
_FARTHEST = 256.0
_HALVINGS = 14


@dataclass(frozen=True)
class Groups:
    """One stratum.

    ``treated``, ``control``: outcomes, (customers,) each; two at least. ``treated_events``, ``control_events``: 1 where the
    outcome is not the usual one, else 0, (customers,) each. ``weight``: share of the stratum's customers in all.
    """

    treated: Floats
    control: Floats
    treated_events: Floats
    control_events: Floats
    weight: float

    @property
    def variance(self) -> float:
        """Of the difference of the two means."""
        return float(self.treated.var(ddof=1) / len(self.treated) + self.control.var(ddof=1) / len(self.control))


def interval_of(
    strata: Sequence[Groups], alpha: float, fewest_events: int, generator: np.random.Generator
) -> tuple[float, float] | tuple[None, None]:
    """Differences, treated less control, that exchanging the groups does not refuse: the lowest and the highest.

    ``alpha``: chance that the interval misses the truth, half of it on either side. ``fewest_events``: in each group, or there
    would be no comparison. Returns None twice where no difference is refused.
    """
    statistic = _statistic(strata, fewest_events, generator)
    middle = sum(one.weight * float(one.treated.mean() - one.control.mean()) for one in strata)
    error = math.sqrt(sum(one.weight**2 * one.variance for one in strata))
    if error <= 0:
        return middle, middle

    def is_too_high(difference: float) -> bool:
        seen = statistic(difference)
        return int(np.count_nonzero(seen <= seen[0])) <= alpha / 2 * len(seen)

    def is_too_low(difference: float) -> bool:
        seen = statistic(difference)
        return int(np.count_nonzero(seen >= seen[0])) <= alpha / 2 * len(seen)

    low, high = _edge(is_too_low, middle, -error), _edge(is_too_high, middle, error)
    return (None, None) if low is None or high is None else (low, high)


def _edge(is_refused: Callable[[float], bool], start: float, step: float) -> float | None:
    """Where refusing begins on the way from ``start``; None where nothing is refused."""
    near, reach = start, 1.0
    while not is_refused(start + reach * step):
        near, reach = start + reach * step, 2 * reach
        if reach > _FARTHEST:
            return None
    far = start + reach * step
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (near, middle) if is_refused(middle) else (middle, far)
    return near


def _statistic(
    strata: Sequence[Groups], fewest_events: int, generator: np.random.Generator
) -> Callable[[float], Floats]:
    """The difference over its standard error once some difference is taken off: as the groups are, then for every exchange.

    Sums are kept apart by where an outcome comes from, so that a further difference takes no further exchange.
    """
    parts = [_sums(one, generator) for one in strata]
    events = np.sum([control[:, 4] for _, _, control, _ in parts], axis=0)
    all_events = sum(whole[4] for _, _, _, whole in parts)
    is_compared = np.minimum(events, all_events - events) >= fewest_events
    is_compared[0] = True
    parts = [(n1, n0, np.ascontiguousarray(control[is_compared].T), whole) for n1, n0, control, whole in parts]
    exchanges = int(is_compared.sum())

    def at(taken_off: float) -> Floats:
        difference, variance = np.zeros(exchanges), np.zeros(exchanges)
        for one, (n1, n0, control, whole) in zip(strata, parts, strict=True):
            sum0, sum_all = (_less(part, taken_off) for part in (control, whole))
            square0, square_all = (_square_less(part, taken_off) for part in (control, whole))
            sum1, square1 = sum_all - sum0, square_all - square0
            v1 = np.maximum(square1 - sum1**2 / n1, 0) / (n1 - 1)
            v0 = np.maximum(square0 - sum0**2 / n0, 0) / (n0 - 1)
            difference += one.weight * (sum1 / n1 - sum0 / n0)
            variance += one.weight**2 * (v1 / n1 + v0 / n0)
        with np.errstate(all="ignore"):
            return np.where(variance > 0, difference / np.sqrt(variance), np.sign(difference) * np.inf)

    return at


def _less(sums: Floats, taken_off: float) -> Floats:
    """Sums of outcomes, (5, ...) as ``_sums`` gives them, less ``taken_off`` of those that were treated."""
    return np.asarray(sums[0] - taken_off * sums[2])


def _square_less(sums: Floats, taken_off: float) -> Floats:
    """The same of their squares."""
    return np.asarray(sums[1] - 2 * taken_off * sums[3] + taken_off**2 * sums[2])


def _sums(one: Groups, generator: np.random.Generator) -> tuple[int, int, Floats, Floats]:
    """Sizes of the groups, and sums over the control group as it is and for every exchange, and over both groups.

    Returns treated and control units; sums (1 + exchanges, 5) and (5,): outcomes, squares, number of those that were treated,
    outcomes of those, events.
    """
    size = max(1, min(len(one.treated), len(one.control)) // _UNITS)
    treated, treated_events = _in_units(one.treated, one.treated_events, size, generator)
    control, control_events = _in_units(one.control, one.control_events, size, generator)
    n1, n0 = len(treated), len(control)
    outcomes = np.concatenate([treated, control])
    was_treated = np.concatenate([np.ones(n1), np.zeros(n0)])
    events = np.concatenate([treated_events, control_events])
    table = np.stack([outcomes, outcomes**2, was_treated, outcomes * was_treated, events], axis=1)
    # One order of all customers gives several control groups that do not overlap.
    groups = (n1 + n0) // n0
    orders = math.ceil(_EXCHANGES / groups)
    found = [table[n1:].sum(axis=0)[None, :]]
    step = max(1, _AT_ONCE // (n1 + n0))
    places = np.arange(n1 + n0, dtype=np.int32)
    for start in range(0, orders, step):
        rows = min(step, orders - start)
        order = generator.permuted(np.tile(places, (rows, 1)), axis=1)[:, : groups * n0]
        found.append(table[order.ravel()].reshape(rows * groups, n0, 5).sum(axis=1))
    return n1, n0, np.concatenate(found)[: _EXCHANGES + 1], table.sum(axis=0)


def _in_units(outcomes: Floats, events: Floats, size: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Means of the outcomes and sums of the events of so many customers at a time, drawn at random."""
    if size == 1:
        return outcomes, events
    count = len(outcomes) // size
    order = generator.permutation(len(outcomes))[: count * size].reshape(count, size)
    return outcomes[order].mean(axis=1), events[order].sum(axis=1)
