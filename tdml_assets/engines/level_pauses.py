"""Weeks in which a shop sold nothing although the season was open: a closure, a move, a strike.

A window that holds a closure says nothing of the season and nothing of the customers. A shop that is closed at the same time every
year has no pause: that is its season.

Elsewhere: windows (``level_windows.py``), reading the days of orders (``stages/training/level.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from tdml_assets.engines.level_windows import DAYS_A_YEAR

# Shorter stretches without an order are holidays.
_LEAST_DAYS = 28
# Share of the same days of another year on which a shop that was open had orders.
_OPEN_SHARE = 0.5


@dataclass(frozen=True)
class Pause:
    """Days without any order. ``first``, ``last``: both are part of it."""

    first: date
    last: date

    def meets(self, day: date, days: int) -> bool:
        """Whether it shares a day with the window of so many days that begins after ``day``."""
        return self.first <= day + timedelta(days=days) and day < self.last


def find_pauses(order_days: Sequence[date]) -> list[Pause]:
    """Find stretches of four weeks or more without any order, on days of the year that had orders in another year.

    ``order_days``: every day with an order, ascending.
    """
    found = []
    for before, after in pairwise(order_days):
        if (after - before).days > _LEAST_DAYS:
            pause = Pause(before + timedelta(days=1), after - timedelta(days=1))
            if _open_in_another_year(pause, order_days):
                found.append(pause)
    return found


def _open_in_another_year(pause: Pause, order_days: Sequence[date]) -> bool:
    reach = int((order_days[-1] - order_days[0]).days // DAYS_A_YEAR) + 1
    for years in (years for years in range(-reach, reach + 1) if years):
        apart = timedelta(days=round(years * DAYS_A_YEAR))
        first, last = max(pause.first + apart, order_days[0]), min(pause.last + apart, order_days[-1])
        days = (last - first).days + 1
        had = sum(first <= day <= last for day in order_days)
        if days >= _LEAST_DAYS and had >= _OPEN_SHARE * days:
            return True
    return False
