"""Sampling for preferences: bpr_sampling, item_pairs_sampling and populate_not_in.

Elsewhere: the learner of such pairs (``mf``).
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
from tdml_assets.engines.hivemall.registry import INT, Function, null_pointer, table_of

_USERS_SEED, _PAIRS_SEED = 31, 43
_USER_SLOTS = 2048
_TRIPLE = {"user": INT, "pos": INT, "neg": INT}
Liked = dict[int, list[int]]


def _bits(words: Sequence[int]) -> set[int]:
    if None in words:
        raise null_pointer("a word of a bit set")
    return {64 * place + bit for place, word in enumerate(words) for bit in range(64) if (int(word) >> bit) & 1}


def _largest(value: Any) -> int:
    if value is None or value <= 0:
        raise HivemallError(f"maxItemId MUST be greater than 0: {value}")
    return int(value)


def _populate_not_in(rows: pa.Table, options: Options) -> pa.Table:
    """Each number from 0 to the largest that a list lacks; with ``-bitset`` the list is a bit set of longs."""
    found, places = [], []
    for row, (items, largest) in enumerate(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True)):
        known = _bits(items or []) if options.has("bitset") else set(items or [])
        missing = [number for number in range(_largest(largest) + 1) if number not in known]
        found += missing
        places += [row] * len(missing)
    result = table_of({"item": found}, {"item": INT})
    rest = rows.drop_columns(rows.column_names[:2])
    for name in rest.column_names:
        result = result.append_column(name, rest.column(name).take(pa.array(places, pa.int64())))
    return result


def _rate(options: Options, *, repeats: bool, words: str) -> np.float32:
    rate = np.float32(options.number("sampling", 1.0))
    if not repeats and rate > 1:
        raise HivemallError(f"sampling_rate MUST be in less than or equals to 1 where {words}: {rate}")
    return rate


def _liked(rows: pa.Table) -> Liked:
    """The items of each user; users without any are left out."""
    liked: Liked = {}
    for user, items in zip(*(column.to_pylist() for column in rows.columns[:2]), strict=True):
        if user is None or items is None:
            raise null_pointer("a user or a list of items")
        known = [item for item in items if item is not None]
        if min([user, *known]) < 0:
            raise HivemallError(f"Negative index is not allowed: {min([user, *known])}")
        if known and user in liked:
            raise HivemallError(f"Entry already exists in row: {user}")
        if known:
            liked[user] = known
    return liked


def _bpr_sampling(rows: pa.Table, options: Options) -> pa.Table:
    """Triples of user, liked item and another item, drawn by Random(31)."""
    once = options.has("without_replacement")
    rate = _rate(options, repeats=not once, words="without-replacement is true")
    liked = _liked(rows)
    total = sum(len(items) for items in liked.values())
    largest = max([options.integer("maxcol", -1), *(max(items) for items in liked.values())])
    found: list[tuple[int, int, int]] = []
    if total:
        if largest <= 0:
            raise HivemallError(f"Invalid maxItemId: {largest}")
        count = int(np.float32(total) * rate)
        source = JavaRandom(_USERS_SEED)
        if options.has("uniform_pair_sampling"):
            found = _pairs(liked, largest, source, None if once else count)
        elif once:
            found = _users_once(liked, largest, source, count)
        else:
            found = _users(liked, largest, source, count)
    return table_of({name: [row[place] for row in found] for place, name in enumerate(_TRIPLE)}, _TRIPLE)


def _negative(user: int, items: Sequence[int], largest: int, source: JavaRandom) -> int:
    """An item that is not among these; the largest of all is never drawn."""
    known = set(items)
    if len(known & set(range(largest))) == largest:
        raise HivemallError(f"User {user} has all items below {largest}: there is no other item to draw.")
    while True:
        drawn = source.next_int(largest)
        if drawn not in known:
            return drawn


def _open_users(liked: Liked, largest: int) -> None:
    if all(len(items) == largest + 1 for items in liked.values()):
        raise HivemallError(f"Every user has all items up to {largest}: there is no other item to draw.")


def _users(liked: Liked, largest: int, source: JavaRandom, count: int) -> list[tuple[int, int, int]]:
    """A user, by the place in a hash table, then one of the items."""
    _open_users(liked, largest)
    users = slot_order(liked, _USER_SLOTS)
    found: list[tuple[int, int, int]] = []
    while len(found) < count:
        user = users[source.next_int(len(users))]
        items = liked[user]
        if len(items) != largest + 1:
            positive = items[source.next_int(len(items))]
            found.append((user, positive, _negative(user, items, largest, source)))
    return found


def _users_once(liked: Liked, largest: int, source: JavaRandom, count: int) -> list[tuple[int, int, int]]:
    """The same where each liked item is drawn at most once; users are drawn by their place among the sorted ones."""
    left = {user: list(liked[user]) for user in sorted(liked)}
    found: list[tuple[int, int, int]] = []
    while left and len(found) < count:
        _open_users(left, largest)
        user = list(left)[source.next_int(len(left))]
        items = left[user]
        if len(items) == largest + 1:
            continue
        place = source.next_int(len(items))
        found.append((user, items[place], _negative(user, items, largest, source)))
        items.pop(place)
        if not items:
            del left[user]
    return found


def _pairs(liked: Liked, largest: int, source: JavaRandom, count: int | None) -> list[tuple[int, int, int]]:
    """A user's liked item among all; without a count every one once, in a shuffled order."""
    pairs = [(user, item) for user, items in liked.items() for item in items]
    if count is None:
        places = list(range(len(pairs)))
        source.shuffle(places)
        drawn = iter(places)
    else:
        drawn = (source.next_int(len(pairs)) for _ in range(count))
    return [(*pairs[place], _negative(pairs[place][0], liked[pairs[place][0]], largest, source)) for place in drawn]


