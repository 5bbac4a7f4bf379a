"""Sampling of liked and other items: what is drawn, how often, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError, run
from tdml_assets.engines.hivemall.java_random import JavaRandom
from tests.engines.hivemall.examples import INT, INTS, LONGS, none, table

USERS = table(pa.array([7, 3], INT), pa.array([[0, 2], [1]], INTS))


def triples(options: str, rows: pa.Table = USERS) -> list[tuple[int, int, int]]:
    """The user, liked item and other item of each row."""
    found = run("bpr_sampling", rows, options).to_pydict()
    return list(zip(found["user"], found["pos"], found["neg"], strict=True))


def negative(source: JavaRandom, largest: int, items: Sequence[int]) -> int:
    """Draw until an item is not among these."""
    while (drawn := source.next_int(largest)) in items:
        pass
    return drawn


def test_pairs_without_replacement_are_every_pair_once_in_java_s_shuffled_order() -> None:
    source, pairs, items = JavaRandom(31), [(7, 0), (7, 2), (3, 1)], {7: [0, 2], 3: [1]}
    order = list(range(3))
    source.shuffle(order)
    wanted = [(*pairs[place], negative(source, 2, items[pairs[place][0]])) for place in order]
    assert triples("-uniform_pair_sampling -without_replacement") == wanted


def test_users_without_replacement_are_drawn_by_rising_id_and_lose_their_item() -> None:
    source, left, wanted = JavaRandom(31), {3: [1], 7: [0, 2]}, []
    while left:
        user = list(left)[source.next_int(len(left))]
        place = source.next_int(len(left[user]))
        wanted.append((user, left[user][place], negative(source, 9, left[user])))
        left[user].pop(place)
        if not left[user]:
            del left[user]
    assert triples("-without_replacement -max_itemid 9") == wanted
    assert len(triples("-without_replacement -maxcol 9 -sampling 0.34")) == 1


def test_the_largest_item_of_the_rows_counts_above_the_option() -> None:
    assert {other for _, _, other in triples("-max_itemid 1 -sampling 20")} <= {0, 1}
    assert {other for _, _, other in triples("-max_itemid 50 -sampling 20")} - {0, 1}


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        (USERS, "-without_replacement -sampling 1.5", "where without-replacement is true: 1.5"),
        (USERS, "-uniform_user_sampling", "Unrecognized option"),
        (table(pa.array([1, 1], INT), pa.array([[0], [1]], INTS)), "", "Entry already exists in row: 1"),
        (table(pa.array([1], INT), pa.array([[-2]], INTS)), "", "Negative index is not allowed: -2"),
        (table(pa.array([1], INT), pa.array([[0]], INTS)), "", "Invalid maxItemId: 0"),
        (table(pa.array([1], INT), pa.array([[0, 1]], INTS)), "", "Every user has all items up to 1"),
        (table(pa.array([1], INT), pa.array([[0, 2, 1]], INTS)), "-pair_sampling", "has all items below 2"),
        (table(pa.array([1], INT), none(INTS)), "", "NullPointerException"),
    ],
)
def test_sampling_refuses(rows: pa.Table, options: str, words: str) -> None:
    with pytest.raises(HivemallError, match=words):
        run("bpr_sampling", rows, options)


def pairs_of(options: str, items: list[list[int]], largest: int = 4) -> list[tuple[int, int]]:
    """The pairs that item_pairs_sampling gives."""
    rows = table(pa.array(items, LONGS), pa.array([largest] * len(items), INT))
    found = run("item_pairs_sampling", rows, options).to_pydict()
    return list(zip(found["pos"], found["neg"], strict=True))


def test_item_pairs_are_drawn_once_each_by_places_among_liked_and_other_items() -> None:
    source, liked, others, wanted = JavaRandom(43), [1, 3], [0, 2, 4], []
    while liked:
        one, other = source.next_int(len(liked)), source.next_int(len(others))
        wanted.append((liked.pop(one), others.pop(other)))
    assert pairs_of("", [[3, 1]]) == wanted
    assert pairs_of("-bitset", [[0b1010]]) == wanted
    assert len(pairs_of("-sampling 0.1", [[3, 1], [2]])) == 2
    assert pairs_of("", [[]]) == []
    assert pairs_of("", [[0, 1, 2, 3, 4]]) == []


def test_item_pairs_with_replacement_may_repeat() -> None:
    source = JavaRandom(43)
    wanted = [([1, 3][source.next_int(2)], [0, 2, 4][source.next_int(3)]) for _ in range(5)]
    assert pairs_of("-with_replacement -sampling 2.5", [[1, 3]]) == wanted


@pytest.mark.parametrize(
    ("options", "items", "largest", "words"),
    [
        ("-sampling 2.0", [[1]], 4, "where withReplacement is false: 2.0"),
        ("", [[1]], 0, "maxItemId MUST be greater than 0: 0"),
        ("", [[0, 1, 2]], 1, r"maxItemId \+ 1 - numPosItems = 1 \+ 1 - 3 = -1"),
        ("", [[-1]], 4, "Negative index is not allowed: -1"),
    ],
)
def test_item_pairs_refuse(options: str, items: list[list[int]], largest: int, words: str) -> None:
    with pytest.raises(HivemallError, match=words):
        pairs_of(options, items, largest)


def test_populate_not_in_takes_null_as_an_empty_list() -> None:
    rows: Any = table(pa.array([None, [0, 9]], LONGS), pa.array([2, 2], INT))
    assert run("populate_not_in", rows).to_pydict() == {"item": [0, 1, 2, 1, 2]}
    with pytest.raises(HivemallError, match="maxItemId MUST be greater than 0: -1"):
        run("populate_not_in", table(none(LONGS), pa.array([-1], INT)))
