"""What customers do next: how many orders, whether any, when, of what value. One lifetime model behind all of it.

Belongs here: fitting to the histories of today, calibrating against what happened after earlier days, expectations that agree
with each other and with the workflow's own prediction.
Does not: formulas (``lifetimes/``), reading and writing tables (``stages/predictions/next_orders.py``).

An order here is a day with an order. A model fitted to today's histories predicts what followed earlier days; for each horizon the
log-odds of a purchase are corrected by an intercept and a slope, and the number of orders by a factor, each shrunk to no
correction. Then every customer's intensity is brought to what the workflow says: where it predicts whether somebody buys, to that
probability; where it predicts spend, to the total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from tdml_assets.engines.lifetimes import GammaGamma, ParetoNbd, fit_gamma_gamma, fit_pareto_nbd
from tdml_assets.engines.lifetimes.histories import Floats
from tdml_assets.engines.lifetimes.rhythm import estimate_regularity, next_order_days, usual_gap
from tdml_assets.platform.refusals import RefusedError

#: Quantiles of the day of the next order: the interval's lower end, the median, its upper end.
QUANTILES = (0.1, 0.5, 0.9)
_MIN_CUSTOMERS, _MIN_REPEATERS = 50, 20
# Tried where the likelihood alone has no maximum.
_PENALIZER = 0.01
# What no correction weighs against the data: of the intercept and the slope of log-odds, and in orders.
_PRIOR = np.array([4.0, 20.0])
_PRIOR_ORDERS = 20.0
_FACTORS = (0.25, 4.0)
_LEVELS = (0.5, 2.0)
_NEWTON_STEPS = 25
_LEAST = 1e-9


@dataclass(frozen=True)
class Customers:
    """Histories of customers, one a row.

    Parameters
    ----------
    history : (rows, 3): days with an order after the first, days from the first to the last and to today.
    mean_gap, stddev_gap : days between orders; NaN where there are too few.
    mean_value : of the days after the first; NaN where there are none.
    """

    history: Floats
    mean_gap: Floats
    stddev_gap: Floats
    mean_value: Floats


@dataclass(frozen=True)
class Past:
    """What followed an earlier day.

    Parameters
    ----------
    history : (rows, 3) as of that day.
    orders : per horizon that has ended by today, (rows,) days with an order in it.
    """

    history: Floats
    orders: Mapping[int, Floats]


@dataclass(frozen=True)
class Level:
    """How predictions for one horizon are corrected.

    Parameters
    ----------
    intercept, slope : of the log-odds of a purchase.
    factor : of the number of orders.
    """

    intercept: float = 0.0
    slope: float = 1.0
    factor: float = 1.0


@dataclass(frozen=True)
class Expected:
    """What is expected of customers, one number a row.

    Parameters
    ----------
    orders, buys : per horizon, the number of orders and the probability of at least one. Neither falls with the horizon.
    value : of an order; None where too few bought again.
    days : (rows, 3) days until the next order at :data:`QUANTILES`, given that it comes.
    usual_gap, overdue : median days between orders, and days since the last order beyond them; NaN after one order.
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

    def raw(self, history: Floats, horizon: int) -> tuple[Floats, Floats]:
        """Orders and probability of one in a horizon, calibrated, before they follow the workflow's prediction."""
        repeats, recency, age = history.T
        level = self.levels.get(horizon, Level())
        active = self.purchases.probability_active(horizon, repeats, recency, age)
        orders = self.purchases.expected_purchases(horizon, repeats, recency, age) * level.factor
        return orders, expit(level.intercept + level.slope * _log_odds(active))

    def spend_level(self, customers: Customers, horizon: int, spend: Floats) -> float:
        """Total spend predicted by the workflow over the total of orders times value, in [0.5, 2]."""
        if self.value is None:
            return 1.0
        orders, _ = self.raw(customers.history, horizon)
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

        Parameters
        ----------
        horizons : in days, ascending; with the workflow's.
        horizon : the workflow's, for which ``buys`` is.
        within_days : the next order is dated given that it comes within so many days.
        buys : probability of a purchase that the workflow itself predicts; None where it predicts none.
        level : of :meth:`spend_level`; 1 where ``buys`` is given.
        """
        found = {days: self.raw(customers.history, days) for days in horizons}
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
        gap = np.where(repeats > 0, usual_gap(self.purchases, self.regularity, repeats, recency), np.nan)
        return Expected(
            orders=orders,
            buys=probability,
            value=None if self.value is None else self._value_of(customers),
            days=next_order_days(self.purchases, self.regularity, customers.history, QUANTILES, within_days),
            usual_gap=gap,
            overdue=age - recency - gap,
        )

    def _value_of(self, customers: Customers) -> Floats:
        if self.value is None:
            return np.full(len(customers.history), np.nan)
        return self.value.expected_value(customers.history[:, 0], customers.mean_value)


def fit_next_orders(today: Customers, pasts: Sequence[Past]) -> NextOrders:
    """Fit to the histories of today, and calibrate against what followed earlier days.

    Raises
    ------
    RefusedError
        If there are too few customers, too few who bought again, or no fit is found; with the counts.
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
    horizons = sorted({days for past in pasts for days in past.orders})
    levels = {days: _level(purchases, days, [past for past in pasts if days in past.orders]) for days in horizons}
    return NextOrders(purchases, value, estimate_regularity(repeats, today.mean_gap, today.stddev_gap), levels)


def _level(purchases: ParetoNbd, horizon: int, pasts: Sequence[Past]) -> Level:
    history = np.concatenate([past.history for past in pasts])
    orders = np.concatenate([past.orders[horizon] for past in pasts])
    if not len(history):
        return Level()
    active = purchases.probability_active(horizon, *history.T)
    expected = float(purchases.expected_purchases(horizon, *history.T).sum())
    factor = (float(orders.sum()) + _PRIOR_ORDERS) / (expected + _PRIOR_ORDERS)
    intercept, slope = _logistic(_log_odds(active), (orders > 0).astype(np.float64))
    return Level(intercept, slope, float(np.clip(factor, *_FACTORS)))


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
