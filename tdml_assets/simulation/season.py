"""When in the year, the week and the day people buy. Elsewhere: anything random (`process`)."""

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from tdml_assets.simulation.settings import SimulationSettings

Floats = NDArray[np.float64]

DAYS_PER_YEAR = 365.25

_WEEKDAY_WEIGHTS = np.array([0.95, 0.90, 0.92, 0.98, 1.10, 1.17, 0.98])
_HOUR_WEIGHTS = np.array(
    [1.0, 1, 1, 1, 1, 2, 4, 8, 12, 14, 15, 16, 18, 16, 15, 15, 16, 18, 20, 22, 20, 14, 8, 3],
)


def day_multipliers(first: date, days: int, strength: float) -> Floats:
    """Purchase intensity of each day relative to the yearly average.

    Gives (days,) positive multipliers that average 1 over a year. ``first``: day of the first one; may lie outside the simulated
    period, the pattern is a function of the calendar. ``strength``: 0 (flat) to 1 (the full autumn and Christmas peak and weekly
    pattern).
    """
    cycle = _yearly_shape(np.arange(0, DAYS_PER_YEAR, 0.25)).mean()
    calendar = [first + timedelta(days=i) for i in range(days)]
    of_year = np.array([day.timetuple().tm_yday for day in calendar], dtype=float)
    weekday = np.array([day.weekday() for day in calendar], dtype=int)
    yearly = 1 + strength * (_yearly_shape(of_year) / cycle - 1)
    weekly = 1 + strength * (_WEEKDAY_WEIGHTS / _WEEKDAY_WEIGHTS.mean() - 1)
    multipliers: Floats = yearly * weekly[weekday]
    return multipliers


def _yearly_shape(day_of_year: Floats) -> Floats:
    def bump(centre: float, width: float) -> Floats:
        apart = np.abs(day_of_year - centre)
        apart = np.minimum(apart, DAYS_PER_YEAR - apart)
        return np.exp(-0.5 * (apart / width) ** 2)

    return 1 + 1.6 * bump(338, 17) + 0.45 * bump(295, 30) - 0.2 * bump(45, 25)


class Season:
    """Clock that runs fast when people buy: events uniform on it are seasonal in calendar time.

    `elapsed` maps days since the start to accumulated intensity (days of average intensity), `calendar` back. The
    intensity is constant within an hour.
    """

    def __init__(self, settings: SimulationSettings) -> None:
        hours = settings.days * 24
        daily = day_multipliers(settings.start_date, settings.days, settings.seasonality)
        hourly = (daily[:, None] * (_HOUR_WEIGHTS / _HOUR_WEIGHTS.mean())).ravel()
        self._edges = np.arange(hours + 1) / 24
        self._accumulated = np.concatenate([[0.0], np.cumsum(hourly) / 24])

    def elapsed(self, days: Floats) -> Floats:
        """Return the accumulated intensity at `days` since the start, shape kept."""
        accumulated: Floats = np.interp(days, self._edges, self._accumulated)
        return accumulated

    def calendar(self, elapsed: Floats) -> Floats:
        """Return the days since the start at which the accumulated intensity is `elapsed`, shape kept."""
        days: Floats = np.interp(elapsed, self._accumulated, self._edges)
        return days
