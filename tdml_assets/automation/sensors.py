"""retrain_on_drift: starts a training job when a session finds that its champion's data changed.

Belongs here: reading materialisations and run records, asking ``core/retraining.py``, and answering Dagster. The sensor never
opens the warehouse. Off until switched on in the UI.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from tdml_assets.automation.jobs import training_job_name
from tdml_assets.core.retraining import Attempts, Decision, DriftReport, decide_retrain, latest_drift
from tdml_assets.core.workflow import WorkflowSpec

_INTERVAL_SECONDS = 60
_REPORTS_READ = 100
_WORKFLOW_TAG = "tdml/retrains"
_CHAMPION_TAG = "tdml/retrains_champion"
_RUNNING = {
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
}


def read_reports(instance: dg.DagsterInstance, workflow: str, after: int) -> tuple[list[DriftReport], int]:
    """Drift reports recorded after storage id ``after``, oldest first, and the last storage id seen."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey([workflow, "drift"]), after_storage_id=after),
        limit=_REPORTS_READ,
        ascending=True,
    ).records
    reports = []
    for record in records:
        materialization = record.asset_materialization
        if materialization is None:
            continue
        found = {name: value.value for name, value in materialization.metadata.items()}
        reports.append(
            DriftReport(
                session_id=str(found["session_id"]),
                model_version=str(found["model_version"]),
                drifted=bool(found["drifted"]),
                summary=str(found["verdict"]),
                measured_at=datetime.fromtimestamp(record.timestamp, UTC),
            )
        )
    return reports, records[-1].storage_id if records else after


def read_attempts(instance: dg.DagsterInstance, workflow: str, model_version: str) -> Attempts:
    """Retrainings started by this sensor, from the run records themselves."""
    records = instance.get_run_records(dg.RunsFilter(tags={_WORKFLOW_TAG: workflow}))
    own = [record.dagster_run.status for record in records if record.dagster_run.tags[_CHAMPION_TAG] == model_version]
    return Attempts(
        running=sum(status in _RUNNING for status in own),
        succeeded=sum(status is dg.DagsterRunStatus.SUCCESS for status in own),
        failed=sum(status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED) for status in own),
        last_started_at=max((record.create_timestamp for record in records), default=None),
    )


def _request(workflow: str, decision: Decision) -> dg.RunRequest:
    champion = decision.report.model_version if decision.report else ""
    return dg.RunRequest(
        job_name=training_job_name(workflow),
        # One run per champion and attempt, whatever happens to the cursor: a key is used once for ever.
        run_key=f"drift:{workflow}:{champion}:attempt{decision.attempt}",
        tags={_WORKFLOW_TAG: workflow, _CHAMPION_TAG: champion, "tdml/reason": decision.reason[:200]},
    )


def build_sensors(
    specs: Sequence[WorkflowSpec], jobs: Sequence[dg.UnresolvedAssetJobDefinition]
) -> list[dg.SensorDefinition]:
    """The sensor over every workflow, which may start their training ``jobs``; none where no workflow runs."""
    if not specs:
        return []

    @dg.sensor(
        name="retrain_on_drift",
        jobs=[job for job in jobs if job.name in {training_job_name(spec.name) for spec in specs}],
        minimum_interval_seconds=_INTERVAL_SECONDS,
        description="Retrains a workflow once when a session finds that the data its champion learnt from has changed.",
    )
    def retrain_on_drift(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor: dict[str, int] = json.loads(context.cursor) if context.cursor else {}
        requests, reasons, seen = [], [], dict(cursor)
        now = datetime.now(UTC)
        for spec in specs:
            reports, last = read_reports(context.instance, spec.name, cursor.get(spec.name, 0))
            report = latest_drift(reports)
            attempts = read_attempts(context.instance, spec.name, report.model_version if report else "")
            decision = decide_retrain(report, attempts, spec.monitor.cool_down_days, now)
            context.log.info(f"{spec.name}: {decision.reason}")
            if decision.retrain:
                requests.append(_request(spec.name, decision))
            else:
                reasons.append(f"{spec.name}: {decision.reason}")
            # The drift stays unanswered while its retraining runs or may be tried again: the cursor waits for it.
            if not (decision.retrain or (report is not None and attempts.running)):
                seen[spec.name] = last
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "; ".join(reasons),
            cursor=json.dumps(seen, sort_keys=True),
        )

    return [retrain_on_drift]
