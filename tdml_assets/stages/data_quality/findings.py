"""Findings about raw data: one row of ``monitoring.data_quality`` each, and how they are made.

Elsewhere: any check (``arrival.py``, ``content.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from tdml_assets.platform.statistics import significant
from tdml_assets.stages.data_quality.measures import Days

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy

Status = Literal["ok", "note", "alarm", "accepted", "too_little"]


@dataclass(frozen=True)
class Finding:
    """One row of ``monitoring.data_quality``, without its session."""

    check_name: str
    source: str
    value: float | None
    expected: float | None
    bound: float | None
    status: Status
    sentence: str


@dataclass(frozen=True)
class Share:
    """Rows with a property among all rows looked at."""

    found: int
    rows: int


def unjudged(check: str, source: str, why: str, value: float | None = None) -> Finding:
    """A check that had too little to judge."""
    return Finding(check, source, significant(value), None, None, "too_little", f"{source}: {why}.")


def judged(
    check: str,
    source: str,
    text: str,
    remedy: str,
    *,
    is_broken: bool,
    value: float | None,
    expected: float | None = None,
    bound: float | None = None,
) -> Finding:
    """A check with a verdict: ``text`` names value and bound, ``remedy`` is said only where it is needed."""
    numbers = (significant(value), significant(expected), significant(bound))
    sentence = f"{source}: {text}." + (f" {remedy}" if is_broken else "")
    return Finding(check, source, *numbers, "alarm" if is_broken else "ok", sentence)


def window_words(as_of: date, policy: QualityPolicy) -> str:
    """How the last window is called."""
    return f"the {policy.window_days} days to {as_of}"


def window_start(as_of: date, policy: QualityPolicy) -> date:
    """The day before the last window's first."""
    return as_of - timedelta(days=policy.window_days)


def spans(days: Days, as_of: date, policy: QualityPolicy) -> tuple[slice, slice]:
    """Places of the days of the last window, and of the windows before it."""
    start = window_start(as_of, policy)
    return days.span(start, as_of), days.span(start - timedelta(days=policy.window_days * policy.windows), start)


def risen(
    check: str, source: str, now: Share, before: Share, rise: float, words: tuple[str, str], policy: QualityPolicy
) -> Finding:
    """Whether a share is both ``rise`` higher than before and beyond chance (two proportions, pooled).

    ``words`` are what the share is of, and the remedy.
    """
    if min(now.rows, before.rows) < policy.min_rows:
        return unjudged(check, source, f"fewer than {policy.min_rows:,} rows to compare")
    value, expected = now.found / now.rows, before.found / before.rows
    pooled = (now.found + before.found) / (now.rows + before.rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / now.rows + 1 / before.rows))
    bound = expected + max(rise, policy.z_limit * error)
    text = f"{value:.1%} {words[0]}; it was {expected:.1%}, and {bound:.1%} is the bound"
    return judged(check, source, text, words[1], is_broken=value > bound, value=value, expected=expected, bound=bound)
