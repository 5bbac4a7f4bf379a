"""<workflow>/evaluation: the candidate on what it has not seen, next to the champion on the same, and which of them scores.

Elsewhere: metrics and the judge (``tasks/``), the comparison (``gate_asset.py``), lists of products (``recommendation.py``).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.row_samples import MANY_ROWS
from tdml_assets.models.champions import Measurable, load_measurable
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, glance, plot, table_metadata, table_preview, transposed
from tdml_assets.platform.monitoring import CALIBRATION, MODEL_METRICS, MODEL_PARAMS, PREDICTION_STATS
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of, session_id_of
from tdml_assets.platform.spool import Tables, spooled
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import prediction_stats
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.evaluation.gate_asset import (
    GATE_METADATA,
    Examination,
    Examined,
    Incumbent,
    check_result,
    check_spec,
    compare_with_champion,
    find_incumbent,
    gate_metadata,
    keep_decision,
    read_candidate,
    settle,
)
from tdml_assets.stages.evaluation.measures import Evaluation, Metrics
from tdml_assets.stages.evaluation.recommendation import on_test_lists
from tdml_assets.stages.features.columns import FEATURES_TABLE, features_table
from tdml_assets.stages.features.past_rows import replaced_rows
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.preparation.asset import parameters_contract, read_parameters
from tdml_assets.stages.preparation.parameters import Parameters
from tdml_assets.stages.reuse import Recall
from tdml_assets.stages.training.fit import holdout_contract
from tdml_assets.stages.training_table.table import sample_share
from tdml_assets.tasks import Measured, task_of

#: Parameter under which what a fit decided is kept, as JSON.
CHOSEN = "chosen"
_SPOOLED_ROWS = 65_536
_SPLITS = ("train", "validation", "test", "refit")


def read_splits(
    database: Database, workflow: str, parameters: Parameters, folder: str = "", *, shuffled: bool = False
) -> Tables:
    """Prepared rows per split, in a fixed order.

    ``folder``: where rows are kept in files; in memory where it is empty. ``shuffled``: by a hash, for an engine that learns row by
    row.
    """
    found = Tables()
    for split in _SPLITS:
        rows = {"table": (workflow, "prepared"), "columns": parameters.feature_names, "split": split}
        statement = render("preparation/read_split", shuffled=shuffled, **rows)
        kept = spooled(database.batches(statement, _SPOOLED_ROWS), folder) if folder else None
        if kept is None:
            found[split] = database.arrow(statement)
        else:
            found.keep(split, kept)
    return found


def read_today(database: Database, spec: WorkflowSpec, parameters: Parameters) -> pa.Table:
    """Prepared rows of the scoring snapshot, in a fixed order, with the columns of the splits; the target is a dummy.

    Of many customers a share by the hash of the training table: a lifetime model and the levels are all that is taken of them.
    """
    day = as_of(database)
    counted = render("training_table/labelled_rows", features_table=features_table(spec), dates=[day])
    share = sample_share(database.row(counted)["row_count"], min(spec.split.most_rows, MANY_ROWS))
    rows = database.arrow(
        render(
            "preparation/apply",
            table=features_table(spec),
            parameters=parameters,
            keys=["snapshot_date", "customer_id"],
            carried=[],
            snapshot_date=day,
            drop_outliers=False,
            ordered=True,
            sample_share=share,
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
        render(
            "evaluation/holdout",
            holdout=holdout_contract(spec.name).path,
            features_table=FEATURES_TABLE,
            orders_table=ORDERS_TABLE if spec.target_kind == "net_spend" else None,
            replaced_orders=replaced_rows(database),
            horizon_days=spec.target.horizon_days,
        )
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
    tenths = [(row["mean_predicted"] or 0.0, row["mean_actual"] or 0.0) for row in found.deciles["test"]]
    pairs = [("predicted", [pair[0] for pair in tenths]), ("happened", [pair[1] for pair in tenths])]
    return {
        **glance("predicted and happened, by tenths of the customers", pairs, "lowest tenth", "highest tenth"),
        "metrics": table_preview([{"metric": name, "train": train.get(name), "test": test[name]} for name in test]),
        "prediction statistics": table_preview(transposed(stats, "dataset")),
        **{name: table_preview(rows) for name, rows in found.tables.items()},
        **{title: plot(title, picture) for title, picture in drawn.items()},
    }


def _keep(
    database: Database, spec: WorkflowSpec, session: Mapping[str, Any], found: Evaluation
) -> list[dict[str, Any]]:
    """Write the session's metrics; returns the statistics of the predictions."""
    database.replace_slice(MODEL_METRICS, session, [{**session, **row} for row in found.metric_rows()])
    database.replace_slice(CALIBRATION, session, [{**session, **row} for row in found.decile_rows()])
    datasets = {"Original": "target", "Predicted": "predicted_target"}
    stats = prediction_stats(database, holdout_contract(spec.name).path, {"split": "test"}, datasets)
    database.replace_slice(PREDICTION_STATS, session, [{**session, **row} for row in stats])
    return stats


