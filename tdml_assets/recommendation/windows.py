"""The windows of a recommendation session: where choices are made, where they are measured, where customers are scored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from tdml_assets.stages.features.snapshots import HistoryTooShortError


@dataclass(frozen=True)
class Window:
    """What is known at the end of ``day``, and what happens in (day, until]."""

    day: date
    until: date

    @property
    def days(self) -> int:
        """Length of what happens, in days."""
        return (self.until - self.day).days


@dataclass(frozen=True)
class Windows:
    """The windows of one session.

    ``validation``: ends where the test begins; everything that is chosen is chosen on it. ``test``: the latest whole horizon;
    only measured on. ``as_of``: day at whose end customers are scored; the stored model knows everything up to it.
    """

    validation: Window
    test: Window
    as_of: date


def plan_windows(as_of: date, first_order_on: date, horizon_days: int) -> Windows:
    """Place the windows.

    The test is the last ``horizon_days`` before ``as_of``. The validation lies right before it and is as long, or half of
    the history before the test where that is shorter. Raises ``HistoryTooShortError`` if fewer than two days of orders lie before
    the test window.
    """
    test = as_of - timedelta(days=horizon_days)
    before = (test - first_order_on).days
    if before < 2:
        raise HistoryTooShortError(
            f"orders from {first_order_on} to as_of {as_of} span {(as_of - first_order_on).days + 1} days, and a horizon of "
            f"{horizon_days} days leaves {max(0, before + 1)} to learn from and to choose on, at least 3 are needed",
            "shorten target.horizon_days or give earlier orders",
        )
    validation = test - timedelta(days=min(horizon_days, before // 2))
    return Windows(Window(validation, test), Window(test, as_of), as_of)
