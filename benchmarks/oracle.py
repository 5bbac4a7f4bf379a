"""What the truth says about the future: the forecast of someone who knows every customer's rates.

Expectations under the process of ``tdml_assets/simulation/process.py``, computed from the truth table alone: nothing in them is
realised or random.
"""

from datetime import date, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa

from tdml_assets.simulation.process import SECONDS_PER_DAY, Ints, returned_value_share, seconds_at
from tdml_assets.simulation.season import Floats, day_multipliers
from tdml_assets.simulation.settings import SimulationSettings


def expected_spend(
    truth: pa.Table,
    settings: SimulationSettings,
    as_of: date,
    horizon_days: int,
    *,
    state: Literal["alive", "actual", "prior"] = "actual",
    net_of_returns: bool = True,
) -> Floats:
    """Return the expected (not realised) spend of each customer in the `horizon_days` days after `as_of`.

    With purchase rate l, dropout rate m, mean order value v, and season s(d) and price factor f(d) of the d-th day
    after, a customer who is alive at the end of `as_of` will spend on average::

        v * l * sum over d = 0 .. horizon_days - 1 of  s(d) * f(d) * (exp(-m d) - exp(-m (d + 1))) / m

    where the last factor is the expected part of day d spent alive. `broken_feed` does not enter: it concerns what is
    delivered, not what happens.

    Gives (n,) amounts in the settings' currency, for the n rows of ``truth``. The window begins when the day ``as_of`` ends, and
    may reach beyond the simulated period; customers not acquired by then get 0. ``state``: ``alive``, as if everyone known were
    alive at ``as_of``; ``actual``, 0 for those who had lapsed by then, the best forecast of an oracle who sees lapses; ``prior``,
    times the probability exp(-m * days observed) of being alive, where the base is observed from the start, at which it is
    alive by construction. ``net_of_returns``: take off the share of spend that comes back sooner or later, charged to the day of
    purchase. (The returns dated in the window differ from it by the season between purchase and return: about 1 % of spend
    after Christmas.)
    """
    if horizon_days < 1:
        raise ValueError(f"horizon_days is {horizon_days}; give at least 1")
    if state not in ("alive", "actual", "prior"):
        raise ValueError(f"state is {state!r}; give alive, actual or prior")
    next_day = as_of + timedelta(days=1)
    midnight = seconds_at(settings, next_day)
    weights = day_multipliers(next_day, horizon_days, settings.seasonality)
    if settings.price_change is not None:
        is_new = np.arange(horizon_days) >= (settings.price_change.from_date - next_day).days
        weights = np.where(is_new, settings.price_change.factor, 1.0) * weights

    dropout: Floats = truth["dropout_rate_per_day"].to_numpy()
    alive_at_dawn, daily_survival = np.ones(len(dropout)), np.exp(-dropout)
    alive_orders = np.zeros(len(dropout))
    for weight in weights:
        alive_orders += weight * alive_at_dawn
        alive_at_dawn *= daily_survival
    alive_orders *= -np.expm1(-dropout) / dropout
    spend: Floats = truth["mean_order_value"].to_numpy() * truth["purchase_rate_per_day"].to_numpy() * alive_orders

    acquired = _seconds(settings, truth["acquired_at"])
    spend[acquired >= midnight] = 0.0
    if state == "actual":
        never = np.iinfo(np.int64).max
        lapsed = np.where(truth["lapsed_at"].is_null(), never, _seconds(settings, truth["lapsed_at"]))
        spend[lapsed <= midnight] = 0.0
    if state == "prior":
        spend *= np.exp(-dropout * np.maximum(midnight - np.maximum(acquired, 0), 0) / SECONDS_PER_DAY)
    if net_of_returns:
        spend *= 1 - returned_value_share(settings)
    return spend


def _seconds(settings: SimulationSettings, instants: pa.ChunkedArray) -> Ints:
    start = np.datetime64(settings.start_date, "us")
    seconds: Ints = (instants.to_numpy() - start).astype("timedelta64[s]").astype(np.int64)
    return seconds
