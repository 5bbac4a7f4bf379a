"""Figures of a predicted probability, drawn like all others.

Belongs here: how tables of a classification are drawn. Does not: computing them (``classification.py``), the common style
(``platform/figures.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tdml_assets.platform.classification_metrics import ReliabilityBin
from tdml_assets.platform.drawn_once import drawn_once
from tdml_assets.platform.figures import _BLUE, _GREY, _ORANGE, _canvas, _legend, _png

Values = Sequence[float] | np.ndarray[Any, Any]


@drawn_once
def reliability(bins: Sequence[ReliabilityBin], *, what: str) -> bytes:
    """Draw what happened against the predicted probability, with the rows of every point.

    ``bins``: of ``classification_metrics.reliability_table``. ``what``: the event, for instance ``"buys nothing"``.
    """
    figure, axes = _canvas("Reliability: does it happen as often as predicted?", height=4.4)
    axes.plot([0, 100], [0, 100], color=_GREY, linestyle="--", linewidth=1.2, label="perfectly reliable")
    if bins:
        predicted = 100 * np.array([row.mean_predicted for row in bins])
        actual = 100 * np.array([row.mean_actual for row in bins])
        # Rounding may put a bound a hair inside.
        below = np.maximum(actual - 100 * np.array([row.actual_low for row in bins]), 0)
        above = np.maximum(100 * np.array([row.actual_high for row in bins]) - actual, 0)
        axes.errorbar(
            predicted,
            actual,
            yerr=[below, above],
            color=_BLUE,
            marker="o",
            linewidth=1.6,
            capsize=2,
            label="model, 95 %",
        )
        for row, x, y in zip(bins, predicted, actual, strict=True):
            axes.annotate(
                f"{row.count:,}", (float(x), float(y)), (6, -5), textcoords="offset points", va="top", fontsize=8
            )
    axes.set(xlim=(0, 106), ylim=(-9, 104))
    axes.set_xlabel(f"predicted probability that a customer {_plain(what)}, % (rows next to each point)")
    axes.set_ylabel("of these, it happened to, %")
    _legend(axes, "upper left")
    return _png(figure)


@drawn_once
def lift_by_decile(rows: Sequence[dict[str, Any]], *, what: str) -> bytes:
    """Draw how many times likelier the event was in each decile of the probability than in all.

    ``rows``: of ``classification.with_lift``: decile, lift (None is drawn as 0). ``what``: the event, for instance ``"buys
    nothing"``.
    """
    rows = sorted(rows, key=lambda row: -row["decile"])
    figure, axes = _canvas("Lift by decile of the probability", height=3.6)
    lifts = [row["lift"] or 0.0 for row in rows]
    places = np.arange(len(rows))
    axes.bar(places, lifts, 0.7, color=[_BLUE if lift >= 1 else _GREY for lift in lifts])
    for place, lift in enumerate(lifts):
        axes.text(place, lift, f"{lift:.2f}", ha="center", va="bottom", fontsize=8)
    axes.axhline(1, color=_ORANGE, linestyle="--", linewidth=1.2, label="as often as among all")
    axes.set_xticks(places, [str(row["decile"]) for row in rows])
    axes.set_ylim(0, max([1.0, *lifts]) * 1.15)
    axes.set_xlabel(f"decile of the probability that a customer {_plain(what)}, 10 is the likeliest")
    axes.set_ylabel("lift: how often, all = 1")
    _legend(axes)
    return _png(figure)


@drawn_once
def probability_by_outcome(
    probability: Values, happened: Values | None = None, *, what: str, threshold: float | None = None, bins: int = 40
) -> bytes:
    """Draw the distribution of the probability, apart for those to whom it happened and the others where that is known.

    ``probability``, ``happened``: (customers,); ``happened`` 0 or 1. ``what``: the event, for instance ``"buys nothing"``.
    ``threshold``: probability from which a customer is called positive, drawn as a line.
    """
    p = np.asarray(probability, dtype=float)
    figure, axes = _canvas("Distribution of the probability" + ("" if happened is None else " by outcome"), height=3.4)
    groups = [("all customers", p, _BLUE, True)]
    if happened is not None:
        label = np.asarray(happened, dtype=float) > 0
        groups = [("it did not happen", p[~label], _GREY, True), ("it happened", p[label], _BLUE, False)]
    edges = np.linspace(0, 100, bins + 1)
    for name, values, colour, fill in groups:
        weights = np.full(len(values), 100 / max(1, len(values)))
        heights, _ = np.histogram(100 * values, edges, weights=weights)
        axes.stairs(heights, edges, color=colour, fill=fill, linewidth=2, label=f"{name} ({len(values):,})")
    if threshold is not None:
        axes.axvline(100 * threshold, color=_ORANGE, linestyle="--", linewidth=1.2, label=f"threshold {threshold:g}")
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"predicted probability that a customer {_plain(what)}, %")
    axes.set_ylabel("% of each group")
    _legend(axes)
    return _png(figure)


def _plain(words: str) -> str:
    # A dollar sign would start a formula.
    return words.replace("$", r"\$")
