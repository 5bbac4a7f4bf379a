"""How much more or less customers buy than a lifetime model expects of them: past windows, and what they say of the next one.

Belongs here: which windows are looked at, their gaps, the forecast of the gap of the window that begins today. Does not: lifetime
models (``lifetimes/``), the level of a model's predictions (``level.py``), reading orders.

A lifetime model knows the customers and no calendar. So log(orders that came / orders expected), of customers known on a day in
the window after it, holds the season and the trend; growth and the age of customers are in the expectation. Gaps are a Gaussian
process in the middle of the window: a mean, a yearly part that repeats, a drift by years, a part that fades within a year, a part
that fades with the days since the first order of the log (who is seen first buys more than others do), and one of the single window
(Rasmussen and Williams 2006, Gaussian processes for machine learning, equations 2.23 and 2.24). How large the season and the trend
are is not assumed: forecasts with several sizes are averaged, each weighted by how likely it makes the gaps (equation 5.8). Where
the gaps show no season, the factor of the season is near 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Part = Literal["orders", "value"]

DAYS_A_YEAR = 365.25
# Windows begin so many times a year, as far back as this; the first so many days after the first order.
_A_YEAR, _MOST_WINDOWS, _FIRST_DAYS = 12, 40, 30
# Fewer orders say nothing of a window; fewer windows say nothing of another one.
_LEAST_ORDERS, _LEAST_WINDOWS = 10, 3
# The same day of the year, give or take.
_SAME_SEASON_DAYS = 21
# Standard deviation that a window much shorter than the horizon has besides, in logarithms.
_SHORT = 0.1
_WINDOW = 0.02
_SEASON_WIDTH, _SEASON_YEARS = 0.35, 30.0
_START_DAYS = 90.0
_LEAST_VARIANCE = 1e-4


@dataclass(frozen=True)
class Sizes:
    """Standard deviations of the parts of a gap, in logarithms; of season and trend, possible ones with their prior probability.

    Parameters
    ----------
    mean, drift : of the mean, and of a drift by a year.
    start : mean and standard deviation of what fades with the days since the first order of the log.
    season, trend : pairs of a standard deviation and a probability.
    trend_years : in which a trend fades.
    """

    mean: float
    drift: float
    start: tuple[float, float]
    season: tuple[tuple[float, float], ...]
    trend: tuple[tuple[float, float], ...]
    trend_years: float


#: Chosen on simulated shops that no page reports (``docs/level.md``).
SIZES: dict[Part, Sizes] = {
    "orders": Sizes(
        mean=0.5,
        drift=0.1,
        start=(0.2, 0.3),
        season=((0.0, 0.15), (0.1, 0.15), (0.2, 0.3), (0.4, 0.4)),
        trend=((0.03, 0.5), (0.1, 0.4), (0.2, 0.1)),
        trend_years=1.0,
    ),
    "value": Sizes(
        mean=0.3,
        drift=0.03,
        start=(0.0, 0.1),
        season=((0.0, 0.8), (0.05, 0.2)),
        trend=((0.02, 0.5), (0.05, 0.3), (0.1, 0.2)),
        trend_years=2.0,
    ),
}


@dataclass(frozen=True)
class Window:
    """What came in the days after a day, next to what was expected of the customers known then.

    Parameters
    ----------
    day, days : the window begins after the day.
    orders, value : log of orders that came over orders expected; of their value over the value expected of just these orders.
    orders_variance, value_variance : of both, if the customers were drawn again.
    """

    day: date
    days: int
    orders: float
    orders_variance: float
    value: float
    value_variance: float

    @property
    def end(self) -> date:
        """The last day of the window."""
        return self.day + timedelta(days=self.days)


@dataclass(frozen=True)
class Residual:
    """Forecast of the gap of a window to come.

    Parameters
    ----------
    orders, value : expected logarithms, as in :class:`Window`.
    orders_variance, value_variance : of these, without the customers' own luck.
    season : the latest window of the same season of an earlier year; None where none was seen.
    """

    orders: float = 0.0
    orders_variance: float = 0.0
    value: float = 0.0
    value_variance: float = 0.0
    season: Window | None = None


def window_days(day: date, first_order_on: date, horizon_days: int) -> list[tuple[date, int]]:
    """Days after which windows begin, latest first, with their length: the horizon, or less where it has not ended by ``day``."""
    found = []
    for number in range(1, _MOST_WINDOWS + 1):
        ago = round(DAYS_A_YEAR / _A_YEAR * number)
        begin = day - timedelta(days=ago)
        if (begin - first_order_on).days < _FIRST_DAYS:
            break
        found.append((begin, min(horizon_days, ago)))
    return found


def measure_window(
    day: date, days: int, *, orders: Floats, expected_orders: Floats, spend: Floats, value: Floats
) -> Window | None:
    """Compare what came in a window with what was expected.

    Parameters
    ----------
    orders, expected_orders : per customer, in the window.
    spend : per customer, in the window.
    value : per customer, of an order.

    Returns
    -------
    None where too little came to say anything.
    """
    came, expected = float(orders.sum()), float(expected_orders.sum())
    paid, at_value = float(spend.sum()), float((orders * value).sum())
    if came < _LEAST_ORDERS or min(expected, paid, at_value) <= 0:
        return None
    by_order = np.square(orders - came / expected * expected_orders).sum() / came**2
    by_value = np.square(spend - paid / at_value * orders * value).sum() / paid**2
    return Window(
        day,
        days,
        kept_digits(float(np.log(came / expected))),
        kept_digits(float(max(by_order, _LEAST_VARIANCE))),
        kept_digits(float(np.log(paid / at_value))),
        kept_digits(float(max(by_value, _LEAST_VARIANCE))),
    )


def forecast_residual(
    windows: Sequence[Window], day: date, first_order_on: date, horizon_days: int, *, ahead_days: float | None = None
) -> Residual | None:
    """What windows that have ended by ``day`` say of the one that begins after it; None where too few have.

    Parameters
    ----------
    ahead_days : days from ``day`` to the middle of the window that is forecast; half the horizon unless given.
    """
    known = [one for one in windows if one.end <= day]
    if len(known) < _LEAST_WINDOWS:
        return None
    ahead = horizon_days / 2 if ahead_days is None else ahead_days
    orders, orders_variance = _forecast(known, day, first_order_on, horizon_days, ahead, "orders")
    value, value_variance = _forecast(known, day, first_order_on, horizon_days, ahead, "value")
    same = [one for one in known if is_same_season(one.day, day)]
    season = max(same, key=lambda one: one.day) if same else None
    return Residual(orders, orders_variance, value, value_variance, season)


def kept_digits(value: float) -> float:
    """Twelve digits of a sum: sums may be added up in parallel, and the last digits depend on it."""
    return float(f"{value:.12g}")


def is_same_season(earlier: date, day: date) -> bool:
    """Whether a day lies whole years before another, give or take three weeks."""
    apart = (day - earlier).days
    years = round(apart / DAYS_A_YEAR)
    return years >= 1 and abs(apart - years * DAYS_A_YEAR) <= _SAME_SEASON_DAYS


def _forecast(
    known: Sequence[Window], day: date, first_order_on: date, horizon_days: int, ahead_days: float, part: Part
) -> tuple[float, float]:
    """Mean and variance of the gap of the next window, over all sizes of season and trend."""
    sizes = SIZES[part]
    begin = np.array([(one.day - day).days for one in known], dtype=np.float64)
    length = np.array([one.days for one in known], dtype=np.float64)
    middle, ahead = (begin + length / 2) / DAYS_A_YEAR, np.array([ahead_days / DAYS_A_YEAR])
    young, now = (np.exp(-(days + (day - first_order_on).days) / _START_DAYS) for days in (begin, np.zeros(1)))
    level, spread = sizes.start
    gaps = np.array([getattr(one, part) for one in known]) - level * young
    fixed = _noise(known, begin, length, horizon_days, part) + spread**2 * np.outer(young, young)
    fixed_ahead = spread**2 * (young * now)[:, None]
    found = []
    for (season, chance), (trend, other_chance) in product(sizes.season, sizes.trend):
        shape = (season, trend, sizes)
        root = np.linalg.cholesky(_covariance(middle, middle, *shape) + fixed)
        left = np.linalg.solve(root, gaps)
        right = np.linalg.solve(root, _covariance(middle, ahead, *shape) + fixed_ahead)[:, 0]
        variance = (
            float(_covariance(ahead, ahead, *shape)[0, 0]) + spread**2 * float(now[0]) ** 2 - float(right @ right)
        )
        likelihood = (
            -0.5 * float(left @ left) - float(np.log(np.diag(root)).sum()) + float(np.log(chance * other_chance))
        )
        found.append((float(right @ left) + level * float(now[0]), variance + _WINDOW**2, likelihood))
    means, variances, likelihoods = np.array(found).T
    weights = np.exp(likelihoods - likelihoods.max())
    weights /= weights.sum()
    mean = float(weights @ means)
    return mean, float(weights @ (variances + np.square(means - mean)))


def _noise(known: Sequence[Window], begin: Floats, length: Floats, horizon_days: int, part: Part) -> Floats:
    """Covariance of the customers' luck in windows, which is shared where they overlap, and of the single window."""
    luck = np.sqrt(np.array([getattr(one, f"{part}_variance") for one in known]))
    end = begin + length
    shared = np.minimum.outer(end, end) - np.maximum.outer(begin, begin)
    overlap = np.maximum(shared, 0.0) / np.sqrt(np.outer(length, length))
    alone = _SHORT**2 * (1.0 - length / horizon_days) + _WINDOW**2
    found: Floats = np.outer(luck, luck) * overlap + np.diag(alone)
    return found


def _covariance(some: Floats, others: Floats, season: float, trend: float, sizes: Sizes) -> Floats:
    apart = np.abs(np.subtract.outer(some, others))
    repeats = np.exp(-2.0 * np.square(np.sin(np.pi * apart) / _SEASON_WIDTH) - apart / _SEASON_YEARS)
    found: Floats = sizes.mean**2 + sizes.drift**2 * np.multiply.outer(some, others)
    return found + season**2 * repeats + trend**2 * np.exp(-apart / sizes.trend_years)
