"""<workflow>/drift and drift_report: the scoring snapshot against the champion's reference, as figures and as a picture.

Belongs here: measuring, keeping, showing. Does not: the statistics (``core/drift.py``), the verdict (``core/verdict.py``),
the report's process (``evidently_report.py``).
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from tdml_assets.assets.champions import LoadedChampion, load_champion
from tdml_assets.assets.sessions import as_of, session_id_of
from tdml_assets.core import figures
from tdml_assets.core.drift import DriftReport, judge, measure, report_sample
from tdml_assets.core.features import features_table
from tdml_assets.core.monitoring import DRIFT
from tdml_assets.core.statements import render
from tdml_assets.core.verdict import judge_session, policy_of
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.evidently_report import draw_report, write_sample
from tdml_assets.metadata import OWNER, plot, table_metadata, table_preview
from tdml_assets.resources.model_store import ModelStore
from tdml_assets.resources.warehouse import Database, Warehouse
from tdml_assets.settings import Settings

_SHOWN = 20
#: Columns drawn: a report of all of them takes longer than the rest of a small session, and nobody reads that far.
_DRAWN = 24


def measure_drift(database: Database, spec: WorkflowSpec, champion: LoadedChampion) -> tuple[DriftReport, DriftReport]:
    """Features and predictions of the session against the champion's references."""
    policy = policy_of(spec.monitor)
    features, predictions = champion.features, champion.predictions
    table = (spec.name, "predictions")
    return (
        judge(features, measure(database, features_table(spec), {"snapshot_date": as_of(database)}, features), policy),
        judge(predictions, measure(database, table, {}, predictions), policy, kind="prediction"),
    )


def build_drift(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of one workflow."""
    key = dg.AssetKey([spec.name, "drift"])

    @dg.asset(
        key=key,
        deps=[[spec.name, "predictions"], ["features", "customer_features"]],
        group_name="monitoring",
        kinds={"duckdb", "sql"},
        owners=[OWNER],
        pool="warehouse",
        description="Raw features and predictions of this session against those the champion learnt from: Gaussian "
        "Kullback-Leibler divergence, Hivemall's form of it, and the population stability index over frozen bins.",
        metadata=table_metadata(DRIFT),
        check_specs=[
            dg.AssetCheckSpec("no_drift", asset=key, description="The data looks like what the champion learnt from.")
        ],
    )
    def drift(context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore) -> dg.MaterializeResult:
        champion = load_champion(models, spec, settings)
        session = {"session_id": session_id_of(context), "workflow": spec.name}
        with warehouse.write() as database:
            reports = measure_drift(database, spec, champion)
            rows = [row for report in reports for row in report.rows(**session)]
            count = database.replace_slice(DRIFT, session, rows)
        verdict = judge_session(reports, spec.monitor)
        context.log.info(f"report: {verdict.sentence}")
        shown = [{name: value for name, value in row.items() if name not in session} for row in rows[:_SHOWN]]
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "session_id": session["session_id"],
                "model_version": champion.manifest.version,
                "drifted": verdict.drifted,
                "verdict": verdict.sentence,
                "columns": table_preview(shown),
                "distance": plot("distance from training", figures.drift(rows, psi_limit=spec.monitor.psi_limit)),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="no_drift",
                    passed=not verdict.drifted and all(report.status != "broken" for report in reports),
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"verdict": verdict.sentence},
                )
            ],
        )

    return [drift, _build_report(spec, settings)] if spec.monitor.report else [drift]


def _farthest(database: Database, workflow: str, session_id: str) -> list[str]:
    key = {"session_id": session_id, "workflow": workflow}
    rows = database.rows(render("drift/farthest", table=DRIFT.path, limit=_DRAWN, **key))
    if not rows:
        raise LookupError(
            f"session {session_id} has measured no drift of {workflow}: materialise {workflow}/drift first"
        )
    return [row["column_name"] for row in rows]


def _build_report(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=[spec.name, "drift_report"],
        deps=[[spec.name, "drift"], ["features", "customer_features"]],
        group_name="monitoring",
        kinds={"evidently", "html"},
        owners=[OWNER],
        pool="warehouse",
        description="The columns that moved farthest, drawn by Evidently on a sample of rows, to look at. No decision "
        "depends on it.",
    )
    def drift_report(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        champion = load_champion(models, spec, settings)
        with warehouse.read() as database:
            day = as_of(database)
            columns = _farthest(database, spec.name, session_id_of(context))
            sample = report_sample(database, features_table(spec), {"snapshot_date": day}, columns)
        html = settings.reports_folder / spec.name / f"drift-{session_id_of(context)}.html"
        with TemporaryDirectory(prefix="tdml-") as folder:
            reference, current = Path(folder) / "reference.parquet", Path(folder) / "current.parquet"
            reference.write_bytes(champion.sample)
            write_sample(sample, current)
            result = draw_report(reference, current, columns, html, as_of=day, psi_limit=spec.monitor.psi_limit)
        context.log.info(f"report: {result.status} {result.html or result.detail}")
        return dg.MaterializeResult(
            metadata={
                "status": result.status,
                "detail": result.detail,
                "seconds": result.seconds,
                "columns drawn": len(result.drawn),
                "columns left out": dg.MetadataValue.json(dict(result.dropped)),
                **({"report": dg.MetadataValue.path(result.html)} if result.html else {}),
            }
        )

    return drift_report
