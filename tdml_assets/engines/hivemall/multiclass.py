"""The train_multiclass_ learners: one table of weights per label, the right label against the best other one.

Elsewhere: the rates, which they share with the binary learners (``online_kernels``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.compiled import f32, kernel
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import read_features
from tdml_assets.engines.hivemall.general import SHARED, batch_size
from tdml_assets.engines.hivemall.java_text import hash_order
from tdml_assets.engines.hivemall.online import (
    AGGRESSIVENESS,
    CONFIDENCE,
    REGULARISATION,
    aggressiveness,
    confidence,
    regularisation,
)
from tdml_assets.engines.hivemall.online_kernels import (
    AROW,
    AROWH,
    CW,
    PA,
    PA1,
    PA2,
    PERCEPTRON,
    SCW,
    SCW2,
    covariance_rates,
    cw_alpha,
)
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import FLOAT, Function, table_of

_FIRST_ORDER = 10  # separates rules of the first order from those with covariance


@kernel
def _score(start, stop, index, value, weight, covar, label):  # type: ignore[no-untyped-def]
    score, variance = f32(0.0), f32(0.0)
    for k in range(start, stop):
        j, x = index[k], value[k]
        score = score + weight[label, j] * x
        variance = variance + covar[label, j] * x * x
    return score, variance


@kernel
def multiclass_pass(  # type: ignore[no-untyped-def]
    rule, indptr, index, value, label, order, weight, covar, seen, known, first, second
):
    """One pass. ``order`` are the labels in the order in which equal scores are settled; tables are (labels, features)."""
    zero, one, two = f32(0.0), f32(1.0), f32(2.0)
    for row in range(label.shape[0]):
        y = label[row]
        start, stop = indptr[row], indptr[row + 1]
        norm = zero
        for k in range(start, stop):
            norm = norm + value[k] * value[k]
        right, right_variance = zero, zero
        if known[y] > 0:
            right, right_variance = _score(start, stop, index, value, weight, covar, y)
        other, best, other_variance = -1, zero, zero
        empty = True
        for place in range(order.shape[0]):
            candidate = order[place]
            if known[candidate] == 0:
                continue
            empty = False
            if candidate == y and rule != _FIRST_ORDER + PERCEPTRON:
                continue
            score, variance = _score(start, stop, index, value, weight, covar, candidate)
            if other < 0 or score > best:
                other, best, other_variance = candidate, score, variance
        margin = right - best
        shared = right_variance + other_variance
        alpha, beta = zero, zero
        if rule == _FIRST_ORDER + PERCEPTRON:
            if other == y:
                continue
            alpha = one
        elif rule >= _FIRST_ORDER:
            loss = one - margin
            if not loss > zero or norm == zero:
                continue
            alpha = loss / (two * norm)
            if rule == _FIRST_ORDER + PA1 and alpha > first:
                alpha = first
            if rule == _FIRST_ORDER + PA2:
                alpha = loss / (two * norm + f32(0.5) / first)
        else:
            if empty and rule >= SCW:
                shared = two * norm
            if rule == CW:
                alpha = cw_alpha(margin, shared, first)
                learns = alpha > zero
            elif rule == AROW and np.isnan(margin):
                learns, alpha, beta = True, margin, margin  # Hivemall stops only at a margin of 1 and more
            else:
                learns, alpha, beta = covariance_rates(rule, margin, one, shared, first, second)
            if not learns:
                continue
        known[y] = 1
        for k in range(start, stop):
            j, x = index[k], value[k]
            for side in range(2):
                table = y if side == 0 else other
                if table < 0:
                    continue
                sign = one if side == 0 else -one
                s = covar[table, j]
                seen[table, j] = 1
                if rule >= _FIRST_ORDER:
                    weight[table, j] = weight[table, j] + sign * alpha * x
                elif rule == CW:
                    weight[table, j] = weight[table, j] + sign * alpha * s * x
                    covar[table, j] = one / (one / s + two * alpha * first * x * x)
                else:
                    cx = s * x
                    weight[table, j] = weight[table, j] + sign * alpha * cx
                    covar[table, j] = s - beta * cx * cx


def _learner(rule: int, known_options: str, settings: Callable[[Options], tuple[np.float32, np.float32]]) -> Function:
    covariance = rule < _FIRST_ORDER

    def call(rows: pa.Table, options: Options) -> pa.Table:
        batch_size(options)
        first, second = settings(options)
        labels = rows.column(1)
        kind = labels.type
        if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise HivemallError(f"label must be a type [Int|BigInt|Text]: {kind}")
        words = "1st argument must be Map of key type [Int|BitInt|Text]"
        features = read_features(rows.column(0), dense=options.has("dense"), words=words)
        values = labels.to_pylist()
        chosen = [values[number] for number in features.kept]
        if None in chosen:
            raise HivemallError("label value must not be NULL")
        names = list(dict.fromkeys(chosen))
        places = {name: place for place, name in enumerate(names)}
        order = np.array([places[name] for name in hash_order(names)], np.int64)
        label = np.array([places[name] for name in chosen], np.int64)
        shape = (len(names), len(features.names))
        weight, covar, seen = np.zeros(shape, np.float32), np.ones(shape, np.float32), np.zeros(shape, np.int8)
        multiclass_pass(
            *(rule, features.indptr, features.index, features.value, label, order, weight, covar, seen),
            *(np.zeros(len(names), np.int8), first, second),
        )
        where = np.argwhere(seen > 0)
        columns: dict[str, object] = {
            "label": [names[place] for place, _ in where],
            "feature": [features.names[place] for _, place in where],
            "weight": weight[seen > 0],
        }
        kinds = {"label": kind, "feature": features.kind, "weight": FLOAT}
        if covariance:
            columns["covar"], kinds["covar"] = covar[seen > 0], FLOAT
        return table_of(columns, kinds)

    return Function(call, declare(SHARED + known_options), 2, 2)


def _plain(options: Options) -> tuple[np.float32, np.float32]:  # noqa: ARG001
    return f32(1.0), f32(1.0)


def _soft(options: Options) -> tuple[np.float32, np.float32]:
    return confidence(options), aggressiveness(options)


FUNCTIONS = {
    "train_multiclass_perceptron": _learner(_FIRST_ORDER + PERCEPTRON, "", _plain),
    "train_multiclass_pa": _learner(_FIRST_ORDER + PA, "", _plain),
    "train_multiclass_pa1": _learner(_FIRST_ORDER + PA1, "", _plain),
    "train_multiclass_pa2": _learner(_FIRST_ORDER + PA2, "", _plain),
    "train_multiclass_cw": _learner(CW, CONFIDENCE, lambda options: (confidence(options), f32(1.0))),
    "train_multiclass_arow": _learner(AROW, REGULARISATION, lambda options: (regularisation(options), f32(1.0))),
    "train_multiclass_arowh": _learner(
        AROWH, REGULARISATION + AGGRESSIVENESS, lambda options: (regularisation(options), aggressiveness(options))
    ),
    "train_multiclass_scw": _learner(SCW, CONFIDENCE + AGGRESSIVENESS, _soft),
    "train_multiclass_scw2": _learner(SCW2, CONFIDENCE + AGGRESSIVENESS, _soft),
}
