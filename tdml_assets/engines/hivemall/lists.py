"""Functions of lists: joined, cut, compared, sorted, as numbers and as text.

Elsewhere: lists of features (``ftvec``), maps (``maps``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import hash_order, hive_hash, is_nan, number_text
from tdml_assets.engines.hivemall.registry import (
    BIGINT,
    DOUBLE,
    FLOAT,
    INT,
    INTS,
    LONGS,
    NUMBERS,
    STRING,
    TEXTS,
    Function,
    Types,
    aggregate,
    element_type,
    first_type,
    is_list,
    null_pointer,
    scalar,
)

Items = Sequence[Any] | None


def _places(values: Sequence[Any]) -> list[int]:
    """Places in rising order of their values, as Hive compares: null first, NaN last."""

    def key(place: int) -> tuple[int, Any]:
        value = values[place]
        if value is None:
            return 0, 0
        return (2, 0) if is_nan(value) else (1, value)

    return sorted(range(len(values)), key=key)


def _extreme(values: Sequence[Any], *, largest: bool) -> int:
    """The first place of the extreme value; -1 where there is none but nulls."""
    order = [place for place in _places(values) if values[place] is not None]
    if not order:
        return -1
    best = values[order[-1 if largest else 0]]
    return next(place for place in order if values[place] == best or (is_nan(best) and is_nan(values[place])))


def arange(*bounds: int | None) -> list[int] | None:
    """Numbers from 0 or a start towards a stop, without it; the step is positive in both directions."""
    known = [bound for bound in bounds if bound is not None]
    if len(known) < len(bounds):
        return None
    start, stop, step = {1: (0, *known, 1), 2: (*known, 1)}.get(len(known), known)
    if step <= 0:
        raise HivemallError(f"Invalid step value: {step}")
    return list(range(start, stop, step if stop >= start else -step))


def _sums(values: Sequence[Items]) -> tuple[list[float], list[int]] | None:
    """Sums and numbers of values that are not null, place by place; None without lists."""
    rows = [row for row in values if row is not None]
    if not rows:
        return None
    if len({len(row) for row in rows}) > 1:
        raise HivemallError(
            f"Mismatch in the number of elements: lists of {sorted({len(row) for row in rows})} numbers"
        )
    columns = [[float(value) for value in column if value is not None] for column in zip(*rows, strict=True)]
    return [sum(column, 0.0) for column in columns], [len(column) for column in columns]


def array_avg(values: Sequence[Items]) -> list[float] | None:
    """The mean of lists, place by place, rounded to float32; 0 where all are null."""
    found = _sums(values)
    if found is None:
        return None
    return [float(np.float32(total / count)) if count else 0.0 for total, count in zip(*found, strict=True)]


def array_sum(values: Sequence[Items]) -> list[float] | None:
    """The sum of lists, place by place; empty lists do not count."""
    found = _sums([row or None for row in values])
    return None if found is None else found[0]


def vector_add(left: Items, right: Items) -> list[Any] | None:
    """The sum of two vectors; null where either is null."""
    if left is None or right is None:
        return None
    return [None if a is None or b is None else a + b for a, b in zip(*_alike(left, right), strict=True)]


def vector_dot(left: Items, right: Any) -> Any:
    """The dot product of two vectors without their nulls, or a vector times a number."""
    if left is None or right is None:
        return None
    if isinstance(right, list):
        pairs = zip(*_alike(left, right), strict=True)
        return sum((float(a) * float(b) for a, b in pairs if a is not None and b is not None), 0.0)
    return [None if value is None else float(value) * float(right) for value in left]


def _alike(left: Sequence[Any], right: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    if len(left) != len(right):
        raise HivemallError(f"vector lengths do not match: {len(left)} and {len(right)}")
    return left, right


def select_k_best(values: Items, weights: Items, k: int) -> list[float]:
    """The values of the k largest weights, the largest weight first."""
    if values is None or weights is None:
        raise null_pointer("a list of select_k_best")
    if not 1 <= k <= len(values) or len(values) != len(weights):
        raise HivemallError(f"select_k_best: k is {k}, with {len(values)} values and {len(weights)} weights.")
    best = sorted(range(len(weights)), key=lambda place: -float(weights[place] or 0.0))[:k]
    return [float(values[place] or 0.0) for place in best]


def subarray(values: Sequence[Any], start: int | None, *stop: int | None) -> list[Any] | None:
    """The items from start up to stop, without it; a start below 0 is 0."""
    if start is None or None in stop:
        raise HivemallError(f"{'2nd' if start is None else '3rd'} argument MUST NOT be null")
    return list(values[max(start, 0) : max(stop[0] or 0, 0) if stop else len(values)])


def array_slice(values: Sequence[Any], offset: int | None, length: int | None = None) -> list[Any] | None:
    """So many items from the offset on.

    An offset below 0 counts from the end, a length below 0 leaves out items at the end; what lies outside the list gives null.
    """
    if offset is None:
        raise HivemallError("Offset argument MUST NOT be null")
    size = len(values)
    start = size + offset if offset < 0 else offset
    stop = size if length is None else min(size, size + length if length < 0 else start + length)
    return list(values[start:stop]) if 0 <= start <= stop else None


def sort_and_uniq_array(values: Items) -> list[Any]:
    """The distinct values in rising order."""
    if values is None or None in values:
        raise null_pointer("the list of sort_and_uniq_array, or one of its items,")
    return sorted(set(values))


def array_append(values: Items, item: Any, *, types: Types) -> list[Any] | None:
    """The items that are not null and one more behind them."""
    inside = types[0].value_type if is_list(types[0]) else pa.null()
    if not pa.types.is_null(inside) and not pa.types.is_null(types[1]) and _family(inside) != _family(types[1]):
        raise HivemallError(
            f"array_append expects the list type to match the type of the value being appended: {inside}, {types[1]}"
        )
    if values is None and item is None:
        return None
    return [value for value in (*(values or ()), item) if value is not None]


def _family(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "integer"
    return "number" if pa.types.is_floating(kind) else str(kind)


def _one_family(types: Types) -> None:
    kinds = [kind.value_type for kind in types if is_list(kind) and not pa.types.is_null(kind.value_type)]
    other = next((kind for kind in kinds if _family(kind) != _family(kinds[0])), None)
    if other is not None:
        raise HivemallError(f"Array types does not match: {kinds[0]} != {other}")


def array_concat(*lists: Items, types: Types) -> list[Any]:
    """The items of all lists, nulls too; null lists do not count."""
    _one_family(types)
    return [item for items in lists for item in items or ()]


def array_remove(values: Sequence[Any], gone: Any, *, types: Types) -> list[Any] | None:
    """The items without an item, or without those of a list; a null there removes the nulls."""
    removed = gone if isinstance(gone, list) else [gone]
    if is_list(types[0]) and pa.types.is_string(types[0].value_type):
        removed = [item if item is None else number_text(item) for item in removed]
    return [item for item in values if item not in removed]


def array_union(*lists: Items, types: Types) -> list[Any]:
    """The distinct items of all lists in rising order; null lists do not count."""
    _one_family(types)
    items = {item for items in lists for item in items or ()}
    if None in items:
        raise null_pointer("an item of array_union")
    return sorted(items)


def array_intersect(first: Items, *others: Items, types: Types) -> list[Any]:
    """The items of all lists, without nulls, in the order of Hive's hashes; a null list behind the first does not count."""
    _one_family(types)
    if first is None:
        return []
    kept = {item: None for item in first if item is not None}
    for other in others:
        if other is not None:
            kept = {item: None for item in other if item in kept}
    return hash_order(kept, code_of=hive_hash)


