"""retrain_on_drift: starts a training job when a session's triage calls for it.

The sensor never opens the warehouse. Off until switched on in the UI.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from tdml_assets.automation.jobs import training_job_name
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.sessions import RETRAINING_SENSOR
from tdml_assets.stages.triage.retraining import Attempts, Call, Decision, Limits, decide_retrain

_INTERVAL_SECONDS = 60
#: Latest materialisations among which the latest session is looked for.
_LOOKED_AT = 20
_WORKFLOW_TAG = "tdml/retrains"
_CHAMPION_TAG = "tdml/retrains_champion"
_EPISODE_TAG = "tdml/episode"
_NO_LIMITS = Limits(cool_down_days=0, monthly_cap=0)
_RUNNING = {
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
}


def read_call(instance: dg.DagsterInstance, workflow: str, after: int) -> tuple[Call | None, int]:
    """What the latest session called for, None if none ran since storage id ``after``; and its storage id."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey([workflow, "triage"]), after_storage_id=after), limit=_LOOKED_AT
    ).records
    # One that somebody reported by hand in the UI carries none of it.
    calls = (
        record
        for record in records
        if record.asset_materialization and "retrain" in record.asset_materialization.metadata
    )
    record = next(calls, None)
    if record is None or record.asset_materialization is None:
        return None, records[0].storage_id if records else after
    found = {name: value.value for name, value in record.asset_materialization.metadata.items()}
    call = Call(
        session_id=str(found["session_id"]),
        model_version=str(found["model_version"]),
        episode_id=str(found["episode"]),
        retrain=bool(found["retrain"]),
        sentence=str(found["verdict"]),
    )
    return call, records[0].storage_id


def read_attempts(instance: dg.DagsterInstance, workflow: str, call: Call | None) -> Attempts:
    """Retrainings started by this sensor, from the run records themselves."""
    # A run whose daemon died before launching it is asked for again under its key, and Dagster launches that very run.
    records = [
        record
        for record in instance.get_run_records(dg.RunsFilter(tags={_WORKFLOW_TAG: workflow}))
        if record.dagster_run.status is not dg.DagsterRunStatus.NOT_STARTED
    ]
    wanted = (call.episode_id, call.model_version) if call else None
    own = [
        record.dagster_run.status
        for record in records
        if (record.dagster_run.tags.get(_EPISODE_TAG), record.dagster_run.tags.get(_CHAMPION_TAG)) == wanted
    ]
    return Attempts(
        running=sum(status in _RUNNING for status in own),
        succeeded=sum(status is dg.DagsterRunStatus.SUCCESS for status in own),
        failed=sum(status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED) for status in own),
        started_at=tuple(record.create_timestamp for record in records),
    )


def _limits(spec: WorkflowSpec, models: ModelStore) -> Limits:
    policy = spec.monitor
    days = spec.target.horizon_days if policy.cool_down_days is None else policy.cool_down_days
    hold = models.open().held(spec.name)
    return Limits(cool_down_days=days, monthly_cap=policy.monthly_cap, hold=str(hold) if hold else None)


def _request(workflow: str, decision: Decision) -> dg.RunRequest:
    call = decision.call
    episode, champion = (call.episode_id or "", call.model_version) if call else ("", "")
    return dg.RunRequest(
        job_name=training_job_name(workflow),
        # One run per champion, episode and attempt, whatever happens to the cursor: a key is used once for ever.
        run_key=f"retrain:{workflow}:{champion}:{episode}:attempt{decision.attempt}",
        tags={
            _WORKFLOW_TAG: workflow,
            _CHAMPION_TAG: champion,
            _EPISODE_TAG: episode,
            "tdml/reason": decision.reason[:200],
        },
    )


def build_sensors(
    specs: Sequence[WorkflowSpec], jobs: Sequence[dg.UnresolvedAssetJobDefinition]
) -> list[dg.SensorDefinition]:
    """The sensor over every workflow, which may start their training ``jobs``; none where no workflow runs."""
    if not specs:
        return []

    @dg.sensor(
        name=RETRAINING_SENSOR,
        jobs=[job for job in jobs if job.name in {training_job_name(spec.name) for spec in specs}],
        minimum_interval_seconds=_INTERVAL_SECONDS,
        description="Retrains a workflow once per episode, when its sessions call for it: confirmed drift, realised errors, age.",
    )
    def retrain_on_drift(context: dg.SensorEvaluationContext, models: ModelStore) -> dg.SensorResult:
        cursor: dict[str, int] = json.loads(context.cursor) if context.cursor else {}
        requests, reasons, seen = [], [], dict(cursor)
        now = datetime.now(UTC)
        for spec in specs:
            call, last = read_call(context.instance, spec.name, cursor.get(spec.name, 0))
            attempts = read_attempts(context.instance, spec.name, call)
            # Where nothing is called for, a damaged hold of one workflow must not stop the look at the others.
            limits = _limits(spec, models) if call is not None and call.retrain else _NO_LIMITS
            decision = decide_retrain(call, attempts, limits, now)
            context.log.info(f"{spec.name}: {decision.reason}")
            if decision.retrain:
                requests.append(_request(spec.name, decision))
            else:
                reasons.append(f"{spec.name}: {decision.reason}")
            # What was asked for, or must wait, is looked at again until it is settled: the cursor waits for it.
            if decision.settled and not decision.retrain:
                seen[spec.name] = last
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "; ".join(reasons),
            cursor=json.dumps(seen, sort_keys=True),
        )

    return [retrain_on_drift]
