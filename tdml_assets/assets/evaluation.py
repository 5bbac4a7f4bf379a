"""<workflow>/evaluation: the candidate on what it has not seen, kept per session, and whether it may score.

Belongs here: reading the holdout, keeping and showing. Does not: metrics and the verdict (``core/tasks/``).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.assets.prepared import read_parameters
from tdml_assets.assets.sessions import as_of, record_session, session_id_of
from tdml_assets.core.evaluation import Evaluation
from tdml_assets.core.features import FEATURES_TABLE, features_table
from tdml_assets.core.monitoring import CALIBRATION, MODEL_METRICS, MODEL_PARAMS, PREDICTION_STATS
from tdml_assets.core.preparation import Parameters
from tdml_assets.core.statements import render
from tdml_assets.core.statistics import prediction_stats
from tdml_assets.core.tasks import Measured, task_of
from tdml_assets.core.training import holdout_contract
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.metadata import OWNER, plot, table_metadata, table_preview
from tdml_assets.resources.warehouse import Database, Warehouse

#: Parameter under which what a fit decided is kept, as JSON.
CHOSEN = "chosen"
_SPLITS = ("train", "validation", "test", "refit")


def read_splits(database: Database, workflow: str, parameters: Parameters) -> dict[str, pa.Table]:
    """Prepared rows per split, in a fixed order."""
    table = (workflow, "prepared")
    return {
        split: database.arrow(
            render("preparation/read_split", table=table, columns=parameters.feature_names, split=split)
        )
        for split in _SPLITS
    }


def read_today(database: Database, spec: WorkflowSpec, parameters: Parameters) -> pa.Table:
    """Prepared rows of the scoring snapshot, in a fixed order, with the columns of the splits; the target is a dummy."""
    rows = database.arrow(
        render(
            "preparation/apply",
            table=features_table(spec),
            parameters=parameters,
            keys=["snapshot_date", "customer_id"],
            carried=[],
            snapshot_date=as_of(database),
            drop_outliers=False,
            ordered=True,
        )
    )
    schema = pa.schema([(name, pa.float32()) for name in parameters.feature_names])
    features = rows.select(list(parameters.feature_names)).cast(schema)
    keys = rows.select(["snapshot_date", "customer_id"])
    table = keys.append_column("target", pa.repeat(0.0, rows.num_rows))
    for name in features.column_names:
        table = table.append_column(name, features[name])
    return table


def read_measured(database: Database, spec: WorkflowSpec, chosen: Mapping[str, Any]) -> Measured:
    """What an evaluation looks at, from the tables of the session."""
    holdout = database.arrow(
        render("evaluation/holdout", holdout=holdout_contract(spec.name).path, features_table=FEATURES_TABLE)
    )
    return Measured(holdout, lambda: read_splits(database, spec.name, read_parameters(database, spec.name)), chosen)


def read_chosen(database: Database, spec: WorkflowSpec, session_id: str) -> dict[str, Any]:
    """What the candidate's fit decided, as the session kept it."""
    key = {"session_id": session_id, "workflow": spec.name, "parameter": CHOSEN}
    rows = database.rows(render("evaluation/parameter", table=MODEL_PARAMS.path, **key))
    found: dict[str, Any] = json.loads(rows[0]["value"]) if rows else {}
    return found


def _show(
    measured: Measured, found: Evaluation, stats: Sequence[Mapping[str, Any]], spec: WorkflowSpec
) -> dict[str, Any]:
    train, test = found.metrics["train"], found.metrics["test"]
    drawn = task_of(spec).draw(measured, found, spec)
    return {
        "metrics": table_preview([{"metric": name, "train": train.get(name), "test": test[name]} for name in test]),
        "prediction statistics": table_preview(stats),
        **{name: table_preview(rows) for name, rows in found.tables.items()},
        **{title: plot(title, png) for title, png in drawn.items()},
    }


def build_evaluation(spec: WorkflowSpec) -> dg.AssetsDefinition:
    """The asset of one workflow, with its blocking check."""
    task = task_of(spec)
    key = dg.AssetKey([spec.name, "evaluation"])

    @dg.asset(
        key=key,
        deps=[[spec.name, "candidate_model"]],
        group_name=spec.name,
        kinds={"duckdb", "python"},
        owners=[OWNER],
        pool="warehouse",
        description="Metrics of train and test kept per session, with what no model would have said beside them.",
        metadata=table_metadata(MODEL_METRICS),
        check_specs=[
            dg.AssetCheckSpec(
                "fit_to_score",
                asset=key,
                blocking=True,
                description="On what it has not seen the candidate does better than chance and than a constant; otherwise it "
                "is held and the champion stays.",
            )
        ],
    )
    def evaluation(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        session = {"session_id": session_id_of(context), "workflow": spec.name}
        with warehouse.write() as database:
            measured = read_measured(database, spec, read_chosen(database, spec, session["session_id"]))
            found = task.evaluate(measured, spec)
            database.replace_slice(MODEL_METRICS, session, [{**session, **row} for row in found.metric_rows()])
            database.replace_slice(CALIBRATION, session, [{**session, **row} for row in found.decile_rows()])
            datasets = {"Original": "target", "Predicted": "predicted_target"}
            stats = prediction_stats(database, holdout_contract(spec.name).path, {"split": "test"}, datasets)
            database.replace_slice(PREDICTION_STATS, session, [{**session, **row} for row in stats])
            passed, reason = task.judge(found.metrics["test"], spec)
            note = {} if passed else {"note": reason}
            record_session(database, context, spec.name, status="evaluated" if passed else "held", **note)
            shown = _show(measured, found, stats, spec)
        context.log.info(f"report: {reason}")
        return dg.MaterializeResult(
            metadata={"dagster/row_count": len(found.metric_rows())} | shown,
            check_results=[dg.AssetCheckResult(check_name="fit_to_score", passed=passed, metadata={"verdict": reason})],
        )

    return evaluation
