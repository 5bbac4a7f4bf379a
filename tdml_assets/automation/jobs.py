"""Jobs: one that trains a workflow, one that scores every workflow and publishes; and their schedules.

Scoring runs every night, training as each workflow declares. Schedules are off until switched on in the UI.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.sessions import ONLY_AS_OF
from tdml_assets.tasks import realised_performance_of

SCORING_JOB = "score_and_publish"
#: Longest a run may take before the daemon calls it dead, in seconds.
_MAX_RUNTIME_SECONDS = 24 * 3600


def training_job_name(workflow: str) -> str:
    """Name of the job that trains ``workflow``."""
    return f"train_{workflow}"


def _upstream() -> dg.AssetSelection:
    return dg.AssetSelection.groups("raw", "staging", "features")


def _training(spec: WorkflowSpec) -> dg.AssetSelection:
    """The stages up to the champion, which differ between tasks, and the exploration next to them."""
    champion = dg.AssetSelection.assets([spec.name, "champion_model"]).upstream()
    return champion | dg.AssetSelection.assets([spec.name, "exploration"])


def build_jobs(specs: Sequence[WorkflowSpec]) -> list[dg.UnresolvedAssetJobDefinition]:
    """A training job per workflow, and the scoring job."""
    tags = {"dagster/max_runtime": _MAX_RUNTIME_SECONDS}
    jobs = [
        dg.define_asset_job(
            training_job_name(spec.name),
            _upstream() | _training(spec),
            description=f"Prepares data, trains {spec.title}, measures it and promotes it if it passes.",
            tags={**tags, "tdml/workflow": spec.name},
        )
        for spec in specs
    ]
    scoring = _upstream() | dg.AssetSelection.groups("audience")
    for spec in specs:
        # After drift come its picture, the decision, the report and what is published.
        drift = dg.AssetSelection.assets([spec.name, "drift"]).downstream()
        scoring = scoring | dg.AssetSelection.assets([spec.name, "predictions"]) | drift
        if realised_performance_of(spec) is not None:
            scoring = scoring | dg.AssetSelection.assets([spec.name, "realised"])
    jobs.append(
        dg.define_asset_job(
            SCORING_JOB,
            scoring,
            description="Scores every customer with the champions, measures drift and publishes the attributes.",
            tags={**tags, ONLY_AS_OF: "true"},
        )
    )
    return jobs


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
