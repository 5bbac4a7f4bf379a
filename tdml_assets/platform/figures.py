"""Figures: from small tables to PNG bytes, drawn alike.

Belongs here: how a table is drawn: size, palette, axes, words on it.
Does not: computing what is drawn, Dagster's metadata (``metadata.py``), files.

Pure: every figure is an object of its own, without pyplot's global state, and equal input gives equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tdml_assets.platform.drawn_once import drawn_once

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Legible to colour-blind readers and in grey.
_BLUE, _ORANGE, _GREY, _RED, _INK = "#2b6ca3", "#e08a1e", "#a9b2bb", "#b3261e", "#24323f"
_DPI = 80
_WIDTH_INCHES = 7.5
_DISTANCES = (("sampled_difference", "difference"), ("shift", "shift"), ("scale", "scale"))


@drawn_once
def target_histogram(rows: Sequence[Mapping[str, Any]], *, target: str, unit: str = "") -> bytes:
    """Draw the target's histogram.

    ``rows``: of ``monitoring.target_histogram``, in order: label_str, bin_cnt. ``target``, ``unit``: words for the axis.
    """
    figure, axes = _canvas(f"Distribution of {target}", height=3.6)
    total = sum(row["bin_cnt"] for row in rows) or 1
    shares = [100 * row["bin_cnt"] / total for row in rows]
    colours = [_ORANGE if row["label_str"] == "0" else _BLUE for row in rows]
    axes.bar(range(len(rows)), shares, color=colours, width=0.85)
    axes.set_xticks(
        range(len(rows)), [row["label_str"] for row in rows], rotation=35, ha="right", rotation_mode="anchor"
    )
    for place, share in enumerate(shares):
        axes.text(place, share, f"{share:.1f}", ha="center", va="bottom", fontsize=8)
    axes.set_xlabel(target + (f", {unit}" if unit else ""))
    axes.set_ylabel(f"% of {total:,} rows")
    axes.margins(y=0.12)
    return _png(figure)


@drawn_once
def correlations(rows: Sequence[Mapping[str, Any]], *, target: str, most: int = 20) -> bytes:
    """Draw the strongest correlations with the target, as :func:`correlations_figure` does."""
    return _png(correlations_figure(rows, target=target, most=most))


def correlations_figure(rows: Sequence[Mapping[str, Any]], *, target: str, most: int = 20) -> Figure:
    """Draw the strongest correlations with the target, the strongest first.

    ``rows``: of ``exploration.correlations``: column_name, correlation (None is left out).
    """
    drawn = [row for row in rows if row["correlation"] is not None]
    drawn = sorted(drawn, key=lambda row: -abs(row["correlation"]))[:most]
    figure, axes = _canvas(f"Correlation with {target}", height=_height_of(len(drawn)))
    values = [row["correlation"] for row in drawn]
    _bars(
        axes,
        [row["column_name"] for row in drawn],
        values,
        [_BLUE if value >= 0 else _ORANGE for value in values],
        "{:+.2f}",
    )
    axes.axvline(0, color=_INK, linewidth=0.8)
    reach = min(1.0, max([abs(value) for value in values], default=0.5) * 1.25 + 0.02)
    axes.set_xlim(-reach if any(value < 0 for value in values) else 0, reach)
    axes.set_xlabel("Pearson's correlation, -1 to 1")
    return figure


@drawn_once
def split_comparison(rows: Sequence[Mapping[str, Any]], *, most: int = 15) -> bytes:
    """Draw how far the variation of train and test lies apart, in units of what a fair split may show.

    ``rows``: of ``exploration_split.SplitCheck.rows()``.
    """
    ratios = []
    for row in rows:
        pairs = ((row[name], row[f"{limit}_limit"]) for name, limit in _DISTANCES)
        known = [value / limit for value, limit in pairs if value is not None and limit]
        if known:
            ratios.append((row, max(known)))
    ratios = sorted(ratios, key=lambda pair: -pair[1])[:most]
    figure, axes = _canvas("Train against test: is the split fair?", height=_height_of(len(ratios)))
    names = []
    for row, _ in ratios:
        cvs = [f"{row[name]:,.0f}" if row[name] is not None else "-" for name in ("cv_train", "cv_test")]
        names.append(f"{_short(row['column_name'])}  (CV {cvs[0]} | {cvs[1]} %)")
    colours = [_RED if row["status"] == "differs" else _BLUE for row, _ in ratios]
    _bars(axes, names, [ratio for _, ratio in ratios], colours, "{:.2f}")
    axes.axvline(1, color=_RED, linestyle="--", linewidth=1.2, label="limit: 1 fair split in 100 passes any")
    axes.set_xlim(0, max([1.0, *(ratio for _, ratio in ratios)]) * 1.15)
    axes.set_xlabel("largest difference of train and test, share of its limit")
    _legend_above(axes)
    return _png(figure)


@drawn_once
def calibration(rows: Sequence[Mapping[str, Any]], *, unit: str = "") -> bytes:
    """Draw the mean prediction next to what happened, as :func:`calibration_figure` does."""
    return _png(calibration_figure(rows, unit=unit))


def calibration_figure(rows: Sequence[Mapping[str, Any]], *, unit: str = "") -> Figure:
    """Draw the mean prediction next to what happened, per decile of the score.

    ``rows``: of ``monitoring.calibration`` for one split: decile, mean_predicted, mean_actual.
    """
    rows = sorted(rows, key=lambda row: row["decile"])
    figure, axes = _canvas("Predicted against actual, by decile of the prediction", height=3.6)
    places = np.arange(len(rows))
    axes.bar(places - 0.2, [row["mean_predicted"] or 0 for row in rows], 0.4, color=_BLUE, label="predicted")
    axes.bar(places + 0.2, [row["mean_actual"] or 0 for row in rows], 0.4, color=_ORANGE, label="actual")
    axes.set_xticks(places, [str(row["decile"]) for row in rows])
    axes.set_xlabel("decile of the prediction, 10 is the highest")
    axes.set_ylabel("mean per customer" + (f", {unit}" if unit else ""))
    _thousands(axes.yaxis)
    _legend(axes, "upper left")
    return figure


@drawn_once
def gain(
    predicted: Sequence[float] | np.ndarray[Any, Any], actual: Sequence[float] | np.ndarray[Any, Any], *, what: str
) -> bytes:
    """Draw the share of what happened that the best-scored customers hold.

    ``predicted``, ``actual``: (customers,); ``actual`` not negative. ``what``: what is shared out, for instance ``"spend"`` or
    ``"churners"``.
    """
    score, outcome = np.asarray(predicted, dtype=float), np.asarray(actual, dtype=float)
    figure, axes = _canvas(f"Gain: share of {what} held by the best-scored customers", height=3.6)
    share = 100 * np.linspace(0, 1, 101)
    total = float(outcome.sum())
    if total > 0:
        for order, colour, label in ((outcome, _GREY, "perfect ranking"), (score, _BLUE, "model")):
            axes.plot(share, _held(order, outcome, share) / total, color=colour, linewidth=2, label=label)
        top = float(_held(score, outcome, np.array([10.0]))[0] / total)
        axes.plot([10], [top], "o", color=_BLUE)
        axes.annotate(
            f"top 10 %: {top:.0f} % of {what}",
            (10, top),
            (10, -4),
            textcoords="offset points",
            va="top",
            fontsize=9,
            color=_INK,
        )
    axes.plot([0, 100], [0, 100], color=_ORANGE, linestyle="--", linewidth=1.2, label="at random")
    axes.set(xlim=(0, 100), ylim=(0, 102), xlabel="% of customers, best-scored first", ylabel=f"% of {what}")
    _legend(axes, "lower right")
    return _png(figure)


@drawn_once
def importances(rows: Sequence[Mapping[str, Any]], *, most: int = 15, value: str = "shap", unit: str = "") -> bytes:
    """Draw what the model looks at.

    ``rows``: of ``monitoring.feature_importances``: feature and the column named by ``value`` (None is left out). ``value``:
    ``"shap"`` (mean absolute contribution to a prediction) or ``"weight"`` (share of the gain).
    """
    drawn = sorted((row for row in rows if row[value] is not None), key=lambda row: -row[value])[:most]
    figure, axes = _canvas("What the model looks at", height=_height_of(len(drawn)))
    _bars(axes, [row["feature"] for row in drawn], [row[value] for row in drawn], [_BLUE] * len(drawn), "{:,.3g}")
    axes.set_xlim(0, max([row[value] for row in drawn], default=1.0) * 1.15 or 1.0)
    words = "mean contribution to a prediction (|SHAP|)" if value == "shap" else "share of the gain"
    axes.set_xlabel(words + (f", {unit}" if unit else ""))
    return _png(figure)


@drawn_once
def prediction_distribution(
    predicted: Sequence[float] | np.ndarray[Any, Any],
    actual: Sequence[float] | np.ndarray[Any, Any] | None = None,
    *,
    target: str,
    unit: str = "",
    bins: int = 30,
) -> bytes:
    """Draw the distribution of predictions, next to what happened where that is known; the top 1 % lies in the last bar.

    ``predicted``, ``actual``: (customers,).
    """
    groups = [("predicted", np.asarray(predicted, dtype=float), _BLUE)]
    if actual is not None:
        groups.append(("actual", np.asarray(actual, dtype=float), _ORANGE))
    groups = [(label, values[np.isfinite(values)], colour) for label, values, colour in groups]
    figure, axes = _canvas(f"Distribution of {target}", height=3.4)
    pooled = np.concatenate([values for _, values, _ in groups])
    if pooled.size:
        low, high = float(pooled.min()), float(np.quantile(pooled, 0.99))
        high = high if high > low else low + 1.0
        edges = np.linspace(low, high, bins + 1)
        for label, values, colour in groups:
            weights = np.full(len(values), 100 / max(1, len(values)))
            heights, _ = np.histogram(np.minimum(values, high), edges, weights=weights)
            axes.stairs(heights, edges, color=colour, fill=label == "predicted", alpha=0.85, linewidth=2, label=label)
        _legend(axes)
    axes.set_xlabel(target + (f", {unit}" if unit else ""))
    axes.set_ylabel("% of customers")
    _thousands(axes.xaxis)
    return _png(figure)


def text_colour(background: Sequence[float]) -> str:
    """White or ink, whichever contrasts more with a colour (red, green, blue from 0 to 1), by WCAG 2.1."""
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in background[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # White has luminance 1, the ink about 0.03; the two contrast alike with about 0.24.
    return "white" if luminance < 0.24 else _INK


def _held(score: Any, outcome: Any, share: Any) -> Any:
    order = np.argsort(-score, kind="stable")
    summed = np.concatenate([[0.0], np.cumsum(outcome[order])])
    return 100 * np.interp(share / 100 * len(outcome), np.arange(len(summed)), summed)


def _canvas(title: str, *, height: float) -> tuple[Figure, Axes]:
    # Half a second, which whoever only imports this module is spared.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_INCHES, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=_INK, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=_INK)
    axes.xaxis.label.set_fontsize(9)
    axes.yaxis.label.set_fontsize(9)
    return figure, axes


def _height_of(bars: int) -> float:
    return 1.4 + 0.26 * max(3, bars)


def _short(name: str, longest: int = 32) -> str:
    return name if len(name) <= longest else name[: longest - 3] + "..."


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float], colours: Sequence[str], form: str) -> None:
    places = range(len(names))
    bars = axes.barh(places, values, color=colours, height=0.7)
    # A dollar sign would start a formula.
    axes.set_yticks(places, [_short(name, 52).replace("$", r"\$") for name in names])
    axes.invert_yaxis()
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.9}
    axes.bar_label(
        bars, [form.format(value) for value in values], padding=3, fontsize=8, color=_INK, bbox=paper, zorder=5
    )
    if not names:
        axes.text(0.5, 0.5, "nothing to draw", transform=axes.transAxes, ha="center", color=_INK)


def _legend(axes: Axes, place: Literal["best", "upper left", "lower right"] = "best") -> None:
    axes.legend(loc=place, fontsize=8, frameon=False)


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8, frameon=False)


def _thousands(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Drawn once: ``savefig`` draws twice, the first time to find the layout. And without the version of the library, which would
    # change the bytes.
    figure.canvas.print_png(buffer, metadata={"Software": None})  # type: ignore[attr-defined]
    return buffer.getvalue()
