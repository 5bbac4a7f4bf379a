"""monitoring/data_quality: the raw tables as they came, judged before anything is trained or published.

Elsewhere: the checks and their bounds (``quality_report.py``).
"""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import dagster as dg

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.platform.metadata import OWNER, table_metadata, table_preview
from tdml_assets.platform.monitoring import DATA_QUALITY, DRIFT_EPISODES, TRIAGE
from tdml_assets.platform.sessions import as_of, record_session, session_id_of
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.data_quality.measures import WORKFLOW, Earlier, read_earlier
from tdml_assets.stages.raw.contracts import REJECTED_ROWS, TABLES
from tdml_assets.stages.raw.fingerprint import fingerprint
from tdml_assets.stages.triage.alerting import send_alerts
from tdml_assets.stages.triage.asset import keep_finding
from tdml_assets.stages.triage.decision import Finding, joined

if TYPE_CHECKING:
    from tdml_assets.stages.data_quality.quality_report import QualityReport


def _finding(day: date, report: "QualityReport", now: datetime) -> Finding:
    """What the checks found, in the form that episodes are made of."""
    problems = [finding.sentence for finding in report.with_status("alarm")]
    if problems:
        return Finding(day, "none", "data_quality", "source", 1.0, joined(problems), now)
    return Finding(day, "none", "nothing", "none", 0.0, report.sentence, now)


def _judged(database: Database, day: date, earlier: Earlier | None, settings: Settings) -> "QualityReport":
    """The raw tables up to ``day`` and what could not be read of their files, judged; the checks are imported when they run."""
    from tdml_assets.stages.data_quality.quality_report import judge
    from tdml_assets.stages.data_quality.session import measure_session

    measured = measure_session(
        database,
        day,
        fingerprint(database),
        settings.quality,
        settings.effective_sources,
        follows_latest=settings.as_of == "latest",
        # Sample data end on a declared day, whatever the clock says.
        today=None if settings.uses_sample else datetime.now(UTC).date(),
    )
    return judge(measured, earlier, settings.quality)


def build_data_quality(settings: Settings) -> dg.AssetsDefinition:
    """The asset, with its check ``data_is_whole``.

    The check does not block the later stages: drift, the decision and the report look at broken data too. Training
    refuses them (``platform/guards.py``), and the session report's check keeps them from being published.
    """
    key = list(DATA_QUALITY.path)
    raw = [list(contract.path) for contract in (*TABLES.values(), REJECTED_ROWS)]

    @dg.asset(
        key=key,
        deps=[*raw, ["features", "snapshots"]],
        # Not in the group monitoring: workflows depend on it, and the graph reads from left to right.
        group_name="features",
        kinds={"duckdb", "sql"},
        owners=[OWNER],
        pool="warehouse",
        description="The raw tables up to as_of against their own past and against the session before: volume, freshness, "
        "missing values, units, lost history, duplicates, refused and unreadable rows, and "
        "new categories. What is broken is neither learnt from nor published.",
        metadata=table_metadata(DATA_QUALITY),
        check_specs=[
            dg.AssetCheckSpec(
                "data_is_whole",
                asset=key,
                description="No check of the raw data raises an alarm, or a person has accepted this data by its "
                "fingerprint: quality.accepted in tdml.yaml.",
            )
        ],
    )
    def data_quality(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        session = {"session_id": session_id_of(context), "workflow": WORKFLOW}
        with warehouse.write() as database:
            day = as_of(database)
            record_session(database, context, WORKFLOW, status="checked")
            for contract in (DATA_QUALITY, TRIAGE, DRIFT_EPISODES):
                database.ensure(contract)
            earlier = read_earlier(database, session["session_id"], day)
            report = _judged(database, day, earlier, settings)
            count = database.replace_slice(DATA_QUALITY, session, report.rows(**session))
            finding = _finding(day, report, datetime.now(UTC).replace(tzinfo=None))
            episodes = keep_finding(database, WORKFLOW, session["session_id"], finding, Monitor())
        context.log.info(f"report: {report.sentence}")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "fingerprint": report.fingerprint,
                "compared with the session of": str(earlier.as_of) if earlier else "none: this is the first",
                "verdict": report.sentence,
                "alerts": table_preview(send_alerts(warehouse, "Raw data", settings, episodes, None, context.log)),
                "findings": table_preview([vars(finding) for finding in report.findings]),
            },
            check_results=[_data_is_whole(report)],
        )

    return data_quality


def _data_is_whole(report: "QualityReport") -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="data_is_whole",
        passed=report.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=report.sentence,
        metadata={"alarms": len(report.with_status("alarm")), "fingerprint": report.fingerprint},
    )
