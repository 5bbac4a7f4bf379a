"""What customers do next: how many orders, whether any, when, of what value. One lifetime model behind all of it.

Elsewhere: formulas (``lifetimes/``), reading and writing tables (``stages/predictions/next_orders.py``).

An order here is a day with an order. A model fitted to today's histories knows no calendar, so for each horizon its rate of orders
is multiplied by what past months say of the days ahead (``level_windows.py``): the season, the trend. What followed earlier days,
each at the rate of its own season, corrects the log-odds of a purchase by an intercept and a slope, shrunk to no correction. Where
past months are too few, the rate is that of the latest horizon. Then every customer's intensity is brought to what the workflow
says: where it predicts whether somebody buys, to that probability; where it predicts spend, to the total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from scipy.special import expit

from tdml_assets.engines.level_windows import DAYS_A_YEAR, Window, forecast_residual, measure_window
from tdml_assets.engines.lifetimes import GammaGamma, ParetoNbd, fit_gamma_gamma, fit_pareto_nbd
from tdml_assets.engines.lifetimes.histories import Floats, Histories
from tdml_assets.engines.lifetimes.rhythm import estimate_regularity, next_order_days, usual_gap
from tdml_assets.platform.refusals import RefusedError

#: Quantiles of the day of the next order: the interval's lower end, the median, its upper end.
QUANTILES = (0.1, 0.5, 0.9)
#: Days of a past month that are counted.
MONTH_DAYS = 30
# Months looked at: two of every season.
_MONTHS = 25
_MIN_CUSTOMERS, _MIN_REPEATERS = 50, 20
# Tried where the likelihood alone has no maximum.
_PENALIZER = 0.01
# What no correction weighs against the data: of the intercept and the slope of log-odds, and in orders.
_PRIOR = np.array([4.0, 20.0])
_PRIOR_ORDERS = 20.0
_LARGEST_RATE = float(np.log(4.0))
_LEVELS = (0.5, 2.0)
_NEWTON_STEPS = 25
_LEAST = 1e-9


@dataclass(frozen=True)
class Customers:
    """Histories of customers, one a row.

    ``history``: (rows, 3): days with an order after the first, days from the first to the last and to today. ``mean_gap``,
    ``stddev_gap``: days between orders; NaN where there are too few. ``mean_value``: of the days after the first; NaN where
    there are none.
    """

    history: Floats
    mean_gap: Floats
    stddev_gap: Floats
    mean_value: Floats


@dataclass(frozen=True)
class Past:
    """What followed an earlier day.

    ``history``: (rows, 3) as of that day. ``orders``: per horizon that has ended by today, (rows,) days with an order in it.
    """

    history: Floats
    orders: Mapping[int, Floats]


@dataclass(frozen=True)
class Months:
    """What followed the first days of past months.

    ``day``: today. ``first_order_on``: day of the earliest order. ``pasts``: by days before ``day``, the histories then and the
    days with an order in the :data:`MONTH_DAYS` days after.
    """

    day: date
    first_order_on: date
    pasts: Mapping[int, tuple[Floats, Floats]]


@dataclass(frozen=True)
class Level:
    """How predictions for one horizon are corrected.

    ``rate``: added to the logarithm of the rate of orders. ``intercept``, ``slope``: of the log-odds of a purchase at that rate.
    """

    rate: float = 0.0
    intercept: float = 0.0
    slope: float = 1.0


@dataclass(frozen=True)
class Expected:
    """What is expected of customers, one number a row.

    ``orders``, ``buys``: per horizon, the number of orders and the probability of at least one. Neither falls with the horizon.
    ``value``: of an order; None where too few bought again. ``days``: (rows, 3) days until the next order at :data:`QUANTILES`,
    given that it comes. ``usual_gap``, ``overdue``: median days between orders, and days since the last order beyond them; NaN
    after one order.
    """

    orders: Mapping[int, Floats]
    buys: Mapping[int, Floats]
    value: Floats | None
    days: Floats
    usual_gap: Floats
    overdue: Floats


@dataclass(frozen=True)
class NextOrders:
    """A fitted lifetime model with its calibration."""

    purchases: ParetoNbd
    value: GammaGamma | None
    regularity: float
    levels: Mapping[int, Level]

    def raw(self, history: Floats, horizons: Sequence[int]) -> dict[int, tuple[Floats, Floats]]:
        """Orders and probability of one by horizon, calibrated, before they follow the workflow's prediction."""
        return self._raw(Histories.of(*history.T), horizons)

    def _raw(self, histories: Histories, horizons: Sequence[int]) -> dict[int, tuple[Floats, Floats]]:
        levels = [self.levels.get(days, Level()) for days in horizons]
        spans = [(days, _span(days, level.rate)) for days, level in zip(horizons, levels, strict=True)]
        ahead = self.purchases.ahead(histories, spans)
        found = {}
        for days, level, (orders, active) in zip(horizons, levels, ahead, strict=True):
            log_odds = _log_odds(active[histories.place])
            rate = np.exp(level.rate)
            found[days] = orders[histories.place] * rate, expit(level.intercept + level.slope * log_odds)
        return found

    def spend_level(self, customers: Customers, horizon: int, spend: Floats) -> float:
        """Total spend predicted by the workflow over the total of orders times value, in [0.5, 2]."""
        if self.value is None:
            return 1.0
        orders, _ = self.raw(customers.history, [horizon])[horizon]
        total = float((orders * self._value_of(customers)).sum())
        return float(np.clip(spend.sum() / total, *_LEVELS)) if total > 0 else 1.0

    def expect(
        self,
        customers: Customers,
        horizons: Sequence[int],
        *,
        horizon: int,
        within_days: int,
        buys: Floats | None = None,
        level: float = 1.0,
    ) -> Expected:
        """Expect for customers.

        ``horizons``: in days, ascending; with the workflow's. ``horizon``: the workflow's, for which ``buys`` is.
        ``within_days``: the next order is dated given that it comes within so many days. ``buys``: probability of a purchase
        that the workflow itself predicts; None where it predicts none. ``level``: of :meth:`spend_level`; 1 where ``buys`` is
        given.
        """
        histories = Histories.of(*customers.history.T)
        found = self._raw(histories, horizons)
        intensity = np.full(len(customers.history), level)
        if buys is not None:
            intensity = _hazard(buys) / _hazard(found[horizon][1])
        orders, probability = {}, {}
        before_orders = before = np.zeros(len(customers.history))
        for days in horizons:
            before = np.maximum(before, -np.expm1(-_hazard(found[days][1]) * intensity))
            if buys is not None and days == horizon:
                before = np.clip(buys, 0.0, 1.0)
            elif buys is not None and days < horizon:
                before = np.minimum(before, buys)
            # Who buys with this probability places at least as many orders on average.
            before_orders = np.maximum(np.maximum(before_orders, before), found[days][0] * np.clip(intensity, 0.2, 5.0))
            orders[days], probability[days] = before_orders, before
        repeats, recency, age = customers.history.T
        gap = np.where(repeats > 0, self._usual_gap(histories)[histories.place], np.nan)
        different = np.column_stack([histories.frequency, histories.recency, histories.age])
        ahead = next_order_days(self.purchases, self.regularity, different, QUANTILES, within_days)
        return Expected(
            orders=orders,
            buys=probability,
            value=None if self.value is None else self._value_of(customers),
            days=ahead[histories.place],
            usual_gap=gap,
            overdue=age - recency - gap,
        )

    def _usual_gap(self, histories: Histories) -> Floats:
        """Of every different history. Age has no part in it, and by age histories are ordered last."""
        x, t_x = histories.frequency, histories.recency
        first = np.concatenate(([True], (x[1:] != x[:-1]) | (t_x[1:] != t_x[:-1])))
        gap: Floats = usual_gap(self.purchases, self.regularity, x[first], t_x[first])[np.cumsum(first) - 1]
        return gap

    def _value_of(self, customers: Customers) -> Floats:
        if self.value is None:
            return np.full(len(customers.history), np.nan)
        return self.value.expected_value(customers.history[:, 0], customers.mean_value)


