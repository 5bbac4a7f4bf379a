"""<workflow>/preparation_parameters and <workflow>/prepared: fitted on the training split, applied by one statement."""

import json
from dataclasses import asdict

import dagster as dg

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.python import READ_HISTORIES
from tdml_assets.models.champions import tier_of
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, column_schema, table_metadata, table_preview
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, record_session
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.features.columns import choose_features, features_table
from tdml_assets.stages.preparation.engine_choice import with_engine
from tdml_assets.stages.preparation.leakage import MAX_ROWS, find_leaks
from tdml_assets.stages.preparation.parameters import (
    Parameters,
    decide_parameters,
    prepared_contract,
    reshape_statistics,
)
from tdml_assets.stages.reuse import Recall, reused

#: Levels of a text column looked at: enough to tell a category from an identifier.
_LEVELS_READ = 1000


def parameters_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.preparation_parameters``."""
    return TableContract(
        workflow,
        "preparation_parameters",
        "One row: everything preparation learnt from the training split.",
        (Column("parameters", "VARCHAR", "JSON, the same that goes into the model bundle.", False),),
    )


def read_parameters(database: Database, workflow: str) -> Parameters:
    """The parameters the warehouse holds."""
    found = database.row(render("preparation/read_parameters", table=parameters_contract(workflow).path))
    return Parameters.from_json(found["parameters"])


def fit_parameters(database: Database, spec: WorkflowSpec) -> Parameters:
    """Measure the training split and decide the parameters."""
    table = (spec.name, "training_table")
    columns = choose_features(database.columns(features_table(spec)), spec.features)
    outliers = spec.prepare.outliers
    row = database.row(
        render(
            "preparation/fit_numeric",
            table=table,
            columns=columns.numeric,
            low=outliers.low,
            high=outliers.high,
            transform=spec.prepare.transform,
        )
    )
    levels = {
        column: [
            found["level"]
            for found in database.rows(render("preparation/fit_levels", table=table, column=column, limit=_LEVELS_READ))
        ]
        for column in columns.text
    }
    sample = database.arrow(render("preparation/leak_sample", table=table, columns=columns.all, rows=MAX_ROWS))
    leaks = find_leaks(sample.drop_columns(["target"]), sample["target"].to_numpy(), limit=spec.features.leak_limit)
    measured = reshape_statistics(row, columns.numeric)
    reads = spec.estimator in READ_HISTORIES
    return decide_parameters(measured, levels, spec.prepare, spec.features.one_hot_limit, leaks, reads_histories=reads)


def build_preparation(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of one workflow."""
    contract = parameters_contract(spec.name)
    table = (spec.name, "training_table")

    @dg.asset(
        key=[spec.name, "preparation_parameters"],
        deps=[[spec.name, "training_table"]],
        group_name=spec.name,
        kinds={"duckdb", "sql"},
        owners=[OWNER],
        pool="warehouse",
        description="Fill values, bounds, scales and categories, fitted on the training split only.",
        metadata=table_metadata(contract),
    )
    @isolated(spec, "preparation_parameters")
    @reused(
        Recall(
            spec,
            "preparation_parameters",
            [table, features_table(spec)],
            tables=[contract.path],
            owes=lambda *_: asdict(tier_of(spec, settings.tier)),
        )
    )
    def preparation_parameters(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        with warehouse.write() as database:
            chosen, choice = with_engine(database, spec, settings)
            parameters = fit_parameters(database, chosen)
            database.replace(contract, [{"parameters": parameters.to_json()}])
        kept, dropped = len(parameters.feature_names), len(parameters.dropped)
        context.log.info(f"report: {kept} prepared features, {dropped} dropped")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": 1,
                "prepared features": kept,
                "engine": f"{choice.engine}: {choice.why}",
                "dropped": dg.MetadataValue.json(dict(parameters.dropped)),
                "parameters": dg.MetadataValue.json(json.loads(parameters.to_json())["numeric"]),
            }
        )

    @dg.asset(
        key=[spec.name, "prepared"],
        deps=[[spec.name, "training_table"], [spec.name, "preparation_parameters"]],
        group_name=spec.name,
        kinds={"duckdb", "sql"},
        owners=[OWNER],
        pool="warehouse",
        description="The training table as the learner sees it. Scoring is prepared by the same statement.",
        metadata={"dagster/table_name": f"{spec.name}.prepared"},
    )
    @isolated(spec, "prepared")
    @reused(
        Recall(
            spec,
            "prepared",
            [table, contract.path, SNAPSHOTS_TABLE],
            tables=[(spec.name, "prepared")],
            recorded=["status"],
        )
    )
    def prepared(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        with warehouse.write() as database:
            parameters = read_parameters(database, spec.name)
            prepared_table = prepared_contract(spec.name, parameters)
            statement = render(
                "preparation/apply",
                table=table,
                parameters=parameters,
                keys=["snapshot_date", "customer_id", "split", "target"],
                carried=[],
                snapshot_date=None,
                drop_outliers=True,
                ordered=False,
            )
            count = database.replace(prepared_table, statement)
            counts = database.rows(render("preparation/row_count", table=prepared_table.path))
            record_session(database, context, spec.name, status="prepared")
        context.log.info(f"report: {count} rows x {len(parameters.feature_names)} features")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "dagster/column_schema": column_schema(prepared_table),
                "rows per split": table_preview(counts),
            }
        )

    return [preparation_parameters, prepared]
