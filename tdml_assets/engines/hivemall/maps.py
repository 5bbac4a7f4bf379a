"""Functions of maps, and lists and maps in the order of their keys. Elsewhere: lists without keys (``lists``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import BoundedHeap, Heap
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import (
    DOUBLE,
    Function,
    Types,
    aggregate,
    constant,
    first_type,
    null_pointer,
    one_column,
    scalar,
)

Pairs = list[tuple[Any, Any]]


def _get(pairs: Pairs | None, key: Any) -> Any:
    return None if pairs is None or key is None else dict(pairs).get(key)


def _chosen(pairs: Pairs | None, keys: Sequence[Any] | None, *, include: bool) -> Pairs | None:
    if pairs is None or (keys is None and include):
        return None
    if not include:
        return [(key, value) for key, value in pairs if key not in (keys or ())]
    known = dict(pairs)
    return [(key, known[key]) for key in dict.fromkeys(keys or ()) if known.get(key) is not None]


def _get_sum(pairs: Pairs | None, keys: Sequence[Any] | None) -> float:
    if pairs is None or keys is None:
        raise null_pointer("an argument of map_get_sum")
    known = dict(pairs)
    return sum((float(known[key]) for key in keys if known.get(key) is not None), 0.0)


def _tail(pairs: Pairs | None, size: int | None) -> Pairs:
    if pairs is None or size is None:
        raise null_pointer("an argument of map_tail_n")
    known = sorted(pairs, key=lambda pair: pair[0])
    return known if len(known) <= size else known[len(known) - max(size, 0) :]


def _key_values(pairs: Pairs) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in pairs]


def _merged(maps: Sequence[Pairs | None]) -> Pairs:
    merged: dict[Any, Any] = {}
    for pairs in maps:
        merged.update(pairs or ())
    return list(merged.items())


def _to_map(keys: Sequence[Any], values: Sequence[Any]) -> Pairs:
    return list({key: value for key, value in zip(keys, values, strict=True) if key is not None}.items())


def _to_ordered_map(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """Keys and values by rising key; with True by falling key, with k the k largest keys, with -k the k smallest."""
    keys, values = (column.to_pylist() for column in rows.columns[:2])
    third = constant(rows, 2) if rows.num_columns > 2 else False
    size = None if isinstance(third, bool) or third is None else abs(third)
    if size == 0:
        raise HivemallError(f"Map size must be nonzero: {size}")
    falling = third if isinstance(third, bool) else bool(third and third > 0)
    pairs = sorted(_to_map(keys, values), key=lambda pair: pair[0], reverse=bool(falling))[:size]
    return one_column([pairs], pa.map_(*rows.schema.types[:2]))


def _to_ordered_list(rows: pa.Table, options: Options) -> pa.Table:
    """Values by rising key, or by themselves without keys; null without values.

    Equal keys are in the order in which Hive's two stages give them: a queue in the task, drained into a queue of the reducer.
    """
    size, reverse = options.integer("k", 0), options.has("reverse")
    if size == 0 and options.has("k"):
        raise HivemallError(f"`k` must be non-zero value: {size}")
    by_key, by_value = options.has("kv"), options.has("vk")
    if by_key and by_value:
        raise HivemallError("Both `-kv_map` and `-vk_map` option are unexpectedly specified")
    if (by_key or by_value) and rows.num_columns == 1:
        name = "-kv_map" if by_key else "-vk_map"
        raise HivemallError(f"`{name}` option can only be applied when both key and value are provided")
    values = rows.column(0).to_pylist()
    keys = rows.column(1).to_pylist() if rows.num_columns > 1 else values
    known = [(key, value) for key, value in zip(keys, values, strict=True) if key is not None and value is not None]
    # The first of the queue is the last of the list: the queue falls where the list rises.
    falling = (size > 0) == reverse if size else not reverse
    for _ in range(2):
        queue: Heap[Any] = BoundedHeap(abs(size), falling=falling) if size else Heap(falling=falling)
        for key, value in known:
            if isinstance(queue, BoundedHeap):
                queue.offer(key, value)
            else:
                queue.push(key, value)
        known = queue.drain()[::-1]
    kinds = [rows.schema.types[0], rows.schema.types[-1]]
    if not by_key and not by_value:
        return one_column([[value for _, value in known] if known else None], pa.list_(kinds[0]))
    pairs: dict[Any, Any] = {}
    for key, value in reversed(known):
        pairs.setdefault(*((key, value) if by_key else (value, key)))
    kind = pa.map_(kinds[1], kinds[0]) if by_key else pa.map_(*kinds)
    return one_column([list(pairs.items())[::-1] if known else None], kind)


def _item(types: Types) -> pa.DataType:
    kind: pa.DataType = types[0].item_type
    return kind


def _entries(types: Types) -> pa.DataType:
    return pa.list_(pa.struct([("key", types[0].key_type), ("value", types[0].item_type)]))


def _choice(*, include: bool) -> Callable[..., Pairs | None]:
    return lambda pairs, keys: _chosen(pairs, keys, include=include)


FUNCTIONS: dict[str, Function] = {
    "map_get": scalar(_get, _item, (2, 2)),
    "map_index": scalar(_get, _item, (2, 2)),
    "map_get_sum": scalar(_get_sum, DOUBLE, (2, 2)),
    "map_include_keys": scalar(_choice(include=True), first_type, (2, 2)),
    "map_exclude_keys": scalar(_choice(include=False), first_type, (2, 2)),
    "map_tail_n": scalar(_tail, first_type, (2, 2)),
    "map_key_values": scalar(_key_values, _entries, (1, 1), strict=True),
    "merge_maps": aggregate(_merged, first_type, (1, 1)),
    "to_map": aggregate(_to_map, lambda types: pa.map_(*types), (2, 2)),
    "to_ordered_map": Function(_to_ordered_map, {}, 2, 3),
    "to_ordered_list": Function(_to_ordered_list, declare("k= reverse,reverse_order kv,kv_map vk,vk_map help"), 1, 2),
}