def _item_pairs_sampling(rows: pa.Table, options: Options) -> pa.Table:
    """Pairs of an item of a list and one that it lacks, drawn by Random(43)."""
    repeats = options.has("with_replacement")
    rate = _rate(options, repeats=repeats, words="withReplacement is false")
    source, positives, negatives = JavaRandom(_PAIRS_SEED), [], []
    for items, most in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        if items is None:
            raise null_pointer("the list of items")
        largest = _largest(most)
        liked = sorted(_bits(items) if options.has("bitset") else {item for item in items if item is not None})
        if any(item < 0 for item in liked):
            raise HivemallError(f"Negative index is not allowed: {min(liked)}")
        others = [item for item in range(largest + 1) if item not in set(liked)]
        if largest + 1 < len(liked):
            left = largest + 1 - len(liked)
            raise HivemallError(f"maxItemId + 1 - numPosItems = {largest} + 1 - {len(liked)} = {left}")
        lacked = largest + 1 - len(liked)  # smaller than others where an item lies above the largest
        for _ in range(max(1, int(np.floor(np.float32(len(liked)) * rate + np.float32(0.5))))):
            if not liked or not lacked:
                break
            one, other = source.next_int(len(liked)), source.next_int(lacked)
            positives.append(liked[one])
            negatives.append(others[other])
            if not repeats:
                liked.pop(one)
                others.pop(other)
                lacked -= 1
    return table_of({"pos": positives, "neg": negatives}, {"pos": INT, "neg": INT})


_RATE = "sampling,sampling_rate= "
FUNCTIONS = {
    "populate_not_in": Function(_populate_not_in, declare("bitset,bitset_input help"), 2, None),
    "bpr_sampling": Function(
        _bpr_sampling,
        declare(_RATE + "without_replacement uniform_pair_sampling,pair_sampling maxcol,max_itemid= help"),
        2,
        2,
    ),
    "item_pairs_sampling": Function(
        _item_pairs_sampling, declare(_RATE + "bitset,bitset_input with_replacement help"), 2, 2
    ),
}
