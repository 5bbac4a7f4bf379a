"""Features from columns: quantitative, categorical, vectorised, field-aware, pairs, one-hot and quantified.

Elsewhere: functions of a list of features (``ftvec``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import split_item
from tdml_assets.engines.hivemall.ffm import parse_item
from tdml_assets.engines.hivemall.hashing import DEFAULT_FEATURES, hashed
from tdml_assets.engines.hivemall.java_text import double_text, float_text, hash_order, number_text, parse_float
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import (
    DOUBLE,
    INT,
    NUMBERS,
    TEXTS,
    Function,
    Types,
    constant,
    scalar,
    table_of,
)

#: Text that counts as a number and not as a category.
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]?", re.ASCII)


def _named(names: Sequence[str | None] | None, values: Sequence[Any]) -> zip[tuple[str, Any]]:
    if names is None:
        raise HivemallError("#featureNames should not be null")
    if not names:
        raise HivemallError("#featureNames must be greater than or equals to 1: 0")
    for name in names:
        if name is None or ":" in name:
            words = "should not be null" if name is None else "should not include colon"
            raise HivemallError(f"featureName {words}: {name or list(names)}")
    if len(names) != len(values):
        raise HivemallError(f"#featureNames '{len(names)}' != #features '{len(values)}'. Give one name per column.")
    return zip(names, values, strict=True)  # type: ignore[arg-type]


def quantitative_features(names: Sequence[str], *values: Any, options: Options, types: Types) -> list[str | None]:
    """``name:value`` per column; null, empty and 0 are left out, or marked with ``-emit_null``."""
    for kind in types[1:]:
        if pa.types.is_boolean(kind):
            raise HivemallError("Only numeric or string type arguments are accepted but boolean is passed.")
    marks = options.has("emit_null")
    result: list[str | None] = []
    for name, value in _named(names, values):
        if value in (None, ""):
            result += [None] if marks else []
            continue
        number = parse_float(value) if isinstance(value, str) else float(value)
        if number == 0:
            result += [f"{name}:0"] if marks else []
        else:
            result.append(f"{name}:{double_text(number)}")
    return result


def categorical_features(names: Sequence[str], *values: Any, options: Options, types: Types) -> list[str | None]:  # noqa: ARG001
    """``name#value`` per column; null and empty are left out, or marked with ``-emit_null``."""
    no_elimination = options.has("no_elim")
    marks = options.has("emit_null") or no_elimination
    tail = ":1" if options.has("force_value") or no_elimination else ""
    result: list[str | None] = []
    for name, value in _named(names, values):
        if value in (None, ""):
            result += [None] if marks else []
        else:
            result.append(f"{name}#{number_text(value)}{tail}")
    return result


def vectorize_features(names: Sequence[str], *values: Any, options: Options, types: Types) -> list[str | None]:  # noqa: ARG001
    """Numbers as ``name:value`` in float32, other text as ``name#value``; null, empty and 0 are left out or marked."""
    marks = options.has("emit_null")
    result: list[str | None] = []
    for name, value in _named(names, values):
        if value in (None, ""):
            result += [None] if marks else []
            continue
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            result.append(f"{name}#{value}")
            continue
        number = np.float32(parse_float(value) if isinstance(value, str) else value)
        if number == 0:
            result += [f"{name}:0"] if marks else []
        else:
            result.append(f"{name}:{float_text(float(number))}")
    return result


def ffm_features(names: Sequence[str], *values: Any, options: Options, types: Types) -> list[str]:  # noqa: ARG001
    """``field:index:1`` per column, both hashed; null and empty are left out."""
    fields, count = _fields(options), _hashed_features(options, 21) or 0
    result: list[str] = []
    for place, (name, value) in enumerate(_named(names, values)):
        if value in (None, ""):
            continue
        text = number_text(value)
        if ":" in text:
            raise HivemallError(f"feature index SHOULD NOT include colon: {text}")
        field = place if options.has("emit_indices") else hashed(name, fields)
        result.append(f"{field}:{hashed(f'{name}#{text}', count) + fields}:1")
    return result


def _fields(options: Options) -> int:
    fields = options.integer("fields", 256)
    if fields <= 1:
        raise HivemallError(f"-num_fields MUST be greater than 1: {fields}")
    return fields


def _hashed_features(options: Options, default: int) -> int | None:
    """How many features there are by ``-num_features`` or the bits of ``-feature_hashing``; None without hashing."""
    count = options.integer("p", -1)
    if count != -1:
        return count
    bits = options.integer("hash", default)
    if bits == -1:
        return None
    if not 18 <= bits <= 31:
        raise HivemallError(f"-feature_hashing MUST be in range [18,31]: {bits}")
    return 1 << bits


