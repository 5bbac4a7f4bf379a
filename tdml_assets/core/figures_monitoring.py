"""Figures of what became of predictions, drawn like all others.

Belongs here: how the ledger of realised performance is drawn. Does not: reading it (``sql/realised/``), the common style
(``figures.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tdml_assets.core.figures import _BLUE, _INK, _ORANGE, _canvas, _legend_above, _png, _thousands

#: Sessions drawn: the newest, if there are more.
_MOST = 24


def realised_means(rows: Sequence[Mapping[str, Any]], *, what: str) -> bytes:
    """Draw the mean prediction beside what happened, day by day.

    Parameters
    ----------
    rows : of ``sql/realised/ledger.sql``: as_of, mean_predicted, mean_actual.
    what : the target, in words.
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