def array_to_str(values: Sequence[Any], separator: str | None = ",") -> str | None:
    """The items that are not null as one text; there is no separator before the first that is not empty."""
    text = ""
    for item in values:
        if item is not None:
            text += ((separator if separator is not None else ",") if text else "") + number_text(item)
    return text


def element_at(values: Sequence[Any], place: int | None) -> Any:
    """The item of a place, from 0 or from -1 at the end; null where there is none."""
    if place is None:
        raise HivemallError("Index MUST not be null")
    return values[place] if -len(values) <= place < len(values) else None


def _found(values: Sequence[Any], key: Any, *, last: bool) -> list[Any] | None:
    """The list from the first such item on, or up to the last one."""
    if key not in values:
        return None
    return list(values[: len(values) - values[::-1].index(key)]) if last else list(values[values.index(key) :])


def bits_or(*lists: Items) -> list[int]:
    """Bit sets of longs, united; null lists do not count."""
    united: list[int] = []
    for words in lists:
        if words is not None and None in words:
            raise HivemallError("Illegal Null value is found in bit representation")
        for place, word in enumerate(words or ()):
            united += [0] * (place + 1 - len(united))
            united[place] |= word
    while united and united[-1] == 0:
        united.pop()
    return united


def to_bits(places: Items) -> list[int] | None:
    """A bit set of longs with these bits."""
    if places is None:
        return None
    known = [place for place in places if place is not None]
    if any(place < 0 for place in known):
        raise HivemallError(f"Specified index SHOULD NOT be negative: {min(known)}")
    words = [0] * (max(known, default=-1) // 64 + 1)
    for place in known:
        words[place // 64] |= 1 << place % 64
    return [word - 2**64 if word >= 2**63 else word for word in words]


def unbits(words: Sequence[Any]) -> list[int]:
    """The set bits of a bit set of longs."""
    return [64 * place + bit for place, word in enumerate(words) for bit in range(64) if (word or 0) >> bit & 1]


def _sum_type(types: Types) -> pa.DataType:
    return pa.list_(BIGINT if all(pa.types.is_integer(kind.value_type) for kind in types) else DOUBLE)


def _dot_type(types: Types) -> pa.DataType:
    return DOUBLE if is_list(types[1]) else NUMBERS


FUNCTIONS: dict[str, Function] = {
    "argmin": scalar(lambda values: _extreme(values, largest=False), INT, (1, 1), strict=True),
    "argmax": scalar(lambda values: _extreme(values, largest=True), INT, (1, 1), strict=True),
    "argrank": scalar(lambda values: _places(_places(values)), INTS, (1, 1), strict=True),
    "argsort": scalar(_places, INTS, (1, 1), strict=True),
    "arange": scalar(arange, INTS, (1, 3)),
    "array_avg": aggregate(array_avg, NUMBERS, (1, 1)),
    "array_sum": aggregate(array_sum, NUMBERS, (1, 1)),
    "vector_add": scalar(vector_add, _sum_type, (2, 2)),
    "vector_dot": scalar(vector_dot, _dot_type, (2, 2)),
    "select_k_best": scalar(select_k_best, NUMBERS, (3, 3)),
    "subarray": scalar(subarray, first_type, (2, 3), strict=True),
    "array_slice": scalar(array_slice, first_type, (2, 3), strict=True),
    "sort_and_uniq_array": scalar(sort_and_uniq_array, first_type, (1, 1)),
    "array_concat": scalar(array_concat, first_type, (1, None), types=True),
    "array_append": scalar(array_append, first_type, (2, 2), types=True),
    "array_remove": scalar(array_remove, first_type, (2, 2), types=True, strict=True),
    "array_union": scalar(array_union, first_type, (2, None), types=True),
    "array_intersect": scalar(array_intersect, first_type, (2, None), types=True),
    "array_flatten": scalar(
        lambda lists: [item for items in lists for item in items or () if item is not None],
        element_type,
        (1, 1),
        strict=True,
    ),
    "array_to_str": scalar(array_to_str, STRING, (1, 2), texts=True, strict=True),
    "to_string_array": scalar(
        lambda values: [None if value is None else number_text(value) for value in values],
        TEXTS,
        (1, 1),
        texts=True,
        strict=True,
    ),
    "float_array": scalar(lambda size: [0.0] * size, pa.list_(FLOAT), (1, 1)),
    "element_at": scalar(element_at, element_type, (2, 2), strict=True),
    "first_element": scalar(lambda values: values[0] if values else None, element_type, (1, 1)),
    "last_element": scalar(lambda values: values[-1] if values else None, element_type, (1, 1)),
    "subarray_startwith": scalar(lambda values, key: _found(values, key, last=False), first_type, (2, 2), strict=True),
    "subarray_endwith": scalar(lambda values, key: _found(values, key, last=True), first_type, (2, 2), strict=True),
    "bits_or": scalar(bits_or, LONGS, (2, None)),
    "to_bits": scalar(to_bits, LONGS, (1, 1)),
    "unbits": scalar(unbits, LONGS, (1, 1), strict=True),
    "bits_collect": aggregate(to_bits, LONGS, (1, 1)),
    "collect_all": aggregate(
        lambda values: [value for value in values if value is not None], lambda types: pa.list_(types[0]), (1, 1)
    ),
}
