"""Classification: what a yes-or-no workflow demands, measures and publishes.

Elsewhere: its settings (``declaration/classification.py``), formulas of measures (``platform/metrics.py``,
``platform/classification_metrics.py``), learners (``engines/``), the contract of its predictions
(``tasks/classification.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tdml_assets.declaration.classification import Classification
from tdml_assets.platform.classification_metrics import (
    average_precision,
    brier,
    confusion,
    expected_calibration_error,
    rank_auc,
)
from tdml_assets.platform.metrics import decile_table, log_loss
from tdml_assets.platform.refusals import RefusedError
from tdml_assets.stages.evaluation.measures import Metrics

#: Split that only says when to stop: it needs fewer of a class than one that is learnt from or measured on.
_STOPPING, _STOPPING_ROWS = "validation", 5
# By how much the error of a naive score may exceed the model's, as a ratio and as a margin of AUC.
_NAIVE_ERROR_RATIO, _NAIVE_ERROR_MARGIN = 2.0, 0.02


class TooFewOfAClassError(RefusedError):
    """A split has too few rows with or without the event."""


class ClassCounts(NamedTuple):
    """Rows of a split with and without the event."""

    positives: int
    negatives: int


def eligibility(counts: Mapping[str, ClassCounts], settings: Classification) -> None:
    """Refuse to train where a split has too little of either class to learn from or to measure on.

    ``counts``: per split (``train``, ``validation``, ``test``). ``validation`` only ends a fit: five rows of a class are enough.
    Raises ``TooFewOfAClassError`` naming every such split with its counts, the bounds and the remedy.
    """
    short = []
    for split, found in counts.items():
        for kind, count in zip(("positives", "negatives"), found, strict=True):
            declared = getattr(settings, f"min_{kind}")
            bound = min(declared, _STOPPING_ROWS) if split == _STOPPING else declared
            if count < bound:
                asked = f"min_{kind} is {bound}" if bound == declared else f"{bound} are needed to end a fit"
                short.append(f"{split} has {count} {kind} of {sum(found)} rows, {asked}")
    if short:
        raise TooFewOfAClassError(
            f"not eligible for training: {'; '.join(short)}",
            "change target.horizon_days, add snapshots or customers, or lower the bound under classification",
        )


def evaluate_classification(
    target: ArrayLike,
    probability: ArrayLike,
    baseline_scores: Mapping[str, ArrayLike],
    threshold: float,
    *,
    train_base_rate: float | None,
) -> Metrics:
    """Measure predicted probabilities next to what no model at all would have said.

    Returns measures by the name they are stored under; None where one is not defined (one class, no rows). Raises ``ValueError`` if
    lengths differ, values are not finite, labels not 0 or 1, or probabilities outside [0, 1].

    ``target``: (rows,), 0 or 1. ``probability``: (rows,), in [0, 1]. ``baseline_scores``: (rows,) each, by name: naive scores
    such as recency alone, of which only the order counts. Higher means likelier; see :func:`naive_direction`. ``threshold``:
    probability from which a row is called positive. ``train_base_rate``: share of positives of the training split, the forecast
    of somebody who knows nothing of a customer.
    """
    y, p = np.asarray(target, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    scores = {name: np.asarray(score, dtype=np.float64) for name, score in baseline_scores.items()}
    for name, values in {"probability": p, **scores}.items():
        if values.shape != y.shape:
            raise ValueError(f"{name} has shape {values.shape}, the target {y.shape}: give one value per row")
    some = y.size > 0
    deciles = decile_table(y, p) if some else []
    base_rate = float(y.mean()) if some else None
    called = confusion(y, p, threshold)
    constant = None if train_base_rate is None else np.full(y.shape, train_base_rate)
    metrics: Metrics = {
        "rows": float(y.size),
        "positives": float(y.sum()),
        "base_rate": base_rate,
        "mean_probability": float(p.mean()) if some else None,
        "roc_auc": rank_auc(y, p),
        "pr_auc": average_precision(y, p),
        "log_loss": log_loss(y, p) if some else None,
        "brier": brier(y, p),
        "ece": expected_calibration_error(deciles),
        "threshold": threshold,
        "accuracy": called.accuracy,
        "precision": called.precision,
        "recall": called.recall,
        "f1": called.f1,
        "lift_top_decile": deciles[-1].mean_actual / base_rate if base_rate else None,
        "constant_log_loss": log_loss(y, constant) if some and constant is not None else None,
        "constant_brier": brier(y, constant) if constant is not None else None,
    }
    for name, score in scores.items():
        metrics[f"baseline_{name}_roc_auc"] = rank_auc(y, score)
        metrics[f"baseline_{name}_pr_auc"] = average_precision(y, score)
    return metrics


def naive_direction(train_target: ArrayLike, train_score: ArrayLike) -> float:
    """1.0 if a naive score is higher where the event happens, on the training split, and -1.0 if it is lower.

    So that one list of scores serves any event: many days since the last order make a lapse likelier, a purchase less
    likely.
    """
    found = rank_auc(train_target, train_score)
    return -1.0 if found is not None and found < 0.5 else 1.0


def with_lift(deciles: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add to every decile its ``lift``: how many times likelier the event was in it than in all; None if it never was."""
    rows = sum(row["count"] for row in deciles)
    happened = sum(row["count"] * row["mean_actual"] for row in deciles)
    return [{**row, "lift": row["mean_actual"] * rows / happened if happened else None} for row in deciles]


