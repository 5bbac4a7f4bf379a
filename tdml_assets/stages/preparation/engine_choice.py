"""The engine of a workflow whose ``engine`` is ``auto``, from the rows of its training table.

Elsewhere: the arithmetic (``engines/registry.py``).

Preparation and training ask alike and get the same answer, since the training table is the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tdml_assets.declaration.workflow import HIVEMALL_ESTIMATORS, WorkflowSpec
from tdml_assets.engines.registry import Choice, choose_engine
from tdml_assets.models.champions import disk_of, model_spec_of, tier_of
from tdml_assets.platform.resources import spill_folder
from tdml_assets.stages.features.columns import choose_features, features_table

if TYPE_CHECKING:
    from tdml_assets.engines.protocol import Tier
    from tdml_assets.platform.warehouse import Database
    from tdml_assets.settings import Settings


def with_engine(database: Database, spec: WorkflowSpec, settings: Settings) -> tuple[WorkflowSpec, Choice]:
    """The specification with its engine, and why it is that one.

    Raises ``MemoryError`` if the rows fit no engine that the workflow allows.
    """
    columns = choose_features(database.columns(features_table(spec)), spec.features)
    # Levels are not counted yet: as many as there may be.
    features = len(columns.numeric) + len(columns.text) * (spec.features.one_hot_limit + 1)
    rows = database.count((spec.name, "training_table"))
    possible = {spec.engine_name: spec}
    if spec.engine == "auto" and spec.model.estimator in (None, "auto") and spec.learns in HIVEMALL_ESTIMATORS:
        possible["hivemall"] = as_linear(spec)
    tier, folder = room_of(spec, settings)
    asked = {name: replace(model_spec_of(one), spill_folder=folder) for name, one in possible.items()}
    choice = choose_engine(spec.engine, asked, rows, features, tier)
    return possible[choice.engine], choice


def room_of(spec: WorkflowSpec, settings: Settings) -> tuple[Tier, str]:
    """What the engine may use, and the folder in which it may keep rows; empty where it must hold them in memory."""
    tier, folder = tier_of(spec, settings.tier), spill_folder(settings)
    return (disk_of(tier, folder), str(folder)) if spec.split.takes_all else (tier, "")


def as_linear(spec: WorkflowSpec) -> WorkflowSpec:
    """The same workflow with ``engine: hivemall``; what its preparation leaves open becomes that of a linear model."""
    declared = spec.model_dump(exclude_unset=True)
    prepare = declared.get("prepare", {})
    if prepare.get("nulls") == "keep":
        prepare = {name: value for name, value in prepare.items() if name != "nulls"}
    model = {name: value for name, value in declared.get("model", {}).items() if name in ("seed", "reasons")}
    return WorkflowSpec.model_validate({**declared, "engine": "hivemall", "prepare": prepare, "model": model})
