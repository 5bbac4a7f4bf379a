"""Figures of recommendations: from small tables to PNG bytes. Drawn like those of ``platform/figures.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdml_assets.platform.drawn_once import drawn_once
from tdml_assets.platform.figures import (
    _BLUE,
    _GREY,
    _INK,
    _ORANGE,
    _bars,
    _canvas,
    _height_of,
    _legend,
    _legend_above,
    _png,
)

_METRICS = (
    ("recall_at_10", "recall of all, first 10"),
    ("recall_at_10_repeat", "recall of repeats, first 10 repeats"),
    ("recall_at_10_new", "recall of new ones, first 10 new"),
    ("ndcg_at_10", "NDCG, first 10"),
    ("hit_rate_at_10", "customers with a hit, first 10"),
)
_KINDS = (
    ("", "model", _BLUE),
    ("baseline_personal_", "own most frequent", _ORANGE),
    ("baseline_popular_", "popular", _GREY),
)


@drawn_once
def concentration(purchases: Sequence[int] | NDArray[Any]) -> bytes:
    """Draw how much of all purchases the popular products hold.

    ``purchases``: per product, descending.
    """
    counts = np.asarray(purchases, dtype=float)
    figure, axes = _canvas("How much of all purchases the popular products hold", height=3.4)
    if counts.sum() > 0:
        share = 100 * np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        places = 100 * np.arange(len(share)) / len(counts)
        axes.plot(places, share, color=_BLUE, linewidth=2)
        tenth = float(np.interp(10, places, share))
        axes.plot([10], [tenth], "o", color=_BLUE)
        words = f"top 10 % of {len(counts):,} products: {tenth:.0f} %"
        axes.annotate(words, (10, tenth), (10, -4), textcoords="offset points", va="top", fontsize=9, color=_INK)
    axes.plot([0, 100], [0, 100], color=_ORANGE, linestyle="--", linewidth=1.2, label="all alike")
    axes.set(xlim=(0, 100), ylim=(0, 102), xlabel="% of products, most popular first", ylabel="% of purchases")
    _legend(axes, "lower right")
    return _png(figure)


@drawn_once
def against_baselines(metrics: Mapping[str, float | None]) -> bytes:
    """Draw the model's metrics next to those of the baselines.

    ``metrics``: of one window, as ``selection.window_metrics`` names them.
    """
    figure, axes = _canvas("What the lists find in the test window", height=3.8)
    places = np.arange(len(_METRICS))
    for index, (prefix, label, colour) in enumerate(_KINDS):
        values = [100 * (metrics.get(f"{prefix}{name}") or 0.0) for name, _ in _METRICS]
        bars = axes.barh(places + (index - 1) * 0.27, values, 0.25, color=colour, label=label)
        axes.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, fontsize=8, color=_INK)
    axes.set_yticks(places, [words for _, words in _METRICS])
    axes.invert_yaxis()
    axes.set_xlabel("%")
    axes.margins(x=0.12)
    _legend_above(axes)
    return _png(figure)


@drawn_once
def ordered_and_recommended(rows: Sequence[Mapping[str, Any]], *, most: int = 10) -> bytes:
    """Draw the products recommended most; in another colour those that are not among the ones ordered most.

    ``rows``: of ``exploration.ProductOverlap``: place, ordered, recommended, recommended_customers.
    """
    ordered = {row["ordered"] for row in rows}
    drawn = [row for row in rows if row["recommended"] is not None][:most]
    figure, axes = _canvas("Recommended most (blue: also among those ordered most)", height=_height_of(len(drawn)))
    colours = [_BLUE if row["recommended"] in ordered else _ORANGE for row in drawn]
    _bars(
        axes,
        [str(row["recommended"]) for row in drawn],
        [row["recommended_customers"] for row in drawn],
        colours,
        "{:,.0f}",
    )
    axes.set_xlabel("customers")
    return _png(figure)