def month_begins(reach_days: int) -> list[int]:
    """Days before today after which past months begin, the latest first, that lie within ``reach_days``."""
    begins = (round(DAYS_A_YEAR / 12 * number) for number in range(1, _MONTHS + 1))
    return [ago for ago in begins if ago <= reach_days]


def fit_next_orders(
    today: Customers, pasts: Sequence[Past], months: Months | None = None, horizons: Sequence[int] = ()
) -> NextOrders:
    """Fit to the histories of today, and calibrate against what followed earlier days.

    Raises ``RefusedError`` if there are too few customers, too few who bought again, or no fit is found; with the counts.
    ``months``: what the season and the trend are taken from; None for neither. ``horizons``: in days, to expect for besides those
    of ``pasts``.
    """
    repeats, recency, age = today.history.T
    again = int((repeats > 0).sum())
    if len(repeats) < _MIN_CUSTOMERS or again < _MIN_REPEATERS:
        raise RefusedError(
            f"{len(repeats)} customers, {again} of them ordered on a second day; {_MIN_CUSTOMERS} and {_MIN_REPEATERS} are needed",
            "give more customers or a longer history",
        )
    try:
        purchases = fit_pareto_nbd(repeats, recency, age)
    except ValueError:
        try:
            purchases = fit_pareto_nbd(repeats, recency, age, penalizer=_PENALIZER)
        except ValueError as error:
            raise RefusedError(str(error), "give a longer history") from error
    try:
        value = fit_gamma_gamma(repeats, today.mean_value)
        _ = value.population_value
    except ValueError:
        value = None
    wanted = sorted({*horizons, *(days for past in pasts for days in past.orders)})
    levels = {days: _level(purchases, days, [past for past in pasts if days in past.orders]) for days in wanted}
    if months is not None:
        windows = _windows(purchases, months)
        levels = {days: _of_season(windows, days, level, months) for days, level in levels.items()}
    return NextOrders(purchases, value, estimate_regularity(repeats, today.mean_gap, today.stddev_gap), levels)


