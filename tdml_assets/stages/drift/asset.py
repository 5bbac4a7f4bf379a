"""<workflow>/drift and drift_report: the scoring snapshot against the champion's reference, as figures and as a picture.

Elsewhere: the statistics (``detection.py``), what is done about them (``stages/triage/asset.py``), the report's process
(``evidently_report.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.champions import FEATURES_FILE, PREDICTIONS_FILE, SAMPLE_FILE, read_reference
from tdml_assets.models.reference import GoneLive, Reference, measure, report_sample, scored_until_now
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.drift_statistics import statistics_of
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, glance, plot, table_metadata, table_preview
from tdml_assets.platform.monitoring import DRIFT, DRIFT_BINS, TRIAGE, drift_table
from tdml_assets.platform.sessions import as_of, session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.drift import figures as figures_monitoring
from tdml_assets.stages.drift.detection import BROKEN, DRIFTED, DriftReport, Earlier, judge
from tdml_assets.stages.drift.evidently_report import draw_report, write_sample
from tdml_assets.stages.drift.history import bin_rows, read_earlier
from tdml_assets.stages.drift.recommendation import measure_lists
from tdml_assets.stages.drift.target_drift import measure_target
from tdml_assets.stages.features.columns import features_table
from tdml_assets.stages.predictions.level import uncorrected_contract

_SHOWN = 20
#: Columns in the small picture of the distances.
_GLANCED = 12
#: What the UI shows of them: wider than this it cuts the table at its right. The others are in ``monitoring.drift``.
_SHOWN_FIGURES = ("column_name", "kind", "status", "psi", "psi_previous", "avg_val", "avg_ref", "null_share")
#: Columns drawn: a report of all of them takes longer than the rest of a small session, and nobody reads that far.
_DRAWN = 8

#: Statuses of a column that is worth a picture.
HAS_MOVED = {"watch", *DRIFTED, *BROKEN}


def measure_drift(
    database: Database, spec: WorkflowSpec, live: GoneLive, earlier: Mapping[str, Earlier]
) -> tuple[DriftReport, ...]:
    """Features, predictions and matured targets against the references of ``live``, and the first two against stable sessions.

    Where another model scored this session, its predictions are compared with nothing: they differ by the model too.
    """
    features = read_reference(live.files, FEATURES_FILE)
    predictions = read_reference(live.files, PREDICTIONS_FILE) if live.scores else Reference(())
    watched = measure(database, features_table(spec), {"snapshot_date": as_of(database)}, features)
    # The level is moved with the season: what the model gives is compared, not what is published.
    plain = uncorrected_contract(spec).path
    scored = measure(database, plain if database.has_table(plain) else (spec.name, "predictions"), {}, predictions)
    first, policy = live.is_first, spec.monitor
    return (
        judge(features, watched, policy, earlier=earlier.get("feature"), is_first=first),
        judge(predictions, scored, policy, kind="prediction", earlier=earlier.get("prediction"), is_first=first),
        measure_target(database, spec, live),
    )


@dataclass(frozen=True)
class Measurement:
    """How the drift of a task is measured.

    ``description``: of the asset. ``deps``: keys of the assets that are measured, next to the predictions. ``measure``: reports
    of features and of predictions, which decide, and of what else is worth keeping; called inside the transaction that keeps
    what it found. ``has_features``: whether columns of a sample can be drawn, in a report of their own.
    """

    description: str
    deps: Sequence[Sequence[str]]
    measure: Callable[[Database, WorkflowSpec, GoneLive, Mapping[str, Earlier]], tuple[DriftReport, ...]]
    has_features: bool = True


_ROWS = Measurement(
    "Raw features and predictions of this session against those the champion went live with, and against the last stable "
    "session: population stability index over frozen bins, Gaussian Kullback-Leibler divergence, Hivemall's form of it, null "
    "shares and scale.",
    [["features", "customer_features"]],
    measure_drift,
)
#: Tasks whose predictions are not a row per customer.
_MEASUREMENTS = {
    "recommendation": Measurement(
        "First choices and first discoveries of this session against those the champion gave when it went live, and against the "
        "last stable session.",
        [],
        measure_lists,
        has_features=False,
    )
}
#: Reports that decide.
_DECIDING = 2


def build_drift(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of one workflow: the measurement and, where wanted, Evidently's picture of it."""
    measurement = _MEASUREMENTS.get(spec.learns, _ROWS)
    drift = _build_measurement(spec, measurement)
    return [drift, _build_report(spec, settings)] if measurement.has_features and spec.monitor.report else [drift]


