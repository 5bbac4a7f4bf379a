"""Distances and similarities of feature vectors, bit sets and Gaussians.

Elsewhere: locality-sensitive hashing (``lsh``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import split_item
from tdml_assets.engines.hivemall.registry import DOUBLE, FLOAT, INT, Function, Types, null_pointer, scalar

_BITS = 128


def _singles(features: Sequence[Any], *, nulls: bool = True) -> list[tuple[str, np.float32]]:
    """Names and float32 values of the items that are not null; without ``nulls`` a null item is refused."""
    if None in features and not nulls:
        raise null_pointer("an item of the features")
    pairs = [split_item(str(item)) for item in features if item is not None]
    with np.errstate(over="ignore"):
        return [(name, np.float32(value)) for name, value in pairs]


def _differences(
    left: Sequence[Any] | None, right: Sequence[Any] | None
) -> tuple[list[np.float32], list[np.float32], list[np.float32]]:
    """Differences of common features, values only left, values only right; a repeated name is common once."""
    if left is None or right is None:
        raise null_pointer('a list of features ("java.util.List.size()")')
    values = dict(_singles(left))
    common, only = [], []
    for name, value in _singles(right):
        if name in values:
            common.append(np.float32(values.pop(name) - value))
        else:
            only.append(value)
    return common, list(values.values()), only


def euclid_distance(left: Sequence[Any] | None, right: Sequence[Any] | None) -> float:
    """The Euclidean distance of two vectors: squares in float32, their sum in float64."""
    common, first, second = _differences(left, right)
    with np.errstate(all="ignore"):
        return math.sqrt(sum(float(np.float32(value * value)) for value in (*common, *second, *first)))


def manhattan_distance(left: Sequence[Any] | None, right: Sequence[Any] | None) -> float:
    """The sum of absolute differences."""
    common, first, second = _differences(left, right)
    return sum((abs(float(value)) for value in (*common, *second, *first)), 0.0)


def minkowski_distance(left: Sequence[Any] | None, right: Sequence[Any] | None, power: float | None) -> float:
    """The Minkowski distance; features only right add their absolute value, not its power, as in Hivemall."""
    if power is None:
        raise null_pointer("the power of minkowski_distance")
    common, first, second = _differences(left, right)
    with np.errstate(all="ignore"):
        powers = [float(np.power(abs(np.float64(value)), power)) for value in (*common, *first)]
        total = sum(powers) + sum(abs(float(value)) for value in second)
        return float(np.power(np.float64(total), 1.0 / np.float64(power)))


def cosine_similarity(left: Sequence[Any] | None, right: Sequence[Any] | None) -> float:
    """The cosine; 0 for a null list or a zero vector. Repeated names count in the norms, so it may exceed 1."""
    if left is None or right is None:
        return 0.0
    first, second = _singles(left, nulls=False), _singles(right, nulls=False)
    values, product = dict(first), np.float32(0)
    with np.errstate(all="ignore"):
        for name, value in second:
            if name in values:
                product = np.float32(product + values[name] * value)
        squares = [sum(float(np.float32(value * value)) for _, value in items) for items in (first, second)]
    norm = math.sqrt(squares[0]) * math.sqrt(squares[1])
    return 0.0 if norm <= 0 else single(float(product) / norm)


def single(value: float) -> float:
    """The value rounded to float32."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def angular_similarity(left: Sequence[Any] | None, right: Sequence[Any] | None) -> float:
    """1 - angle / pi; NaN where the cosine exceeds 1."""
    cosine = cosine_similarity(left, right)
    return single(1.0 - single(math.acos(cosine) / math.pi)) if abs(cosine) <= 1 else math.nan


def _bits(left: Any, right: Any) -> int:
    """Bits that differ: of 64-bit integers, or of decimal text of any length."""
    if isinstance(left, str):
        differ = _decimal(left) ^ _decimal(right)
        return (~differ if differ < 0 else differ).bit_count()
    return (_two(left) ^ _two(right)).bit_count()


def _decimal(text: Any) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise HivemallError(f'For input string: "{text}"') from error


def _two(value: Any) -> int:
    if value is None:
        raise null_pointer("a bit set")
    return (_decimal(value) if isinstance(value, str) else int(value)) & ((1 << 64) - 1)


def jaccard_similarity(left: Any, right: Any, bits: int = _BITS) -> float:
    """Shared / all of two lists, or the estimate from two b-bit signatures (numbers or decimal text)."""
    if isinstance(left, list) or isinstance(right, list) or left is None or right is None:
        if not left or not right:
            return float((left is None) == (right is None) and not left and not right)
        first, second = set(left), set(right)
        return single(len(first & second) / len(first | second))
    share = np.float32(bits - _bits(left, right)) / np.float32(bits)
    return float(np.float32(2) * (share - np.float32(0.5)))


def jaccard_distance(left: Any, right: Any, bits: int = _BITS) -> float:
    """1 - the similarity."""
    return float(np.float32(1) - np.float32(jaccard_similarity(left, right, bits)))


def hamming_distance(left: Any, right: Any) -> int:
    """Bits that differ; of lists, element by element, where a missing element is 0."""
    if left is None or right is None:
        raise null_pointer("a bit set")
    if isinstance(left, list):
        size = max(len(left), len(right))
        padded = [list(values) + [0] * (size - len(values)) for values in (left, right)]
        return sum(_bits(one, other) for one, other in zip(*padded, strict=True))
    return _bits(left, right)


def popcnt(left: Any, *rest: Any) -> int:
    """Set bits of a number or a list, or of the numbers that both share."""
    if left is None or None in rest:
        raise null_pointer("a bit set")
    if isinstance(left, list):
        return sum(
            (_two(one) & _two(other)).bit_count() for one, other in zip(left, rest[0] if rest else left, strict=False)
        )
    if isinstance(left, str):
        shared = _decimal(left) & (_decimal(rest[0]) if rest else -1)
        return (~shared if shared < 0 else shared).bit_count()
    return (_two(left) & _two(rest[0] if rest else left)).bit_count()


def distance2similarity(distance: float | None) -> float:
    """1 / (1 + distance)."""
    if distance is None:
        raise null_pointer("the distance")
    with np.errstate(divide="ignore"):
        return float(np.float32(1) / (np.float32(1) + np.float32(distance)))


def kld(mean: float, variance: float, other_mean: float, other_variance: float) -> float:
    """Hivemall's divergence of two Gaussians: its ratio of variances is inverted against Kullback and Leibler's formula."""
    if None in (mean, variance, other_mean, other_variance):
        raise null_pointer("an argument of kld")
    with np.errstate(all="ignore"):
        ratio = np.float64(other_variance) / np.float64(variance)
        shift = np.float64(mean) - np.float64(other_mean)
        return float((np.log(ratio) + ratio + shift * shift / np.float64(other_variance) - 1.0) * 0.5)


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
    "cosine_distance": _pair(lambda left, right: single(1.0 - cosine_similarity(left, right))),
    "angular_similarity": _pair(angular_similarity),
    "angular_distance": _pair(lambda left, right: single(1.0 - angular_similarity(left, right))),
    "euclid_similarity": _pair(lambda left, right: distance2similarity(single(euclid_distance(left, right)))),
    "distance2similarity": scalar(distance2similarity, FLOAT, (1, 1)),
    "jaccard_distance": scalar(jaccard_distance, FLOAT, (2, 3)),
    "jaccard_similarity": scalar(jaccard_similarity, FLOAT, (2, 3)),
    "hamming_distance": scalar(hamming_distance, INT, (2, 2)),
    "popcnt": scalar(popcnt, INT, (1, 2)),
}
