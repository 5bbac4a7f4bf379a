"""Figures of a predicted probability, drawn like all others.

Belongs here: how tables of a classification are drawn. Does not: computing them (``classification.py``), the layout of a chart
(``platform/charts.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tdml_assets.platform.charts import BLUE, GREY, ORANGE, Axis, Bars, Curve, Limit, bars_up, curves
from tdml_assets.platform.classification_metrics import ReliabilityBin
from tdml_assets.platform.figures import Values, highest, shares_per_bin


def reliability(bins: Sequence[ReliabilityBin], *, what: str) -> bytes:
    """Draw what happened against the predicted probability, with the rows of every point.

    ``bins``: of ``classification_metrics.reliability_table``. ``what``: the event, for instance ``"buys nothing"``.
    """
    points = [(100 * row.mean_predicted, 100 * row.mean_actual) for row in bins]
    lines = [Curve([(0, 0), (100, 100)], GREY, "perfectly reliable", dashed=True)]
    if bins:
        lines.append(Curve(points, BLUE, "model, 95 %", marks=True))
        lines += [
            Curve([(at, 100 * row.actual_low), (at, 100 * row.actual_high)], BLUE)
            for row, (at, _) in zip(bins, points, strict=True)
        ]
    notes = [(x, y, f"{row.count:,}") for row, (x, y) in zip(bins, points, strict=True)]
    x = Axis(f"predicted probability that a customer {what}, % (rows next to each point)", 0, 106)
    title = "Reliability: does it happen as often as predicted?"
    return curves(title, lines, x, Axis("of these, it happened to, %", -4, 104), notes)


def lift_by_decile(rows: Sequence[dict[str, Any]], *, what: str) -> bytes:
    """Draw how many times likelier the event was in each decile of the probability than in all.

    ``rows``: of ``classification.with_lift``: decile, lift (None is drawn as 0). ``what``: the event, for instance
    ``"buys nothing"``.
    """
    rows = sorted(rows, key=lambda row: -row["decile"])
    lifts = [row["lift"] or 0.0 for row in rows]
    axis = f"decile of the probability that a customer {what}, 10 is the likeliest"
    return bars_up(
        "Lift by decile of the probability",
        [str(row["decile"]) for row in rows],
        [Bars(lifts, [BLUE if lift >= 1 else GREY for lift in lifts])],
        axes=(axis, "lift: how often, all = 1"),
        form="{:.2f}",
        limit=Limit(1.0, "as often as among all", ORANGE),
    )


def probability_by_outcome(
    probability: Values, happened: Values | None = None, *, what: str, threshold: float | None = None
) -> bytes:
    """Draw the distribution of the probability, apart for those to whom it happened and the others where that is known.

    ``probability``, ``happened``: (customers,); ``happened`` 0 or 1. ``what``: the event, for instance ``"buys nothing"``.
    ``threshold``: probability from which a customer is called positive, drawn as a line.
    """
    p = np.asarray(probability, dtype=float)
    groups = [("all customers", p, BLUE, True)]
    if happened is not None:
        label = np.asarray(happened, dtype=float) > 0
        groups = [("it did not happen", p[~label], GREY, True), ("it happened", p[label], BLUE, False)]
    edges = np.linspace(0, 100, 41)
    lines = [
        Curve(shares_per_bin(100 * values, edges), colour, f"{name} ({len(values):,})", filled=filled)
        for name, values, colour, filled in groups
    ]
    top = highest(lines)
    if threshold is not None:
        at = 100 * threshold
        lines.append(Curve([(at, 0), (at, top)], ORANGE, f"threshold {threshold:g}", dashed=True))
    title = "Distribution of the probability" + ("" if happened is None else " by outcome")
    x = Axis(f"predicted probability that a customer {what}, %", 0, 100)
    return curves(title, lines, x, Axis("% of each group", 0, top))