def is_suspicious(test: Mapping[str, float | None], *, auc_limit: float) -> bool:
    """Whether an AUC is so high that a feature may know the outcome.

    Not where recency or the number of orders alone explain most of it: subscribers who did not renew in time are gone, and
    everybody can see it. The naive score must leave at most twice the error (1 - AUC) of the model. ``test``: measures of the test
    split, by :func:`evaluate_classification`. ``auc_limit``: an AUC up to it is never suspicious.
    """
    auc, naive = test.get("roc_auc"), _best_naive_auc(test)
    if auc is None or not math.isfinite(auc) or auc <= auc_limit:
        return False
    return naive is None or (1 - naive) > _NAIVE_ERROR_RATIO * (1 - auc) + _NAIVE_ERROR_MARGIN


def _best_naive_auc(test: Mapping[str, float | None]) -> float | None:
    found = [
        value
        for name, value in test.items()
        if name.startswith("baseline_") and name.endswith("_roc_auc") and value is not None
    ]
    return max(found, default=None)


def may_be_promoted_classification(test: Mapping[str, float | None], *, auc_limit: float = 0.95) -> tuple[bool, str]:
    """Whether a candidate is fit to score, and why not.

    It must rank customers better than chance, not better than can be believed, and its probabilities must tell more than
    the training split's base rate. ``test``: measures of the test split, by :func:`evaluate_classification`. ``auc_limit``: an AUC
    above it is taken for a leak until somebody has looked.
    """
    auc, loss, constant = test.get("roc_auc"), test.get("log_loss"), test.get("constant_log_loss")
    if auc is None or loss is None or constant is None or not all(map(math.isfinite, (auc, loss, constant))):
        positives, rows = (int(test.get(name) or 0) for name in ("positives", "rows"))
        return (
            False,
            f"held: {positives} of {rows} rows of the test split are positive, so there is nothing to measure on",
        )
    if auc <= 0.5:
        return (
            False,
            f"held: it ranks customers no better than chance (AUC {auc:.3f} on the test split, must be above 0.5)",
        )
    if is_suspicious(test, auc_limit=auc_limit):
        naive = _best_naive_auc(test)
        beside = "" if naive is None else f" and recency or orders alone reach {naive:.3f}"
        return (
            False,
            f"held: AUC {auc:.3f} on the test split is above {auc_limit:g}{beside}, too good to be believed: review the features "
            "for one that knows the outcome, or raise classification.auc_limit",
        )
    if loss >= constant:
        return (
            False,
            f"held: log loss {loss:.4f} on the test split, giving everybody the training base rate {constant:.4f}: its "
            "probabilities tell nothing",
        )
    return True, f"promoted: AUC {auc:.3f}, log loss {loss:.4f} against {constant:.4f} for a constant"
