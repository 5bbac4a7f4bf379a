"""Small functions of numbers, and the version. Elsewhere: lists (``lists``), maps (``maps``)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import number_text
from tdml_assets.engines.hivemall.options import Options
from tdml_assets.engines.hivemall.registry import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    FLOAT,
    INT,
    STRING,
    Function,
    aggregate,
    scalar,
    table_of,
)

#: The version whose functions these are.
VERSION = "0.6.2-incubating-SNAPSHOT"


#: Where the logistic function is cut off.
_STEEPEST = 23.0


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x) as float32; x is cut off at +-23."""
    cut = max(min(float(x), _STEEPEST), -_STEEPEST)
    return float(np.float32(math.nan if math.isnan(x) else 1.0 / (1.0 + math.exp(-cut))))


def l2_norm(values: Sequence[float | None]) -> float | None:
    """The Euclidean norm of a column; null without values."""
    known = [float(value) for value in values if value is not None]
    return math.sqrt(sum(value * value for value in known)) if known else None


def convert_label(label: float) -> int:
    """0 becomes -1 and -1 becomes 0; 1 stays."""
    if label not in (-1, 0, 1):
        raise HivemallError(f"-1 or 1 or 0 is expected. Unexpected label: {number_text(label)}")
    return {0: -1, -1: 0, 1: 1}[int(label)]


def _generate_series(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """For each row the numbers from a start to an end, with it, by a step."""
    values: list[int] = []
    for start, end, *steps in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        step = steps[0] if steps else 1
        if step == 0:
            raise HivemallError("Step MUST NOT be zero")
        values += range(start, end + (1 if step > 0 else -1), step)
    long = any(pa.types.is_int64(kind) for kind in rows.schema.types[:2])
    return table_of({"value": values}, {"value": BIGINT if long else INT})


FUNCTIONS: dict[str, Function] = {
    "hivemall_version": scalar(lambda: VERSION, STRING, (0, 0)),
    "sigmoid": scalar(sigmoid, FLOAT, (1, 1), strict=True),
    "l2_norm": aggregate(l2_norm, DOUBLE, (1, 1)),
    "convert_label": scalar(convert_label, INT, (1, 1), strict=True),
    "generate_series": Function(_generate_series, {}, 2, 3),
    "nan": scalar(lambda: math.nan, DOUBLE, (0, 0)),
    "infinity": scalar(lambda: math.inf, DOUBLE, (0, 0)),
    "is_nan": scalar(math.isnan, BOOLEAN, (1, 1), strict=True),
    "is_infinite": scalar(math.isinf, BOOLEAN, (1, 1), strict=True),
    "is_finite": scalar(math.isfinite, BOOLEAN, (1, 1), strict=True),
}
