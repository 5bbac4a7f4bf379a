"""<workflow>/triage: what the session's monitoring means, the episodes it adds up to, and who gets an alert.

Elsewhere: deciding (``decision.py``), episodes (``episodes.py``), channels (``stages/triage/alerts/channels.py``).
"""

from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.reference import scored_until_now
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.guards import read_quality_alarms
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, table_metadata, table_preview
from tdml_assets.platform.monitoring import DATA_QUALITY, DRIFT_EPISODES, FEATURE_IMPORTANCES, TRIAGE
from tdml_assets.platform.report_paths import report_path
from tdml_assets.platform.sessions import as_of, retrains_itself, session_id_of
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.drift.history import read_reports
from tdml_assets.stages.realised.asset import latest_realised
from tdml_assets.stages.triage.alerting import send_alerts
from tdml_assets.stages.triage.decision import Evidence, Finding, decide
from tdml_assets.stages.triage.episodes import Episode, fold, open_episode
from tdml_assets.stages.triage.history import read_alerted, read_findings, read_importances
from tdml_assets.tasks import realised_performance_of

_SHOWN = 10
#: What the UI shows of an episode: wider than this it cuts the table at its right.
_SHOWN_FIGURES = ("kind", "status", "opened_as_of", "last_as_of", "closed_as_of", "alarms", "retrain")


def collect(database: Database, spec: WorkflowSpec, models: ModelStore, session_id: str, now: datetime) -> Evidence:
    """Everything the decision of this session rests on."""
    live = scored_until_now(models, spec.name, session_id)
    manifest = live.manifest
    reports = read_reports(database, spec.name, session_id, spec.monitor, may_be_none=not live.scores)
    features = [column.column_name for column in reports[0].columns]
    realised = latest_realised(database, spec, manifest.version, tolerance=spec.monitor.realised_tolerance)
    return Evidence(
        as_of=as_of(database),
        measured_at=now,
        model_version=manifest.version,
        reports=reports,
        quality=read_quality_alarms(database, session_id),
        realised=realised.sentence if realised is not None and realised.status == "worse" else None,
        trained_as_of=manifest.as_of,
        importances=read_importances(database, spec.name, manifest.session_id, features),
    )


def keep(
    database: Database, spec: WorkflowSpec, session_id: str, evidence: Evidence
) -> tuple[Finding, tuple[Episode, ...]]:
    """Decide, and write the decision and the episodes all decisions add up to."""
    before = [
        finding
        for _, finding in read_findings(database, spec.name, evidence.as_of, evidence.model_version)
        if finding.as_of < evidence.as_of
    ]
    finding = decide(evidence, before, spec.monitor)
    return finding, keep_finding(database, spec.name, session_id, finding, spec.monitor)


def keep_finding(
    database: Database, workflow: str, session_id: str, finding: Finding, policy: Monitor
) -> tuple[Episode, ...]:
    """Write a finding, and the episodes that it and those of all other days add up to."""
    others = read_findings(database, workflow, finding.as_of, finding.model_version)
    alerts = read_alerted(database, workflow)
    every = sorted([*others, (session_id, finding)], key=lambda one: (one[1].as_of, one[1].measured_at))
    episodes = tuple(
        replace(episode, **alerts.get(episode.episode_id, {})) for episode in fold(workflow, every, policy)
    )
    mine = [episode for episode in episodes if episode.opened_as_of <= finding.as_of <= episode.last_as_of]
    key = {"session_id": session_id, "workflow": workflow}
    database.replace_slice(TRIAGE, key, [finding.row(session_id, workflow, mine[-1].episode_id if mine else None)])
    database.replace_slice(DRIFT_EPISODES, {"workflow": workflow}, [episode.row() for episode in episodes])
    return episodes


def build_triage(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    """The asset of one workflow."""
    realised = [[spec.name, "realised"]] if realised_performance_of(spec) is not None else []

    @dg.asset(
        key=[spec.name, "triage"],
        deps=[[spec.name, "drift"], *realised, ["monitoring", "data_quality"]],
        group_name=spec.name,
        kinds={"duckdb", "python"},
        owners=[OWNER],
        pool="warehouse",
        description="What this session's monitoring means: broken data (nothing is published, nothing retrained), a changed world "
        "(a retraining, once per episode), something to look at, or nothing.",
        metadata=table_metadata(TRIAGE),
    )
    @isolated(spec, "triage", of_champion=True)
    def triage(context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore) -> dg.MaterializeResult:
        now = datetime.now(UTC).replace(tzinfo=None)
        with warehouse.write() as database:
            for contract in (TRIAGE, DRIFT_EPISODES, DATA_QUALITY, FEATURE_IMPORTANCES):
                database.ensure(contract)
            evidence = collect(database, spec, models, session_id_of(context), now)
            finding, episodes = keep(database, spec, session_id_of(context), evidence)
        context.log.info(f"report: {finding.decision}: {finding.sentence}")
        report = report_path(settings, spec.name, evidence.as_of, session_id_of(context))
        alerts = send_alerts(
            warehouse, spec.title, settings, episodes, report, context.log, retrains_itself=retrains_itself(context)
        )
        return dg.MaterializeResult(metadata=_metadata(session_id_of(context), finding, episodes, alerts))

    return triage


def _metadata(
    session_id: str, finding: Finding, episodes: tuple[Episode, ...], alerts: list[dict[str, str]]
) -> dict[str, dg.MetadataValue | str | int | float | bool]:
    """What the sensor acts on, and what a person wants to see."""
    drifting = open_episode(episodes, "drift")
    shown = [{name: episode.row()[name] for name in _SHOWN_FIGURES} for episode in episodes]
    return {
        "dagster/row_count": 1,
        "session_id": session_id,
        "model_version": finding.model_version,
        "decision": finding.decision,
        "verdict": finding.sentence,
        "severity": finding.severity,
        # Broken data are never learnt from, whatever else is open.
        "retrain": drifting is not None and finding.decision != "data_quality",
        "episode": drifting.episode_id if drifting is not None else "none",
        "episodes": table_preview(shown[-_SHOWN:]),
        "alerts": table_preview(alerts),
    }
