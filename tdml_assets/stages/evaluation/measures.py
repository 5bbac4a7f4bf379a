"""Measure a candidate on what it has not seen, next to what no model at all would have said.

Elsewhere: the metrics themselves (``platform/metrics.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from tdml_assets.platform.metrics import decile_table, purchase_metrics, regression_metrics

Floats = NDArray[np.float64]
Metrics = dict[str, float | None]
#: Measure of the training split alone, by which a naive forecast can be made later.
NAIVE_RATIO = "naive_ratio"
#: Metrics also kept for the naive forecasts.
_COMPARED = (
    "mae",
    "wape",
    "rmse",
    "r2",
    "spearman",
    "normalised_gini",
    "total_bias",
    "decile_mape",
    "top_decile_share",
)


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    ``metrics``: value per metric, per split (``train``, ``test``). ``deciles``: rows of ``monitoring.calibration`` without
    their key, per split. ``tables``: more to look at, by title: aggregates only.
    """

    metrics: Mapping[str, Metrics]
    deciles: Mapping[str, list[dict[str, Any]]]
    tables: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    def metric_rows(self) -> list[dict[str, Any]]:
        """Rows of ``monitoring.model_metrics`` without their key."""
        return [
            {"evaluation_table": split, "metric": name, "value": value}
            for split, found in self.metrics.items()
            for name, value in found.items()
        ]

    def decile_rows(self) -> list[dict[str, Any]]:
        """Rows of ``monitoring.calibration`` without their key."""
        return [{"evaluation_table": split, **row} for split, rows in self.deciles.items() for row in rows]


def honest_ratio(spend: Floats, recent: Floats, train_spend: Floats, train_target: Floats) -> float:
    """What scales the spend so far to that of the last horizon, of the same customers; as in training where they spent nothing.

    ``spend``, ``recent``: (customers,) net spend up to the day that is forecast from, and in the last horizon of it.
    """
    past, last = float(np.maximum(spend, 0).sum()), float(np.nan_to_num(recent).sum())
    return last / past if past > 0 and last > 0 else naive_ratio(train_spend, train_target)


def naive_ratio(train_spend: Floats, train_target: Floats) -> float:
    """What makes the naive forecast right in total on the training split: the target over the spend so far.

    The forecast is what a spreadsheet would say, that everybody goes on as before: spend so far, never below 0, times this.
    """
    past = np.maximum(train_spend, 0).sum()
    return float(train_target.sum() / past) if past > 0 else 0.0


def evaluate(holdout: pa.Table) -> Evaluation:
    """Measure the predictions of a candidate.

    ``holdout``: rows with ``split`` (train, test), ``target``, ``predicted_target``, ``probability`` (may be missing) and
    ``total_spend``, the spend up to the snapshot; ``recent_spend``, that of the last horizon before it, where it is known.
    """
    import pyarrow.compute as pc

    rows = {name: pc.equal(holdout["split"], name).to_numpy() for name in ("train", "test")}
    columns = {
        name: holdout[name].to_numpy().astype(np.float64)
        for name in ("target", "predicted_target", "probability", "total_spend")
    }
    of = {name: {key: values[kept] for key, values in columns.items()} for name, kept in rows.items()}
    known = {
        NAIVE_RATIO: _ratio(holdout, rows["test"], of),
        "mean_actual": float(of["train"]["target"].mean()),
    }
    metrics: dict[str, Metrics] = {}
    deciles: dict[str, list[dict[str, Any]]] = {}
    for name, found in of.items():
        metrics[name] = beside_naive(found["target"], found["predicted_target"], found["total_spend"], known)
        if not np.isnan(found["probability"]).any():
            metrics[name] |= purchase_metrics(found["target"] > 0, found["probability"])
        deciles[name] = decile_rows(found["target"], found["predicted_target"])
    metrics["train"][NAIVE_RATIO] = known[NAIVE_RATIO]
    return Evaluation(metrics, deciles)


def decile_rows(target: ArrayLike, predicted: ArrayLike) -> list[dict[str, Any]]:
    """Rows of ``monitoring.calibration`` without their key, decile 10 the highest predictions; none without rows."""
    return [
        {
            "decile": row.decile,
            "count": row.customers,
            "mean_predicted": row.mean_predicted,
            "mean_actual": row.mean_actual,
            "share_actual": row.share_of_actual,
        }
        for row in (decile_table(target, predicted) if np.size(target) else ())
    ]


def _ratio(holdout: pa.Table, is_test: NDArray[np.bool_], of: Mapping[str, Mapping[str, Floats]]) -> float:
    """Of the naive forecast: by the last horizon before the test where it is known."""
    train, test = of["train"], of["test"]
    if "recent_spend" not in holdout.column_names:
        return naive_ratio(train["total_spend"], train["target"])
    recent = holdout["recent_spend"].to_numpy().astype(np.float64)[is_test]
    return honest_ratio(test["total_spend"], recent, train["total_spend"], train["target"])


def beside_naive(target: Floats, predicted: Floats, total_spend: Floats, train: Mapping[str, float | None]) -> Metrics:
    """Measures of predicted amounts, and those of the naive forecasts as far as the training split is known.

    ``target``, ``predicted``, ``total_spend``: (customers,) what happened, what was predicted, and the spend before. ``train``:
    measures of the training split: ``naive_ratio`` and ``mean_actual``.
    """
    metrics: Metrics = {"rows": float(len(target)), **regression_metrics(target, predicted)}
    ratio, constant = train.get(NAIVE_RATIO), train.get("mean_actual")
    if ratio is not None:
        beside = regression_metrics(target, np.maximum(total_spend, 0) * ratio)
        metrics |= {f"baseline_{metric}": beside[metric] for metric in _COMPARED}
    if constant is not None:
        metrics["constant_mae"] = float(np.abs(target - constant).mean())
    return metrics


def may_be_promoted(test: Mapping[str, float | None]) -> tuple[bool, str]:
    """Whether a candidate is fit to score, and why not.

    It must rank customers better than chance and err less than giving everybody the same figure.
    """
    gini, mae, constant = test.get("normalised_gini"), test.get("mae"), test.get("constant_mae")
    if gini is None or mae is None or constant is None or not all(map(math.isfinite, (gini, mae, constant))):
        return False, "held: nobody bought anything in the test window, so there is nothing to measure on"
    if gini <= 0:
        return (
            False,
            f"held: it ranks customers no better than chance (normalised Gini {gini:.3f} on the test split, must be above 0)",
        )
    if mae >= constant:
        return False, f"held: it errs by {mae:.2f} a customer, giving everybody the training mean by {constant:.2f}"
    return (
        True,
        f"promoted: normalised Gini {gini:.3f}, error {mae:.2f} a customer against {constant:.2f} for a constant",
    )
