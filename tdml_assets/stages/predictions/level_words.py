"""What was done to the level of predictions and how far their total may be off, in words for people.

Elsewhere: figures (``level.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tdml_assets.engines.level import COVERAGE


def level_sentence(row: Mapping[str, Any]) -> str:
    """What was done to the level, why, and how far the total may be off, for people. ``row``: of ``monitoring.level``."""
    why = _why(row)
    if row["corrected"]:
        moved = row["total"] / row["uncorrected_total"] - 1.0 if row["uncorrected_total"] else 0.0
        done = f"{'raised' if moved > 0 else 'lowered'} by {abs(moved):.0%}" if round(abs(moved), 2) else "not moved"
        return f"{done}: {why}; {_bounds(row)}"
    if row["low_total"] <= row["total"] <= row["high_total"]:
        return f"as the model gives it; {_bounds(row)}"
    off = row["total"] / row["expected_total"] - 1.0
    near, far = sorted((row["total"] / row[end] - 1.0 for end in ("low_total", "high_total")), key=abs)
    side = "high" if off > 0 else "low"
    return f"expected to be {abs(off):.0%} too {side} ({abs(near):.0%} to {abs(far):.0%}): {why}; not corrected"


def _why(row: Mapping[str, Any]) -> str:
    if row["basis"] == "none":
        return "no earlier snapshot tells of a season or a trend"
    # A lifetime model that scores itself ages nothing, and has no basis where the season was never seen.
    if not row["ageing"] and row["basis_gap"] is not None:
        return _by_snapshots(row)
    if not row["gap"] and row["basis"] == "trend":
        return "past windows of orders do not say clearly whether more or less comes"
    scale, past = "" if row["kind"] == "amount" else " in odds", row["gap"] - row["ageing"]
    if abs(row["ageing"]) > abs(past):
        less = math.expm1(row["ageing"])
        return f"a lifetime model expects {abs(less):.0%} {'less' if less < 0 else 'more'} of these customers{scale}"
    if row["basis"] == "season" and (row["kind"] == "probability" or row["basis_gap"] * past > 0):
        off = math.expm1(row["basis_gap"])
        what = "spend" if row["kind"] == "amount" else "orders"
        more = "above" if off > 0 else "below"
        return (
            f"the same season a year earlier (after {row['basis_date']}) came out {abs(off):.0%} {more} the {what} that a lifetime "
            "model expects"
        )
    off = math.expm1(past)
    return f"past windows of orders {'raise' if off > 0 else 'lower'} it by {abs(off):.0%}{scale}"


def _by_snapshots(row: Mapping[str, Any]) -> str:
    off = math.expm1(row["basis_gap"])
    what = "the same season a year earlier" if row["basis"] == "season" else "the latest window that is known"
    scale = "" if row["kind"] == "amount" else " in odds"
    side = "above" if off > 0 else "below"
    return f"{what} (after {row['basis_date']}) came out {abs(off):.0%} {side} what the model says of it{scale}"


def reach_of(row: Mapping[str, Any]) -> float:
    """How far what comes may lie from the published total, as a share of it, in :data:`COVERAGE` of cases."""
    return max(abs(row[name] / row["total"] - 1.0) for name in ("low_total", "high_total")) if row["total"] else 0.0


def _bounds(row: Mapping[str, Any]) -> str:
    """Where the truth is expected, as a share of the published total."""
    if not row["total"]:
        return "nothing is expected"
    low, high = (abs(row[name] / row["total"] - 1.0) for name in ("low_total", "high_total"))
    unseen = "; the log has not shown this season yet: the bounds allow for one" if row["basis"] != "season" else ""
    return f"what comes lies between {low:.0%} below and {high:.0%} above it in {COVERAGE:.0%} of cases{unseen}"
