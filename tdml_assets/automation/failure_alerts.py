"""alert_on_failure, forget_recovered: alerts about a failed session, once per cause until a session succeeds.

Elsewhere: what is sent and to whom (``stages/triage/alerts/failures.py``, ``stages/triage/alerts/failure_alerts.py``). On
from the start: they start nothing, and send only where ``alerts`` names a channel.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

import dagster as dg

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.error_words import error_text
from tdml_assets.settings import Settings
from tdml_assets.stages.triage.alerts.failure_alerts import tell_failures
from tdml_assets.stages.triage.alerts.failures import Failure, failure_of_step


def failures_of_run(context: dg.RunFailureSensorContext, workflows: Collection[str]) -> list[Failure]:
    """The cause behind every step that failed; one for the run itself where none did."""
    run = context.dagster_run
    session = run.root_run_id or run.run_id
    found = []
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        text = error_text(error.to_string()) if error is not None else ""
        found.append(failure_of_step(event.step_key or "run", text, workflows, session, None))
    return found or [failure_of_step("run", "", workflows, session, None)]


def build_failure_alerts(specs: Sequence[WorkflowSpec], settings: Settings) -> list[dg.SensorDefinition]:
    """The two sensors; none where no workflow runs."""
    if not specs:
        return []
    workflows = {spec.name for spec in specs}

    def ran(context: dg.RunStatusSensorContext) -> set[str]:
        steps = context.instance.get_run_step_stats(context.dagster_run.run_id)
        names = {step.step_key.partition("__")[0] for step in steps}
        return {name if name in workflows else "all" for name in names}

    @dg.run_failure_sensor(
        name="alert_on_failure",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells the channels under alerts that a session failed: once per workflow, stage and class of error, until a "
        "session with that stage succeeds.",
    )
    def alert_on_failure(context: dg.RunFailureSensorContext) -> None:
        failures = failures_of_run(context, workflows)
        tell_failures(settings.home, settings.alerts, os.environ, failures, context.log)

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="forget_recovered",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Forgets the failures of workflows that have run to the end: a later one raises an alert again.",
    )
    def forget_recovered(context: dg.RunStatusSensorContext) -> None:
        tell_failures(settings.home, settings.alerts, os.environ, [], context.log, ran=ran(context))

    return [alert_on_failure, forget_recovered]