def _feature_pairs(rows: pa.Table, options: Options) -> pa.Table:
    """The pairs that a factorisation machine multiplies: a constant, each feature, and each two features; of no features none."""
    if options.has("kpa"):
        return _kpa_pairs(rows)
    if not options.has("ffm"):
        raise HivemallError("MUST provide -kpa or -ffm in the option")
    fields, count = _fields(options), _hashed_features(options, -1)
    found: list[tuple[int, int | None, float | None, float | None]] = []
    for features in rows.column(0).to_pylist():
        if not features:
            continue
        items = [parse_item(item, fields, count) for item in features if item is not None]
        norm = 1.0 if options.has("no_norm") else float(np.sqrt(sum(x * x for _, _, x in items)))
        items = [(field, index, x / norm if norm else x) for field, index, x in items]
        found.append((0, None, None, None))
        for place, (field, index, x) in enumerate(items):
            found.append((-index, None, x, None))
            found += [
                (index * fields + other_field, other * fields + field, x, other_x)
                for other_field, other, other_x in items[place + 1 :]
            ]
    return _pairs(found, ("i", "j", "xi", "xj"))


def _kpa_pairs(rows: pa.Table) -> pa.Table:
    """The same for a kernel expansion: a pair is numbered by a hash of the two numbers of its features."""
    found: list[tuple[Any, Any, Any, Any]] = []
    for features in rows.column(0).to_pylist():
        if not features:
            continue
        items = [(hashed(name), x) for name, x in (split_item(item) for item in features if item is not None)]
        found.append((0, None, None, None))
        for place, (name, x) in enumerate(items):
            found.append((name, None, x, None))
            found += [
                (None, (157 * name + other) % DEFAULT_FEATURES, x, other_x) for other, other_x in items[place + 1 :]
            ]
    return _pairs(found, ("h", "hk", "xh", "xk"))


def _pairs(found: Sequence[tuple[Any, Any, Any, Any]], names: tuple[str, str, str, str]) -> pa.Table:
    kinds = dict(zip(names, (INT, INT, DOUBLE, DOUBLE), strict=True))
    return table_of({name: [row[place] for row in found] for place, name in enumerate(names)}, kinds)


def _binarize_label(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """A row per positive with label 1 and per negative with label 0, from their counts."""
    positives, negatives = (rows.column(place).to_pylist() for place in (0, 1))
    places, labels = [], []
    for row, (positive, negative) in enumerate(zip(positives, negatives, strict=True)):
        places += [row] * (max(positive, 0) + max(negative, 0))
        labels += [1] * positive + [0] * negative
    rest = rows.drop_columns(rows.column_names[:2]).take(pa.array(places, pa.int64()))
    return rest.append_column("label", pa.array(labels, INT))


def _identify(values: Sequence[Any], seen: dict[str, int]) -> list[int | None]:
    return [None if value is None else seen.setdefault(number_text(value), len(seen)) for value in values]


def _quantify(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """Texts become numbers in the order of their first rows; rows whose first column is false are only counted."""
    shown = pa.array([bool(value) for value in rows.column(0).to_pylist()], pa.bool_())
    columns = []
    for column in rows.columns[1:]:
        number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        columns.append(column if number else pa.array(_identify(column.to_pylist(), {}), INT))
    return pa.table(columns, names=rows.column_names[1:]).filter(shown)


def _quantified_features(rows: pa.Table, options: Options) -> pa.Table:
    """The same as one list of doubles per row; null is refused."""
    for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        if None in row:
            shown = ", ".join("null" if value is None else number_text(value) for value in row)
            raise HivemallError(f"Found Null in the input: [{shown}]")
    table = _quantify(rows, options)
    lists = [[float(value) for value in row] for row in zip(*(c.to_pylist() for c in table.columns), strict=True)]
    return table_of({"features": lists}, {"features": NUMBERS})


def _onehot_encoding(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """A map from value to number per column; numbers start at 1 and run on over the columns, values in hash order."""
    number, columns, kinds = 1, {}, {}
    for place, column in enumerate(rows.columns, 1):
        values = hash_order(value for value in column.to_pylist() if value is not None)
        columns[f"f{place}"] = [[(value, number + offset) for offset, value in enumerate(values)]]
        kinds[f"f{place}"] = pa.map_(column.type, INT)
        number += len(values)
    return table_of(columns, kinds)


def _more_than_named(rows: pa.Table) -> bool:
    return bool(rows.num_columns - 1 > len(constant(rows, 0) or ()))


def _builder(call: Callable[..., object], options: str) -> Function:
    described = scalar(call, TEXTS, (2, None), options, types=True, texts=True)
    return replace(described, has_option_column=_more_than_named)


FUNCTIONS = {
    "quantitative_features": _builder(quantitative_features, "emit_null help"),
    "categorical_features": _builder(categorical_features, "no_elim,no_elimination emit_null force_value help"),
    "vectorize_features": _builder(vectorize_features, "emit_null help"),
    "ffm_features": _builder(
        ffm_features,
        "no_hash,disable_feature_hashing p,num_features= hash,feature_hashing= fields,num_fields= emit_indices help",
    ),
    "feature_pairs": Function(
        _feature_pairs,
        declare("kpa ffm p,num_features= hash,feature_hashing= fields,num_fields= no_norm,disable_norm help"),
        1,
        1,
    ),
    "binarize_label": Function(_binarize_label, {}, 3, None),
    "quantify": Function(_quantify, {}, 2, None),
    "quantified_features": Function(_quantified_features, {}, 2, None),
    "onehot_encoding": Function(_onehot_encoding, {}, 1, None),
}
