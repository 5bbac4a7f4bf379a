"""Outputs of the real functions of Apache Hivemall (commit 3407977) on small inputs, reproduced.

``vectors.json``: function, options, types and rows of the arguments, and the table that Hivemall gives; "sparse" rows stand in
``sparse_rows.json``. Learners are compared as float32, other numbers to 1e-6.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError, compiled, run

HERE = Path(__file__).resolve().parent
VECTORS = json.loads((HERE / "vectors.json").read_text(encoding="utf-8"))
REFUSALS = json.loads((HERE / "refusals.json").read_text(encoding="utf-8"))
KINDS = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "float": pa.float32(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
}


@pytest.fixture(autouse=True)
def _without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same source as plain Python: compiling costs more than these rows."""
    monkeypatch.setattr(compiled, "_HAS_NUMBA", False)


def kind_of(name: str) -> pa.DataType:
    if name.startswith("array<"):
        return pa.list_(kind_of(name[6:-1]))
    if name.startswith("map<"):
        key, _, item = name[4:-1].partition(",")
        return pa.map_(kind_of(key), kind_of(item))
    return KINDS[name]


def decoded(value: Any, kind: pa.DataType) -> Any:
    if pa.types.is_map(kind) and value is not None:
        return [(key, decoded(item, kind.item_type)) for key, item in value]
    if isinstance(value, list):
        return [decoded(item, kind.value_type) for item in value]
    return float(value.replace("Infinity", "inf")) if isinstance(value, str) and pa.types.is_floating(kind) else value


def table_of(case: dict[str, Any]) -> pa.Table:
    rows = case["rows"]
    if rows == "sparse":
        rows = json.loads((HERE / "sparse_rows.json").read_text(encoding="utf-8"))
    kinds = [kind_of(name) for name in case["types"]]
    columns = [pa.array([decoded(row[place], kind) for row in rows], kind) for place, kind in enumerate(kinds)]
    return pa.table(columns, names=[f"c{place}" for place in range(len(columns))])


def same(wanted: Any, got: Any, *, single: bool) -> bool:
    if isinstance(wanted, dict):
        found = {str(key): value for key, value in (got.items() if isinstance(got, dict) else got)}
        return wanted.keys() == found.keys() and all(same(wanted[key], found[key], single=single) for key in wanted)
    if isinstance(wanted, list):
        return len(wanted) == len(got) and all(same(a, b, single=single) for a, b in zip(wanted, got, strict=True))
    if isinstance(wanted, str) and isinstance(got, float):
        wanted = float(wanted.replace("Infinity", "inf"))
    if not isinstance(wanted, float):
        return bool(wanted == got)
    if math.isnan(wanted):
        return math.isnan(got)
    if single:
        return bool(np.float32(wanted) == np.float32(got))
    return wanted == got or abs(wanted - got) <= 1e-6 * max(1.0, abs(wanted))


def name_of(case: dict[str, Any]) -> str:
    return f"{VECTORS.index(case) if case in VECTORS else REFUSALS.index(case):03d}-{case['function']}"


@pytest.mark.parametrize("case", VECTORS, ids=name_of)
def test_gives_what_hivemall_gives(case: dict[str, Any]) -> None:
    got = run(case["function"], table_of(case), case["options"])
    learner = case["function"].startswith("train") or case["function"] == "logress"
    assert got.column_names == case["columns"]
    rows = [list(row) for row in zip(*(column.to_pylist() for column in got.columns), strict=True)]
    wanted = case["expected"]
    if learner:  # tables without an order
        keys = 2 if case["columns"][0] == "label" else 1
        rows, wanted = (sorted(some, key=lambda row: [str(part) for part in row[:keys]]) for some in (rows, wanted))
    assert same(wanted, rows, single=learner), (rows[:3], wanted[:3])


@pytest.mark.parametrize("case", REFUSALS, ids=name_of)
def test_refuses_what_hivemall_refuses_in_its_words(case: dict[str, Any]) -> None:
    with pytest.raises(HivemallError) as raised:
        run(case["function"], table_of(case), case["options"])
    assert case["message"] in str(raised.value)
