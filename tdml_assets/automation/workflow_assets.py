"""The stages of one workflow, in order: what a workflow component turns into."""

from __future__ import annotations

import dagster as dg

from tdml_assets.declaration.task_names import LEARNT_BY_ROWS
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.report_paths import LATEST
from tdml_assets.settings import Settings
from tdml_assets.stages.drift.asset import build_drift
from tdml_assets.stages.exploration.asset import build_exploration
from tdml_assets.stages.predictions.asset import build_predictions
from tdml_assets.stages.preparation.asset import build_preparation
from tdml_assets.stages.realised.asset import build_realised
from tdml_assets.stages.session_report.asset import build_session_report
from tdml_assets.stages.training.asset import build_model
from tdml_assets.stages.training_table.asset import build_training_table
from tdml_assets.stages.triage.asset import build_triage
from tdml_assets.tasks import realised_performance_of


def build_stages(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The stages that look at this session, in order; only a row per customer is prepared."""
    return [
        build_training_table(spec),
        build_exploration(spec),
        *(build_preparation(spec, settings) if spec.learns in LEARNT_BY_ROWS else ()),
        *build_model(spec, settings),
        build_predictions(spec, settings),
        *build_drift(spec, settings),
    ]


def build_watch(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """What looks back at every task: predictions met by what happened, the decision, the report."""
    realised = [build_realised(spec, settings.audience.control)] if realised_performance_of(spec) is not None else []
    return [*realised, build_triage(spec, settings), build_session_report(spec, settings)]


#: What a person does when a stage, or a check of it, is red.
_WHEN_RED = {
    "training_table": "there are too few customers or too short a history to learn from; the error names the count and the key "
    "to change. Other workflows are not affected.",
    "exploration": "the check is a warning: train and test differ. Look at the table; nothing is stopped.",
    "evaluation": "the candidate is not good enough to score. The model in use stays; `decision` says why, and the pages of "
    "earlier sessions show whether it was better before.",
    "champion_model": "no model may score yet: correct `evaluation` first.",
    "predictions": "not every customer got a possible prediction; nothing of this session is published. Run it again; if it "
    "stays red, go back to the model before with `tdml-assets rollback`.",
    "drift": "the check is a warning: data moved away from what the model learnt. Open the report; `triage` decides what "
    "follows.",
    "triage": "the decision could not be made: a table of the session is missing. Materialise the whole workflow.",
    "session_report": "the raw data are broken and nothing is published. Correct or reload the source that the sentence names, "
    "and run again; or accept the data as they are with `quality.accepted`.",
}


def _described(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """With what to do when it is red, and the way to the page of its workflow."""
    workflow, stage = spec.key.path[0], spec.key.path[-1]
    words = f"{spec.description or ''}\n\n**When red:** {_WHEN_RED[stage]}" if stage in _WHEN_RED else spec.description
    page = dg.MetadataValue.url(settings.report_url(f"{workflow}/{LATEST}"))
    return spec.replace_attributes(description=words, metadata={**spec.metadata, "latest report": page})


def build_workflow_definitions(spec: WorkflowSpec, settings: Settings) -> dg.Definitions:
    """Assets and checks of a workflow."""
    assets = [*build_stages(spec, settings), *build_watch(spec, settings)]
    return dg.Definitions(assets=[one.map_asset_specs(lambda found: _described(found, settings)) for one in assets])
