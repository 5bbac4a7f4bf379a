"""rescale, zscore and the normalisation of feature vectors. Elsewhere: other feature functions (``ftvec``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import float_text, parse_float, split_parts
from tdml_assets.engines.hivemall.registry import FLOAT, STRING, TEXTS, Types, null_pointer, scalar


def rescale(value: float | str, low: float | None, high: float | None) -> float | str | None:
    """A value, or that of ``name:value``, as its share of the range, cut to 0..1; a range of no width gives 0.5."""
    if low is None or high is None:
        raise HivemallError(f"{'min' if low is None else 'max'} should not be null")
    if isinstance(value, str):
        parts = split_parts(value)
        if len(parts) != 2:
            raise HivemallError(f"Invalid feature value representation: {value}. Write name:value.")
        try:
            number = parse_float(parts[1])
        except HivemallError as error:
            words = f"Invalid feature value representation: {value}, {parts[1]} can't parse to float."
            raise HivemallError(f"{words} {error}") from error
        return f"{parts[0]}:{float_text(_share(number, low, high))}"
    return _share(value, low, high)


def _share(value: float, low: float, high: float) -> float:
    with np.errstate(all="ignore"):
        first, last, number = np.float32(low), np.float32(high), np.float32(value)
        if first > last:
            raise HivemallError(f"min value `{float_text(low)}` SHOULD be less than max value `{float_text(high)}`")
        if first == last:
            return 0.5
        if number < first or number > last:
            return 0.0 if number < first else 1.0
        return float((number - first) / (last - first))


def zscore(value: float, mean: float | None, deviation: float | None, *, types: Types) -> float | None:
    """(value - mean) / deviation; 0 where the deviation is 0. Float32 numbers are subtracted as such, others as doubles."""
    if mean is None or deviation is None:
        raise null_pointer("the mean or the deviation of zscore")
    with np.errstate(all="ignore"):
        if deviation == 0:
            return 0.0
        number = np.float32 if all(kind == FLOAT for kind in types) else np.float64
        return float(np.float32((number(value) - number(mean)) / number(deviation)))


def _normalise(norm_of: Callable[[list[np.float32]], np.float32]) -> Callable[..., list[str]]:
    def normalise(features: Sequence[str | None]) -> list[str]:
        names, values = [], []
        for item in features:
            if item is None:
                names.append("null")
                values.append(np.float32(0))
                continue
            parts = split_parts(item)
            if not 1 <= len(parts) <= 3:
                raise HivemallError(f"Invalid feature value representation: {item}")
            names.append(":".join(parts[:-1]) if len(parts) > 1 else parts[0])
            values.append(np.float32(parse_float(parts[-1])) if len(parts) > 1 else np.float32(1))
        with np.errstate(all="ignore"):
            norm = norm_of(values)
            scaled = [float(value / norm) if norm else 0.0 for value in values]
        return [f"{name}:{float_text(value)}" for name, value in zip(names, scaled, strict=True)]

    return normalise


def _l1(values: list[np.float32]) -> np.float32:
    return np.float32(sum(abs(float(value)) for value in values))


def _l2(values: list[np.float32]) -> np.float32:
    return np.float32(math.sqrt(sum(float(value * value) for value in values)))


def _number_or_text(types: Types) -> pa.DataType:
    return STRING if pa.types.is_string(types[0]) else FLOAT


FUNCTIONS = {
    "rescale": scalar(rescale, _number_or_text, (3, 3), strict=True),
    "zscore": scalar(zscore, FLOAT, (3, 3), types=True, strict=True),
    "l1_normalize": scalar(_normalise(_l1), TEXTS, (1, 1), strict=True),
    "l2_normalize": scalar(_normalise(_l2), TEXTS, (1, 1), strict=True),
}
