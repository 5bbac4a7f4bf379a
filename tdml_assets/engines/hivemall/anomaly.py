"""changefinder, sst and moving_avg: outliers and change points of a series, row after row.

Belongs here: options and states. Does not: the autoregression (``sdar``).
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import BOOLEAN, DOUBLE, Function, constant, null_pointer, table_of
from tdml_assets.engines.hivemall.sdar import Sdar, SdarVector

_LOSSES = ("hellinger", "logloss")


def _loss(options: Options, name: str) -> str:
    loss = options.text(name, "hellinger").lower()
    if loss not in _LOSSES:
        raise HivemallError(f"Unsupported loss function: {loss}. Known: {', '.join(_LOSSES)}.")
    return loss


def _share(options: Options, name: str) -> float:
    value = options.number(name, 0.02)
    if not 0 < value < 1:
        raise HivemallError(f"{name} must be in range (0,1): {value}")
    return value


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values)


def _changefinder(rows: pa.Table, options: Options) -> pa.Table:
    """Outlier and change-point score per row; with a threshold also whether they exceed it."""
    k = options.integer("k", 7)
    if k <= 1:
        raise HivemallError(f"K must be greater than 1: {k}")
    r1, r2 = _share(options, "r1"), _share(options, "r2")
    t1, t2 = options.integer("T1", 7), options.integer("T2", 7)
    for name, window in (("T1", t1), ("T2", t2)):
        if window <= 0:
            raise HivemallError(f"{name} must be positive: {window}")
    loss1, loss2 = _loss(options, "loss1"), _loss(options, "loss2")
    vector = pa.types.is_list(rows.schema.types[0])
    if vector:
        loss2 = loss1  # Hivemall's second stage of a vector follows the first option
    first: Sdar | SdarVector = SdarVector(r1, k) if vector else Sdar(r1, k)
    second = Sdar(r2, k)
    outliers: deque[float] = deque(maxlen=t1)
    changes: deque[float] = deque(maxlen=t2)
    scores: list[tuple[float, float]] = []
    last = (0.0, 0.0)
    for value in rows.column(0).to_pylist():
        if value is not None:
            outlier = first.score(value, loss1)
            outliers.append(outlier)
            changes.append(second.score(_mean(outliers), loss2))
            last = (outlier, _mean(changes))
        scores.append(last)
    columns: dict[str, Any] = {
        "outlier_score": [one for one, _ in scores],
        "changepoint_score": [two for _, two in scores],
    }
    kinds = {"outlier_score": DOUBLE, "changepoint_score": DOUBLE}
    outlier_bar = options.number("outlier_threshold", -1.0)
    change_bar = options.number("changepoint_threshold", -1.0)
    if outlier_bar != -1.0:
        columns["is_outlier"] = [one > outlier_bar for one, _ in scores]
        kinds["is_outlier"] = BOOLEAN
        if change_bar != -1.0:
            columns["is_changepoint"] = [two > change_bar for _, two in scores]
            kinds["is_changepoint"] = BOOLEAN
    return table_of(columns, kinds)


def _sst(rows: pa.Table, options: Options) -> pa.Table:
    """Change-point score by singular spectrum: 1 - the largest singular value of past and current directions."""
    w = options.integer("w", 30)
    n, m, g = options.integer("n", w), options.integer("m", w), options.integer("g", -w)
    r = options.integer("r", 3)
    bar = options.number("th", -1.0)
    if options.given and not 0 < bar < 1:
        raise HivemallError(f"changepointThreshold must be in range (0, 1): {bar}. Give -th.")
    if options.text("score", "svd") != "svd":
        raise HivemallError("Only -score svd is offered: ika starts from a random vector and gives no equal results.")
    for name, value, least in (("w", w, 2), ("n", n, 2), ("m", m, 2), ("r", r, 1)):
        if value < least:
            raise HivemallError(f"{name} must be {least} or more: {value}")
    size = 2 * w + n + m + g
    held: deque[float] = deque(maxlen=max(size, 1))
    scores, last = [], 0.0
    for value in rows.column(0).to_pylist():
        if value is not None:
            held.append(float(value))
            last = _direction_score(np.array(held), w, n, m, g, r) if len(held) == size else 0.0
        scores.append(last)
    columns: dict[str, Any] = {"changepoint_score": scores}
    kinds = {"changepoint_score": DOUBLE}
    if bar != -1.0:
        columns["is_changepoint"], kinds["is_changepoint"] = [score > bar for score in scores], BOOLEAN
    return table_of(columns, kinds)


def _direction_score(series: np.ndarray, w: int, n: int, m: int, g: int, r: int) -> float:
    past = np.stack([series[start : start + w] for start in range(n)], axis=1)
    begin = n + w + g
    current = np.stack([series[begin + start : begin + start + w] for start in range(m)], axis=1)
    left = np.linalg.svd(past)[0][:, :r]
    right = np.linalg.svd(current)[0][:, :r]
    return float(1.0 - np.linalg.svd(left.T @ right, compute_uv=False)[0])


def _moving_avg(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """The mean of the last values, fewer at the start."""
    size = constant(rows, 1)
    if size is not None and size <= 1:
        raise HivemallError(f"Invalid window size: {size}")
    held: deque[float] = deque(maxlen=size or 2)
    means = []
    for value in rows.column(0).to_pylist():
        if value is None:
            raise null_pointer("a value of moving_avg")
        held.append(float(value))
        means.append(_mean(held))
    return table_of({"avg": means}, {"avg": DOUBLE})


FUNCTIONS = {
    "changefinder": Function(
        _changefinder,
        declare(
            "k= r1= r2= T1= T2= outlier_threshold,x_threshold= changepoint_threshold,y_threshold= loss1= loss2= help"
        ),
        1,
        1,
    ),
    "sst": Function(
        _sst,
        declare("w,window= n,n_past= m,n_current= g,current_offset= r,n_component= k,n_dim= score= th,threshold= help"),
        1,
        1,
    ),
    "moving_avg": Function(_moving_avg, {}, 2, 2),
}
