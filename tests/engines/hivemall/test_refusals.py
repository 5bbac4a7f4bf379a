"""Whatever its arguments are, a function gives a value or refuses them in words."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError, compiled, run
from tests.engines.hivemall import test_functions, test_lists, test_maps
from tests.engines.hivemall.examples import DOUBLE, INT, LONG, TEXT, ints, none, table, texts
from tests.engines.hivemall.test_vectors import VECTORS, table_of

ODD_ITEMS = ("", ":", "a:", ":1", "a:b:1", "a:x", "ä:1", "a:NaN", "0", "-1:2", "999999999999:1")


def examples() -> dict[str, tuple[pa.Table, str]]:
    """The first example of each function with its options."""
    found: dict[str, tuple[pa.Table, str]] = {}
    for case in VECTORS:
        if case["rows"] != "sparse":
            found.setdefault(case["function"], (table_of(case), case["options"]))
    for module in (test_lists, test_maps, test_functions):
        for name, columns, _ in module.VALUES:
            found.setdefault(name, (table(*columns), ""))
    return found


EXAMPLES = examples()


def other_values(values: list[Any], kind: pa.DataType) -> Iterator[tuple[list[Any], pa.DataType]]:
    """The column with nulls, with nothing in its lists, with odd items, and as other types."""
    yield [None, *values[1:]], kind
    yield [None] * len(values), kind
    if pa.types.is_list(kind):
        yield [[] for _ in values], kind
        yield [[*(row or []), None] for row in values], kind
        if pa.types.is_string(kind.value_type):
            for item in ODD_ITEMS:
                yield [[*(row or []), item] for row in values], kind
        if pa.types.is_integer(kind.value_type):
            yield values, pa.list_(DOUBLE)
        if not pa.types.is_nested(kind.value_type):
            yield [None if row is None else [str(item) for item in row] for row in values], pa.list_(TEXT)
    elif pa.types.is_floating(kind) or pa.types.is_integer(kind):
        for number in (0, -1, 7):
            yield [number] * len(values), kind
        yield [Decimal("1.50")] * len(values), pa.decimal128(5, 2)
        yield [1.5] * len(values), DOUBLE
        yield ["x"] * len(values), TEXT
    elif pa.types.is_string(kind):
        for text in ("", "ä", "a:b", "-5"):
            yield [text] * len(values), kind


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_else_is_raised(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_HAS_NUMBA", False)
    rows, options = EXAMPLES[name]
    words: list[str] = []
    tables: list[pa.Table] = []
    for place, column in enumerate(rows.columns):
        for values, kind in other_values(column.to_pylist(), column.type):
            try:
                tables.append(run(name, rows.set_column(place, "other", pa.array(values, kind)), options))
            except HivemallError as error:
                words.append(str(error))
    assert all(words)
    assert all(found.num_columns for found in tables)
    assert len(words) + len(tables) >= 2 * rows.num_columns


@pytest.mark.parametrize(
    ("name", "columns", "words"),
    [
        ("arange", [pa.array([1.5])], "arange takes an integer as argument 1, not double."),
        ("polynomial_features", [texts("a:2"), none(INT)], "argument 2 of polynomial_features is null"),
        ("to_bits", [texts("1")], "to_bits takes a list of integers as argument 1, not list"),
        ("vector_add", [ints(1), texts("1")], "vector_add takes a list of numbers as argument 2"),
        ("kld", [pa.array(["x"]), *(pa.array([1.0]),) * 3], 'For input string: "x"'),
        ("voted_avg", [pa.array([True])], "voted_avg takes a number as argument 1, not bool."),
        ("array_union", [ints(1), texts("1")], "Array types does not match: int32 != string"),
        ("mf_predict", [pa.array([[1.0]]), pa.array([[1.0, 2.0]])], "|Pu| 1 was not equal to |Qi| 2"),
        ("sha1", [pa.array(["a"]), pa.array([0], INT)], "/ by zero"),
        (
            "quantified_features",
            [pa.array([True]), pa.array([None], TEXT), pa.array([0.6])],
            "Found Null in the input: [true, null, 0.6]",
        ),
    ],
)
def test_an_argument_of_another_type_is_refused(name: str, columns: list[pa.Array], words: str) -> None:
    with pytest.raises(HivemallError) as raised:
        run(name, table(*columns))
    assert words in str(raised.value)


def test_text_counts_as_a_number_where_a_number_is_meant() -> None:
    rows = table(pa.array(["1.0", "3.0"]), pa.array([2, 3], LONG))
    assert run("mae", rows).to_pydict() == {"value": [0.5]}
