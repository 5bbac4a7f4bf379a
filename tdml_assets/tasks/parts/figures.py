"""Figures of segments and of predicted probabilities, drawn like all others.

Elsewhere: computing them (``classification.py``, ``engines/cluster_profile.py``, ``engines/cluster_quality.py``), the layout of a
chart (``platform/charts.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tdml_assets.platform import svg
from tdml_assets.platform.charts import (
    BLUE,
    GREY,
    INK,
    LETTERS,
    NAMES,
    ORANGE,
    RED,
    TOP,
    WIDTH,
    Axis,
    Bars,
    Curve,
    Limit,
    bars_across,
    bars_up,
    curves,
    picture,
)
from tdml_assets.platform.classification_metrics import ReliabilityBin
from tdml_assets.platform.figures import Values, highest, shares_per_bin
from tdml_assets.platform.svg import Markup, element, text

#: Segments of ``sql/clustering/rfm.sql``, from the best to those who are gone.
RFM_SEGMENTS = (
    "Champions",
    "Loyal Customers",
    "Potential Loyalists",
    "New Customers",
    "Promising",
    "Need attention",
    "Cannot lose them",
    "High Value Sleeping",
    "Hibernating",
    "Lost customers",
)
# Beyond two standard deviations a colour says no more.
_FULL_COLOUR_AT = 2.0
_CELL = 26.0


def cluster_sizes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw how many customers each segment has. ``rows``: of ``cluster_profile.cluster_sizes``: label, count, share, status."""
    return bars_across(
        "Customers per segment",
        [f"segment {row['label']}  ({row['count']:,})" for row in rows],
        [Bars([100 * row["share"] for row in rows], [BLUE if row["status"] == "ok" else RED for row in rows])],
        axis="% of customers; red: too many or too few to be a segment",
        form="{:.1f} %",
    )


def profile_heat_map(rows: Sequence[Mapping[str, Any]], *, most: int = 12) -> bytes:
    """Draw what the segments are like: means in real units, coloured by their distance from the mean of all customers.

    ``rows``: of ``cluster_profile.ClusterProfile.rows()``: label, share, feature, mean, standardised (None is white). ``most``:
    features that are drawn, those that differ most.
    """
    shares = {row["label"]: row["share"] for row in rows}
    cells = {(row["label"], row["feature"]): row for row in rows}
    reach: dict[str, float] = {}
    for row in rows:
        reach[row["feature"]] = max(reach.get(row["feature"], 0.0), abs(row["standardised"] or 0.0))
    features = sorted(reach, key=lambda name: -reach[name])[:most]
    wide = (WIDTH - NAMES - 16) / max(len(shares), 1)
    floor = TOP + _CELL * max(len(features), 1)
    parts: list[Markup] = []
    for level, name in enumerate(features):
        y = TOP + _CELL * level
        shown = text(NAMES - 8, y + 17, svg.shortened(name, LETTERS), None, "end")
        parts.append(element("g", element("title", name), shown))
        for place, label in enumerate(shares):
            parts += _cell(NAMES + wide * place, y, wide, cells.get((label, name), {}))
    for place, (label, share) in enumerate(shares.items()):
        at = NAMES + wide * (place + 0.5)
        parts += [
            text(at, floor + 14, str(label), None, "middle"),
            text(at, floor + 28, f"{100 * share:.0f} %", "small", "middle"),
        ]
    words = (
        "segment, % of customers; means; blue: above the mean of all, orange: below it" if rows else "nothing to draw"
    )
    return picture(
        "What the segments are like", floor + 56, [*parts, text(WIDTH / 2, floor + 46, words, None, "middle")]
    )


def _cell(x: float, y: float, wide: float, row: Mapping[str, Any]) -> list[Markup]:
    colour = _heat(_number(row.get("standardised")))
    words = "-" if row.get("mean") is None else _amount(row["mean"])
    box = element("rect", x=x, y=y, width=wide, height=_CELL, fill="#" + "".join(f"{part:02x}" for part in colour))
    label = element(
        "text",
        words,
        x=x + wide / 2,
        y=y + 17,
        class_="small",
        text_anchor="middle",
        style=f"fill:{text_colour(colour)}",
    )
    return [box, label]


def _heat(distance: float) -> tuple[int, ...]:
    """Red, green and blue, 0 to 255: white at the mean, blue above it, orange below."""
    end = BLUE if distance > 0 else ORANGE
    share = min(abs(distance) / _FULL_COLOUR_AT, 1.0)
    return tuple(round(255 + share * (int(end[place : place + 2], 16) - 255)) for place in (1, 3, 5))


def text_colour(background: Sequence[int]) -> str:
    """White or ink, whichever contrasts more with a colour (red, green, blue from 0 to 255), by WCAG 2.1."""
    parts = [part / 255 for part in background]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # White has luminance 1, the ink about 0.03; the two contrast alike with about 0.24.
    return "#ffffff" if luminance < 0.24 else INK


def rfm_segments(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw each RFM segment's share of customers next to its share of spend.

    ``rows``: one per segment with label, share and spend_share, such as ``cluster_profile.ClusterProfile.groups``.
    """
    found = {row["label"]: row for row in rows}
    drawn = [found[name] for name in RFM_SEGMENTS if name in found]
    pairs = (("share", BLUE, "% of customers"), ("spend_share", ORANGE, "% of spend"))
    return bars_across(
        "RFM segments: customers and what they spent",
        [row["label"] for row in drawn],
        [Bars([100 * (row[name] or 0.0) for row in drawn], colour, label) for name, colour, label in pairs],
        axis="% of all",
        form="{:.1f}",
    )


def choice_of_k(candidates: Sequence[Mapping[str, Any]], *, chosen: int, min_stability: float) -> bytes:
    """Draw how well each number of segments is found again in resampled customers.

    ``candidates``: of a model's ``recipe.chosen["candidates"]``: k, stability_ari, silhouette, smallest_share, misses.
    ``chosen``: the number taken.
    """
    names = []
    for row in candidates:
        silhouette = "-" if row["silhouette"] is None else f"{row['silhouette']:.2f}"
        names.append(f"{row['k']} (smallest {row['smallest_share']:.1%}, silhouette {silhouette})")
    colours = [BLUE if row["k"] == chosen else RED if row["misses"] else GREY for row in candidates]
    values = [row["stability_ari"] for row in candidates]
    return bars_across(
        "How many segments hold?",
        names,
        [Bars(values, colours)],
        axis="agreement with resamples (adjusted Rand index); red: misses a limit",
        form="{:.2f}",
        ends=(min([0.0, *values]), 1.0),
        limit=Limit(min_stability, f"asked: {min_stability:g}; blue: taken"),
    )


def _number(value: float | None) -> float:
    return 0.0 if value is None or not math.isfinite(value) else value


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


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
