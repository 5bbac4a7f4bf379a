"""Distances and similarities of feature vectors, bit sets and Gaussians.

Belongs here: functions of a pair. Does not: locality-sensitive hashing (``lsh``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import split_item
from tdml_assets.engines.hivemall.registry import DOUBLE, FLOAT, INT, Function, Types, scalar

_BITS = 128


def _required(features: Sequence[Any] | None) -> Sequence[Any]:
    if features is None:
        raise HivemallError('NullPointerException: a list of features is null ("java.util.List.size()").')
    return features


def _items(features: Sequence[Any] | None) -> list[tuple[str, float]]:
    """Items that are not null."""
    return [split_item(str(item)) for item in _required(features) if item is not None]


def _differences(
    left: Sequence[Any] | None, right: Sequence[Any] | None
) -> tuple[list[float], list[float], list[float]]:
    """Differences of common features, values only left, values only right; a repeated name is common once."""
    values = dict(_items(left))
    common, only = [], []
    for name, value in _items(right):
        if name in values:
            common.append(values.pop(name) - value)
        else:
            only.append(value)
    return common, list(values.values()), only


def euclid_distance(left: Sequence[Any] | None, right: Sequence[Any] | None) -> float:
    """The Euclidean distance of two vectors."""
    common, first, second = _differences(left, right)
    return math.sqrt(sum(value * value for value in (*common, *first, *second)))


def manhattan_distance(left: Sequence[Any] | None, right: Sequence[Any] | None) -> float:
    """The sum of absolute differences."""
    common, first, second = _differences(left, right)
    return sum(abs(value) for value in (*common, *first, *second))


def minkowski_distance(left: Sequence[Any] | None, right: Sequence[Any] | None, power: float) -> float:
    """The Minkowski distance; features only right add their absolute value, not its power, as in Hivemall."""
    common, first, second = _differences(left, right)
    total = sum(abs(value) ** power for value in (*common, *first)) + sum(abs(value) for value in second)
    return float(total ** (1.0 / power))


def cosine_similarity(left: Sequence[Any] | None, right: Sequence[Any] | None) -> float:
    """The cosine; 0 for a null list or a zero vector. Repeated names count in the norms, so it may exceed 1."""
    if left is None or right is None:
        return 0.0
    if None in left or None in right:
        raise HivemallError("NullPointerException: an item of the features is null.")
    first, second = _items(left), _items(right)
    values = dict(first)
    product = sum(values[name] * value for name, value in second if name in values)
    norm = math.sqrt(sum(value * value for _, value in first)) * math.sqrt(sum(value * value for _, value in second))
    return product / norm if norm else 0.0


def angular_similarity(left: Sequence[Any] | None, right: Sequence[Any] | None) -> float:
    """1 - angle / pi; NaN where the cosine exceeds 1."""
    cosine = float(pa.scalar(cosine_similarity(left, right), FLOAT).as_py())
    return 1.0 - math.acos(cosine) / math.pi if abs(cosine) <= 1 else math.nan


def _bits(left: Any, right: Any) -> int:
    """Bits that differ: of 64-bit integers, or of decimal text of any length."""
    return ((int(left) ^ int(right)) if isinstance(left, str) else _two(left) ^ _two(right)).bit_count()


def _two(value: Any) -> int:
    return int(value) & ((1 << 64) - 1)


def jaccard_distance(left: Any, right: Any, bits: int = _BITS) -> float | None:
    """1 - shared / all of two lists, or the estimate from two b-bit signatures (numbers or decimal text)."""
    if isinstance(left, list) or isinstance(right, list) or left is None or right is None:
        if left is None or right is None:
            return 1.0
        first, second = {str(item) for item in left}, {str(item) for item in right}
        every = len(first | second)
        return 1.0 - len(first & second) / every if every else 0.0
    matches = bits - _bits(left, right)
    return 1.0 - 2.0 * (matches / bits - 0.5)


def hamming_distance(left: Any, right: Any) -> int:
    """Bits that differ; of lists, element by element, where a missing element is 0."""
    if isinstance(left, list):
        size = max(len(left), len(right))
        padded = [list(values) + [0] * (size - len(values)) for values in (left, right)]
        return sum(_bits(one, other) for one, other in zip(*padded, strict=True))
    return _bits(left, right)


def popcnt(left: Any, right: Any = None) -> int:
    """Set bits of a number or a list, or of the numbers that both share."""
    if isinstance(left, list):
        others = left if right is None else right
        return sum((_two(one) & _two(other)).bit_count() for one, other in zip(left, others, strict=False))
    first = _two(left) if int(left) < 0 else int(left)
    other = first if right is None else (_two(right) if int(right) < 0 else int(right))
    return (first & other).bit_count()


def kld(mean: float, variance: float, other_mean: float, other_variance: float) -> float:
    """Hivemall's divergence of two Gaussians: its ratio of variances is inverted against Kullback and Leibler's formula."""
    if other_variance == 0 or variance == 0:
        if variance == 0 and other_variance > 0:
            return math.inf
        return math.nan
    ratio = other_variance / variance
    if ratio < 0:
        return math.nan
    shift = mean - other_mean
    return 0.5 * (math.log(ratio) + ratio + shift * shift / other_variance - 1.0)


def _pair(call: Callable[..., object]) -> Function:
    return scalar(call, FLOAT, (2, 2))


def _float_or_double(types: Types) -> pa.DataType:
    return FLOAT if all(kind == FLOAT for kind in types) else DOUBLE


FUNCTIONS = {
    "kld": scalar(kld, _float_or_double, (4, 4)),
    "euclid_distance": _pair(euclid_distance),
    "manhattan_distance": _pair(manhattan_distance),
    "minkowski_distance": scalar(minkowski_distance, FLOAT, (3, 3)),
    "cosine_similarity": _pair(cosine_similarity),
    "cosine_distance": _pair(lambda left, right: 1.0 - cosine_similarity(left, right)),
    "angular_similarity": _pair(angular_similarity),
    "angular_distance": _pair(lambda left, right: 1.0 - angular_similarity(left, right)),
    "euclid_similarity": _pair(lambda left, right: 1.0 / (1.0 + euclid_distance(left, right))),
    "distance2similarity": scalar(lambda distance: 1.0 / (1.0 + distance), FLOAT, (1, 1)),
    "jaccard_distance": scalar(jaccard_distance, FLOAT, (2, 3)),
    "jaccard_similarity": scalar(lambda *values: 1.0 - (jaccard_distance(*values) or 0.0), FLOAT, (2, 3)),
    "hamming_distance": scalar(hamming_distance, INT, (2, 2)),
    "popcnt": scalar(popcnt, INT, (1, 2)),
}
