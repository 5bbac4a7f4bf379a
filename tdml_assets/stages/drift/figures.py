"""Figures of drift and of what became of predictions, drawn like all others.

Belongs here: how distances and the ledger of realised performance are drawn. Does not: measuring (``detection.py``), reading
(``sql/realised/``), the common style (``platform/figures.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    _thousands,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Per status of ``detection.py``; what could not be measured is grey.
_STATUS_COLOURS = {
    "ok": _BLUE,
    "watch": _ORANGE,
    **dict.fromkeys(("far", "spike", "changed", "stuck", "scale", "all_null"), _RED),
}
#: What is drawn of a row of ``monitoring.drift``.
DRAWN = ("column_name", "psi", "status")
#: Sessions drawn: the newest, if there are more.
_MOST = 24


@drawn_once
def drift(
    rows: Sequence[Mapping[str, Any]], *, psi_limit: float, most: int = 20, points: Mapping[str, str] | None = None
) -> bytes:
    """Draw how far every watched column moved, as :func:`drift_figure` does."""
    return _png(drift_figure(rows, psi_limit=psi_limit, most=most, points=points))


def drift_figure(
    rows: Sequence[Mapping[str, Any]], *, psi_limit: float, most: int = 20, points: Mapping[str, str] | None = None
) -> Figure:
    """Draw how far every watched column moved: the alarms first, then the farthest columns, if there are many.

    ``rows``: of ``monitoring.drift``: column_name, psi (None where there is nothing to measure), status. ``psi_limit``: of the
    policy, drawn as a line. ``points``: colour by further statistic of the rows, drawn as points on the same scale.
    """

    def order(row: Mapping[str, Any]) -> tuple[bool, float, str]:
        return (_STATUS_COLOURS.get(row["status"]) != _RED, -(row["psi"] or 0.0), row["column_name"])

    # A column without any value has no distance, and is the worst there is.
    known = [row for row in rows if row["psi"] is not None or _STATUS_COLOURS.get(row["status"]) == _RED]
    drawn = sorted(known, key=order)[:most]
    figure, axes = _canvas("How far the data moved since the model went live", height=_height_of(len(drawn)))
    # Root scale: a column at the limit stays visible next to one far beyond it.
    axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    colours = [_STATUS_COLOURS.get(row["status"], _GREY) for row in drawn]
    _bars(axes, [row["column_name"] for row in drawn], [row["psi"] or 0.0 for row in drawn], colours, "{:.3f}")
    axes.axvline(psi_limit, color=_RED, linestyle="--", linewidth=1.2, label=f"limit: {psi_limit:g}")
    largest = max([psi_limit, *(row["psi"] or 0.0 for row in drawn)])
    for name, colour in (points or {}).items():
        found = [(row[name], place) for place, row in enumerate(drawn) if row[name] is not None]
        axes.plot(*zip(*found, strict=True) if found else ([], []), "o", color=colour, markersize=5, label=name)
        largest = max([largest, *(value for value, _ in found)])
    axes.set_xlim(0, largest * 1.35)
    axes.set_xlabel("PSI (root scale); red: alarm, orange: changed a little, grey: not judged")
    _legend_above(axes)
    return figure


@drawn_once
def realised_means(rows: Sequence[Mapping[str, Any]], *, what: str) -> bytes:
    """Draw the mean prediction next to what happened, day by day.

    ``rows``: of ``sql/realised/ledger.sql``: as_of, mean_predicted, mean_actual. ``what``: the target, in words.
    """
    figure, axes = _canvas(f"Predicted against realised: {what}", height=3.6)
    places = _days(axes, rows)
    drawn = rows[-_MOST:]
    for shift, name, colour, label in (
        (-0.2, "mean_predicted", _BLUE, "predicted"),
        (0.2, "mean_actual", _ORANGE, "realised"),
    ):
        axes.bar(places + shift, [row[name] or 0 for row in drawn], 0.4, color=colour, label=label)
    axes.set_ylabel("mean per customer")
    _thousands(axes.yaxis)
    if drawn:
        _legend_above(axes)
    return _png(figure)


def _days(axes: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    names = [str(row["as_of"]) for row in rows[-_MOST:]]
    places = np.arange(len(names))
    axes.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_xlabel("day the predictions were made")
    if not names:
        axes.text(0.5, 0.5, "no horizon has passed yet", transform=axes.transAxes, ha="center", color=_INK)
    return places
