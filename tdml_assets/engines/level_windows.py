"""How much more or less customers buy than a lifetime model expects of them: past windows, and what they say of the next one.

Elsewhere: lifetime models (``lifetimes/``), the level of a model's predictions (``level.py``), reading orders.

A lifetime model knows the customers and no calendar. So log(orders that came / orders expected), of customers known on a day in
the window after it, holds the season and the trend; growth and the age of customers are in the expectation. Gaps are averages over
their window of a Gaussian process in time, so that windows of any length may be compared: a mean, a yearly part that repeats, a
drift by years, a part that fades within a year, a part that fades with the days since the first order of the log (who is seen first
buys more than others do), and one of the single window (Rasmussen and Williams 2006, Gaussian processes for machine learning,
equations 2.23 and 2.24). How large the season and the trend are is not assumed: forecasts with several sizes are averaged, each
weighted by how likely it makes the gaps (equation 5.8). Where the gaps show no season, the factor of the season is near 1.
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
# Years over which a season and a trend fade, days over which the start of the log does.
_SEASON_YEARS, _TREND_YEARS, _START_DAYS = 30.0, 1.0, 90.0
# Widths that a season may have, in sin(pi x years): of half the year, and of a peak.
_WIDE, _NARROW = 0.5, 0.3
# Moments of a window at which the process is looked at, evenly spaced, to average it.
_MOMENTS = 6
_LEAST_VARIANCE = 1e-4
# Standard deviation, in logarithms, of the orders of days of the year that no window has shown (docs/decisions/0071).
_UNSEEN_SEASON = 0.25


@dataclass(frozen=True)
class Sizes:
    """Standard deviations of the parts of a gap, in logarithms; possible ones of season and trend, with prior probabilities.

    ``mean``, ``drift``: of the mean, and of a drift by a year. ``start``: mean and standard deviation of what fades with the
    days since the first order of the log. ``season``: standard deviations, widths in sin(pi x years) and probabilities.
    ``trend``: pairs of a standard deviation and a probability. ``short``: of a window much shorter than the horizon, besides.
    ``window``: of a single window.
    """

    mean: float
    drift: float
    start: tuple[float, float]
    season: tuple[tuple[float, float, float], ...]
    trend: tuple[tuple[float, float], ...]
    short: float
    window: float


#: Chosen on simulated shops that no page reports (``docs/level.md``).
SIZES: dict[Part, Sizes] = {
    "orders": Sizes(
        mean=0.15,
        drift=0.05,
        start=(0.25, 0.2),
        season=((0.0, _WIDE, 0.1), (0.2, _WIDE, 0.15), (0.5, _WIDE, 0.35), (0.4, _NARROW, 0.4)),
        trend=((0.02, 0.5), (0.06, 0.4), (0.15, 0.1)),
        short=0.03,
        window=0.03,
    ),
    "value": Sizes(
        mean=0.15,
        drift=0.03,
        start=(0.0, 0.1),
        season=((0.0, _WIDE, 0.8), (0.05, _WIDE, 0.2)),
        trend=((0.02, 0.4), (0.07, 0.4), (0.15, 0.2)),
        short=0.05,
        window=0.02,
    ),
}


@dataclass(frozen=True)
class Window:
    """What came in the days after a day, next to what was expected of the customers known then.

    ``day``, ``days``: the window begins after the day. ``orders``, ``value``: log of orders that came over orders expected; of
    their value over the value expected of just these orders. ``orders_variance``, ``value_variance``: of both, if the customers
    were drawn again.
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

    ``orders``, ``value``: expected logarithms, as in :class:`Window`. ``orders_variance``, ``value_variance``: of these,
    without the customers' own luck. ``season``: the latest window of the same season of an earlier year; None where none was
    seen. ``unseen``: share of the days to come whose day of the year lies in no window, in [0, 1].
    """

    orders: float = 0.0
    orders_variance: float = 0.0
    value: float = 0.0
    value_variance: float = 0.0
    season: Window | None = None
    unseen: float = 0.0

    @property
    def unseen_variance(self) -> float:
        """Variance of ``orders`` by a season that no window has shown, besides ``orders_variance``.

        Months that came as expected say little of another month: a shop may sell evenly for three quarters and twice as much
        before Christmas. The forecast takes such months for a sign that there is no season at all.
        """
        return (self.unseen * _UNSEEN_SEASON) ** 2


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

    Returns None where too little came to say anything. ``orders``, ``expected_orders``: per customer, in the window. ``spend``:
    per customer, in the window. ``value``: per customer, of an order.
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

    ``ahead_days``: days from ``day`` to the middle of the window that is forecast; half the horizon unless given.
    """
    known = [one for one in windows if one.end <= day]
    if len(known) < _LEAST_WINDOWS:
        return None
    begin_ahead = 0.0 if ahead_days is None else ahead_days - horizon_days / 2
    times = _Times.of(known, day, first_order_on, horizon_days, begin_ahead)
    orders, orders_variance = _forecast(known, times, SIZES["orders"], "orders")
    value, value_variance = _forecast(known, times, SIZES["value"], "value")
    same = [one for one in known if is_same_season(one.day, day)]
    season = max(same, key=lambda one: one.day) if same else None
    unseen = 0.0 if season is not None else _unseen_share(known, day, horizon_days, begin_ahead)
    return Residual(orders, orders_variance, value, value_variance, season, unseen)


