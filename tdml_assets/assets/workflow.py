"""The stages of one workflow, in order: what a workflow component turns into."""

from __future__ import annotations

import dagster as dg

from tdml_assets.assets.drift import build_drift
from tdml_assets.assets.exploration import build_exploration
from tdml_assets.assets.model import build_model
from tdml_assets.assets.predictions import build_predictions
from tdml_assets.assets.prepared import build_preparation
from tdml_assets.assets.training_table import build_training_table
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.settings import Settings


def build_workflow_definitions(spec: WorkflowSpec, settings: Settings) -> dg.Definitions:
    """Assets and checks of a workflow."""
    return dg.Definitions(
        assets=[
            build_training_table(spec),
            build_exploration(spec),
            *build_preparation(spec),
            *build_model(spec, settings.tier),
            build_predictions(spec, settings.tier),
            *build_drift(spec, settings),
        ]
    )
