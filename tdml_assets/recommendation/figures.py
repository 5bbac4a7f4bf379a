"""Figures of recommendations: from small tables to charts, drawn like those of ``platform/figures.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdml_assets.platform.charts import BLUE, GREY, ORANGE, Axis, Bars, Curve, bars_across, curves

_METRICS = (
    ("recall_at_10", "recall of all, first 10"),
    ("recall_at_10_repeat", "recall of repeats, first 10 repeats"),
    ("recall_at_10_new", "recall of new ones, first 10 new"),
    ("ndcg_at_10", "NDCG, first 10"),
    ("hit_rate_at_10", "customers with a hit, first 10"),
)
_KINDS = (
    ("", "model", BLUE),
    ("baseline_personal_", "own most frequent", ORANGE),
    ("baseline_popular_", "popular", GREY),
)
_POINTS = np.linspace(0, 100, 201)


def concentration(purchases: Sequence[int] | NDArray[Any]) -> bytes:
    """Draw how much of all purchases the popular products hold. ``purchases``: per product, descending."""
    counts = np.asarray(purchases, dtype=float)
    lines, notes = [Curve([(0, 0), (100, 100)], ORANGE, "all alike", dashed=True)], []
    if counts.sum() > 0:
        share = 100 * np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        held = np.interp(_POINTS, 100 * np.arange(len(share)) / len(counts), share)
        lines.append(Curve([(float(x), float(y)) for x, y in zip(_POINTS, held, strict=True)], BLUE))
        tenth = float(held[20])
        lines.append(Curve([(10, tenth)], BLUE, marks=True))
        notes.append((10.0, tenth, f"top 10 % of {len(counts):,} products: {tenth:.0f} %"))
    x, y = Axis("% of products, most popular first", 0, 100), Axis("% of purchases", 0, 102)
    return curves("How much of all purchases the popular products hold", lines, x, y, notes)


def against_baselines(metrics: Mapping[str, float | None]) -> bytes:
    """Draw the model's metrics next to those of the baselines.

    ``metrics``: of one window, as ``selection.window_metrics`` names them.
    """
    rows = [
        Bars([100 * (metrics.get(f"{prefix}{name}") or 0.0) for name, _ in _METRICS], colour, label)
        for prefix, label, colour in _KINDS
    ]
    names = [words for _, words in _METRICS]
    return bars_across("What the lists find in the test window", names, rows, axis="%", form="{:.1f}")


def ordered_and_recommended(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw the ten products recommended most; in another colour those that are not among the ones ordered most.

    ``rows``: of ``exploration.ProductOverlap``: place, ordered, recommended, recommended_customers.
    """
    ordered = {row["ordered"] for row in rows}
    drawn = [row for row in rows if row["recommended"] is not None][:10]
    colours = [BLUE if row["recommended"] in ordered else ORANGE for row in drawn]
    return bars_across(
        "Recommended most (blue: also among those ordered most)",
        [str(row["recommended"]) for row in drawn],
        [Bars([row["recommended_customers"] for row in drawn], colours)],
        axis="customers",
        form="{:,.0f}",
    )
