"""Functions of lists: nulls, places outside the list, orders, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError
from tests.engines.hivemall.examples import (
    DOUBLE,
    DOUBLES,
    INT,
    INTS,
    LONG,
    LONGS,
    SINGLES,
    TEXT,
    TEXTS,
    doubles,
    ints,
    none,
    same,
    texts,
    value_of,
)

TEN = texts("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
#: Function, its arguments, and what it gives.
VALUES: list[tuple[str, list[pa.Array], Any]] = [
    ("argsort", [ints(5, 2, 0, 1)], [2, 3, 1, 0]),
    ("argsort", [doubles(2.0, math.nan, None, 1.0)], [2, 3, 0, 1]),
    ("argsort", [none(INTS)], None),
    ("argrank", [ints(5, 2, 0, 1)], [3, 2, 0, 1]),
    ("argmin", [ints(None, 4, 2, 2)], 2),
    ("argmax", [ints(None, 4, 4, 2)], 1),
    ("argmax", [ints()], -1),
    ("argmin", [texts("b", "a")], 1),
    ("argmax", [none(INTS)], None),
    ("arange", [pa.array([-1], INT), pa.array([-6], INT), pa.array([2], INT)], [-1, -3, -5]),
    ("arange", [pa.array([0], INT)], []),
    ("arange", [none(INT)], None),
    ("array_avg", [pa.array([[1.0, None], [2.0, 4.0], None], DOUBLES)], [1.5, 4.0]),
    ("array_avg", [pa.array([[0.1], [0.2]], DOUBLES)], [0.15000000596046448]),
    ("array_avg", [pa.array([[None]], DOUBLES)], [0.0]),
    ("array_sum", [pa.array([[1.0, None], [2.0, 4.0], []], DOUBLES)], [3.0, 4.0]),
    ("array_sum", [none(DOUBLES)], None),
    ("vector_add", [ints(1, None), ints(2, 3)], [3, None]),
    ("vector_add", [doubles(1.5), ints(2)], [3.5]),
    ("vector_dot", [doubles(1.0, 2.0, 3.0), doubles(2.0, 3.0, 4.0)], 20.0),
    ("vector_dot", [ints(1, None, 3), ints(2, 3, None)], 2.0),
    ("vector_dot", [doubles(1.0, None), pa.array([2], INT)], [2.0, None]),
    ("select_k_best", [ints(1, 2, 3), doubles(0.1, 0.5, 0.9), pa.array([2], INT)], [3.0, 2.0]),
    ("subarray", [ints(0, 1, 2, 3, 4, 5), pa.array([4], INT)], [4, 5]),
    ("subarray", [ints(0, 1, 2, 3, 4, 5), pa.array([3], INT), pa.array([2], INT)], []),
    ("subarray", [ints(0, 1, 2, 3, 4, 5), pa.array([-1], INT), pa.array([2], INT)], [0, 1]),
    ("subarray", [ints(1, 2), pa.array([1], INT), pa.array([9], INT)], [2]),
    ("array_slice", [ints(1, 2, 3, 4, 5, 6), pa.array([2], INT), pa.array([4], INT)], [3, 4, 5, 6]),
    ("array_slice", [TEN, pa.array([6], INT), pa.array([3], INT)], ["six", "seven", "eight"]),
    ("array_slice", [TEN, pa.array([6], INT), pa.array([10], INT)], ["six", "seven", "eight", "nine", "ten"]),
    ("array_slice", [TEN, pa.array([-3], INT)], ["eight", "nine", "ten"]),
    ("array_slice", [TEN, pa.array([-3], INT), pa.array([2], INT)], ["eight", "nine"]),
    ("array_slice", [ints(1, 2, 3, 4), pa.array([1], INT), pa.array([-1], INT)], [2, 3]),
    ("array_slice", [ints(1, 2), pa.array([3], INT)], None),
    ("array_slice", [ints(1, 2), pa.array([-3], INT)], None),
    ("array_slice", [none(INTS), pa.array([0], INT)], None),
    ("sort_and_uniq_array", [ints(3, 1, 1, -2, 10)], [-2, 1, 3, 10]),
    ("array_concat", [ints(1, None), none(INTS), ints(2, 3)], [1, None, 2, 3]),
    ("array_append", [ints(1, None, 2), pa.array([3], INT)], [1, 2, 3]),
    ("array_append", [none(INTS), pa.array([3], INT)], [3]),
    ("array_append", [ints(1), none(INT)], [1]),
    ("array_append", [none(INTS), none(INT)], None),
    ("array_remove", [doubles(2.0, 2.1, 3.0, 4.0, 2.0), pa.array([2], INT)], [2.1, 3.0, 4.0]),
    ("array_remove", [ints(1, None, 3, None), none(INT)], [1, 3]),
    ("array_remove", [ints(1, None, 3), pa.array([[None]], INTS)], [1, 3]),
    ("array_remove", [texts("a", "b", "c", "b"), texts("b", "c")], ["a"]),
    ("array_remove", [texts("3", "4"), pa.array([3], INT)], ["4"]),
    ("array_remove", [texts(None, "b"), pa.array(["a"])], [None, "b"]),
    ("array_remove", [none(INTS), pa.array([1], INT)], None),
    ("array_union", [ints(1, 2), none(INTS), ints(2, 5), ints(3)], [1, 2, 3, 5]),
    ("array_intersect", [ints(1, 3, 4), ints(2, 3, 4), ints(3, 5)], [3]),
    ("array_intersect", [ints(3, None, 18, 1), none(INTS), ints(18, 3, None, 1)], [1, 18, 3]),
    ("array_intersect", [none(INTS), ints(1)], []),
    ("array_flatten", [pa.array([[[1, 2, None], None, [6]]], pa.list_(LONGS))], [1, 2, 6]),
    ("array_flatten", [none(pa.list_(LONGS))], None),
    ("array_to_str", [ints(1, None, 3), pa.array(["-"])], "1-3"),
    ("array_to_str", [texts("", "a", "", "b")], "a,,b"),
    ("array_to_str", [pa.array([[0.1, 2.0]], SINGLES), none(TEXT)], "0.1,2.0"),
    ("array_to_str", [pa.array([[True, False]])], "true,false"),
    ("to_string_array", [doubles(1.0, None, 1e10)], ["1.0", None, "1.0E10"]),
    ("to_string_array", [none(DOUBLES)], None),
    ("float_array", [pa.array([2], INT)], [0.0, 0.0]),
    ("element_at", [ints(1, 2, 3, 4), pa.array([-2], INT)], 3),
    ("element_at", [ints(1), pa.array([1], INT)], None),
    ("first_element", [ints()], None),
    ("first_element", [texts("a", "b")], "a"),
    ("last_element", [texts("a", "b")], "b"),
    ("last_element", [none(INTS)], None),
    ("subarray_startwith", [ints(1, 2, 3, 2, 4), pa.array([2], INT)], [2, 3, 2, 4]),
    ("subarray_endwith", [ints(1, 2, 3, 2, 4), pa.array([2], INT)], [1, 2, 3, 2]),
    ("subarray_endwith", [texts("a"), pa.array(["b"])], None),
    ("bits_or", [pa.array([[1, 2, 0]], LONGS), none(LONGS), pa.array([[4]], LONGS)], [5, 2]),
    ("to_bits", [ints(1, 2, 3, 128, None)], [14, 0, 1]),
    ("to_bits", [ints(63)], [-(2**63)]),
    ("unbits", [pa.array([[14, 0, 1]], LONGS)], [1, 2, 3, 128]),
    ("unbits", [pa.array([[-(2**63)]], LONGS)], [63]),
    ("bits_collect", [pa.array([3, None, 1], INT)], [10]),
    ("collect_all", [pa.array([2, None, 2], LONG)], [2, 2]),
]
#: Function, its arguments, and words of the refusal.
REFUSED: list[tuple[str, list[pa.Array], str]] = [
    ("arange", [pa.array([0], INT), pa.array([3], INT), pa.array([-1], INT)], "Invalid step value: -1"),
    ("array_avg", [pa.array([[1.0], [1.0, 2.0]], DOUBLES)], "Mismatch in the number of elements"),
    ("array_slice", [ints(1), none(INT)], "Offset argument MUST NOT be null"),
    ("subarray", [ints(1), pa.array([0], INT), none(INT)], "3rd argument MUST NOT be null"),
    ("element_at", [ints(1), none(INT)], "Index MUST not be null"),
    ("select_k_best", [ints(1), doubles(1.0), pa.array([2], INT)], "k is 2, with 1 values"),
    ("sort_and_uniq_array", [none(INTS)], "NullPointerException"),
    ("array_union", [ints(1, None), ints(2)], "NullPointerException"),
    ("array_union", [ints(1)], "array_union takes 2 to any number of arguments"),
    ("array_append", [ints(1), pa.array(["a"])], "expects the list type to match the type of the value"),
    ("vector_add", [doubles(1.0), doubles(1.0, 2.0)], "vector lengths do not match"),
    ("bits_or", [pa.array([[1, None]], LONGS), pa.array([[1]], LONGS)], "Illegal Null value"),
    ("to_bits", [ints(-1)], "SHOULD NOT be negative: -1"),
]


@pytest.mark.parametrize(("name", "columns", "wanted"), VALUES, ids=[f"{i:02d}-{v[0]}" for i, v in enumerate(VALUES)])
def test_gives(name: str, columns: list[pa.Array], wanted: Any) -> None:
    assert same(wanted, value_of(name, *columns)), value_of(name, *columns)


@pytest.mark.parametrize(("name", "columns", "words"), REFUSED, ids=[f"{i:02d}-{v[0]}" for i, v in enumerate(REFUSED)])
def test_refuses(name: str, columns: list[pa.Array], words: str) -> None:
    with pytest.raises(HivemallError) as raised:
        value_of(name, *columns)
    assert words in str(raised.value)


def test_decimals_count_as_doubles_and_are_written_without_zeros_at_their_end() -> None:
    from decimal import Decimal

    prices = pa.array([[Decimal("1.50"), Decimal("2.00")]], pa.list_(pa.decimal128(5, 2)))
    assert value_of("array_sum", prices) == [1.5, 2.0]
    assert value_of("array_to_str", prices) == "1.5,2"


def test_large_and_dictionary_columns_give_what_plain_ones_give() -> None:
    wide = pa.array([["b", "a"]], pa.large_list(pa.large_string()))
    assert value_of("array_union", wide, texts("a", "c")) == ["a", "b", "c"]
    assert value_of("mhash", pa.array(["aaa"]).dictionary_encode()) == value_of("mhash", pa.array(["aaa"], TEXT))
    assert value_of("vector_dot", pa.array([[1.0]], pa.large_list(DOUBLE)), doubles(2.0)) == 2.0
    assert value_of("array_concat", pa.array([["a"]], pa.large_list(TEXT)), pa.array([["b"]], TEXTS)) == ["a", "b"]
