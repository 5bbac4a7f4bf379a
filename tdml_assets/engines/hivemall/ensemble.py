"""Merging of models and votes, and prediction: argmin_kld, voted_avg, max_label, fm_predict and the like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import hash_order
from tdml_assets.engines.hivemall.registry import (
    DOUBLE,
    FLOAT,
    Function,
    Types,
    aggregate,
    first_type,
    null_pointer,
    scalar,
)


def argmin_kld(means: Sequence[float | None], covars: Sequence[float | None]) -> float | None:
    """Sum of mean / covariance over the sum of 1 / covariance, in float32; covariances of 0 are left out. Null without rows."""
    total, weight, any_row = np.float32(0), np.float32(0), False
    for mean, covar in zip(means, covars, strict=True):
        if mean is None or covar is None:
            continue
        any_row = True
        single = np.float32(covar)
        if single == 0:
            continue
        with np.errstate(all="ignore"):
            total = np.float32(total + np.float32(mean) / single)
            weight = np.float32(weight + np.float32(1) / single)
    if not any_row:
        return None
    with np.errstate(all="ignore"):
        return float(np.float32(1) / weight * total) if weight else 0.0


def _vote(*, by_weight: bool) -> Callable[[Sequence[float | None]], float | None]:
    def vote(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        if not known:
            return None
        positive, negative = [value for value in known if value > 0], [value for value in known if value < 0]
        left = sum(positive) if by_weight else len(positive)
        right = -sum(negative) if by_weight else len(negative)
        winner = positive if left > right else negative
        return sum(winner) / len(winner) if winner else 0.0

    return vote


def max_label(scores: Sequence[float | None], labels: Sequence[Any]) -> Any:
    """The label of the largest score, the later one of equals."""
    best, found = float("-inf"), None
    for score, label in zip(scores, labels, strict=True):
        if score is not None and score >= best:
            best, found = score, label
    return found


def _maxrow_type(types: Types) -> pa.DataType:
    return pa.struct([(f"col{place}", kind) for place, kind in enumerate(types)])


def maxrow(*columns: Sequence[Any]) -> dict[str, Any] | None:
    """The row whose first value is the largest, the earlier one of equals."""
    best: tuple[Any, ...] | None = None
    for row in zip(*columns, strict=True):
        if row[0] is not None and (best is None or row[0] > best[0]):
            best = row
    return None if best is None else {f"col{place}": value for place, value in enumerate(best)}


def majority_vote(values: Sequence[Any]) -> Any:
    """The most frequent value; of equals the first in hash order."""
    counts = Counter(value for value in values if value is not None)
    return max(hash_order(counts), key=lambda value: counts[value]) if counts else None


def mf_predict(users: Sequence[float] | None, items: Sequence[float] | None, *rest: float | None) -> float:
    """Product of factors plus ``mean``, or plus ``user bias, item bias[, mean]``.

    Without one of the vectors it is the mean and the bias of the other; where the item's is null, the mean alone.
    """
    user_bias, item_bias, mean = (0.0, 0.0, *rest)[-3:] if len(rest) == 1 else (*rest, 0.0, 0.0, 0.0)[:3]
    total = float(mean or 0.0)
    if users and items is not None:
        total += float(user_bias or 0.0)
    if items:
        total += float(item_bias or 0.0)
    for p, q in _pairs(users, items) if users and items else ():
        if p is not None and q is not None:
            total += p * q
    return total


def bprmf_predict(users: Sequence[float] | None, items: Sequence[float] | None, bias: float | None = 0.0) -> float:
    """Product of factors plus the item's bias, in float32; the bias without a user's vector, 0 without an item's."""
    total = np.float32(bias or 0.0)
    for p, q in _pairs(users, items) if users and items else ():
        if p is None or q is None:
            raise null_pointer("a factor")
        total += np.float32(p) * np.float32(q)
    return float(total) if items else 0.0


def _pairs(users: Sequence[float | None], items: Sequence[float | None]) -> Iterator[tuple[float | None, float | None]]:
    if len(users) != len(items):
        raise HivemallError(f"|Pu| {len(users)} was not equal to |Qi| {len(items)}")
    return zip(users, items, strict=True)


def fm_predict(weights: Sequence[float | None], factors: Sequence[Any], values: Sequence[float | None]) -> float | None:
    """The prediction of a factorisation machine from its rows; a row without factors adds its weight alone."""
    total = 0.0
    sums: list[list[float]] = []
    for weight, factor, value in zip(weights, factors, values, strict=True):
        if weight is None:
            continue
        if not factor:
            total += weight
            continue
        if value is None:
            raise HivemallError("The third argument Xj must not be null")
        if None in factor:
            raise HivemallError(f"Vj{factor.index(None)} should not be null")
        total += weight * value
        sums = sums or [[0.0, 0.0] for _ in factor]
        if len(sums) != len(factor):
            raise HivemallError("Mismatch in the number of factors")
        for parts, v in zip(sums, factor, strict=True):
            parts[0] += v * value
            parts[1] += (v * value) * (v * value)
    for part, squares in sums:
        total += 0.5 * (part * part - squares)
    return total


def ffm_predict(
    weights: Sequence[float | None],
    first: Sequence[Any],
    second: Sequence[Any],
    first_values: Sequence[float | None],
    second_values: Sequence[float | None],
) -> float:
    """The prediction of a field-aware machine from its pairs."""
    total = 0.0
    for weight, v, other, x, other_x in zip(weights, first, second, first_values, second_values, strict=True):
        if weight is not None:
            total += weight * (1.0 if x is None else x)
        elif v is not None and other is not None and x is not None and other_x is not None:
            if len(v) != len(other):
                raise HivemallError("Mismatch in the number of factors")
            total += sum(float(np.float32(p) * np.float32(q)) for p, q in zip(v, other, strict=True)) * x * other_x
    return total


FUNCTIONS: dict[str, Function] = {
    "argmin_kld": aggregate(argmin_kld, FLOAT, (2, 2)),
    "voted_avg": aggregate(_vote(by_weight=False), DOUBLE, (1, 1)),
    "weight_voted_avg": aggregate(_vote(by_weight=True), DOUBLE, (1, 1)),
    "max_label": aggregate(max_label, lambda types: types[1], (2, 2)),
    "maxrow": aggregate(maxrow, _maxrow_type, (1, None)),
    "majority_vote": aggregate(majority_vote, first_type, (1, 1)),
    "mf_predict": scalar(mf_predict, DOUBLE, (2, 5)),
    "bprmf_predict": scalar(bprmf_predict, FLOAT, (2, 3)),
    "fm_predict": aggregate(fm_predict, DOUBLE, (3, 3)),
    "ffm_predict": aggregate(ffm_predict, DOUBLE, (5, 5)),
}
