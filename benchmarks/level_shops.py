"""Simulated shops of the level study: what is drawn, its features on a day, a fit and what it missed.

Belongs here: shops, features, fits with the product's own learners, splits and level correction. Does not: the page (``level.py``).

Features are a short form of ``features.customer_features``, with the same names and meaning: a whole session a shop would take a
day for two hundred of them.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks import level_oracle as oracle
from tdml_assets.declaration.workflow import Snapshots
from tdml_assets.engines.level import COVERAGE, Kind, Snapshot, find_level, rehearse, slope_of, snapshot_of
from tdml_assets.engines.level_lifetime import Expectation, LevelHistory, expectations, fit_base
from tdml_assets.engines.level_windows import window_days
from tdml_assets.engines.protocol import TIER1, FittedModel, ModelSpec, table_source
from tdml_assets.engines.python import PythonEngine
from tdml_assets.platform.refusals import RefusedError
from tdml_assets.platform.statements import render
from tdml_assets.simulation import PopulationChange, PriceChange, SimulationSettings, simulate
from tdml_assets.stages.features.snapshots import plan_snapshots, plan_split
from tdml_assets.stages.training.level import FITTED_CUSTOMERS
from tdml_assets.stages.training_table.table import roles_of

HORIZON_DAYS = 90
#: Workflow, a fixed estimator that the shipped choice is among, task and kind of target, and how its predictions are moved.
STUDIED: tuple[tuple[str, str, str, str, Kind], ...] = (
    ("cltv", "two_stage_xgboost", "regression", "net_spend", "amount"),
    ("churn", "xgboost_classifier", "classification", "no_purchase", "probability"),
)
# Of the shops that are reported. Another stream drew those that the sizes of ``level_windows.py`` were chosen on.
_STREAM = 12
# Standard deviations within which the stated share of cases lies.
_REACH = NormalDist().inv_cdf((1.0 + COVERAGE) / 2.0)
_KEYS = ("customer_id", "net_spend", "no_purchase")
_WINDOWS = (30, 90, 365)
_CLIPPED = (0.001, 0.999)
_FEATURES = """
with days as (
    select customer_id, day, sum(amount) as amount, sum(units) as units, count(distinct order_id) as orders
    from lines where day <= $day group by all
),
known as (
    select customer_id, count(*) as days, min(day) as first_on, max(day) as last_on, sum(amount) as total_spend,
        sum(orders)::double as total_orders, sum(units)::double as total_items, max(amount) as max_order_value,
        arg_min(amount, day) as first_order_value, arg_max(amount, day) as last_order_value, {windows}
    from days group by customer_id
),
ahead as (
    select customer_id, sum(amount) as spend from lines
    where day > $day and day <= $day + $horizon::integer group by customer_id
)
select known.customer_id, coalesce(spend, 0) as net_spend, (spend is null)::integer as no_purchase,
    total_spend, total_orders, total_items, total_spend / total_orders as avg_order_value, max_order_value,
    first_order_value, last_order_value, ($day - last_on)::double as days_since_last_order,
    (last_on - first_on)::double as recency_days, ($day - first_on)::double as tenure_days,
    (days - 1)::double as repeat_purchase_days,
    case when days > 1 then (total_spend - first_order_value) / (days - 1) end as avg_repeat_day_value,
    case when days > 1 then (last_on - first_on)::double / (days - 1) end as mean_days_between_orders,
    case when days > 1 then ($day - last_on)::double * (days - 1) / (last_on - first_on) end as recency_ratio, {chosen}