def _build_measurement(spec: WorkflowSpec, measurement: Measurement) -> dg.AssetsDefinition:
    key = dg.AssetKey([spec.name, "drift"])
    table = drift_table(spec.monitor.statistics)

    @dg.asset(
        key=key,
        deps=[[spec.name, "predictions"], *map(list, measurement.deps)],
        group_name=spec.name,
        kinds={"duckdb", "sql"},
        owners=[OWNER],
        pool="warehouse",
        description=measurement.description,
        metadata=table_metadata(table),
        check_specs=[
            dg.AssetCheckSpec("no_drift", asset=key, description="The data look like what the champion went live with.")
        ],
    )
    @isolated(spec, "drift", "no_drift", of_champion=True)
    def drift(context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore) -> dg.MaterializeResult:
        session = {"session_id": session_id_of(context), "workflow": spec.name}
        live = scored_until_now(models, spec.name, session["session_id"])
        version = live.manifest.version
        with warehouse.write() as database:
            for contract in (TRIAGE, table, DRIFT_BINS):
                database.ensure(contract)
            day = as_of(database)
            earlier = read_earlier(database, spec.name, version, day, spec.monitor.history)
            reports = measurement.measure(database, spec, live, earlier)
            rows = [row for report in reports for row in report.rows(**session)]
            count = database.replace_slice(table, session, rows)
            database.replace_slice(DRIFT_BINS, session, bin_rows(reports, **session, day=day, model_version=version))
        sentence = " ".join(dict.fromkeys(report.sentence for report in reports[:_DECIDING] if report.sentence))
        context.log.info(f"report: {sentence}")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "model_version": version,
                "verdict": sentence,
                "columns": table_preview([{name: row.get(name) for name in _SHOWN_FIGURES} for row in rows[:_SHOWN]]),
                **_picture(rows, spec.monitor),
            },
            check_results=[_check(spec, reports, sentence)],
        )

    return drift


def _links(settings: Settings, html: Path | None) -> dict[str, dg.MetadataValue]:
    if html is None:
        return {}
    return {"report": dg.MetadataValue.url(settings.report_url(html)), "file": dg.MetadataValue.path(html)}


def _check(spec: WorkflowSpec, reports: Sequence[DriftReport], sentence: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="no_drift",
        passed=all(report.status not in ("drift", "broken") for report in reports),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{sentence} What to do: see {spec.name}/triage.",
        metadata={"verdict": sentence},
    )


def _picture(rows: Sequence[Mapping[str, Any]], policy: Monitor) -> dict[str, dg.MetadataValue]:
    """How far the columns moved, drawn; nothing where none was compared."""
    known = sorted((row for row in rows if row["psi"] is not None), key=lambda row: -row["psi"])
    if not known:
        return {}
    limit = policy.psi_limit
    points = {one.name: one.colour for one in statistics_of(policy.statistics) if one.colour is not None}
    series = [("distance (PSI)", [row["psi"] for row in known[:_GLANCED]]), ("limit", [limit] * len(known[:_GLANCED]))]
    return {
        **glance("distance of the farthest columns", series, known[0]["column_name"], ""),
        "distance": plot("distance from training", figures_monitoring.drift(rows, psi_limit=limit, points=points)),
    }


def _farthest(database: Database, workflow: str, session_id: str) -> dict[str, str]:
    """Status per feature, the one that moved farthest first."""
    key = {"session_id": session_id, "workflow": workflow}
    rows = database.rows(render("drift/farthest", table=DRIFT.path, limit=_DRAWN, **key))
    if not rows:
        raise LookupError(
            f"session {session_id} has measured no drift of {workflow}: materialise {workflow}/drift first"
        )
    return {row["column_name"]: row["status"] for row in rows}


def _build_report(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=[spec.name, "drift_report"],
        deps=[[spec.name, "drift"], ["features", "customer_features"]],
        group_name=spec.name,
        kinds={"evidently", "html"},
        owners=[OWNER],
        pool="warehouse",
        description="The columns that moved farthest, drawn by Evidently on a sample of rows, to look at: in a session in which "
        "one moved, or in every one but the model's first with monitor.report_always. No decision depends on it.",
    )
    @isolated(spec, "drift_report", of_champion=True)
    def drift_report(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        live = scored_until_now(models, spec.name, session_id_of(context))
        if live.is_first:
            context.log.info("report: first session of this model: nothing to compare with yet, nothing drawn")
            return dg.MaterializeResult(metadata={"status": "first", "detail": "nothing to compare with yet"})
        with warehouse.read() as database:
            day = as_of(database)
            columns = _farthest(database, spec.name, session_id_of(context))
            if not spec.monitor.report_always and not HAS_MOVED.intersection(columns.values()):
                context.log.info(
                    "report: no column moved, nothing drawn (monitor.report_always draws in every session)"
                )
                return dg.MaterializeResult(metadata={"status": "not drawn", "detail": "no column moved"})
            sample = report_sample(database, features_table(spec), {"snapshot_date": day}, list(columns))
        html = settings.reports_folder / spec.name / f"drift-{session_id_of(context)}.html"
        with TemporaryDirectory(prefix="tdml-") as folder:
            reference, current = Path(folder) / "reference.parquet", Path(folder) / "current.parquet"
            reference.write_bytes(live.files[SAMPLE_FILE])
            write_sample(sample, current)
            result = draw_report(reference, current, list(columns), html, as_of=day, psi_limit=spec.monitor.psi_limit)
        context.log.info(f"report: {result.status} {result.html or result.detail}")
        return dg.MaterializeResult(
            metadata={
                "status": result.status,
                "detail": result.detail,
                "seconds": result.seconds,
                "columns drawn": len(result.drawn),
                "columns left out": dg.MetadataValue.json(dict(result.dropped)),
                **_links(settings, result.html),
            }
        )

    return drift_report
