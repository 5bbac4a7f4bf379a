"""What the tests of single functions share: types, tables of columns, and the comparison of values."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import run

INT, LONG, DOUBLE, SINGLE, TEXT = pa.int32(), pa.int64(), pa.float64(), pa.float32(), pa.string()
INTS, LONGS, DOUBLES, SINGLES, TEXTS = (pa.list_(kind) for kind in (INT, LONG, DOUBLE, SINGLE, TEXT))


def texts(*items: str | None) -> pa.Array:
    """One row with a list of texts."""
    return pa.array([list(items)], TEXTS)


def ints(*items: int | None) -> pa.Array:
    """One row with a list of integers."""
    return pa.array([list(items)], INTS)


def doubles(*items: float | None) -> pa.Array:
    """One row with a list of doubles."""
    return pa.array([list(items)], DOUBLES)


def none(kind: pa.DataType) -> pa.Array:
    """One row with null."""
    return pa.array([None], kind)


def table(*columns: pa.Array) -> pa.Table:
    """A table of these columns."""
    return pa.table(list(columns), names=[f"c{place}" for place in range(len(columns))])


def value_of(name: str, *columns: pa.Array, options: str = "") -> Any:
    """The one value that the function gives."""
    found = run(name, table(*columns), options)
    assert found.column_names == ["value"]
    return found.column(0)[0].as_py()


def same(wanted: Any, found: Any) -> bool:
    """Equality of values, numbers to 1e-12 and NaN with NaN."""
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(same, wanted, found))
    if isinstance(wanted, float) and isinstance(found, float):
        return math.isnan(found) if math.isnan(wanted) else found == pytest.approx(wanted, rel=1e-12, abs=1e-12)
    return type(wanted) is type(found) and bool(wanted == found)
