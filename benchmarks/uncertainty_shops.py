"""Simulated shops of the uncertainty study: what both workflows say of every customer 90 days before the end, and what came.

Belongs here: fits of the learners that start from a lifetime model or a constant, with the product's splits, level and intervals.
Does not: drawing shops and their features (``level_shops.py``), the page (``uncertainty.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from benchmarks import level_shops as shops
from benchmarks.accuracy_truth import Floats
from tdml_assets.declaration.workflow import Snapshots
from tdml_assets.engines.intervals import fit_intervals
from tdml_assets.engines.level import Kind, Level, Snapshot, find_level, rehearse, rehearse_test, slope_of, snapshot_of
from tdml_assets.engines.level_lifetime import LevelHistory
from tdml_assets.engines.protocol import TIER1, FittedModel, ModelSpec
from tdml_assets.engines.python import PythonEngine
from tdml_assets.platform.refusals import RefusedError
from tdml_assets.simulation import simulate
from tdml_assets.stages.features.snapshots import plan_snapshots, plan_split
from tdml_assets.stages.training_table.table import roles_of

HORIZON_DAYS = 90
_SPEND = ("lifetime_xgboost", "regression", "net_spend", "amount")
_LAPSE = ("xgboost_classifier", "classification", "no_purchase", "probability")


@dataclass(frozen=True)
class Said:
    """What a workflow says of the customers of one shop, its level corrected, and what came.

    Parameters
    ----------
    predicted, actual : (customers,) spend, or the probability that nothing is bought and whether nothing was.
    bounds : per name, of the spend; empty for probabilities, and where the test is too small.
    once, age : whether the customer ordered on one day only, and days since the first order.
    bounds_at_total : as ``bounds``, where the predictions' total is first brought to what came.
    rows : that the intervals were taken from.
    """

    predicted: Floats
    actual: Floats
    bounds: Mapping[str, Floats]
    once: Any
    age: Floats
    bounds_at_total: Mapping[str, Floats] = field(default_factory=dict)
    rows: int = 0


@dataclass(frozen=True)
class _Known:
    """Features by day, the part each day plays, and the windows that a level knew at the test and at as_of."""

    frames: Mapping[date, pd.DataFrame]
    roles: Mapping[date, str]
    test_day: date
    histories: Mapping[date, LevelHistory]

    @property
    def as_of(self) -> date:
        return max(self.frames)

    def expected(self, day: date, target: str) -> dict[date, Any]:
        """What a lifetime model fitted on ``day`` expects of it and of the days before."""
        before = {one: frame for one, frame in self.frames.items() if one <= day}
        return shops._expected(before, self.histories[day], target)


def run_shop(number: int) -> dict[str, Said]:
    """Fit ``cltv`` and ``churn`` to a shop; without those whose training refuses so little."""
    known, found = _known(number), {}
    for name, studied in (("cltv", _SPEND), ("churn", _LAPSE)):
        with suppress(RefusedError):
            found[name] = _said(known, *studied)  # type: ignore[arg-type]
    return found


def _known(number: int) -> _Known:
    _, settings = shops.draw_shop(number)
    as_of = settings.end_date - timedelta(days=HORIZON_DAYS)
    orders = simulate(settings).orders

    def connected() -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(config={"threads": 1})
        connection.register("orders", orders)
        connection.execute(
            "create table lines as select customer_id, ordered_at::date as day, quantity * unit_price as amount, "
            "quantity as units, order_id from orders"
        )
        return connection

    with connected() as connection:
        ((first,),) = connection.execute("select min(day) from lines").fetchall()
        plan = plan_snapshots(as_of, first, HORIZON_DAYS, Snapshots())
        split = plan_split(plan)
        frames = {
            day: connection.execute(shops._FEATURES, {"day": day, "horizon": HORIZON_DAYS}).df()
            for day in (*plan.labelled, as_of)
        }
    histories = {}
    for day in (split.test, as_of):
        with connected() as connection:
            histories[day] = shops._level_history(connection, frames[day], day, first)
    return _Known(frames, roles_of(split), split.test, histories)


def _said(known: _Known, estimator: str, task: str, target: str, kind: Kind) -> Said:
    labelled = {day: known.frames[day] for day in known.roles}
    parts, clip = shops._parts(labelled, dict(known.roles)), shops._bounds_of(labelled, dict(known.roles))

    def source(frame: pd.DataFrame) -> Any:
        return shops._source(_clipped(frame, clip), target)

    sources = {name: source(pd.concat(found)) for name, found in parts.items() if found}
    engine, spec = (
        PythonEngine(),
        ModelSpec(estimator, seed=7, task=task, horizon_days=HORIZON_DAYS, target_kind=target),
    )
    today, test = known.frames[known.as_of], pd.concat(parts["test"])
    asks = estimator.startswith("lifetime")
    then, now = (replace(spec, unlabelled=source(one)) if asks else spec for one in (test, today))
    evaluated = engine.fit(sources["train"], sources["validation"], then, TIER1)
    everything = [sources[name] for name in ("train", "validation", "test", "refit") if name in sources]
    final = engine.refit(everything, evaluated.recipe, now, TIER1)
    predicted = _levelled(known, known.as_of, today, final, clip, target, kind)
    actual, once = _column(today, target), today["repeat_purchase_days"].to_numpy() == 0
    said = Said(predicted, actual, {}, once, _column(today, "tenure_days"))
    if kind != "amount":
        return said
    measured, came = _levelled(known, known.test_day, test, evaluated, clip, target, kind), _column(test, target)
    taken = fit_intervals(measured * came.sum() / measured.sum(), came)
    if taken is None:
        return said
    at_total = taken.of(predicted * actual.sum() / predicted.sum())
    return replace(said, bounds=taken.of(predicted), bounds_at_total=at_total, rows=taken.rows)


def _levelled(
    known: _Known, day: date, rows: pd.DataFrame, model: FittedModel, clip: pd.DataFrame, target: str, kind: Kind
) -> Floats:
    """Predictions of a day with its level corrected from what was known then."""

    def score(frame: pd.DataFrame) -> Floats:
        found: Floats = shops._score(model, _clipped(frame, clip))
        return found

    given, expected = score(rows), known.expected(day, target)
    ended = [one for one in known.roles if (day - one).days >= HORIZON_DAYS]
    compared = [snapshot_of(one, kind, _column(known.frames[one], target), score(known.frames[one])) for one in ended]
    snapshots = [one for one in compared if one is not None]
    rehearsals = rehearse(snapshots, HORIZON_DAYS, kind, expected)
    level: Level
    if day == known.as_of:
        count, total = len(given), float(given.sum())
        slope = slope_of(count, total, float((given * (1 - given)).sum())) if kind == "probability" else 1.0
        then = Snapshot(day, count, total, total, 0.0, 0.0, slope)
        level = find_level(then, snapshots, rehearsals, kind, expected.get(day))
    else:
        tested = snapshot_of(day, kind, _column(rows, target), given)
        if tested is None or not (snapshots or expected):
            return given
        level = rehearse_test(tested, snapshots, rehearsals, kind, expected.get(day)).level
    return level.apply(given)


def _clipped(frame: pd.DataFrame, clip: pd.DataFrame) -> pd.DataFrame:
    """Features within their bounds; histories reach a lifetime model as they are."""
    own = ["recency_days", "tenure_days", "repeat_purchase_days", "avg_repeat_day_value"]
    return shops._clipped(frame, clip).assign(**{name: frame[name] for name in own})


def _column(frame: pd.DataFrame, name: str) -> Floats:
    found: Floats = frame[name].to_numpy(dtype=np.float64)
    return found
