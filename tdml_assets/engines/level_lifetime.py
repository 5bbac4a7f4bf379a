"""What a lifetime model expects of whole snapshots, corrected by what it missed in past windows: the base of a level.

Elsewhere: the lifetime model (``lifetimes/``), the forecast of a gap (``level_windows.py``), levels (``level.py``), reading
orders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa

from tdml_assets.engines.level_shares import ShareGap, forecast_share, measure_share, shifted
from tdml_assets.engines.level_windows import (
    Floats,
    Residual,
    Window,
    forecast_residual,
    kept_digits,
    measure_window,
)
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.lifetimes import GammaGamma, ParetoNbd, fit_gamma_gamma, fit_pareto_nbd

#: Targets of which a lifetime model expects something.
KINDS = ("net_spend", "purchase", "no_purchase")
#: Columns of past windows, besides their first day: what was known of a customer, and what came.
PAST = ("repeats", "recency", "age", "repeat_amount", "orders", "spend")
_MIN_CUSTOMERS, _MIN_REPEATERS = 50, 20
# Customers whose expectations are added up at most, evenly spaced.
_MOST_ADDED = 50_000
# Windows that say how much luck there is.
_LATEST_WINDOWS = 6
# Windows of this process, by what they were measured from: the workflows of a session share them.
_kept_windows: dict[str, tuple[Window, ...]] = {}
_WINDOWS_KEPT = 8


@dataclass(frozen=True)
class LevelHistory:
    """What was known on a day, for the base of a level.

    ``day``: at whose end it was known. ``first_order_on``: day of the earliest order. ``histories``: columns of
    :data:`~tdml_assets.engines.lifetime_outlook.HISTORY` of customers known on the day, a sample. ``windows``: first day and
    length of past windows. ``past``: ``begin_day`` and the columns of :data:`PAST`, one row per window and customer of the
    sample who was known then.
    """

    day: date
    first_order_on: date
    histories: pa.Table
    windows: Sequence[tuple[date, int]]
    past: pa.Table


@dataclass(frozen=True)
class Expectation:
    """What is expected of the customers of a day, in all.

    ``residual``: how much more or less than the lifetime model expects; None where past windows do not say it. ``share_gap``:
    log-odds of the share of customers who buy, over that of the lifetime model with the residual.
    """

    base: LifetimeBase
    history: Floats
    customers: int
    residual: Residual | None
    share_gap: float = 0.0

    def total(self, *, rate: float = 0.0) -> float:
        """Money, or customers to whom it happens, with the residual. ``rate``: added to the logarithm of the number of orders."""
        found = self.residual or Residual()
        total = self._total(found.orders + rate, found.value)
        gap = -self.share_gap if self.base.target_kind == "no_purchase" else self.share_gap
        return kept_digits(shifted(total, self.customers, gap))

    def plain_total(self) -> float:
        """The same as the lifetime model alone expects it."""
        return self._total(0.0, 0.0)

    def _total(self, orders: float, value: float) -> float:
        scale = self.customers / max(len(self.history), 1)
        if self.base.target_kind == "net_spend":
            return kept_digits(scale * self._spend * float(np.exp(orders + value)))
        return kept_digits(scale * self.base.total(self.history, orders, value))

    @cached_property
    def _spend(self) -> float:
        return self.base.total(self.history, 0.0, 0.0)


@dataclass(frozen=True)
class LifetimeBase:
    """A lifetime model fitted to the histories of ``day``, with its gaps in past windows of ``sampled`` customers.

    ``shares``: gaps of the share of customers who bought; empty for an amount.
    """

    purchases: ParetoNbd
    value: GammaGamma
    horizon_days: int
    target_kind: str
    day: date
    first_order_on: date
    windows: tuple[Window, ...]
    sampled: int
    shares: tuple[ShareGap, ...] = ()

    def luck(self, customers: int) -> float:
        """Variance of the logarithm of a total of so many customers, if their luck were drawn again; as in the latest windows."""
        latest = self.windows[:_LATEST_WINDOWS]
        found = [(one.orders_variance + one.value_variance) * one.days / self.horizon_days for one in latest]
        return float(np.median(found)) * self.sampled / max(customers, 1) if found else 0.0

    def total(self, history: Floats, orders: float, value: float) -> float:
        """Sum over customers, with logarithms added to the number of orders and to their value.

        For a probability the horizon is as much longer as there are more orders: both say how many fall into it.
        """
        repeats, recency, age, mean = history.T
        if self.target_kind == "net_spend":
            expected = self.purchases.expected_purchases(self.horizon_days, repeats, recency, age)
            return float(np.exp(orders + value)) * float((expected * self.value.expected_value(repeats, mean)).sum())
        horizon = self.horizon_days * float(np.exp(orders))
        active = np.clip(self.purchases.probability_active(horizon, repeats, recency, age), 0.0, 1.0)
        return float((active if self.target_kind == "purchase" else 1.0 - active).sum())

    def expect(self, day: date, histories: pa.Table) -> Expectation:
        """Expect of the customers of a day, from the windows that had ended by then."""
        residual = forecast_residual(self.windows, day, self.first_order_on, self.horizon_days)
        step = -(-histories.num_rows // _MOST_ADDED) or 1
        chosen = histories.take(pa.array(np.arange(0, histories.num_rows, step))) if step > 1 else histories
        share = 0.0 if residual is None else forecast_share(self.shares, day, self.horizon_days, residual.orders)
        return Expectation(self, _matrix(chosen, HISTORY), histories.num_rows, residual, share)


def fit_base(known: LevelHistory, *, target_kind: str, horizon_days: int) -> LifetimeBase | None:
    """Fit Pareto/NBD with Gamma-Gamma to the histories of a day, and measure past windows.

    ``target_kind``: as in ``target.kind`` of the workflow. Returns None where the target is none of purchases, too few
    customers bought again, or the model cannot be fitted.
    """
    if target_kind not in KINDS:
        return None
    repeats, recency, age, mean = _matrix(known.histories, HISTORY).T
    if len(repeats) < _MIN_CUSTOMERS or int((repeats > 0).sum()) < _MIN_REPEATERS:
        return None
    try:
        purchases = fit_pareto_nbd(repeats, recency, age)
        value = fit_gamma_gamma(repeats, mean)
        _ = value.population_value
    except ValueError:
        return None
    windows = _windows(known, purchases, value)
    first, sampled = known.first_order_on, len(repeats)
    shares = () if target_kind == "net_spend" else _shares(known, windows, purchases)
    return LifetimeBase(purchases, value, horizon_days, target_kind, known.day, first, windows, sampled, shares)


def _shares(known: LevelHistory, windows: Sequence[Window], purchases: ParetoNbd) -> tuple[ShareGap, ...]:
    past, begins = _matrix(known.past, PAST), known.past["begin_day"].to_numpy()
    found = []
    for window in windows:
        repeats, recency, age, _, orders, _ = past[begins == np.datetime64(window.day, "D")].T
        found.append(measure_share(window, purchases, repeats, recency, age, orders))
    return tuple(one for one in found if one is not None)


def _windows(known: LevelHistory, purchases: ParetoNbd, value: GammaGamma) -> tuple[Window, ...]:
    past = _matrix(known.past, PAST)
    begins = known.past["begin_day"].to_numpy()
    key = hashlib.sha256(repr((purchases, value, list(known.windows))).encode() + past.tobytes()).hexdigest()
    if key not in _kept_windows:
        while len(_kept_windows) >= _WINDOWS_KEPT:
            del _kept_windows[next(iter(_kept_windows))]
        of_day = {day: past[begins == np.datetime64(day, "D")] for day, _ in known.windows}
        found = [_window(day, days, of_day[day], purchases, value) for day, days in known.windows]
        _kept_windows[key] = tuple(one for one in found if one is not None)
    return _kept_windows[key]


def _window(day: date, days: int, past: Floats, purchases: ParetoNbd, value: GammaGamma) -> Window | None:
    if not len(past):
        return None
    repeats, recency, age, amount, orders, spend = past.T
    mean = amount / np.maximum(repeats, 1.0)
    return measure_window(
        day,
        days,
        orders=orders,
        expected_orders=purchases.expected_purchases(days, repeats, recency, age),
        spend=spend,
        value=value.expected_value(repeats, mean),
    )


def expectations(base: LifetimeBase | None, histories: Mapping[date, pa.Table]) -> dict[date, Expectation]:
    """Expect of the customers of several days; nothing without a base, or of nobody."""
    if base is None:
        return {}
    return {day: base.expect(day, table) for day, table in histories.items() if table.num_rows}


def _matrix(table: pa.Table, names: Sequence[str]) -> Floats:
    columns = [table[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in names]
    found: Floats = np.column_stack(columns)
    return found
