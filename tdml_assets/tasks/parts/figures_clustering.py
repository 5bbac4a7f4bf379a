"""Figures of segments, in the style of ``platform/figures.py``.

Belongs here: how tables about segments are drawn. Does not: computing them (``engines/cluster_profile.py``,
``engines/cluster_quality.py``), what all figures share (``platform/figures.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tdml_assets.platform.drawn_once import drawn_once
from tdml_assets.platform.figures import (
    _BLUE,
    _GREY,
    _INK,
    _ORANGE,
    _RED,
    _bars,
    _canvas,
    _height_of,
    _legend_above,
    _png,
    _short,
    text_colour,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


@drawn_once
def cluster_sizes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw how many customers each segment has.

    ``rows``: of ``cluster_profile.cluster_sizes``: label, count, share, status.
    """
    figure, axes = _canvas("Customers per segment", height=_height_of(len(rows)))
    colours = [_BLUE if row["status"] == "ok" else _RED for row in rows]
    names = [f"segment {row['label']}  ({row['count']:,})" for row in rows]
    _bars(axes, names, [100 * row["share"] for row in rows], colours, "{:.1f} %")
    axes.set_xlim(0, max([100 * row["share"] for row in rows], default=1.0) * 1.15)
    axes.set_xlabel("% of customers; red: too many or too few to be a segment")
    return _png(figure)


@drawn_once
def profile_heat_map(rows: Sequence[Mapping[str, Any]], *, most: int = 12, unit: str = "") -> bytes:
    """Draw what the segments are like, as :func:`profile_figure` does."""
    return _png(profile_figure(rows, most=most, unit=unit))


def profile_figure(rows: Sequence[Mapping[str, Any]], *, most: int = 12, unit: str = "") -> Figure:
    """Draw what the segments are like: means in real units, coloured by their distance from the mean of all customers.

    ``rows``: of ``cluster_profile.ClusterProfile.rows()``: label, share, feature, mean, standardised (None is white). ``most``:
    features that are drawn, those that differ most. ``unit``: of money, for the caption.
    """
    labels = list(dict.fromkeys(row["label"] for row in rows))
    cells = {(row["label"], row["feature"]): row for row in rows}
    reach: dict[str, float] = {}
    for row in rows:
        reach[row["feature"]] = max(reach.get(row["feature"], 0.0), abs(row["standardised"] or 0.0))
    features = sorted(reach, key=lambda name: -reach[name])[:most]
    figure, axes = _canvas("What the segments are like", height=1.6 + 0.34 * max(3, len(features)))
    shown = np.array(
        [[_number(cells.get((label, name), {}).get("standardised")) for label in labels] for name in features]
    )
    colours = _heat(axes, shown)
    for place, name in enumerate(features):
        for column, label in enumerate(labels):
            row = cells.get((label, name), {})
            place_in_map = 0.5 + _number(row.get("standardised")) / (2 * _FULL_COLOUR_AT)
            text = "-" if row.get("mean") is None else _amount(row["mean"])
            axes.text(
                column, place, text, ha="center", va="center", fontsize=8, color=text_colour(colours(place_in_map))
            )
    shares = {row["label"]: row["share"] for row in rows}
    axes.set_xticks(range(len(labels)), [f"{_plain(label)}\n{100 * shares[label]:.0f} %" for label in labels])
    axes.set_yticks(range(len(features)), [_plain(_short(name)) for name in features])
    money = f", money in {unit}" if unit else ""
    axes.set_xlabel(f"segment, % of customers; means{money}\nblue: above the mean of all, orange: below it")
    return figure


@drawn_once
def rfm_segments(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw each RFM segment's share of customers next to its share of spend.

    ``rows``: one per segment with label, share and spend_share, such as ``cluster_profile.ClusterProfile.groups``.
    """
    found = {row["label"]: row for row in rows}
    drawn = [found[name] for name in RFM_SEGMENTS if name in found]
    figure, axes = _canvas("RFM segments: customers and what they spent", height=1.4 + 0.36 * max(3, len(drawn)))
    places = np.arange(len(drawn))
    pairs = (("share", _BLUE, "% of customers", -0.2), ("spend_share", _ORANGE, "% of spend", 0.2))
    values = {key: [100 * (row[key] or 0.0) for row in drawn] for key, *_ in pairs}
    for key, colour, label, offset in pairs:
        bars = axes.barh(places + offset, values[key], 0.38, color=colour, label=label)
        axes.bar_label(bars, [f"{value:.1f}" for value in values[key]], padding=3, fontsize=7, color=_INK)
    axes.set_yticks(places, [row["label"] for row in drawn])
    axes.invert_yaxis()
    every = [*values["share"], *values["spend_share"]]
    axes.set_xlim(min([0.0, *every]) * 1.15, max([1.0, *every]) * 1.15)
    axes.set_xlabel("% of all")
    if drawn:
        _legend_above(axes)
    else:
        axes.text(0.5, 0.5, "nothing to draw", transform=axes.transAxes, ha="center", color=_INK)
    return _png(figure)


@drawn_once
def choice_of_k(candidates: Sequence[Mapping[str, Any]], *, chosen: int, min_stability: float) -> bytes:
    """Draw how well each number of segments is found again in resampled customers.

    ``candidates``: of a model's ``recipe.chosen["candidates"]``: k, stability_ari, silhouette, smallest_share, misses.
    ``chosen``: the number taken.
    """
    figure, axes = _canvas("How many segments hold?", height=_height_of(len(candidates)))
    names = []
    for row in candidates:
        silhouette = "-" if row["silhouette"] is None else f"{row['silhouette']:.2f}"
        names.append(f"{row['k']} segments  (smallest {row['smallest_share']:.1%}, silhouette {silhouette})")
    colours = [_BLUE if row["k"] == chosen else _RED if row["misses"] else _GREY for row in candidates]
    _bars(axes, names, [row["stability_ari"] for row in candidates], colours, "{:.2f}")
    axes.axvline(
        min_stability, color=_RED, linestyle="--", linewidth=1.2, label=f"asked: {min_stability:g}; blue: taken"
    )
    axes.set_xlim(min([0.0, *(row["stability_ari"] for row in candidates)]), 1.12)
    axes.set_xlabel("agreement with resamples (adjusted Rand index); red: misses a limit")
    _legend_above(axes)
    return _png(figure)


def _heat(axes: Any, values: Any) -> Callable[[float], Sequence[float]]:
    """Paint the cells; returns the colour per share of the range, 0 to 1."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("segments", [_ORANGE, "#ffffff", _BLUE])
    if not values.size:
        axes.text(0.5, 0.5, "nothing to draw", transform=axes.transAxes, ha="center", color=_INK)
        return colours
    axes.imshow(values, cmap=colours, vmin=-_FULL_COLOUR_AT, vmax=_FULL_COLOUR_AT, aspect="auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return colours


def _number(value: float | None) -> float:
    return 0.0 if value is None or not math.isfinite(value) else value


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plain(text: str) -> str:
    # A dollar sign would start a formula.
    return str(text).replace("$", r"\$")
