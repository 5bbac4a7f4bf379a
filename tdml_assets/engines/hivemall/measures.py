"""Measures of predictions: AUC, log loss, errors, F-measure, and ranking measures of lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.options import Options
from tdml_assets.engines.hivemall.registry import DOUBLE, Function, aggregate, null_pointer, one_column

Pairs = list[tuple[float, float]]


def _known(first: Sequence[Any], second: Sequence[Any]) -> Pairs:
    return [(one, other) for one, other in zip(first, second, strict=True) if one is not None and other is not None]


def logloss(predicted: Sequence[Any], actual: Sequence[Any]) -> float:
    """Mean log loss; predictions are cut at 1e-15."""
    pairs = _known(predicted, actual)
    total = 0.0
    for p, y in pairs:
        cut = min(max(float(p), 1e-15), 1.0 - 1e-15)
        total -= y * math.log(cut) + (1.0 - y) * math.log(1.0 - cut)
    return total / len(pairs) if pairs else 0.0


def mse(predicted: Sequence[Any], actual: Sequence[Any]) -> float:
    """Mean squared error; 0 without rows."""
    pairs = _known(predicted, actual)
    return sum((p - y) ** 2 for p, y in pairs) / len(pairs) if pairs else 0.0


def mae(predicted: Sequence[Any], actual: Sequence[Any]) -> float:
    """Mean absolute error; 0 without rows."""
    pairs = _known(predicted, actual)
    return sum(abs(p - y) for p, y in pairs) / len(pairs) if pairs else 0.0


def r2(predicted: Sequence[Any], actual: Sequence[Any]) -> float:
    """The coefficient of determination; 1 where all actual values are equal, 0 without rows."""
    pairs = _known(predicted, actual)
    if not pairs:
        return 0.0
    mean = sum(y for _, y in pairs) / len(pairs)
    spread = sum((y - mean) ** 2 for _, y in pairs)
    return 1.0 - sum((p - y) ** 2 for p, y in pairs) / spread if spread else 1.0


def auc(scores: Sequence[Any], labels: Sequence[Any]) -> float:
    """Area under the ROC curve by trapezoids over the rows as they come: they must be sorted by falling score."""
    area, true, false, true_before, false_before = 0.0, 0, 0, 0, 0
    last: float | None = None
    for score, label in _known(scores, labels):
        if not 0 <= score <= 1:
            raise HivemallError(f"score value MUST be in range [0,1]: {score}")
        if label not in (-1, 0, 1):
            raise HivemallError(f"label MUST be 0/1 or -1/1: {label}")
        if score != last:
            area += (false - false_before) * (true + true_before) / 2.0
            last, true_before, false_before = score, true, false
        true += label == 1
        false += label != 1
    if not true or not false:
        raise HivemallError("AUC score is not defined because there is only one class in `label`.")
    area += (false - false_before) * (true + true_before) / 2.0
    return area / (true * false)


def fmeasure(actual: Sequence[Any], predicted: Sequence[Any], *, options: Options) -> float:
    """The F-measure of labels (-1, 0, 1 or booleans) or of lists.

    ``-average`` is ``micro`` (default) or ``binary``, which counts booleans like micro.
    """
    beta, average = options.number("beta", 1.0), options.text("average", "micro")
    if not beta > 0:
        raise HivemallError(f"The third argument `double beta` must be greater than 0.0: {beta}")
    if average == "macro":
        raise HivemallError('"-average macro" is not supported')
    if average not in ("micro", "binary"):
        raise HivemallError(
            f"The third argument `String average` must be one of the {{binary, micro, macro}}: {average}"
        )
    true, predictions, actuals = 0, 0, 0
    for y, p in zip(actual, predicted, strict=True):
        if y is None or p is None:
            continue
        if isinstance(y, list):
            if average == "binary":
                raise HivemallError('"-average binary" is not supported when `predict` is array')
            true += sum(item in y for item in p)
            predictions, actuals = predictions + len(p), actuals + len(y)
            continue
        positive, guessed = _positive(y), _positive(p)
        if average == "binary" and not isinstance(y, bool):
            true, predictions, actuals = true + (positive and guessed), predictions + guessed, actuals + positive
        else:
            true, predictions, actuals = true + (positive == guessed), predictions + 1, actuals + 1
    square = beta * beta
    divisor = square * actuals + predictions
    return (1.0 + square) * true / divisor if divisor else 0.0


def _positive(label: Any) -> bool:
    if not isinstance(label, bool) and label not in (-1, 0, 1):
        raise HivemallError(f"Int label must be 1, 0 or -1: {label}")
    return bool(label == 1)


def f1score(actual: Sequence[Any], predicted: Sequence[Any]) -> float | None:
    """The F1 of lists; -1 where no item is right, null without rows."""
    if None in actual or None in predicted:
        raise null_pointer("a list of f1score")
    true = sum(item in y for y, p in zip(actual, predicted, strict=True) for item in p)
    if not actual:
        return None
    precision, recall = (true / max(sum(len(items) for items in side), 1) for side in (predicted, actual))
    return 2.0 * precision * recall / (precision + recall) if true else -1.0


def _hits(ranked: Sequence[Any], truth: Sequence[Any], k: int) -> list[bool]:
    return [item in truth for item in ranked[:k]]


def precision_at(ranked: Sequence[Any], truth: Sequence[Any], k: int) -> float:
    """Shown items that are true, as a share of those shown."""
    if not ranked:
        return 0.0 if truth else 1.0
    shown = min(k, len(ranked))
    return sum(_hits(ranked, truth, k)) / shown if shown else math.nan


def recall_at(ranked: Sequence[Any], truth: Sequence[Any], k: int) -> float:
    """True items that are shown, as a share of the true ones."""
    if not truth:
        return 0.0 if ranked else 1.0
    return sum(_hits(ranked, truth, k)) / len(truth)


def hitrate(ranked: Sequence[Any], truth: Sequence[Any], k: int) -> float:
    """1 if any shown item is true."""
    return float(any(_hits(ranked, truth, k)))


def mrr(ranked: Sequence[Any], truth: Sequence[Any], k: int) -> float:
    """1 / the place of the first true item."""
    return next((1.0 / place for place, hit in enumerate(_hits(ranked, truth, k), 1) if hit), 0.0)


def average_precision(ranked: Sequence[Any], truth: Sequence[Any], k: int) -> float:
    """The mean of the precision at each true item that is shown."""
    if not truth:
        return 0.0 if ranked else 1.0
    found, total = 0, 0.0
    for place, hit in enumerate(_hits(ranked, truth, k), 1):
        if hit:
            found += 1
            total += found / place
    return total / found if found else 0.0


def ndcg(ranked: Sequence[Any], truth: Sequence[Any], k: int) -> float:
    """Discounted gain over its ideal: gain 1 of true items, or 2^relevance - 1 where items are structs that start with it."""
    if ranked and isinstance(ranked[0], dict):
        found, ideal = _discounted(next(iter(item.values())) for item in ranked[:k]), _discounted(truth[:k])
        if ideal:
            return found / ideal
        return math.copysign(math.inf, found) if found else math.nan
    gains = _hits(ranked, truth, k)
    best = sum(1.0 / _log2(place + 1) for place in range(1, min(len(truth), len(gains)) + 1))
    return sum(gain / _log2(place + 1) for place, gain in enumerate(gains, 1)) / best if best else 0.0


def _log2(value: float) -> float:
    return math.log(value) / math.log(2)


def _discounted(relevances: Iterable[float]) -> float:
    return float(
        sum((2.0**value - 1.0) * math.log(2) / math.log(place + 1) for place, value in enumerate(relevances, 1))
    )


def ranked_auc(ranked: Sequence[Any], truth: Sequence[Any], k: int) -> float:
    """The share of pairs of a true and a false item in right order; the number of false items is k less the true ones."""
    hits = _hits(ranked, truth, k)
    true = sum(hits)
    pairs = true * (k - true)
    if not pairs:
        return 0.5
    before, right = 0, 0
    for hit in hits:
        before += hit
        right += 0 if hit else before
    return right / pairs


def _ranking(measure: Callable[[Sequence[Any], Sequence[Any], int], float]) -> Function:
    """The mean of a measure over rows of (ranked list, true list[, k]); rows without a true list do not count."""

    def call(rows: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
        values = []
        for ranked, truth, *rest in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            shown = ranked or []
            if truth is None:
                continue
            k = rest[0] if rest else len(shown)
            if k is None:
                raise null_pointer("the size of the recommendation")
            if k < 0:
                words = "The third argument `int recommendSize` must be in greater than or equals to 0"
                raise HivemallError(f"{words}: {k}")
            values.append(measure(shown, truth, k))
        return one_column([sum(values) / len(values) if values else 0.0], DOUBLE)

    return Function(call, {}, 2, 3)


def _auc(rows: pa.Table, options: Options) -> pa.Table:
    kind = rows.schema.types[0]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _ranking(ranked_auc).call(rows, options)
    return one_column([auc(*(column.to_pylist() for column in rows.columns[:2]))], DOUBLE)


FUNCTIONS: dict[str, Function] = {
    "auc": Function(_auc, {}, 2, 3),
    "logloss": aggregate(logloss, DOUBLE, (2, 2)),
    "mse": aggregate(mse, DOUBLE, (2, 2)),
    "rmse": aggregate(lambda predicted, actual: math.sqrt(mse(predicted, actual)), DOUBLE, (2, 2)),
    "mae": aggregate(mae, DOUBLE, (2, 2)),
    "r2": aggregate(r2, DOUBLE, (2, 2)),
    "fmeasure": aggregate(fmeasure, DOUBLE, (2, 2), "beta= average= help"),
    "f1score": aggregate(f1score, DOUBLE, (2, 2)),
    "precision_at": _ranking(precision_at),
    "recall_at": _ranking(recall_at),
    "hitrate": _ranking(hitrate),
    "mrr": _ranking(mrr),
    "average_precision": _ranking(average_precision),
    "ndcg": _ranking(ndcg),
}
