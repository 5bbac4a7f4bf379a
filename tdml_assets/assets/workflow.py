"""The stages of one workflow, in order: what a workflow component turns into."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import dagster as dg

from tdml_assets.assets.drift import build_drift
from tdml_assets.assets.exploration import build_exploration
from tdml_assets.assets.model import build_model
from tdml_assets.assets.predictions import build_predictions
from tdml_assets.assets.prepared import build_preparation
from tdml_assets.assets.realised import build_realised
from tdml_assets.assets.recommendation import build_recommendation_definitions
from tdml_assets.assets.session_report import build_session_report
from tdml_assets.assets.training_table import build_training_table
from tdml_assets.assets.triage import build_triage
from tdml_assets.core.tasks import foresight_of
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.settings import Settings


def build_one_row_per_customer(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The stages of a task that learns from one row per snapshot and customer."""
    return [
        build_training_table(spec),
        build_exploration(spec),
        *build_preparation(spec),
        *build_model(spec, settings),
        build_predictions(spec, settings),
        *build_drift(spec, settings),
    ]


def build_watch(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """What looks back at every task: predictions met by what happened, the decision, the report."""
    realised = [build_realised(spec)] if foresight_of(spec) is not None else []
    return [*realised, build_triage(spec, settings), build_session_report(spec, settings)]


#: Tasks with stages of their own.
_STAGES: dict[str, Callable[[WorkflowSpec, Settings], Sequence[dg.AssetsDefinition]]] = {
    "recommendation": build_recommendation_definitions,
}


def build_workflow_definitions(spec: WorkflowSpec, settings: Settings) -> dg.Definitions:
    """Assets and checks of a workflow."""
    stages = _STAGES.get(spec.task, build_one_row_per_customer)
    return dg.Definitions(assets=[*stages(spec, settings), *build_watch(spec, settings)])
