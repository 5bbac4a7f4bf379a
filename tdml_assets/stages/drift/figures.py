"""Figures of drift and of what became of predictions, drawn like all others.

Elsewhere: measuring (``detection.py``), reading (``sql/realised/``), the layout of a chart (``platform/charts.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tdml_assets.platform.charts import BLUE, GREY, ORANGE, RED, Bars, Dots, Limit, bars_across, bars_up
from tdml_assets.platform.figures import predicted_and

#: Per status of ``detection.py``; what could not be measured is grey.
_STATUS_COLOURS = {
    "ok": BLUE,
    "watch": ORANGE,
    **dict.fromkeys(("far", "spike", "changed", "stuck", "scale", "all_null"), RED),
}
#: Sessions drawn: the newest, if there are more.
_MOST = 24


def drift(
    rows: Sequence[Mapping[str, Any]], *, psi_limit: float, most: int = 20, points: Mapping[str, str] | None = None
) -> bytes:
    """Draw how far every watched column moved: the alarms first, then the farthest columns, if there are many.

    ``rows``: of ``monitoring.drift``: column_name, psi (None where there is nothing to measure), status. ``psi_limit``: of the
    policy, drawn as a line. ``points``: colour by further statistic of the rows, drawn as points on the same scale.
    """

    def order(row: Mapping[str, Any]) -> tuple[bool, float, str]:
        return (_STATUS_COLOURS.get(row["status"]) != RED, -(row["psi"] or 0.0), row["column_name"])

    # A column without any value has no distance, and is the worst there is.
    known = [row for row in rows if row["psi"] is not None or _STATUS_COLOURS.get(row["status"]) == RED]
    drawn = sorted(known, key=order)[:most]
    distances = [row["psi"] or 0.0 for row in drawn]
    dots = [Dots([row[name] for row in drawn], colour, name) for name, colour in (points or {}).items()]
    return bars_across(
        "How far the data moved since the model went live",
        [row["column_name"] for row in drawn],
        [Bars(distances, [_STATUS_COLOURS.get(row["status"], GREY) for row in drawn])],
        axis="PSI (root scale); red: alarm, orange: changed a little, grey: not judged",
        form="{:.3f}",
        limit=Limit(psi_limit, f"limit: {psi_limit:g}"),
        dots=dots,
        root=True,
    )


def realised_means(rows: Sequence[Mapping[str, Any]], *, what: str) -> bytes:
    """Draw the mean prediction next to what happened, day by day.

    ``rows``: of ``sql/realised/ledger.sql``: as_of, mean_predicted, mean_actual. ``what``: the target, in words.
    """
    drawn = rows[-_MOST:]
    return bars_up(
        f"Predicted against realised: {what}",
        [str(row["as_of"]) for row in drawn],
        predicted_and(drawn, "realised"),
        axes=("day the predictions were made", "mean per customer"),
    )
