"""Functions that give other rows than they take: amplify, rand_amplify, each_top_k.

Elsewhere: the sampling for preferences (``sampling``), features (``columns``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_random import JavaRandom
from tdml_assets.engines.hivemall.java_text import BoundedHeap
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import DOUBLE, INT, Function, constant

_BUFFER, _DEFAULT_SEED = 1000, 43


def _times(rows: pa.Table) -> int:
    times = constant(rows, 0)
    if times is not None and times < 1:
        raise HivemallError(f"Illegal xtimes value: {times}")
    return int(times or 1)


def _amplify(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """Every row so many times."""
    times = _times(rows)
    return rows.drop_columns(rows.column_names[:1]).take(np.repeat(np.arange(rows.num_rows), times))


def shuffled_order(count: int, times: int, buffer: int, seed: int) -> list[int]:
    """The order in which rand_amplify gives the rows: one buffer per copy, each with its own random numbers.

    A full buffer is shuffled once; then each new row takes the place of one of two random rows, the one that came later.
    """
    slots: list[list[int]] = [[] for _ in range(times)]
    sources = [JavaRandom(seed + place) for place in range(times)]
    given: list[int] = []
    for row in range(count):
        for slot, source in zip(slots, sources, strict=True):
            if len(slot) < buffer:
                slot.append(row)
                if len(slot) == buffer:
                    source.shuffle(slot)
                continue
            first, second = source.next_int(buffer), source.next_int(buffer)
            later = first if slot[first] > slot[second] else second
            given.append(slot[later])
            slot[later] = row
    for slot, source in zip(slots, sources, strict=True):
        if len(slot) < buffer:
            source.shuffle(slot)
    for place in range(max((len(slot) for slot in slots), default=0)):
        given += [slot[place] for slot in slots if place < len(slot)]
    return given


def _rand_amplify(rows: pa.Table, options: Options) -> pa.Table:
    """Every row so many times, shuffled within a buffer; without a seed, or with -1, of seed 43."""
    times, buffer = _times(rows), options.integer("buf", _BUFFER)
    if buffer < 1:
        raise HivemallError(f"Illegal buffer size: {buffer}")
    seed = options.integer("seed", -1, bits=64)
    seed = _DEFAULT_SEED if seed == -1 else seed
    order = shuffled_order(rows.num_rows, times, buffer, seed)
    return rows.drop_columns(rows.column_names[:1]).take(pa.array(order, pa.int64()))


def _ranked(top: BoundedHeap[int]) -> list[tuple[int, float, int]]:
    """Rank (equal keys share one), key and row, best first."""
    ranked: list[tuple[int, float, int]] = []
    for key, row in reversed(top.drain()):
        rank = 1 if not ranked else ranked[-1][0] + (key != ranked[-1][1])
        ranked.append((rank, key, row))
    return ranked


def _each_top_k(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """The k best rows of each run of equal groups (the smallest for k < 0): rank, key and the other columns.

    The k of a group is that of its first row; where it differs between groups, a group with k of 0 gives no rows.
    """
    sizes, groups = rows.column(0).to_pylist(), rows.column(1).to_pylist()
    keys = rows.column(2).cast(DOUBLE).to_pylist()
    if sizes and set(sizes) == {0}:
        raise HivemallError("k should not be 0")
    found: list[tuple[int, float, int]] = []
    top: BoundedHeap[int] | None = None
    for row, (size, group, key) in enumerate(zip(sizes, groups, keys, strict=True)):
        if key is None:
            raise HivemallError(f"Found NULL in row {row}: the key of each_top_k must not be null.")
        if row == 0 or group != groups[row - 1]:
            found += _ranked(top) if top else []
            if size is None:
                raise HivemallError(f"Found NULL in row {row}: k of each_top_k must not be null.")
            top = BoundedHeap(abs(size), falling=size < 0) if size else None
        if top:
            top.offer(key, row)
    found += _ranked(top) if top else []
    rest = rows.drop_columns(rows.column_names[:3]).take(pa.array([row for _, _, row in found], pa.int64()))
    ranks, values = pa.array([rank for rank, _, _ in found], INT), pa.array([key for _, key, _ in found], DOUBLE)
    return pa.table([ranks, values, *rest.columns], names=["rank", "key", *rest.column_names])


FUNCTIONS = {
    "amplify": Function(_amplify, {}, 2, None),
    "rand_amplify": Function(_rand_amplify, declare("seed= buf,num_buffers= help"), 2, None, 1),
    "each_top_k": Function(_each_top_k, {}, 4, None),
}
