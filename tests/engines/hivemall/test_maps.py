"""Functions of maps, and lists and maps by rising key."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError, run
from tests.engines.hivemall.examples import INT, INTS, ints, none, table, value_of

NAMES, SINGLES = pa.map_(INT, pa.string()), pa.map_(INT, pa.float32())
THREE = pa.array([[(1, "one"), (2, "two"), (3, "three")]], NAMES)
KEYS, FRUIT = pa.array([5, 3, 4, 2, 3], INT), pa.array(["apple", "banana", "candy", "donut", "egg"])
VALUES: list[tuple[str, list[pa.Array], Any]] = [
    ("map_get", [THREE, pa.array([2], INT)], "two"),
    ("map_get", [THREE, pa.array([9], INT)], None),
    ("map_index", [none(NAMES), pa.array([2], INT)], None),
    ("map_get_sum", [pa.array([[(1, 0.5), (2, None), (3, 2.0)]], SINGLES), ints(1, 2, 3, 9)], 2.5),
    ("map_include_keys", [THREE, ints(3, 2, 9)], [(3, "three"), (2, "two")]),
    ("map_include_keys", [THREE, none(INTS)], None),
    ("map_exclude_keys", [THREE, ints(2, 3)], [(1, "one")]),
    ("map_exclude_keys", [THREE, none(INTS)], [(1, "one"), (2, "two"), (3, "three")]),
    ("map_tail_n", [THREE, pa.array([2], INT)], [(2, "two"), (3, "three")]),
    ("map_key_values", [pa.array([[(1, "one")]], NAMES)], [{"key": 1, "value": "one"}]),
    ("merge_maps", [pa.array([[(1, "a"), (2, "b")], None, [(2, "c")]], NAMES)], [(1, "a"), (2, "c")]),
    ("to_map", [pa.array([1, None, 1, 2], INT), pa.array(["a", "b", "c", None])], [(1, "c"), (2, None)]),
]
#: Options, columns by number (0 fruit, 1 key) and the list, from the documentation of the function.
LISTS: list[tuple[str, tuple[int, ...], list[Any]]] = [
    ("", (0, 1), ["donut", "banana", "egg", "candy", "apple"]),
    ("-reverse", (0, 1), ["apple", "candy", "banana", "egg", "donut"]),
    ("-k 2", (0, 1), ["apple", "candy"]),
    ("-k 100", (0, 1), ["apple", "candy", "banana", "egg", "donut"]),
    ("-k 2 -reverse", (0, 1), ["donut", "egg"]),
    ("-k -2", (0, 1), ["donut", "egg"]),
    ("-k -100", (0, 1), ["donut", "banana", "egg", "candy", "apple"]),
    ("-k -2 -reverse_order", (0, 1), ["apple", "candy"]),
    ("-k 2", (0,), ["egg", "donut"]),
    ("-k -2 -reverse", (1,), [5, 4]),
    ("", (1,), [2, 3, 3, 4, 5]),
]


@pytest.mark.parametrize(("name", "columns", "wanted"), VALUES, ids=[f"{i:02d}-{v[0]}" for i, v in enumerate(VALUES)])
def test_gives(name: str, columns: list[pa.Array], wanted: Any) -> None:
    assert value_of(name, *columns) == wanted


@pytest.mark.parametrize(("options", "places", "wanted"), LISTS)
def test_an_ordered_list_is_that_of_its_documentation(options: str, places: tuple[int, ...], wanted: list[Any]) -> None:
    found = value_of("to_ordered_list", *((FRUIT, KEYS)[place] for place in places), options=options)
    # The order of the two keys 3 is that of a queue: only which values there are is documented.
    ranked = [{"banana": "egg"}.get(value, value) for value in found]
    assert ranked == [{"banana": "egg"}.get(value, value) for value in wanted]
    assert len(set(found)) == len(set(wanted))


def test_an_ordered_list_may_be_a_map_of_its_best() -> None:
    assert value_of("to_ordered_list", FRUIT, KEYS, options="-k 2 -kv_map") == [(5, "apple"), (4, "candy")]
    assert value_of("to_ordered_list", FRUIT, KEYS, options="-k 2 -vk_map") == [("apple", 5), ("candy", 4)]
    same_key = value_of("to_ordered_list", FRUIT, pa.array([1] * 5, INT), options="-kv_map")
    assert [key for key, _ in same_key] == [1]


def test_nulls_do_not_count_in_an_ordered_list() -> None:
    assert value_of("to_ordered_list", pa.array([2, None, 1], INT)) == [1, 2]
    assert value_of("to_ordered_list", pa.array(["a", "b"]), pa.array([None, 1], INT)) == ["b"]
    assert value_of("to_ordered_list", none(INT)) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-k 0", "`k` must be non-zero value: 0"),
        ("-kv_map -vk_map", "Both `-kv_map` and `-vk_map`"),
        ("-vk_map", "`-vk_map` option can only be applied when both key and value are provided"),
        ("-dedup", "Unrecognized option: -dedup"),
    ],
)
def test_an_ordered_list_refuses(options: str, words: str) -> None:
    columns = (FRUIT, KEYS) if "Both" in words else (FRUIT,)
    with pytest.raises(HivemallError, match=words):
        run("to_ordered_list", table(*columns), options)


@pytest.mark.parametrize(
    ("third", "wanted"),
    [
        (None, [3, 4, 10]),
        (True, [10, 4, 3]),
        (False, [3, 4, 10]),
        (1, [10]),
        (2, [10, 4]),
        (100, [10, 4, 3]),
        (-2, [3, 4]),
        (-100, [3, 4, 10]),
    ],
)
def test_an_ordered_map_is_that_of_its_documentation(third: Any, wanted: list[int]) -> None:
    columns = [pa.array([10, 3, 4], INT), pa.array(["apple", "banana", "candy"])]
    if third is not None:
        columns.append(pa.array([third] * 3, pa.bool_() if isinstance(third, bool) else INT))
    assert [key for key, _ in value_of("to_ordered_map", *columns)] == wanted


def test_a_map_function_refuses_null_where_hivemall_stops() -> None:
    for name in ("map_get_sum", "map_tail_n"):
        with pytest.raises(HivemallError, match="NullPointerException"):
            value_of(name, none(SINGLES), ints(1) if name == "map_get_sum" else pa.array([1], INT))
    with pytest.raises(HivemallError, match="Map size must be nonzero: 0"):
        value_of("to_ordered_map", KEYS, FRUIT, pa.array([0] * 5, INT))
