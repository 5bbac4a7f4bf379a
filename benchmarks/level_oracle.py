"""What no forecast of a simulated shop's total can know: two oracles, who know the shop and differ in what they know of customers.

Belongs here: their totals. Does not: shops (``level_shops.py``), the process itself (``tdml_assets/simulation``).

Both know the shop: how rates differ over customers, the season, and every change of prices, also those to come. The first also
knows each customer's rates and who has left; what it misses is what the same customers happened to do. The second knows of rates
only what the orders up to as_of say: no forecast from these orders can be nearer on average.
"""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np

from benchmarks.oracle import expected_spend
from tdml_assets.engines.level_windows import Floats
from tdml_assets.simulation import Simulation, SimulationSettings
from tdml_assets.simulation.season import DAYS_PER_YEAR, Season, day_multipliers

# Customers whose days are looked at together.
_AT_ONCE = 2_000
_HISTORIES = """
select customer_id, count(distinct order_id)::double as orders, max(ordered_at)::date - $start::date as last_day
from orders where ordered_at::date <= $as_of group by customer_id
"""


def knows_rates(simulation: Simulation, settings: SimulationSettings, as_of: date, days: int) -> float:
    """Total of the customers known at ``as_of`` in the days after it, expected by who knows every rate and who has left."""
    expected = expected_spend(simulation.truth, settings, as_of, days)
    return float(expected[_histories(simulation, settings, as_of)[0] > 0].sum())


def knows_histories(simulation: Simulation, settings: SimulationSettings, as_of: date, days: int) -> float:
    """The same, expected by who knows of rates what the orders say, and each customer's mean order value.

    The purchase rate l ~ gamma(r, a) and the rate of leaving m ~ gamma(s, b) of a customer with x orders in E(T) days of average
    season: alive has density (a + E(T))^-(r + x) (b / (b + T))^s, left at t the density (a + E(t))^-(r + x) s b^s / (b + t)^(s + 1)
    for t behind the last order; alive, the next days t bring (r + x) / (a + E(T)) x season(t) x ((b + T) / (b + T + t))^s orders.
    """
    orders, last = _histories(simulation, settings, as_of)
    truth, end = simulation.truth, (as_of - settings.start_date).days + 1
    start = np.datetime64(settings.start_date, "us")
    acquired = (truth["acquired_at"].to_numpy() - start) / np.timedelta64(1, "D")
    is_base, changed = acquired < 0, settings.population_change
    is_changed = truth["is_changed_population"].to_numpy().astype(float) if changed else np.zeros(len(orders))
    rate = (
        settings.orders_per_year
        / DAYS_PER_YEAR
        * (1.0 - is_changed * (1 - changed.purchase_rate_factor if changed else 0))
    )
    shape, leaving = settings.purchase_rate_shape, settings.dropout_rate_shape
    # Who was there at the start has bought nothing in the log before; who came later came with an order.
    x = np.where(is_base, orders, orders - 1)
    begin = np.maximum(acquired, 0.0)
    b = leaving * DAYS_PER_YEAR / settings.dropouts_per_year + np.where(is_base, -acquired, 0.0)
    season = Season(settings)
    weights = day_multipliers(as_of + timedelta(days=1), days, settings.seasonality)
    if settings.price_change is not None:
        new = np.arange(days) >= (settings.price_change.from_date - as_of).days - 1
        weights = weights * np.where(new, settings.price_change.factor, 1.0)
    total, value = 0.0, truth["mean_order_value"].to_numpy()
    known = np.flatnonzero(orders > 0)
    for chosen in np.array_split(known, -(-len(known) // _AT_ONCE)):
        first, purchases, a = begin[chosen], shape + x[chosen], shape / rate[chosen]
        age, spent = b[chosen] + end - first, season.elapsed(np.array(float(end))) - season.elapsed(first)
        moments: Floats = np.arange(end, dtype=np.float64) + 0.5
        exposed = np.maximum(season.elapsed(moments) - season.elapsed(first)[:, None], 0.0)
        since = np.maximum(moments - first[:, None], 0.0)
        # Densities relative to that of being alive.
        left = purchases[:, None] * np.log((a + spent)[:, None] / (a[:, None] + exposed))
        left += leaving * np.log(age)[:, None] + np.log(leaving) - (leaving + 1) * np.log(b[chosen][:, None] + since)
        gone = np.where(moments > np.maximum(last[chosen], first)[:, None], np.exp(left), 0.0).sum(axis=1)
        ahead = (age[:, None] / (age[:, None] + np.arange(days) + 0.5)) ** leaving @ weights
        total += float((value[chosen] / (1.0 + gone) * purchases / (a + spent) * ahead).sum())
    return total


def _histories(simulation: Simulation, settings: SimulationSettings, as_of: date) -> tuple[Floats, Floats]:
    """Orders up to ``as_of`` of every customer of the truth, and the day of the last, counted from the start."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("orders", simulation.orders)
        known = {"start": settings.start_date, "as_of": as_of}
        found = connection.execute(_HISTORIES, known).df().set_index("customer_id")
    rows = found.reindex(simulation.truth["customer_id"].to_pylist())
    return rows["orders"].fillna(0.0).to_numpy(dtype=float), rows["last_day"].fillna(0.0).to_numpy(dtype=float)
