"""The drift of a recommendation: what customers are shown first, against what they were when the champion went live.

Elsewhere: the statistics (``detection.py``), the asset (``asset.py``).
"""

from collections.abc import Mapping

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.champions import read_reference
from tdml_assets.models.reference import GoneLive
from tdml_assets.platform.warehouse import Database
from tdml_assets.recommendation.tables import predictions_contract
from tdml_assets.recommendation.watch import WATCHED, compare
from tdml_assets.stages.drift.detection import DriftReport, Earlier


def measure_lists(
    database: Database, spec: WorkflowSpec, live: GoneLive, earlier: Mapping[str, Earlier]
) -> tuple[DriftReport, DriftReport]:
    """What customers are shown first against what they were when the champion went live.

    Where another model made this session's lists, they are compared with nothing: they differ by the model too.
    """
    if not live.scores:
        nothing = DriftReport("first", "Nothing to compare with yet: another model went live and made these lists.", ())
        return nothing, nothing
    references = {name: read_reference(live.files, name) for name in WATCHED}
    table, policy = predictions_contract(spec.name).path, spec.monitor
    return compare(database, table, references, policy, spec.recommendation, earlier, is_first=live.is_first)
