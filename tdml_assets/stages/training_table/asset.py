"""<workflow>/training_table: what a model learns from and is measured on, and the split.

Elsewhere: the table of recommendation (``recommendation.py``).
"""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from tdml_assets.declaration.target_kinds import kind_named
from tdml_assets.declaration.targets import describe, words_of
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.guards import require_whole_data
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import column_schema, table_preview
from tdml_assets.platform.per_task import Done
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of, record_session, session_id_of
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.features.columns import (
    CUSTOMERS_TABLE,
    FEATURES_TABLE,
    choose_features,
    customer_columns,
    eligibility_contract,
    features_table,
)
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.features.snapshots_asset import plan_of
from tdml_assets.stages.reuse import Recall, reused
from tdml_assets.stages.training_table.recommendation import purchases_by_customer
from tdml_assets.stages.training_table.table import (
    TrainingTable,
    contract_of,
    note_of,
    observation,
    sample_share,
)
from tdml_assets.tasks import task_of


def make_features_view(database: Database, spec: WorkflowSpec) -> None:
    """The workflow's own view of the features: eligible customers alone, with the columns it takes of the customers source."""
    view, columns = features_table(spec), {}
    if view == FEATURES_TABLE:
        return
    if spec.features.customers:
        columns = customer_columns(spec.features, database.columns(CUSTOMERS_TABLE))
    rule = eligibility_contract(spec.name)
    database.replace(rule, [spec.eligible.model_dump()])
    tables = {"features_table": FEATURES_TABLE, "customers_table": CUSTOMERS_TABLE, "rule": rule.path}
    database.execute(render("features/own_view", view=view, columns=columns, **tables))


def _statement(spec: WorkflowSpec, roles: Mapping[date, str], features: Sequence[str], share: float) -> Statement:
    return render(
        "training_table/build",
        features_table=features_table(spec),
        dates=list(roles),
        roles=list(roles.values()),
        columns=features,
        holdout_share=spec.split.holdout_share,
        sample_share=share,
        **observation(spec),
    )


def _describe(spec: WorkflowSpec) -> str:
    if spec.target_kind == "unlabelled":
        return (
            "Features of customers at as_of, split into those that groups are found on and those they are measured on."
        )
    return (
        f"Features of earlier snapshots with what happened in the {spec.target.horizon_days} days after each: "
        f"{words_of(spec.target_kind, spec.target)}. The target never overlaps the features; the test split lies later in "
        "time than what the evaluated model learns from."
    )


def _rows_per_customer(spec: WorkflowSpec) -> TrainingTable:
    """Labelled rows: a function of features, snapshots and what happened."""
    events = [spec.target.events.table] if kind_named(spec.target_kind).of_events else []
    customers = [CUSTOMERS_TABLE] if spec.features.customers else []
    return TrainingTable(
        description=_describe(spec),
        metadata={"dagster/table_name": f"{spec.name}.training_table"},
        deps=[["features", "customer_features"], SNAPSHOTS_TABLE, ["monitoring", "data_quality"], *events],
        reads=[FEATURES_TABLE, SNAPSHOTS_TABLE, ORDERS_TABLE, *customers, *events],
        tables=[(spec.name, "training_table")],
        write=lambda database: _write(database, spec),
        prepare=lambda database: make_features_view(database, spec),
    )


def _write(database: Database, spec: WorkflowSpec) -> Done:
    task = task_of(spec)
    roles, split = task.roles(plan_of(database, spec, as_of(database)))
    types = database.columns(features_table(spec))
    features = choose_features(types, spec.features).all
    contract = contract_of(spec.name, types, features, describe(spec.target_kind, spec.target))
    counted = render("training_table/labelled_rows", features_table=features_table(spec), dates=list(roles))
    labelled = database.row(counted)["row_count"]
    drawn = database.row(render("training_table/drawn_share", snapshots=SNAPSHOTS_TABLE, dates=list(roles)))
    share = drawn["customer_share"] * sample_share(labelled, spec.split.most_rows)
    count = database.replace(contract, _statement(spec, roles, features, share))
    sizes = database.rows(render("training_table/split_sizes", table=contract.path))
    task.check_rows(sizes, spec)
    note = note_of(split, spec.target.horizon_days)
    shown = {
        "dagster/column_schema": column_schema(contract),
        "splits": table_preview(sizes),
        "note": note or ("tested later in time" if split else "measured on customers held out"),
        "labelled rows before sampling": labelled,
        "share of the customers": share,
    }
    sentence = f"{count} rows from {len(roles)} snapshots, {len(features)} features"
    return Done(count, sentence, shown, note)


#: Tasks with another table than a row per snapshot and customer.
_TABLES = {"recommendation": purchases_by_customer}


def build_training_table(spec: WorkflowSpec) -> dg.AssetsDefinition:
    """The asset of one workflow."""
    table = _TABLES.get(spec.learns, _rows_per_customer)(spec)

    def prepare(context: dg.AssetExecutionContext, database: Database, _: ModelStore | None = None) -> None:
        # The data are looked at in every session.
        require_whole_data(database, session_id_of(context))
        table.prepare(database)

    recall = Recall(
        spec, "training_table", table.reads, tables=table.tables, recorded=["status", "note"], again=prepare
    )

    @dg.asset(**table.asset(spec, "training_table", {"duckdb", "sql"}))
    @isolated(spec, "training_table")
    @reused(recall)
    def training_table(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        with warehouse.write() as database:
            prepare(context, database)
            done = table.write(database)
            record_session(database, context, spec.name, status="started", note=done.note)
        context.log.info(f"report: {done.sentence}")
        return dg.MaterializeResult(metadata={"dagster/row_count": done.rows, **done.shown})

    return training_table
