"""Small functions of numbers, lists, bits and maps.

Belongs here: what Hivemall calls tools. Does not: functions of features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.registry import (
    BIGINT,
    DOUBLE,
    FLOAT,
    INT,
    STRING,
    Function,
    Types,
    aggregate,
    scalar,
)

#: The version whose functions these are.
VERSION = "0.6.2-incubating-SNAPSHOT"


def sigmoid(x: float | None) -> float | None:
    """1 / (1 + e^-x), in float32."""
    if x is None:
        return None
    with np.errstate(over="ignore"):
        return float(np.float32(1.0 / (1.0 + np.exp(-float(x)))))


def _lists(values: Sequence[Sequence[float | None] | None]) -> np.ndarray:
    rows = [row for row in values if row is not None]
    if len({len(row) for row in rows}) > 1:
        raise HivemallError("Mismatch in the number of elements")
    return np.array([[0.0 if value is None else value for value in row] for row in rows], np.float64)


def array_avg(values: Sequence[Sequence[float | None] | None]) -> list[float] | None:
    """The mean of lists, place by place."""
    rows = _lists(values)
    return [float(value) for value in rows.sum(axis=0) / len(rows)] if rows.size else None


def array_sum(values: Sequence[Sequence[float | None] | None]) -> list[float] | None:
    """The sum of lists, place by place."""
    rows = _lists(values)
    return [float(value) for value in rows.sum(axis=0)] if rows.size else None


def arange(*bounds: int) -> list[int]:
    """Numbers from 0 or a start up to a stop, without it, by a step."""
    start, stop, step = {1: (0, *bounds, 1), 2: (*bounds, 1)}.get(len(bounds), bounds)
    if step == 0:
        raise HivemallError("step must not be 0")
    return list(range(start, stop, step))


def vector_dot(left: Sequence[float], right: Any) -> Any:
    """The dot product of two vectors, or a vector times a number."""
    if isinstance(right, list):
        return sum(one * other for one, other in zip(left, right, strict=True))
    return [value * right for value in left]


def bits_or(*lists: Sequence[int]) -> list[int]:
    """Bit sets of longs, united."""
    size = max(len(words) for words in lists)
    united = [0] * size
    for words in lists:
        for place, word in enumerate(words):
            united[place] |= word
    return united


def to_bits(places: Sequence[int]) -> list[int]:
    """A bit set of longs with these bits."""
    words = [0] * (max(places, default=-1) // 64 + 1)
    for place in places:
        words[place // 64] |= 1 << place % 64
    return [word - 2**64 if word >= 2**63 else word for word in words]


def unbits(words: Sequence[int]) -> list[int]:
    """The set bits of a bit set of longs."""
    return [64 * place + bit for place, word in enumerate(words) for bit in range(64) if word >> bit & 1]


def select_k_best(values: Sequence[float], weights: Sequence[float], k: int) -> list[float]:
    """The values whose weights are the k largest, in the order of their places."""
    best = sorted(sorted(range(len(weights)), key=lambda place: -weights[place])[:k])
    return [float(values[place]) for place in best]


def subarray(values: Sequence[Any] | None, start: int, stop: int) -> list[Any] | None:
    """The items from start up to stop, without it."""
    return None if values is None else list(values)[max(start, 0) : max(stop, 0)]


def convert_label(label: float | None) -> float | None:
    """0 becomes -1 and -1 becomes 0; 1 stays."""
    if label is None:
        return None
    if label not in (-1, 0, 1):
        raise HivemallError(f"Invalid label: {label}. Write -1, 0 or 1.")
    return {0: -1, -1: 0, 1: 1}[int(label)]


def to_ordered_list(values: Sequence[Any]) -> list[Any]:
    """Values in rising order, without nulls."""
    return sorted(value for value in values if value is not None)


def _first(types: Types) -> pa.DataType:
    return types[0]


def _element(types: Types) -> pa.DataType:
    return types[0].value_type


def _list_of_first(types: Types) -> pa.DataType:
    return pa.list_(types[0])


def _dot_type(types: Types) -> pa.DataType:
    return DOUBLE if pa.types.is_list(types[1]) else pa.list_(DOUBLE)


NUMBERS = pa.list_(DOUBLE)
FUNCTIONS: dict[str, Function] = {
    "hivemall_version": scalar(lambda: VERSION, STRING, (0, 0)),
    "sigmoid": scalar(sigmoid, FLOAT, (1, 1)),
    "l2_norm": aggregate(
        lambda values: math.sqrt(sum(float(value) ** 2 for value in values if value is not None)), DOUBLE, (1, 1)
    ),
    "array_avg": aggregate(array_avg, NUMBERS, (1, 1)),
    "array_sum": aggregate(array_sum, NUMBERS, (1, 1)),
    "argmin": scalar(lambda values: min(range(len(values)), key=lambda place: values[place]), INT, (1, 1)),
    "argmax": scalar(lambda values: max(range(len(values)), key=lambda place: values[place]), INT, (1, 1)),
    "argrank": scalar(
        lambda values: [int(rank) for rank in np.argsort(np.argsort(values, kind="stable"), kind="stable")],
        pa.list_(INT),
        (1, 1),
    ),
    "argsort": scalar(
        lambda values: [int(place) for place in np.argsort(values, kind="stable")], pa.list_(INT), (1, 1)
    ),
    "arange": scalar(arange, pa.list_(INT), (1, 3)),
    "vector_add": scalar(
        lambda left, right: [one + other for one, other in zip(left, right, strict=True)], _first, (2, 2)
    ),
    "vector_dot": scalar(vector_dot, _dot_type, (2, 2)),
    "bits_or": scalar(bits_or, pa.list_(BIGINT), (1, None)),
    "to_bits": scalar(to_bits, pa.list_(BIGINT), (1, 1)),
    "unbits": scalar(unbits, pa.list_(BIGINT), (1, 1)),
    "select_k_best": scalar(select_k_best, NUMBERS, (3, 3)),
    "subarray": scalar(subarray, _first, (3, 3)),
    "array_slice": scalar(
        lambda values, start, stop=None: None if values is None else list(values)[start:stop], _first, (2, 3)
    ),
    "sort_and_uniq_array": scalar(lambda values: None if values is None else sorted(set(values)), _first, (1, 1)),
    "array_concat": scalar(lambda *lists: [item for items in lists for item in items or []], _first, (1, None)),
    "array_append": scalar(lambda values, item: [*(values or []), item], _first, (2, 2)),
    "array_remove": scalar(
        lambda values, gone: [
            item for item in values or [] if item not in (gone if isinstance(gone, list) else [gone])
        ],
        _first,
        (2, 2),
    ),
    "array_union": scalar(lambda *lists: sorted({item for items in lists for item in items}), _first, (1, None)),
    "array_intersect": scalar(lambda first, *others: sorted(set(first).intersection(*others)), _first, (1, None)),
    "array_flatten": scalar(lambda lists: [item for items in lists for item in items], _element, (1, 1)),
    "array_to_str": scalar(lambda values, sep=",": sep.join(str(value) for value in values), STRING, (1, 2)),
    "element_at": scalar(
        lambda values, place: values[place] if -len(values) <= place < len(values) else None, _element, (2, 2)
    ),
    "first_element": scalar(lambda values: values[0] if values else None, _element, (1, 1)),
    "last_element": scalar(lambda values: values[-1] if values else None, _element, (1, 1)),
    "convert_label": scalar(convert_label, _first, (1, 1)),
    "collect_all": aggregate(lambda values: [value for value in values if value is not None], _list_of_first, (1, 1)),
    "to_ordered_list": aggregate(to_ordered_list, _list_of_first, (1, 1)),
}
