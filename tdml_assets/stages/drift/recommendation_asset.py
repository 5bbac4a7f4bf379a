"""<workflow>/drift of a recommendation: what customers are shown first, against what they were when the champion went live.

Belongs here: measuring first choices and first discoveries. Does not: the statistics (``stages/drift/detection.py``).
"""

from collections.abc import Mapping

import dagster as dg

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.champions import read_reference
from tdml_assets.models.references import GoneLive
from tdml_assets.platform.warehouse import Database
from tdml_assets.recommendation.tables import predictions_contract
from tdml_assets.recommendation.watch import Watched, compare
from tdml_assets.stages.drift.asset import build_measurement
from tdml_assets.stages.drift.detection import DriftReport, Earlier
from tdml_assets.stages.training.recommendation_asset import DISCOVERIES_FILE, HABITS_FILE


def measure_lists(
    database: Database, spec: WorkflowSpec, live: GoneLive, earlier: Mapping[str, Earlier]
) -> tuple[DriftReport, DriftReport]:
    """What customers are shown first against what they were when the champion went live.

    Where another model made this session's lists, they are compared with nothing: they differ by the model too.
    """
    if not live.scores:
        nothing = DriftReport("first", "Nothing to compare with yet: another model went live and made these lists.", ())
        return nothing, nothing
    references = [read_reference(live.files, name) for name in (HABITS_FILE, DISCOVERIES_FILE)]
    table = predictions_contract(spec.name).path
    return compare(
        database, table, Watched(*references), spec.monitor, spec.recommendation, earlier, is_first=live.is_first
    )


def build_recommendation_drift(spec: WorkflowSpec) -> dg.AssetsDefinition:
    """Build `drift` of a recommendation workflow."""
    return build_measurement(
        spec,
        lambda database, live, earlier: measure_lists(database, spec, live, earlier),
        deps=[[spec.name, "predictions"]],
        description="First choices and first discoveries of this session against those the champion gave when it went live, "
        "and against the last stable session.",
    )
