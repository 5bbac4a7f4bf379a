"""Figures of what every model is shown by: from small tables to charts as SVG, drawn alike.

Elsewhere: the layout of a chart (``charts.py``), computing what is drawn, Dagster's metadata (``metadata.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tdml_assets.platform.charts import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    Axis,
    Bars,
    Curve,
    Limit,
    bars_across,
    bars_up,
    curves,
)
from tdml_assets.platform.svg import shortened

Values = Sequence[float] | np.ndarray[Any, Any]
_DISTANCES = (("sampled_difference", "difference"), ("shift", "shift"), ("scale", "scale"))


def target_histogram(rows: Sequence[Mapping[str, Any]], *, target: str) -> bytes:
    """Draw the target's histogram. ``rows``: of ``monitoring.target_histogram``, in order: label_str, bin_cnt."""
    total = sum(row["bin_cnt"] for row in rows) or 1
    names = [row["label_str"] for row in rows]
    shares = Bars([100 * row["bin_cnt"] / total for row in rows], [ORANGE if name == "0" else BLUE for name in names])
    axes = (target, f"% of {total:,} rows")
    return bars_up(f"Distribution of {target}", names, [shares], axes=axes, form="{:.1f}")


def correlations(rows: Sequence[Mapping[str, Any]], *, target: str) -> bytes:
    """Draw the 20 strongest correlations with the target, the strongest first.

    ``rows``: of ``exploration.correlations``: column_name, correlation (None is left out).
    """
    known = [row for row in rows if row["correlation"] is not None]
    drawn = sorted(known, key=lambda row: -abs(row["correlation"]))[:20]
    values = [row["correlation"] for row in drawn]
    return bars_across(
        f"Correlation with {target}",
        [row["column_name"] for row in drawn],
        [Bars(values, [BLUE if value >= 0 else ORANGE for value in values])],
        axis="Pearson's correlation, -1 to 1",
        form="{:+.2f}",
    )


def split_comparison(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw how far the variation of train and test lies apart, in units of what a fair split may show: the 15 farthest columns.

    ``rows``: of ``exploration_split.SplitCheck.rows()``.
    """
    ratios = []
    for row in rows:
        pairs = ((row[name], row[f"{limit}_limit"]) for name, limit in _DISTANCES)
        known = [value / limit for value, limit in pairs if value is not None and limit]
        if known:
            ratios.append((row, max(known)))
    ratios = sorted(ratios, key=lambda pair: -pair[1])[:15]
    names = []
    for row, _ in ratios:
        cvs = [f"{row[name]:,.0f}" if row[name] is not None else "-" for name in ("cv_train", "cv_test")]
        names.append(f"{shortened(row['column_name'], 18)} (CV {cvs[0]} | {cvs[1]} %)")
    colours = [RED if row["status"] == "differs" else BLUE for row, _ in ratios]
    return bars_across(
        "Train against test: is the split fair?",
        names,
        [Bars([ratio for _, ratio in ratios], colours)],
        axis="largest difference of train and test, share of its limit",
        form="{:.2f}",
        limit=Limit(1.0, "limit: 1 fair split in 100 passes any"),
    )


def calibration(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw the mean prediction next to what happened, per decile of the score.

    ``rows``: of ``monitoring.calibration`` for one split: decile, mean_predicted, mean_actual.
    """
    rows = sorted(rows, key=lambda row: row["decile"])
    return bars_up(
        "Predicted against actual, by decile of the prediction",
        [str(row["decile"]) for row in rows],
        predicted_and(rows, "actual"),
        axes=("decile of the prediction, 10 is the highest", "mean per customer"),
    )


def predicted_and(rows: Sequence[Mapping[str, Any]], words: str) -> list[Bars]:
    """Bars of ``mean_predicted`` and ``mean_actual``, the latter called ``words``."""
    pairs = (("mean_predicted", BLUE, "predicted"), ("mean_actual", ORANGE, words))
    return [Bars([row[name] or 0.0 for row in rows], colour, label) for name, colour, label in pairs]


def gain(predicted: Values, actual: Values, *, what: str) -> bytes:
    """Draw the share of what happened that the best-scored customers hold.

    ``predicted``, ``actual``: (customers,); ``actual`` not negative. ``what``: what is shared out, for instance ``"spend"`` or
    ``"churners"``.
    """
    score, outcome = np.asarray(predicted, dtype=float), np.asarray(actual, dtype=float)
    lines = [Curve([(0, 0), (100, 100)], ORANGE, "at random", dashed=True)]
    notes = []
    total = float(outcome.sum())
    if total > 0:
        for order, colour, label in ((outcome, GREY, "perfect ranking"), (score, BLUE, "model")):
            held = _held(order, outcome) / total
            lines.append(Curve([(place, float(share)) for place, share in enumerate(held)], colour, label))
        top = float((_held(score, outcome) / total)[10])
        lines.append(Curve([(10, top)], BLUE, marks=True))
        notes.append((10.0, top, f"top 10 %: {top:.0f} % of {what}"))
    x, y = Axis("% of customers, best-scored first", 0, 100), Axis(f"% of {what}", 0, 102)
    return curves(f"Gain: share of {what} held by the best-scored customers", lines, x, y, notes)


def _held(score: Any, outcome: Any) -> Any:
    """Sum of 100 times the outcomes that the best-scored 0, 1, ... 100 % hold."""
    order = np.argsort(-score, kind="stable")
    summed = np.concatenate([[0.0], np.cumsum(outcome[order])])
    return 100 * np.interp(np.linspace(0, 1, 101) * len(outcome), np.arange(len(summed)), summed)


def importances(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw the 15 features that the model looks at most.

    ``rows``: of ``monitoring.feature_importances``: feature, and shap, the mean absolute contribution to a prediction (None is
    left out).
    """
    drawn = sorted((row for row in rows if row["shap"] is not None), key=lambda row: -row["shap"])[:15]
    return bars_across(
        "What the model looks at",
        [row["feature"] for row in drawn],
        [Bars([row["shap"] for row in drawn], BLUE)],
        axis="mean contribution to a prediction (|SHAP|)",
        form="{:,.3g}",
    )


def prediction_distribution(predicted: Values, *, target: str) -> bytes:
    """Draw the distribution of predictions; the top 1 % lies in the last bar. ``predicted``: (customers,)."""
    values = np.asarray(predicted, dtype=float)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(np.quantile(values, 0.99))) if values.size else (0.0, 1.0)
    high = high if high > low else low + 1.0
    edges = np.linspace(low, high, 31)
    lines = [Curve(shares_per_bin(np.minimum(values, high), edges), BLUE, "predicted", filled=True)]
    return curves(
        f"Distribution of {target}", lines, Axis(target, low, high), Axis("% of customers", 0, highest(lines))
    )


def shares_per_bin(values: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> list[tuple[float, float]]:
    """Corners of a histogram: per cent of the values in each bin; none without values."""
    if not len(values):
        return []
    heights = 100 * np.histogram(values, edges)[0] / len(values)
    return [
        (float(edge), float(height))
        for left, right, height in zip(edges, edges[1:], heights, strict=False)
        for edge in (left, right)
    ]


def highest(lines: Sequence[Curve]) -> float:
    """End of an upright axis that leaves room above every point."""
    return 1.08 * max((up for one in lines for _, up in one.points), default=1.0) or 1.0
