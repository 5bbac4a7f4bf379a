"""The day that ``as_of: latest`` means: the last one the orders support, not the last one somebody has typed.

Elsewhere: what the session makes of the day (``stages/features/snapshots.py``), other checks of the raw data
(``stages/data_quality/quality_report.py``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.raw.contracts import ORDERS

#: A pause shorter than this is never suspicious: shops close over holidays.
MIN_PAUSE_DAYS = 30
#: Of the longest pause before it, from where one is far beyond what the orders do by themselves.
PAUSE_FACTOR = 3
#: Lines behind such a pause that are set aside at most: so many, or less than a tenth of what the shop sold in as many days.
MAX_LINES = 5
MAX_SHARE_OF_RATE = 0.1
#: And never more than this share of the lines before the pause: a handful of orders has no usual pauses yet.
MAX_SHARE_OF_LINES = 0.05
_RATE_DAYS = 90


@dataclass(frozen=True)
class LatestDay:
    """What ``as_of: latest`` is.

    ``day``: the last supported day. ``set_aside``: later days with orders, ascending; empty where the last day is supported.
    ``lines``: order lines on them. ``last_order_on``: day of the last order, where it was recorded later than that: on ``day``.
    ``longest_pause_days``: days from one day with orders to the next before them, at most.
    """

    day: date
    set_aside: tuple[date, ...] = ()
    lines: int = 0
    longest_pause_days: int = 0
    last_order_on: date | None = None

    @property
    def sentence(self) -> str:
        """The decision in words, with what to do where days were set aside."""
        if not self.set_aside and self.last_order_on is not None:
            return f"as_of latest is {self.day}, when the last orders, of {self.last_order_on}, were recorded"
        if not self.set_aside:
            return f"as_of latest is {self.day}, the day of the last order"
        first, last = self.set_aside[0], self.set_aside[-1]
        days = f"on {first}" if first == last else f"on {len(self.set_aside)} days from {first} to {last}"
        lines, are = ("line", "is") if self.lines == 1 else ("lines", "are")
        return (
            f"as_of latest is {self.day}: {self.lines:,} order {lines} {days}, {(first - self.day).days:,} days later, {are} set "
            f"aside, since no pause before was longer than {self.longest_pause_days:,} days. Correct the date in the file; if it "
            f"is right, set as_of: {last} in the settings"
        )


def read_latest_day(reader: Reader) -> LatestDay | None:
    """Ask ``raw.orders``. ``None`` without orders."""
    is_recorded = "recorded_on" in reader.columns(ORDERS.path)
    rows = reader.rows(render("raw/order_days", orders=ORDERS.path, is_recorded=is_recorded))
    return known_day(rows) if rows else None


def known_day(rows: Sequence[Mapping[str, Any]]) -> LatestDay:
    """The last supported day, or the later one on which its first order was recorded: before it, the day was not known.

    ``rows``: ``day``, ``line_count`` and ``known_on``, when the first of its orders was recorded; ascending, at least one.
    """
    found = latest_day([row["day"] for row in rows], [row["line_count"] for row in rows])
    known_on = next((row["known_on"] for row in reversed(rows) if row["day"] == found.day), None)
    if known_on is None or known_on <= found.day:
        return found
    later = tuple(day for day in found.set_aside if day > known_on)
    return replace(found, day=known_on, set_aside=later, last_order_on=found.day)


def latest_day(days: list[date], lines: list[int]) -> LatestDay:
    """Find the last supported day. ``days``: days with orders, ascending, at least one. ``lines``: order lines per day.

    Days are set aside where a few lines lie behind a pause of at least 30 days that is more than three times as long as
    any before it. Of several such pauses the first counts: what lies behind it is set aside together.
    """
    until = list(accumulate(lines, initial=0))
    longest = 0
    for place in range(1, len(days)):
        pause = (days[place] - days[place - 1]).days
        before, behind = until[place], until[-1] - until[place]
        if pause >= max(MIN_PAUSE_DAYS, PAUSE_FACTOR * longest + 1) and _is_few(days, until, place, before, behind):
            return LatestDay(days[place - 1], tuple(days[place:]), behind, longest)
        if before > MAX_SHARE_OF_LINES * until[-1]:  # a stray early date makes no usual pause
            longest = max(longest, pause)
    return LatestDay(days[-1], longest_pause_days=longest)


def _is_few(days: list[date], until: list[int], place: int, before: int, behind: int) -> bool:
    if behind > MAX_SHARE_OF_LINES * before:
        return False
    recent = bisect_left(days, days[place - 1] - timedelta(days=_RATE_DAYS - 1))
    open_days = (days[place - 1] - days[recent]).days + 1
    usual = (until[place] - until[recent]) / open_days * ((days[-1] - days[place]).days + 1)
    return behind <= MAX_LINES or behind < MAX_SHARE_OF_RATE * usual
