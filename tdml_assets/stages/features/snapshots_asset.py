"""features/snapshots: the days features are taken at, for every workflow of the session.

Elsewhere: which dates (``snapshots.py``).
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Literal

import dagster as dg

from tdml_assets.declaration.target_kinds import kind_named
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.metadata import OWNER, table_metadata
from tdml_assets.platform.sessions import ONLY_AS_OF
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.features.drawing import share_to_draw
from tdml_assets.stages.features.snapshots import (
    ORDERS_TABLE,
    SNAPSHOTS,
    HistoryTooShortError,
    SnapshotPlan,
    plan_snapshots,
    snapshot_rows,
)
from tdml_assets.stages.raw.latest_day import read_latest_day
from tdml_assets.stages.raw.state_folder import StateFolder


class NoOrdersError(ValueError):
    """There is no order to look at."""


def plan_of(database: Database, spec: WorkflowSpec, as_of: date) -> SnapshotPlan:
    """The workflow's snapshots, from the orders known by ``as_of``; none to learn from where nothing is predicted."""
    if kind_named(spec.target_kind).observed is None:
        return SnapshotPlan(as_of, (), spec.target.horizon_days)
    span = database.row(render("features/orders_span", table=ORDERS_TABLE, as_of=as_of))
    if span["first_order_on"] is None:
        raise NoOrdersError(
            f"no order lies on or before as_of {as_of}: correct as_of in the settings, or give orders that reach back"
        )
    return plan_snapshots(as_of, span["first_order_on"], spec.target.horizon_days, spec.snapshots)


def _labelled(database: Database, spec: WorkflowSpec, as_of: date) -> tuple[date, ...]:
    """Days the workflow learns from; none where the history is too short: its training table says so."""
    try:
        return plan_of(database, spec, as_of).labelled
    except HistoryTooShortError:
        return ()


def build_snapshots(
    specs: Sequence[WorkflowSpec],
    wanted: date | Literal["latest"],
    state: StateFolder | None = None,
    has_champion: Callable[[str], bool] = lambda _: False,
) -> dg.AssetsDefinition:
    """The asset.

    ``wanted``: the settings' ``as_of``: a date, or ``latest`` for the last day that the orders support. ``state``: refuses a
    day before the last session's; None refuses none. ``has_champion``: whether a workflow, by name, has a model that scores. A
    run that trains nothing takes no earlier days for it; a workflow without one is scored by a fallback, which is measured on
    earlier days.
    """

    @dg.asset(
        key=["features", "snapshots"],
        deps=[["raw", "orders"]],
        group_name="features",
        kinds={"duckdb"},
        owners=[OWNER],
        pool="warehouse",
        description="Days at whose end features are taken: as_of, and for every workflow the earlier days it learns from.",
        metadata=table_metadata(SNAPSHOTS),
    )
    def snapshots(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        with warehouse.write() as database:
            latest = read_latest_day(database)
            if latest is None:
                raise NoOrdersError("raw.orders has no row: see raw.rejected_rows for what was refused and why")
            as_of = latest.day if isinstance(wanted, str) else wanted
            if state is not None:
                state.require_order(database, as_of, [spec.name for spec in specs])
            trains = ONLY_AS_OF not in context.run.tags
            plans = {
                spec.name: _labelled(database, spec, as_of) if trains or not has_champion(spec.name) else ()
                for spec in specs
            }
            dates = {as_of}.union(*plans.values())
            share = share_to_draw(database, specs, plans)
            drawn = f", the earlier ones of {share:.1%} of the customers" if share < 1 else ""
            count = database.replace(SNAPSHOTS, snapshot_rows(dates, as_of, share))
        context.log.info(f"report: {count} snapshots, {min(dates)} to {as_of}{drawn}")
        if isinstance(wanted, str) and latest.set_aside:
            context.log.warning(f"report: {latest.sentence}")
        described = {name: [str(day) for day in days] for name, days in plans.items()}
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "as_of": str(as_of),
                "labelled snapshots": dg.MetadataValue.json(described),
                "share of customers at earlier snapshots": share,
            }
        )

    return snapshots
