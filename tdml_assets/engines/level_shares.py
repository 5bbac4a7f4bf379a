"""How many customers buy at all, beyond what a lifetime model makes of the number of orders: past windows, and the next one.

Elsewhere: the gap of orders (``level_windows.py``), lifetime models (``lifetimes/``), totals (``level_lifetime.py``).

A lifetime model spreads orders as if they came at random. Those of a pharmacy or of firms come in a rhythm, so the same orders
come from more customers; a season that opens wakes customers whom the model takes for lost, all at once. Both show in past windows
with about as many orders as are expected now. Of shops without either the gap is near 0, and nothing is moved then. Measured for
90 days on simulated shops, in log-odds: .5 for a rhythm of 30 to 90 days, .4 for firms, 1.5 for a shop that sells in spring, and
between -.02 and .03 for seven others; .00 for CDNOW.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from tdml_assets.engines.level_windows import DAYS_A_YEAR, Floats, Window, kept_digits
from tdml_assets.engines.lifetimes import ParetoNbd

# Standard deviations: of a gap over shops, and of the number of orders (in logarithms) within which windows are alike.
_USUAL_GAP, _ALIKE = 0.3, 0.3
# Windows begin every month: three in a row share their luck.
_SHARED = 3.0
# Of the gap from one window to the next, besides the customers' luck.
_LEAST_VARIANCE = 0.003
_LEAST_CUSTOMERS, _LEAST_EVENTS = 50, 10
# Gaps below it, in log-odds, are chance or too small to matter.
_LEAST_GAP = 0.1


@dataclass(frozen=True)
class ShareGap:
    """A past window's share of customers who bought.

    ``window``: with the gap of its orders. ``gap``: log-odds of the share that bought over those of the share expected, given the
    orders that came. ``variance``: of the gap, if the customers were drawn again.
    """

    window: Window
    gap: float
    variance: float


def measure_share(
    window: Window, purchases: ParetoNbd, repeats: Floats, recency: Floats, age: Floats, orders: Floats
) -> ShareGap | None:
    """Compare the share of customers who bought with the one expected; None where too few did, or did not.

    ``repeats``, ``recency``, ``age``, ``orders``: per customer known on the day of the window; orders that came in it.
    """
    count, bought = len(orders), int((orders > 0).sum())
    if count < _LEAST_CUSTOMERS or min(bought, count - bought) < _LEAST_EVENTS:
        return None
    horizon = window.days * float(np.exp(window.orders))
    expected = float(np.clip(purchases.probability_active(horizon, repeats, recency, age), 0.0, 1.0).mean())
    if not 0.0 < expected < 1.0:
        return None
    share = bought / count
    return ShareGap(
        window, kept_digits(_log_odds(share) - _log_odds(expected)), kept_digits(1.0 / (count * share * (1.0 - share)))
    )


def forecast_share(gaps: Sequence[ShareGap], day: date, horizon_days: int, orders: float) -> float:
    """What past windows say of the gap of the one that begins after ``day``: 0 unless they say that it matters.

    ``orders``: gap of its orders, in logarithms. Windows of at least half the horizon count, the later and the more alike in
    orders the more.
    """
    known = [one for one in gaps if one.window.end <= day and 2 * one.window.days >= horizon_days]
    if not known:
        return 0.0
    apart = np.array([one.window.orders - orders for one in known])
    years = np.array([(day - one.window.day).days for one in known]) / DAYS_A_YEAR
    weights = np.exp(-np.square(apart / _ALIKE) / 2.0 - years)
    noise = _SHARED * (float(np.average([one.variance for one in known], weights=weights)) + _LEAST_VARIANCE)
    found = float(weights @ [one.gap for one in known]) / (float(weights.sum()) + noise / _USUAL_GAP**2)
    return kept_digits(found) if abs(found) >= _LEAST_GAP else 0.0


def shifted(total: float, customers: int, gap: float) -> float:
    """Move a number of customers to whom something happens by a gap in log-odds."""
    if gap == 0.0 or not 0.0 < total < customers:
        return total
    odds = total / (customers - total) * float(np.exp(gap))
    return customers * odds / (1.0 + odds)


def _log_odds(share: float) -> float:
    return float(np.log(share) - np.log1p(-share))
