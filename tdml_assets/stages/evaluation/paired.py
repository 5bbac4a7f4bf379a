"""Two models on the same customers: losses per customer, and a paired bootstrap of their differences.

Elsewhere: what follows from them (``gate.py``).

The bootstrap draws customers with replacement, both models' losses with them: what a customer's spend does to both cancels.
Above ``_BLOCKS`` customers they are first put, at random, into that many blocks of equal size and blocks are drawn, which
estimates the same variance (to about ``sqrt(2 / _BLOCKS)`` = 3 %) at a cost that no longer grows. A ranking measure is no
mean over customers; it is resampled through its influence function (Hampel 1974, JASA 69), which for AUC is the method of
DeLong et al. (1988, Biometrics 44).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tdml_assets.declaration.gate import Gate
from tdml_assets.platform.metrics import normalised_gini
from tdml_assets.stages.evaluation.gate import ALL, Comparison

Floats = NDArray[np.float64]
Masks = Mapping[str, NDArray[np.bool_]]

_BLOCKS = 2_000
#: Resamples drawn at a time: 100 x 2,000 counts are 1.6 MB.
_AT_ONCE = 100
_NEW_DAYS = 90
_CLIP = 1e-15
_WHOM = {
    ALL: "customers",
    "one_order": "customers with one order",
    "new_customers": f"customers whose only order was in the last {_NEW_DAYS} days",
    "highest_spend": "customers who had spent most",
    "long_silent": "customers silent longest",
    "one_product": "customers who had bought one product",
    "many_products": "customers who had bought most products",
}


@dataclass(frozen=True)
class Loss:
    """What a task loses by a wrong prediction.

    ``name``: as in ``monitoring.gate``. ``words``: for people, with ``{}`` for the mean. ``of``: (customers,) losses from
    (customers,) targets and predictions. ``ranking``: name of the measure of ranking. ``ranking_scale``: its distance from
    perfect, as a multiple of 1 - normalised Gini: 1/2 for AUC.
    """

    name: str
    words: str
    of: Callable[[Floats, Floats], Floats]
    ranking: str
    ranking_scale: float = 1.0


@dataclass(frozen=True)
class Ranked:
    """Distance of both rankings from a perfect one, and what each customer adds to their difference.

    ``name``: of the measure. ``influence``: (customers,) with mean 0.
    """

    name: str
    candidate: float
    champion: float
    influence: Floats


@dataclass(frozen=True)
class Totals:
    """Sum over customers of what happened, and of what each model said."""

    target: float
    candidate: float
    champion: float


@dataclass(frozen=True)
class Pair:
    """Two models on the same customers.

    ``name``, ``words``: of the loss. ``candidate``, ``champion``: (customers,) losses. ``slices``: (customers,) booleans per
    guard slice. ``ranked``: None where there is no ranking to measure. ``totals``: None where a sum of predictions means
    nothing.
    """

    name: str
    words: str
    candidate: Floats
    champion: Floats
    slices: Masks = field(default_factory=dict)
    ranked: Ranked | None = None
    totals: Totals | None = None


def absolute_error(target: Floats, predicted: Floats) -> Floats:
    """(customers,) absolute errors, in the unit of the target."""
    return np.abs(target - predicted)


def log_loss(happened: Floats, probability: Floats) -> Floats:
    """(customers,) negative log-likelihoods in nats, probabilities clipped to [1e-15, 1 - 1e-15]."""
    p = np.clip(probability, _CLIP, 1.0 - _CLIP)
    return np.asarray(-np.where(happened > 0, np.log(p), np.log1p(-p)), dtype=np.float64)


def guard_slices(total_spend: Floats, total_orders: Floats, days_since_last_order: Floats) -> Masks:
    """Customers on whom a model may fail while the mean looks well, by what was known on the snapshot's day.

    One order; new: that order in the last 90 days; the tenth who had spent most; the quarter silent longest.
    """
    if not len(total_spend):
        return {}
    one = total_orders <= 1
    return {
        "one_order": one,
        "new_customers": one & (days_since_last_order <= _NEW_DAYS),
        "highest_spend": total_spend >= np.quantile(total_spend, 0.9),
        "long_silent": days_since_last_order >= np.quantile(days_since_last_order, 0.75),
    }


def pair_of(loss: Loss, target: Floats, candidate: Floats, champion: Floats, slices: Masks) -> Pair:
    """Predictions of two models, ready to be compared.

    ``target``, ``candidate``, ``champion``: (customers,) what happened and what each model said, in the same order. ``slices``: of
    :func:`guard_slices`.
    """
    return Pair(
        loss.name,
        loss.words,
        loss.of(target, candidate),
        loss.of(target, champion),
        slices,
        _ranked(loss, target, candidate, champion),
        Totals(float(target.sum()), float(candidate.sum()), float(champion.sum())),
    )


def compare(pair: Pair, policy: Gate, seed: int) -> list[Comparison]:
    """Every comparison, the decisive one first.

    The candidate passes where the upper bound of its mean loss minus the champion's is within ``tolerance`` of the champion's
    loss; a guard slice, and the ranking, where it is not worse by more than ``slice_tolerance`` with a lower bound above 0.
    Slices with fewer than ``min_slice_rows`` customers are left out.
    """
    count = len(pair.candidate)
    masks = {ALL: np.ones(count, dtype=bool)}
    masks |= {name: rows for name, rows in pair.slices.items() if rows.sum() >= policy.min_slice_rows}
    weights = np.column_stack([rows.astype(np.float64) for rows in masks.values()])
    values = weights * (pair.candidate - pair.champion)[:, None]
    if pair.ranked is not None:
        weights = np.column_stack([weights, np.ones(count)])
        values = np.column_stack([values, pair.ranked.influence])
    means = bootstrap_means(values, weights, policy.resamples, seed)
    found = [
        _compared(pair, name, rows, _bounds(means[:, place], policy), policy)
        for place, (name, rows) in enumerate(masks.items())
    ]
    if pair.ranked is not None:
        one = pair.ranked
        low, high = (bound + one.candidate - one.champion for bound in _bounds(means[:, -1], policy))
        words = f"{one.name.replace('_', ' ')} {{}} short of perfect"
        found.append(_guarded(one.name, ALL, count, (one.candidate, one.champion), (low, high), policy, words))
    return found + _totals(pair, count, policy)


def bootstrap_means(values: Floats, weights: Floats, resamples: int, seed: int) -> Floats:
    """(resamples, columns) weighted means of resampled customers. Returns NaN where none of a column's customers was drawn.

    ``values``: (customers, columns), 0 where the weight is. ``weights``: (customers, columns) 1 for customers who count in a
    column, else 0.
    """
    rng = np.random.default_rng(seed)
    count, columns = values.shape
    blocks = min(count, _BLOCKS)
    block = rng.permutation(np.arange(count) * blocks // count)
    both = np.column_stack([values, weights])
    sums = np.column_stack([np.bincount(block, column, minlength=blocks) for column in both.T])
    drawn = []
    for begin in range(0, resamples, _AT_ONCE):
        size = min(_AT_ONCE, resamples - begin)
        picks = rng.integers(0, blocks, size=(size, blocks)) + np.arange(size)[:, None] * blocks
        times = np.bincount(picks.ravel(), minlength=size * blocks).reshape(size, blocks)
        drawn.append(times.astype(np.float64) @ sums)
    totals = np.concatenate(drawn)
    below = totals[:, columns:]
    means: Floats = np.divide(totals[:, :columns], below, out=np.full(below.shape, np.nan), where=below > 0)
    return means


def gini_influence(target: Floats, score: Floats) -> tuple[float | None, Floats]:
    """Normalised Gini, and what each customer adds to it: (customers,), with mean 0.

    With F the mid-distribution function of the score, Gini is A / B, A = E[y (F(s) - 1/2)] and B the same with y for its own
    score. A customer adds to A y (F(s) - 1/2), and again what it adds to the F of the others; the quotient follows.
    None, and zeros, if the target does not vary.
    """
    found = normalised_gini(target, score)
    if found is None:
        return None, np.zeros(len(target))
    above, of_above = _area(target, score)
    below, of_below = _area(target, target)
    return found, (of_above - above / below * of_below) / below


def _area(target: Floats, score: Floats) -> tuple[float, Floats]:
    _, group, size = np.unique(score, return_inverse=True, return_counts=True)
    count, total = len(target), float(target.sum())
    place = ((np.cumsum(size) - size / 2) / count - 0.5)[group]
    sums = np.bincount(group, weights=target)
    # Of the others' targets, those with a higher score, equal ones half.
    higher = ((total - np.cumsum(sums) + sums / 2 - total / 2) / count)[group]
    area = float((target * place).mean())
    return area, target * place + higher - 2 * area


def _ranked(loss: Loss, target: Floats, candidate: Floats, champion: Floats) -> Ranked | None:
    if not len(target):
        return None
    (ours, of_ours), (theirs, of_theirs) = (gini_influence(target, score) for score in (candidate, champion))
    if ours is None or theirs is None:
        return None
    scale = loss.ranking_scale
    return Ranked(loss.ranking, scale * (1 - ours), scale * (1 - theirs), scale * (of_theirs - of_ours))


def _bounds(means: Floats, policy: Gate) -> tuple[float, float]:
    tail = (1 - policy.confidence) / 2
    low, high = np.nanquantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _compared(pair: Pair, name: str, rows: NDArray[np.bool_], bounds: tuple[float, float], policy: Gate) -> Comparison:
    values = (float(pair.candidate[rows].mean()), float(pair.champion[rows].mean()))
    count = int(rows.sum())
    if name != ALL:
        return _guarded(pair.name, name, count, values, bounds, policy, pair.words)
    allowed = policy.tolerance * values[1]
    return Comparison(pair.name, ALL, count, *values, bounds[1] <= allowed, *bounds, allowed, pair.words)


def _guarded(
    metric: str,
    name: str,
    count: int,
    values: tuple[float, float],
    bounds: tuple[float, float],
    policy: Gate,
    words: str,
) -> Comparison:
    allowed = policy.slice_tolerance * values[1]
    passed = values[0] - values[1] <= allowed or bounds[0] <= 0
    return Comparison(metric, name, count, *values, passed, *bounds, allowed, words, _WHOM[name])


def _totals(pair: Pair, count: int, policy: Gate) -> list[Comparison]:
    """How far each model's total is off, and how far its mean prediction moved, for information only."""
    totals = pair.totals
    if totals is None:
        return []
    means = (totals.candidate / count, totals.champion / count)
    shift = Comparison("mean_prediction", ALL, count, *means, True, words="mean prediction {}")
    if totals.target == 0:
        return [shift]
    ours, theirs = (abs(total / totals.target - 1) for total in (totals.candidate, totals.champion))
    fine = ours <= policy.max_bias or ours <= theirs
    return [Comparison("total_bias", ALL, count, ours, theirs, fine, words="total off by a share of {}"), shift]
