"""Functions that build and change rows of features.

Elsewhere: hashing, scaling, and functions of whole columns (``columns``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import split_item
from tdml_assets.engines.hivemall.hashing import mhash
from tdml_assets.engines.hivemall.java_text import double_text, float_text, number_text, parse_float, parse_int
from tdml_assets.engines.hivemall.options import Options
from tdml_assets.engines.hivemall.registry import (
    DOUBLE,
    FLOAT,
    INT,
    STRING,
    TEXTS,
    Types,
    first_type,
    null_pointer,
    scalar,
)


def add_bias(features: Sequence[Any] | None, name: Any = "0", value: float = 1.0) -> list[Any]:
    """The features and the bias behind them; a list of numbers gets the number alone."""
    if features is None:
        raise null_pointer("the list of features of add_bias")
    if isinstance(name, int):
        return [*features, name]
    if features and isinstance(features[0], int):
        return [*features, int(name)]
    return [*features, f"{name}:{float_text(value)}"]


def add_feature_index(values: Sequence[float]) -> list[str] | None:
    """Values behind their places, counted from 1."""
    return [f"{place}:{'null' if value is None else double_text(value)}" for place, value in enumerate(values, 1)]


def extract_feature(item: Any) -> Any:
    """The name before the first colon, of an item or of each item of a list."""
    if isinstance(item, list):
        return [extract_feature(one) for one in item]
    return None if item is None else _name_of(str(item))


def _name_of(item: str) -> str:
    """The name before the first colon; an item that starts with a colon is its own name."""
    name, _, _ = item.partition(":")
    return name or item


def extract_weight(item: Any) -> Any:
    """The number behind the last colon, or 1, of an item or of each item of a list; a colon at the start does not count."""
    if isinstance(item, list):
        return [extract_weight(one) for one in item]
    if item is None:
        return None
    name, _, text = str(item).rpartition(":")
    return parse_float(text) if name else 1.0


def feature(name: Any, value: Any, *, types: Types) -> str | None:
    """``name:value``; a name with a colon is refused."""
    if not (pa.types.is_integer(types[0]) or pa.types.is_string(types[0]) or pa.types.is_null(types[0])):
        raise HivemallError(f"feature expects integer type or string for `feature` but got {types[0]}")
    if pa.types.is_string(types[1]) or pa.types.is_boolean(types[1]):
        raise HivemallError(f"feature expects a number type for `value` but got {types[1]}")
    if name is None or value is None:
        return None
    if ":" in str(name):
        raise HivemallError(f"feature name SHOULD NOT contain colon: {name}")
    return f"{name}:{number_text(value)}"


def feature_index(item: Any) -> Any:
    """The integer name of a feature, or of each of a list."""
    if isinstance(item, list):
        return [None if one is None else parse_int(_name_of(str(one))) for one in item]
    return None if item is None else parse_int(str(item))


def sort_by_feature(features: Any) -> Any:
    """A map in the order of its keys."""
    return sorted(features, key=lambda pair: pair[0])


def polynomial_features(
    features: Sequence[str],
    degree: int,
    interaction_only: bool = False,
    truncate: bool = True,
) -> list[str] | None:
    """The features and their products up to the degree; with ``truncate``, values 0 and 1 take no part in products."""
    if degree < 2:
        raise HivemallError(f"degree must be greater than or equals to 2: {degree}")
    if any(item is None for item in features):
        raise HivemallError("NullPointerException: an item of the features is null.")
    parsed = [split_item(item) for item in features]
    items = [(item, name, np.float32(value)) for item, (name, value) in zip(features, parsed, strict=True)]
    result: list[str] = []

    def extend(start: int, name: str, value: np.float32, left: int) -> None:
        for place in range(start, len(items)):
            _, other, number = items[place]
            if truncate and number in (0.0, 1.0):
                continue
            longer, product = f"{name}^{other}", np.float32(value * number)
            result.append(f"{longer}:{float_text(float(product))}")
            if left > 1:
                extend(place + (1 if interaction_only else 0), longer, product, left - 1)

    for place, (item, name, value) in enumerate(items):
        result.append(item)
        if not (truncate and value in (0.0, 1.0)):
            extend(place + (1 if interaction_only else 0), name, value, degree - 1)
    return result


def powered_features(
    features: Sequence[str],
    degree: int,
    truncate: bool = True,
) -> list[str] | None:
    """The features and their powers up to the degree; null items are left out."""
    if degree < 2:
        raise HivemallError(f"degree must be greater than or equals to 2: {degree}")
    result = []
    for item in features:
        if item is None:
            continue
        name, value = split_item(item)
        result.append(item)
        single = product = np.float32(value)
        if truncate and single in (0.0, 1.0):
            continue
        for power in range(2, degree + 1):
            product = np.float32(product * single)
            result.append(f"{name}^{power}:{float_text(float(product))}")
    return result


def to_dense_features(features: Sequence[str], *size: int) -> list[float | None] | None:
    """A list of dimensions + 1 values by integer name; null where there is none. Dimensions are as many as items by default."""
    if None in features:
        raise null_pointer("an item of the features")
    dimensions = size[0] if size else len(features)
    dense: list[float | None] = [None] * (dimensions + 1)
    for item in features:
        name, value = split_item(item)
        place = parse_int(name)
        if not 0 <= place <= dimensions:
            raise HivemallError(f"IndexOutOfBounds: {place} is not from 0 to {dimensions}")
        dense[place] = value
    return dense


def to_sparse_features(values: Sequence[float], prefix: str | None = None) -> list[str] | None:
    """Items of the values that are not null, named by their places from 0, or by the prefix alone."""
    return [
        f"{place if prefix is None else prefix}:{float_text(value)}"
        for place, value in enumerate(values)
        if value is not None
    ]


def to_libsvm_format(features: Sequence[str], *target: Any, options: Options) -> str | None:
    """A line of LIBSVM, its features sorted; names that are not integers are hashed."""
    if None in target:
        raise HivemallError("Detected NULL for the 2nd argument")
    count = options.integer("features", 2**24)
    items = []
    for item in features:
        if item is None:
            continue
        if item.count(":") > 1:
            raise HivemallError(f"Unsupported feature format: {item}")
        try:
            name, value = split_item(item)
            place = parse_int(name) if name.isascii() and name.isdigit() else mhash(name, count)
        except HivemallError as error:
            raise HivemallError(f"Invalid feature value: {item}") from error
        items.append((place, value))
    items.sort(key=lambda pair: pair[0])
    line = " ".join(f"{place}:{double_text(value)}" for place, value in items)
    return f"{number_text(target[0])} {line}" if target else line


def indexed_features(*values: Any) -> list[str]:
    """Values behind their places from 1; null and empty ones are left out."""
    return [f"{place}:{number_text(value)}" for place, value in enumerate(values, 1) if value not in (None, "")]


def add_field_indices(features: Sequence[str]) -> list[str] | None:
    """Items behind their places from 1, as fields of a field-aware machine."""
    return [f"{place}:{item}" for place, item in enumerate(features, 1) if item is not None]


def _alike(item: pa.DataType) -> Any:
    def kind(types: Types) -> pa.DataType:
        return pa.list_(item) if pa.types.is_list(types[0]) else item

    return kind


def _bias_type(types: Types) -> pa.DataType:
    return types[0] if pa.types.is_integer(types[0].value_type) else TEXTS


FUNCTIONS = {
    "add_bias": scalar(add_bias, _bias_type, (1, 3)),
    "add_feature_index": scalar(add_feature_index, TEXTS, (1, 1), strict=True),
    "extract_feature": scalar(extract_feature, _alike(STRING), (1, 1)),
    "extract_weight": scalar(extract_weight, _alike(DOUBLE), (1, 1)),
    "feature": scalar(feature, STRING, (2, 2), types=True, texts=True),
    "feature_index": scalar(feature_index, _alike(INT), (1, 1)),
    "sort_by_feature": scalar(sort_by_feature, first_type, (1, 1), strict=True),
    "polynomial_features": scalar(polynomial_features, TEXTS, (2, 4), strict=True),
    "powered_features": scalar(powered_features, TEXTS, (2, 3), strict=True),
    "to_dense": scalar(to_dense_features, pa.list_(FLOAT), (1, 2), strict=True),
    "to_dense_features": scalar(to_dense_features, pa.list_(FLOAT), (1, 2), strict=True),
    "to_sparse": scalar(to_sparse_features, TEXTS, (1, 2), strict=True),
    "to_sparse_features": scalar(to_sparse_features, TEXTS, (1, 2), strict=True),
    "to_libsvm_format": scalar(to_libsvm_format, STRING, (1, 2), "features,num_features=", strict=True),
    "indexed_features": scalar(indexed_features, TEXTS, (1, None), texts=True),
    "add_field_indices": scalar(add_field_indices, TEXTS, (1, 1), strict=True),
    "add_field_indicies": scalar(add_field_indices, TEXTS, (1, 1), strict=True),
}