def _unseen_share(known: Sequence[Window], day: date, horizon_days: int, begin_ahead: float) -> float:
    """Share of the days of a window to come that lie whole years behind no day of a known one."""
    ahead = begin_ahead + np.arange(horizon_days) + 0.5
    seen = np.zeros(horizon_days, dtype=bool)
    for window in known:
        begin = (window.day - day).days
        # As many years earlier as bring the day to the first one in the window or behind its end.
        within = (ahead - begin) % DAYS_A_YEAR
        seen |= within <= window.days
    return kept_digits(float(1.0 - seen.mean()))


def kept_digits(value: float) -> float:
    """Twelve digits of a sum: sums may be added up in parallel, and the last digits depend on it."""
    return float(f"{value:.12g}")


def is_same_season(earlier: date, day: date) -> bool:
    """Whether a day lies whole years before another, give or take three weeks."""
    apart = (day - earlier).days
    years = round(apart / DAYS_A_YEAR)
    return years >= 1 and abs(apart - years * DAYS_A_YEAR) <= _SAME_SEASON_DAYS


@dataclass(frozen=True)
class _Times:
    """What the times of windows say, of the known ones and, last, of the one to come: covariances of parts of size 1.

    ``season``: by width, (windows, windows). ``trend``, ``drift``: (windows, windows). ``young``: how much of the start of the
    log a window still has, in [0, 1]. ``overlap``: of known windows: the share of their luck that two have in common.
    ``missing``: of known windows: the share of the horizon that a window lacks.
    """

    season: dict[float, Floats]
    trend: Floats
    drift: Floats
    young: Floats
    overlap: Floats
    missing: Floats

    @classmethod
    def of(
        cls, known: Sequence[Window], day: date, first_order_on: date, horizon_days: int, begin_ahead: float
    ) -> _Times:
        begin = np.array([*((one.day - day).days for one in known), begin_ahead], dtype=np.float64)
        length = np.array([*(one.days for one in known), horizon_days], dtype=np.float64)
        moments = begin[:, None] + length[:, None] * (np.arange(_MOMENTS) + 0.5) / _MOMENTS
        years = moments.ravel() / DAYS_A_YEAR
        apart = np.abs(np.subtract.outer(years, years))
        phase = np.square(np.sin(np.pi * apart))
        repeats = {width: np.exp(-2.0 * phase / width**2 - apart / _SEASON_YEARS) for width in (_WIDE, _NARROW)}
        middle = moments.mean(axis=1) / DAYS_A_YEAR
        first, days = begin[:-1], length[:-1]
        shared = np.minimum.outer(first + days, first + days) - np.maximum.outer(first, first)
        return cls(
            {width: _by_window(found) for width, found in repeats.items()},
            _by_window(np.exp(-apart / _TREND_YEARS)),
            np.multiply.outer(middle, middle),
            np.exp(-(begin + (day - first_order_on).days) / _START_DAYS),
            np.maximum(shared, 0.0) / np.sqrt(np.outer(days, days)),
            1.0 - days / horizon_days,
        )


def _by_window(covariance: Floats) -> Floats:
    """Covariance of averages over windows, from that of their moments."""
    windows = len(covariance) // _MOMENTS
    found: Floats = covariance.reshape(windows, _MOMENTS, windows, _MOMENTS).mean(axis=(1, 3))
    return found


def _forecast(known: Sequence[Window], times: _Times, sizes: Sizes, part: Part) -> tuple[float, float]:
    """Mean and variance of the gap of the next window, over all sizes of season and trend."""
    luck = np.sqrt(np.array([getattr(one, f"{part}_variance") for one in known]))
    # Known windows vary by the customers' luck, which is shared where they overlap, and each by itself.
    noise = np.outer(luck, luck) * times.overlap + np.diag(sizes.short**2 * times.missing + sizes.window**2)
    level, spread = sizes.start
    fixed = sizes.mean**2 + sizes.drift**2 * times.drift + spread**2 * np.outer(times.young, times.young)
    gaps = np.array([getattr(one, part) for one in known]) - level * times.young[:-1]
    found = []
    for (season, width, chance), (trend, other_chance) in product(sizes.season, sizes.trend):
        covariance = fixed + season**2 * times.season[width] + trend**2 * times.trend
        root = np.linalg.cholesky(covariance[:-1, :-1] + noise)
        left, right = np.linalg.solve(root, np.column_stack([gaps, covariance[:-1, -1]])).T
        variance = float(covariance[-1, -1]) - float(right @ right) + sizes.window**2
        likelihood = (
            -0.5 * float(left @ left) - float(np.log(np.diag(root)).sum()) + float(np.log(chance * other_chance))
        )
        found.append((float(right @ left) + level * float(times.young[-1]), variance, likelihood))
    means, variances, likelihoods = np.array(found).T
    weights = np.exp(likelihoods - likelihoods.max())
    weights /= weights.sum()
    mean = float(weights @ means)
    return mean, float(weights @ (variances + np.square(means - mean)))