def _active(purchases: ParetoNbd, horizon: int, rate: float, history: Floats) -> Floats:
    """Probability of a purchase: at another rate the horizon is as much longer, since both say how many orders fall into it."""
    return purchases.probability_active(_span(horizon, rate), *history.T)


def _span(horizon: int, rate: float) -> float:
    return horizon * float(np.exp(rate))


def _level(purchases: ParetoNbd, horizon: int, pasts: Sequence[Past]) -> Level:
    """Rate of the past horizons, and the correction of log-odds at the rate of each."""
    if not any(len(past.history) for past in pasts):
        return Level()
    came, expected, log_odds = [], [], []
    for past in pasts:
        came.append(float(past.orders[horizon].sum()))
        expected.append(float(purchases.expected_purchases(horizon, *past.history.T).sum()))
        rate = _rate(came[-1], expected[-1])
        log_odds.append(_log_odds(_active(purchases, horizon, rate, past.history)))
    happened = np.concatenate([past.orders[horizon] > 0 for past in pasts]).astype(np.float64)
    return Level(_rate(sum(came), sum(expected)), *_logistic(np.concatenate(log_odds), happened))


def _rate(came: float, expected: float) -> float:
    """Logarithm of orders that came over those expected, shrunk to 0."""
    found = np.log((came + _PRIOR_ORDERS) / (expected + _PRIOR_ORDERS))
    return float(np.clip(found, -_LARGEST_RATE, _LARGEST_RATE))


def _windows(purchases: ParetoNbd, months: Months) -> list[Window]:
    """Orders that came in past months, next to those expected."""
    measured = [
        measure_window(
            months.day - timedelta(days=ago),
            MONTH_DAYS,
            orders=orders,
            expected_orders=purchases.expected_purchases(MONTH_DAYS, *history.T),
            spend=orders,
            value=np.ones(len(orders)),
        )
        for ago, (history, orders) in sorted(months.pasts.items())
    ]
    return [one for one in measured if one is not None]


def _of_season(windows: Sequence[Window], horizon: int, level: Level, months: Months) -> Level:
    """The level with the rate that past months say of the days ahead; unchanged where they say nothing."""
    parts = -(-horizon // MONTH_DAYS)
    middles = [(part + 0.5) * horizon / parts for part in range(parts)]
    found = [
        forecast_residual(windows, months.day, months.first_order_on, MONTH_DAYS, ahead_days=middle)
        for middle in middles
    ]
    said = [one.orders for one in found if one is not None]
    if not said:
        return level
    return replace(level, rate=float(np.clip(np.mean(said), -_LARGEST_RATE, _LARGEST_RATE)))


def _logistic(log_odds: Floats, happened: Floats) -> tuple[float, float]:
    """Intercept and slope of the log-odds, by Newton's method, with a normal prior around 0 and 1."""
    rows, prior = np.column_stack([np.ones(len(log_odds)), log_odds]), np.array([0.0, 1.0])
    found = prior.copy()
    for _ in range(_NEWTON_STEPS):
        probability = expit(rows @ found)
        slope = rows.T @ (happened - probability) - _PRIOR * (found - prior)
        curve = (rows.T * (probability * (1 - probability))) @ rows + np.diag(_PRIOR)
        step = np.linalg.solve(curve, slope)
        found = found + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-8:
            break
    # A slope below 0 would turn the ranking around.
    return float(found[0]), float(max(found[1], 0.0))


def _log_odds(probability: Floats) -> Floats:
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    odds: Floats = np.log(inside) - np.log1p(-inside)
    return odds


def _hazard(probability: Floats) -> Floats:
    """Cumulative hazard of a probability, -log(1 - p), above 0."""
    hazard: Floats = -np.log1p(-np.clip(probability, _LEAST, 1 - _LEAST))
    return hazard
