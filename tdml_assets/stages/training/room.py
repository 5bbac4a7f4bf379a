"""Room for a training on every row: the tier's memory and disk, asked before a row is read.

Elsewhere: the arithmetic (``engines/python.py``, ``engines/paging.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.devices import device_of
from tdml_assets.engines.protocol import Engine, Tier
from tdml_assets.models.champions import model_spec_of
from tdml_assets.stages.preparation.engine_choice import room_of
from tdml_assets.stages.training.fit import LABELLED

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database
    from tdml_assets.settings import Settings


@dataclass(frozen=True)
class Room:
    """Where a training has room.

    ``tier``: what it may use. ``folder``: where it may keep rows; empty where memory holds them. ``arithmetic``: of the rows that
    it must hold where nobody is left out; None where customers are sampled.
    """

    tier: Tier
    folder: str = ""
    arithmetic: str | None = None

    def learnt(self, splits: Mapping[str, pa.Table]) -> str:
        """The end of the sentence of a training that leaves nobody out; empty where customers are sampled."""
        if self.arithmetic is None:
            return ""
        return f", learnt from all {sum(splits[name].num_rows for name in LABELLED):,}"


def room_for(database: Database, spec: WorkflowSpec, settings: Settings, engine: Engine, features: int) -> Room:
    """Room for the prepared rows. Raises ``MemoryError`` if nobody may be left out and the tier does not hold them.

    ``features``: prepared ones.
    """
    tier, folder = room_of(spec, settings)
    if not folder:
        return Room(tier)
    asked = replace(model_spec_of(spec), spill_folder=folder, device=device_of(settings.device))
    found = engine.estimate(asked, database.count((spec.name, "prepared")), features, tier)
    if not found.fits:
        raise MemoryError(
            f"the training table does not fit {tier.name}: {found.arithmetic}; use a larger tier, a number as split.max_rows, "
            "which samples customers, fewer snapshots or fewer features"
        )
    return Room(tier, folder, found.arithmetic)
