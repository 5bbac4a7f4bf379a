"""<workflow>/training_table: features of labelled snapshots joined with the target observed after each, and the split."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from tdml_assets.assets.sessions import as_of, record_session
from tdml_assets.assets.snapshots import ORDERS_TABLE, plan_of
from tdml_assets.core.features import choose_features
from tdml_assets.core.snapshots import plan_split
from tdml_assets.core.statements import Statement, render
from tdml_assets.core.training_table import check_sizes, contract_of, note_of, roles_of, sample_share
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.metadata import OWNER, column_schema, table_preview
from tdml_assets.resources.warehouse import Warehouse

FEATURES_TABLE = ("features", "customer_features")


def _statement(spec: WorkflowSpec, roles: Mapping[date, str], features: Sequence[str], share: float) -> Statement:
    return render(
        "training_table/build",
        features_table=FEATURES_TABLE,
        orders_table=ORDERS_TABLE,
        dates=list(roles),
        roles=list(roles.values()),
        columns=features,
        horizon_days=spec.target.horizon_days,
        holdout_share=spec.split.holdout_share,
        sample_share=share,
    )


def build_training_table(spec: WorkflowSpec) -> dg.AssetsDefinition:
    """The asset of one workflow."""

    @dg.asset(
        key=[spec.name, "training_table"],
        deps=[["features", "customer_features"], ["features", "snapshots"]],
        group_name=spec.name,
        kinds={"duckdb", "sql"},
        owners=[OWNER],
        pool="warehouse",
        description=f"Features of earlier snapshots with what customers spent in the {spec.target.horizon_days} days after each. "
        "The target never overlaps the features; the test split lies later in time than what the evaluated model learns from.",
        metadata={"dagster/table_name": f"{spec.name}.training_table"},
    )
    def training_table(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        with warehouse.write() as database:
            plan = plan_of(database, spec, as_of(database))
            split = plan_split(plan)
            types = database.columns(FEATURES_TABLE)
            features = choose_features(types, spec.features).all
            contract = contract_of(spec.name, types, features)
            labelled = database.row(
                render("training_table/labelled_rows", features_table=FEATURES_TABLE, dates=list(plan.labelled))
            )["row_count"]
            share = sample_share(labelled, spec.split.max_rows)
            count = database.replace(contract, _statement(spec, roles_of(split), features, share))
            sizes = database.rows(render("training_table/split_sizes", table=contract.path))
            check_sizes(sizes, spec.split)
            note = note_of(split, spec.target.horizon_days)
            record_session(database, context, spec.name, status="started", note=note)
        context.log.info(f"report: {count} rows from {len(plan.labelled)} snapshots, {len(features)} features")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "dagster/column_schema": column_schema(contract),
                "splits": table_preview(sizes),
                "note": note or "tested later in time",
                "labelled rows before sampling": labelled,
            }
        )

    return training_table
