"""Functions that give other rows than they take: amplify, rand_amplify, each_top_k, and the sampling for preferences.

Belongs here: row functions over a whole table. Does not: functions that build features (``columns``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_random import JavaRandom
from tdml_assets.engines.hivemall.java_text import slot_order
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import INT, Function, constant, table_of

_SAMPLING_SEED = 31
_BUFFER = 1000
_USER_SLOTS = 2048


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
    """Every row so many times, shuffled within a buffer; without a seed, of seed 43."""
    times, buffer = _times(rows), options.integer("buf", _BUFFER)
    if buffer < 1:
        raise HivemallError(f"Illegal buffer size: {buffer}")
    seed = options.integer("seed", 43)
    order = shuffled_order(rows.num_rows, times, buffer, seed)
    return rows.drop_columns(rows.column_names[:1]).take(pa.array(order, pa.int64()))


class _Heap:
    """Java's PriorityQueue, smallest first, whose order of equal keys decides the order of rows."""

    def __init__(self) -> None:
        self.items: list[tuple[float, int]] = []

    def push(self, item: tuple[float, int]) -> None:
        """Add an item."""
        items, place = self.items, len(self.items)
        items.append(item)
        while place > 0 and item[0] < items[(place - 1) // 2][0]:
            items[place] = items[(place - 1) // 2]
            place = (place - 1) // 2
        items[place] = item

    def pop(self) -> tuple[float, int]:
        """Take the smallest."""
        items = self.items
        first, last = items[0], items.pop()
        if not items:
            return first
        place, size = 0, len(items)
        while 2 * place + 1 < size:
            child = 2 * place + 1
            if child + 1 < size and items[child][0] > items[child + 1][0]:
                child += 1
            if last[0] <= items[child][0]:
                break
            items[place] = items[child]
            place = child
        items[place] = last
        return first


class _TopK:
    """The k largest keys of a group with their rows (the smallest for k < 0); an equal key replaces the one at the boundary."""

    def __init__(self, k: int) -> None:
        self._k = abs(k)
        self._sign = 1 if k > 0 else -1
        self._heap = _Heap()

    def offer(self, key: float, row: int) -> None:
        """Take a row."""
        item = (self._sign * key, row)
        if len(self._heap.items) == self._k:
            if item[0] < self._heap.items[0][0]:
                return
            self._heap.pop()
        self._heap.push(item)

    def ranked(self) -> list[tuple[int, float, int]]:
        """Rank (equal keys share one), key and row, best first."""
        kept = [self._heap.pop() for _ in range(len(self._heap.items))]
        ranked: list[tuple[int, float, int]] = []
        for key, row in reversed(kept):
            number = self._sign * key
            rank = 1 if not ranked else ranked[-1][0] + (number != ranked[-1][1])
            ranked.append((rank, number, row))
        return ranked


def _each_top_k(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """The k best rows of each run of equal groups: rank, key and the other columns."""
    k = constant(rows, 0)
    if k == 0:
        raise HivemallError("k should not be 0")
    groups, keys = rows.column(1).to_pylist(), rows.column(2).to_pylist()
    found: list[tuple[int, float, int]] = []
    top, current = _TopK(int(k or 1)), object()
    for row, (group, key) in enumerate(zip(groups, keys, strict=True)):
        if key is None:
            raise HivemallError(f"Found NULL in row {row}: the key of each_top_k must not be null.")
        if group != current:
            found += top.ranked()
            top, current = _TopK(int(k)), group
        top.offer(float(key), row)
    found += top.ranked()
    rest = rows.drop_columns(rows.column_names[:3]).take(pa.array([row for _, _, row in found], pa.int64()))
    ranks = pa.array([rank for rank, _, _ in found], INT)
    values = pa.array([key for _, key, _ in found], rows.schema.types[2])
    return pa.table([ranks, values, *rest.columns], names=["rank", "key", *rest.column_names])


def _populate_not_in(rows: pa.Table, options: Options) -> pa.Table:
    """Each number from 0 to the largest that a list lacks; with ``-bitset`` the list is a bit set of longs."""
    found, places = [], []
    for row, (items, largest) in enumerate(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True)):
        known = _bits(items or []) if options.has("bitset") else set(items or [])
        missing = [number for number in range(largest + 1) if number not in known]
        found += missing
        places += [row] * len(missing)
    result = table_of({"item": found}, {"item": INT})
    rest = rows.drop_columns(rows.column_names[:2])
    for name in rest.column_names:
        result = result.append_column(name, rest.column(name).take(pa.array(places, pa.int64())))
    return result


def _bits(words: Sequence[int]) -> set[int]:
    return {64 * place + bit for place, word in enumerate(words) for bit in range(64) if (int(word) >> bit) & 1}


def _sampled(rows: pa.Table, options: Options) -> tuple[list[tuple[Any, list[int]]], int, int]:
    """Users with their items, the number of ids and the number of samples."""
    pairs = [(user, items) for user, items in zip(*(c.to_pylist() for c in rows.columns[:2]), strict=True) if items]
    largest = options.integer("max_itemid", -1)
    if largest < 0:
        largest = max((item for _, items in pairs for item in items), default=0)
    rate = options.number("sampling", 1.0)
    total = sum(len(items) for _, items in pairs)
    return pairs, largest, int(rate * total)


def _bpr_sampling(rows: pa.Table, options: Options) -> pa.Table:
    """Triples of user, liked item and another item, drawn by Random(31)."""
    pairs, largest, count = _sampled(rows, options)
    source = JavaRandom(_SAMPLING_SEED)
    uniform = options.has("uniform_pair_sampling")
    if not uniform:  # users are drawn by their place in a hash table
        items_of = dict(pairs)
        pairs = [(user, items_of[user]) for user in slot_order(items_of, _USER_SLOTS)]
    users, positives, negatives = [], [], []
    for _ in range(count):
        user, positive, negative = _draw(pairs, largest, source, uniform=uniform)
        users.append(user)
        positives.append(positive)
        negatives.append(negative)
    kinds = {"user": INT, "pos": INT, "neg": INT}
    return table_of({"user": users, "pos": positives, "neg": negatives}, kinds)


def _draw(
    pairs: Sequence[tuple[Any, list[int]]], largest: int, source: JavaRandom, *, uniform: bool
) -> tuple[Any, int, int]:
    total = sum(len(items) for _, items in pairs)
    while True:
        if uniform:
            place, owner = source.next_int(total), 0
            while place >= len(pairs[owner][1]):
                place -= len(pairs[owner][1])
                owner += 1
            user, items = pairs[owner]
            positive = items[place]
        else:
            user, items = pairs[source.next_int(len(pairs))]
            positive = items[source.next_int(len(items))]
        if len(items) <= largest:
            break
    known = set(items)
    while True:
        negative = source.next_int(largest)
        if negative not in known:
            return user, positive, negative


_OPTIONS = "sampling,sampling_rate= with_replacement bitset,bitset_input max_itemid,max_item_id= help "
FUNCTIONS = {
    "amplify": Function(_amplify, {}, 2, None),
    "rand_amplify": Function(_rand_amplify, declare("seed= buf,buffer_size= help"), 2, None, 1),
    "each_top_k": Function(_each_top_k, {}, 3, None),
    "populate_not_in": Function(_populate_not_in, declare("bitset,bitset_input help"), 2, None),
    "bpr_sampling": Function(
        _bpr_sampling,
        declare(_OPTIONS + "uniform_user_sampling,user_uniform uniform_pair_sampling,pair_sampling"),
        2,
        2,
    ),
}
