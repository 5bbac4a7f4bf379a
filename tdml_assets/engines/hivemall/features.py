"""Rows of features as Hivemall takes them, ``["age:1.5", "country#UK"]``, turned into arrays for the kernels.

Elsewhere: feature engineering (``ftvec``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import parse_float, parse_int


@dataclass(frozen=True)
class SparseRows:
    """Rows of items: ``indptr`` (rows + 1), ``index`` (place of the feature in ``names``), ``value`` (float32).

    ``kept`` are the numbers of the input rows that have items; rows with an empty list are left out.
    """

    indptr: np.ndarray
    index: np.ndarray
    value: np.ndarray
    names: list[object]
    kind: pa.DataType
    kept: np.ndarray


def split_item(item: str) -> tuple[str, float]:
    """``name:value`` at the first colon, or a name alone, whose value is 1."""
    name, colon, value = item.partition(":")
    if not colon:
        return item, 1.0
    if not name:
        raise HivemallError(f"Invalid feature value representation: {item}")
    try:
        return name, parse_float(value)
    except HivemallError as error:
        raise HivemallError(f"Failed to parse a feature value: {item}: {error}") from error


_KEY_WORDS = "argument type for a feature must be List of key type [Int|BitInt|Text]"


def read_features(column: pa.ChunkedArray, *, dense: bool = False, words: str = _KEY_WORDS) -> SparseRows:
    """Read a column of feature lists (text, int or bigint items).

    Raises ``HivemallError``: a null list, an item that cannot be read, another item type, and with ``dense`` a name that is not an
    integer.
    """
    kind = column.type.value_type if pa.types.is_list(column.type) or pa.types.is_large_list(column.type) else None
    text = kind is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))
    if not text and (kind is None or not pa.types.is_integer(kind)):
        raise HivemallError(f"{words}: {column.type if kind is None else kind}")
    places: dict[object, int] = {}
    known: dict[object, tuple[int, float]] = {}
    indptr, index, value, kept = [0], [], [], []
    for number, items in enumerate(column.to_pylist()):
        if items is None:
            raise HivemallError(f"NullPointerException: the list of features of row {number} is null.")
        if not items:
            continue
        for item in items:
            if item is None:
                continue
            if item not in known:
                name, weight = split_item(item) if text else (item, 1.0)
                place = parse_int(name) if dense and text else name
                known[item] = (places.setdefault(place, len(places)), weight)
            place_of, weight = known[item]
            index.append(place_of)
            value.append(weight)
        indptr.append(len(index))
        kept.append(number)
    with np.errstate(over="ignore"):
        values = np.array(value, dtype=np.float64).astype(np.float32)
    feature_kind = pa.int32() if dense else (pa.string() if text else kind)
    arrays = (np.array(indptr, np.int64), np.array(index, np.int32), values)
    return SparseRows(*arrays, list(places), feature_kind, np.array(kept, np.int64))


def read_labels(column: pa.ChunkedArray, kept: np.ndarray) -> list[object]:
    """The labels of the rows with items; a null label among them is refused, text is read as a number later."""
    values = column.to_pylist()
    labels = [values[number] for number in kept]
    for number, label in zip(kept, labels, strict=True):
        if label is None:
            raise HivemallError(f"NullPointerException: the label of row {number} is null.")
    return labels


def numbers(labels: list[object]) -> list[float]:
    """Labels as doubles; text is parsed."""
    return [parse_float(label) if isinstance(label, str) else float(label) for label in labels]  # type: ignore[arg-type]


def signs(labels: list[object], *, message: str = "", truncate: bool = True) -> np.ndarray:
    """Binary labels as float32 -1 or 1: -1 and 0 are negative, 1 is positive, others are refused.

    With ``truncate`` the fraction of a label is dropped first, as where Hivemall reads an int.
    """
    result = np.empty(len(labels), np.float32)
    for place, number in enumerate(numbers(labels)):
        label = float(int(number)) if truncate else number
        if label not in (-1.0, 0.0, 1.0):
            raise HivemallError(message or f"Invalid label value for classification: {number}. Write -1, 0 or 1.")
        result[place] = 1.0 if label > 0 else -1.0
    return result