def read_metrics(database: Database, session: Mapping[str, Any], split: str) -> Metrics:
    """What a session measured on one split."""
    rows = database.rows(render("evaluation/metrics", table=MODEL_METRICS.path, split=split, **session))
    return {row["metric"]: row["value"] for row in rows}


def _recall(spec: WorkflowSpec) -> Recall:
    """Measures are a function of the test rows as predicted; the comparison with the champion is made in every session."""
    return Recall(
        spec,
        "evaluation",
        [
            holdout_contract(spec.name).path,
            FEATURES_TABLE,
            ORDERS_TABLE,
            SNAPSHOTS_TABLE,
            (spec.name, "prepared"),
            parameters_contract(spec.name).path,
        ],
        slices=[MODEL_METRICS, CALIBRATION, PREDICTION_STATS],
        owes=lambda context, database, _: read_chosen(database, spec, session_id_of(context)),
    )


def _measure(
    context: dg.AssetExecutionContext, database: Database, recall: Recall, measured: Measured
) -> tuple[Metrics, dict[str, Any]]:
    """Metrics of the test, and the metadata of all measures; taken over from an earlier session where nothing changed."""
    spec, session = recall.spec, {"session_id": session_id_of(context), "workflow": recall.spec.name}
    identity = recall.identity(context, database, None)
    taken = recall.take_over(context, database, None, identity)
    if taken is not None:
        shown = {name: value for name, value in (taken.metadata or {}).items() if name not in GATE_METADATA}
        return read_metrics(database, session, "test"), shown
    found = task_of(spec).evaluate(measured, spec)
    stats = _keep(database, spec, session, found)
    recall.keep(context, database, None, identity)
    return found.metrics["test"], {
        "dagster/row_count": len(found.metric_rows()),
        **_show(measured, found, stats, spec),
    }


def _on_test_rows(spec: WorkflowSpec, settings: Settings) -> Examination[Measurable]:
    """A row per customer: metrics of both splits, kept with those of a naive forecast."""
    task, recall = task_of(spec), _recall(spec)

    def examine(context: dg.AssetExecutionContext, database: Database, incumbent: Incumbent[Measurable]) -> Examined:
        measured = read_measured(database, spec, read_chosen(database, spec, session_id_of(context)))
        test, shown = _measure(context, database, recall, measured)
        paired = compare_with_champion(database, spec, incumbent, measured)
        return Examined(task.judge(test, spec), paired, shown, task.suspicious(test, spec))

    return Examination(
        "Metrics on training and test rows, kept per session, with those of a naive forecast. The candidate and the champion are "
        "compared on the same test rows, by a paired bootstrap over customers.",
        partial(load_measurable, spec=spec, settings=settings),
        examine,
    )


#: Tasks that are not measured by a row per customer.
_EXAMINATIONS: dict[str, Callable[[WorkflowSpec, Settings], Examination[Any]]] = {"recommendation": on_test_lists}


def build_evaluation(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    """The asset of one workflow, with its blocking check."""
    key, examination = (
        dg.AssetKey([spec.name, "evaluation"]),
        _EXAMINATIONS.get(spec.learns, _on_test_rows)(spec, settings),
    )

    @dg.asset(
        key=key,
        deps=[[spec.name, "candidate_model"]],
        group_name=spec.name,
        kinds={"duckdb", "python"},
        owners=[OWNER],
        pool="warehouse",
        description=examination.description,
        metadata=table_metadata(MODEL_METRICS),
        check_specs=[check_spec(key)],
    )
    @isolated(spec, "evaluation", "fit_to_score")
    def evaluation(context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore) -> dg.MaterializeResult:
        with warehouse.read() as database:
            candidate = read_candidate(database, context, spec.name)
        incumbent = find_incumbent(models.open(), spec.name, candidate, examination.load)
        with warehouse.write() as database:
            found = examination.examine(context, database, incumbent)
            decision = settle(candidate, incumbent, found, spec)
            keep_decision(database, context, spec.name, decision)
        context.log.info(f"report: {decision.reason}")
        metadata = {**gate_metadata(decision), **found.shown}
        return dg.MaterializeResult(metadata=metadata, check_results=[check_result(decision)])

    return evaluation