from known left join ahead using (customer_id) order by customer_id
""".format(
    windows=", ".join(
        f"coalesce(sum(amount) filter (where day > $day - {n}), 0) as total_spend_{n}d, "
        f"coalesce(sum(orders) filter (where day > $day - {n}), 0)::double as total_orders_{n}d"
        for n in _WINDOWS
    ),
    chosen=", ".join(f"total_spend_{n}d, total_orders_{n}d" for n in _WINDOWS),
)


@dataclass(frozen=True)
class Shop:
    """What is known of a shop besides its orders.

    Parameters
    ----------
    years : of orders before as_of.
    customers : known at as_of.
    prices_to_come : whether prices change after as_of.
    knows_rates, knows_histories : totals of the oracles (``level_oracle.py``).
    """

    number: int
    kind: str
    years: float
    customers: int
    prices_to_come: bool
    knows_rates: float
    knows_histories: float


@dataclass(frozen=True)
class Outcome:
    """One workflow on one shop.

    Parameters
    ----------
    years : of orders before as_of.
    basis, gap, deviation : of the :class:`~tdml_assets.engines.level.Level`.
    raw, corrected : total predicted over what happened, less 1, without the correction and with it.
    noise : standard deviation of the log of what happened, if the same customers' luck were drawn again.
    within : whether the stated bounds hold what happened.
    prices_to_come : whether prices change after as_of.
    knows_rates, knows_histories : as ``corrected``, of the oracles (``level_oracle.py``); None where no spend is predicted.
    """

    shop: int
    workflow: str
    customers: int
    years: float
    kind_of_shop: str
    basis: str
    gap: float
    deviation: float
    raw: float
    corrected: float
    noise: float
    within: bool
    prices_to_come: bool = False
    knows_rates: float | None = None
    knows_histories: float | None = None

    @property
    def sign_stated(self) -> float | None:
        """Bias that would be stated without the correction: only where the bounds leave no doubt of its sign; else None."""
        stated = (1 + self.raw) / (1 + self.corrected) - 1
        return stated if abs(self.gap) > _REACH * self.deviation else None


def draw_shop(number: int) -> tuple[str, SimulationSettings]:
    """Settings of a shop: growing or declining, seasonal or not, with prices or customers that change, one to three years."""
    rng = np.random.default_rng([_STREAM, number])
    years = float(rng.choice([1.0, 1.25, 1.6, 2.0, 2.5, 3.0]))
    end = date(2026, 1, 1) + timedelta(days=int(rng.integers(0, 365)))
    start = end - timedelta(days=int(years * 365.25) + HORIZON_DAYS)
    base, season = float(rng.uniform(0.05, 0.9)), float(rng.choice([0.0, 0.5, 1.0, 1.0]))
    inside = [start + timedelta(days=int(share * (end - start).days)) for share in rng.uniform(0.3, 0.95, 2)]
    price = (
        PriceChange(factor=float(rng.choice([0.85, 1.15, 1.3])), from_date=inside[0]) if rng.random() < 0.3 else None
    )
    change = PopulationChange(from_date=inside[1]) if rng.random() < 0.2 else None
    words = ["growth" if base < 0.35 else "decline" if base > 0.65 else "steady"]
    words += ["season"] * (season > 0) + ["prices"] * (price is not None) + ["customers"] * (change is not None)
    settings = SimulationSettings(
        customers=int(np.exp(rng.uniform(np.log(500), np.log(50_000 if number % 20 == 0 else 3_000)))),
        start_date=start,
        end_date=end,
        seed=1_000 * _STREAM + number,
        pageviews_per_order=0,
        emails_per_month=0,
        return_share=0.0,
        base_share=base,
        base_age_days=float(rng.uniform(200, 1200)),
        orders_per_year=float(np.exp(rng.uniform(np.log(1.5), np.log(9)))),
        dropouts_per_year=float(rng.uniform(0.3, 2.0)),
        seasonality=season,
        spend_sigma=float(rng.uniform(0.3, 0.9)),
        price_change=price,
        population_change=change,
    )
    return ", ".join(words), settings


def run_shop(number: int) -> list[Outcome]:
    """Fit both workflows one horizon before the end of a shop, and compare with what came.

    Returns
    -------
    Without those whose training refuses so little.
    """
    words, settings = draw_shop(number)
    as_of = settings.end_date - timedelta(days=HORIZON_DAYS)
    simulation = simulate(settings)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("orders", simulation.orders)
        connection.execute(
            "create table lines as select customer_id, ordered_at::date as day, quantity * unit_price as amount, "
            "quantity as units, order_id from orders"
        )
        (first,) = connection.execute("select min(day) from lines").fetchone() or (None,)
        plan = plan_snapshots(as_of, first, HORIZON_DAYS, Snapshots())
        known = {"horizon": HORIZON_DAYS}
        frames = {day: connection.execute(_FEATURES, {"day": day, **known}).df() for day in (*plan.labelled, as_of)}
        history = _level_history(connection, frames[as_of], as_of, first)
    roles = roles_of(plan_split(plan))
    shop = Shop(
        number=number,
        kind=words,
        years=(as_of - first).days / 365.25,
        customers=len(frames[as_of]),
        prices_to_come=settings.price_change is not None and settings.price_change.from_date > as_of,
        knows_rates=oracle.knows_rates(simulation, settings, as_of, HORIZON_DAYS),
        knows_histories=oracle.knows_histories(simulation, settings, as_of, HORIZON_DAYS),
    )
    found = []
    for studied in STUDIED:
        with suppress(RefusedError):
            found.append(_outcome(shop, frames, roles, history, studied))
    return found


def _level_history(connection: duckdb.DuckDBPyConnection, frame: pd.DataFrame, day: date, first: date) -> LevelHistory:
    """What the product reads for the base of a level, by its own statement."""
    connection.execute(
        "create table sold as select customer_id, day as ordered_on, amount, true as is_product, false as is_return from lines"
    )
    connection.register("known", frame[["customer_id"]].assign(snapshot_date=day))
    windows = window_days(day, first, HORIZON_DAYS)
    statement = render(
        "training/level_windows",
        features_table=("known",),
        orders_table=("sold",),
        day=day,
        most=FITTED_CUSTOMERS,
        begins=[begin for begin, _ in windows],
        lengths=[days for _, days in windows],
    )
    past = connection.sql(statement.text, params=dict(statement.parameters)).to_arrow_table()
    sample = frame.sort_values("customer_id").iloc[:: -(-len(frame) // FITTED_CUSTOMERS)]
    return LevelHistory(day, first, pa.Table.from_pandas(sample, preserve_index=False), windows, past)


def _outcome(
    shop: Shop,
    frames: dict[date, pd.DataFrame],
    roles: dict[date, str],
    history: LevelHistory,
    studied: tuple[str, str, str, str, Kind],
) -> Outcome:
    workflow, estimator, task, target, kind = studied
    spec = ModelSpec(estimator, seed=7, task=task, horizon_days=HORIZON_DAYS, target_kind=target)
    model = _fit({day: frames[day] for day in roles}, roles, spec, target)
    clip, as_of = _bounds_of(frames, roles), history.day
    said = {day: _score(model, _clipped(frame, clip)) for day, frame in frames.items()}
    actual = {day: frame[target].to_numpy(dtype=np.float64) for day, frame in frames.items()}
    found = [snapshot_of(day, kind, actual[day], said[day]) for day in roles]
    snapshots = [one for one in found if one is not None]
    count, given = len(said[as_of]), float(said[as_of].sum())
    slope = slope_of(count, given, float((said[as_of] * (1 - said[as_of])).sum())) if kind == "probability" else 1.0
    today = Snapshot(as_of, count, given, given, 0.0, 0.0, slope)
    expected = _expected(frames, history, target)
    rehearsals = rehearse(snapshots, HORIZON_DAYS, kind, expected)
    level = find_level(today, snapshots, rehearsals, kind, expected.get(as_of))
    happened, moved = float(actual[as_of].sum()), float(level.apply(said[as_of]).sum())
    luck = min((one.variance * one.customers / count for one in snapshots), default=0.0)
    low, high = level.bounds(moved, count, luck)
    is_spend = target == "net_spend"
    return Outcome(
        shop=shop.number,
        workflow=workflow,
        customers=shop.customers,
        years=shop.years,
        kind_of_shop=shop.kind,
        basis=level.basis,
        gap=level.gap,
        deviation=level.deviation,
        raw=given / happened - 1,
        corrected=moved / happened - 1,
        noise=float(np.sqrt(luck)),
        within=low <= happened <= high,
        prices_to_come=shop.prices_to_come,
        knows_rates=shop.knows_rates / happened - 1 if is_spend else None,
        knows_histories=shop.knows_histories / happened - 1 if is_spend else None,
    )


def _expected(frames: dict[date, pd.DataFrame], history: LevelHistory, target: str) -> dict[date, Expectation]:
    base = fit_base(history, target_kind=target, horizon_days=HORIZON_DAYS)
    return expectations(base, {day: pa.Table.from_pandas(frame, preserve_index=False) for day, frame in frames.items()})


def _fit(frames: dict[date, pd.DataFrame], roles: dict[date, str], spec: ModelSpec, target: str) -> FittedModel:
    engine, parts = PythonEngine(), _parts(frames, roles)
    clip = _bounds_of(frames, roles)
    sources = {name: _source(_clipped(pd.concat(found), clip), target) for name, found in parts.items() if found}
    evaluated = engine.fit(sources["train"], sources["validation"], spec, TIER1)
    labelled = [sources[name] for name in ("train", "validation", "test", "refit") if name in sources]
    return engine.refit(labelled, evaluated.recipe, spec, TIER1)


def _parts(frames: dict[date, pd.DataFrame], roles: dict[date, str]) -> dict[str, list[pd.DataFrame]]:
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("train", "validation", "test", "refit")}
    for day, role in roles.items():
        frame = frames[day]
        draw = np.array([zlib.crc32(one.encode()) % 1000 / 1000 for one in frame["customer_id"]])
        if role == "by_customers":
            parts["test"].append(frame[draw < 0.2])
            parts["validation"].append(frame[(draw >= 0.2) & (draw < 0.4)])
            parts["train"].append(frame[draw >= 0.4])
        elif role == "train_and_validate":
            parts["validation"].append(frame[draw < 0.2])
            parts["train"].append(frame[draw >= 0.2])
        else:
            parts[role].append(frame)
    return parts


def _bounds_of(frames: dict[date, pd.DataFrame], roles: dict[date, str]) -> pd.DataFrame:
    train = pd.concat(_parts({day: frames[day] for day in roles}, roles)["train"])
    found: pd.DataFrame = train.drop(columns=list(_KEYS)).quantile(list(_CLIPPED))
    return found


def _clipped(frame: pd.DataFrame, bounds: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{name: frame[name].clip(*bounds[name]) for name in bounds.columns})


def _source(frame: pd.DataFrame, target: str) -> Any:
    names = [name for name in frame.columns if name not in _KEYS]
    table = pa.table({name: pa.array(frame[name].astype("float32"), pa.float32(), from_pandas=True) for name in names})
    return table_source(table.append_column("target", pa.array(frame[target].to_numpy(dtype=np.float64))), "target")


def _score(model: FittedModel, frame: pd.DataFrame) -> Any:
    source = _source(frame, "net_spend")
    batches = (model.score(batch.select(list(source.features))) for batch in source.batches())
    return np.concatenate([one["predicted_target"].to_numpy() for one in batches])
