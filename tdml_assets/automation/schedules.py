"""Schedules: scoring every night, training as each workflow declares. Off until switched on in the UI."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from tdml_assets.automation.jobs import SCORING_JOB, training_job_name
from tdml_assets.declaration.workflow import WorkflowSpec

#: Every night, after the day's orders can be expected to have arrived.
_SCORING_CRON = "0 3 * * *"


def build_schedules(specs: Sequence[WorkflowSpec]) -> list[dg.ScheduleDefinition]:
    """The nightly scoring and the training of each workflow that declares a schedule."""
    training = [
        dg.ScheduleDefinition(
            name=f"{training_job_name(spec.name)}_schedule",
            job_name=training_job_name(spec.name),
            cron_schedule=spec.schedule,
            execution_timezone="UTC",
            description=f"Trains {spec.title}.",
        )
        for spec in specs
        if spec.schedule
    ]
    scoring = dg.ScheduleDefinition(
        name=f"{SCORING_JOB}_schedule",
        job_name=SCORING_JOB,
        cron_schedule=_SCORING_CRON,
        execution_timezone="UTC",
        description="Scores and publishes every night.",
    )
    return [*training, scoring]
