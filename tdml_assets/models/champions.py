"""The champion as the stages that use it see it: verified, parsed, and proven on its golden rows."""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.intervals import Intervals
from tdml_assets.engines.learner_choice import AUTO
from tdml_assets.engines.protocol import Engine, FittedModel, ModelSpec, Tier, require_same_columns, tier_named
from tdml_assets.engines.registry import ENGINES, engine_named
from tdml_assets.models.bundle_store import Bundle
from tdml_assets.models.bundles import EVALUATED_PREFIX, Manifest, evaluated_of, other_libraries, refusing_damage
from tdml_assets.models.golden import GOLDEN_FILE, check_golden
from tdml_assets.models.reference import Reference
from tdml_assets.models.scope import SCOPE_FILE
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.environment import library_versions
from tdml_assets.platform.machine import machine
from tdml_assets.settings import Settings
from tdml_assets.stages.preparation.parameters import PREPARATION_FILE, Parameters
from tdml_assets.tasks import Previous, task_of

FEATURES_FILE = "reference_features.json"
PREDICTIONS_FILE = "reference_predictions.json"
SAMPLE_FILE = "reference_sample.parquet"
TARGET_FILE = "reference_target.json"
INTERVALS_FILE = "intervals.json"
#: What ``estimator: auto`` chose, and from what.
CHOICE_FILE = "choice.json"
#: Parts of a specification that do not determine the model, and so no part of a version's identity.
NOT_THE_MODEL = {"schedule", "monitor", "gate", "attributes", "label", "description", "horizons", "level"}
_OWN_FILES = {
    GOLDEN_FILE,
    PREPARATION_FILE,
    FEATURES_FILE,
    PREDICTIONS_FILE,
    SAMPLE_FILE,
    TARGET_FILE,
    INTERVALS_FILE,
    CHOICE_FILE,
}


def kinds_of(spec: WorkflowSpec) -> set[str]:
    """What a model of the workflow is made with, as the UI's icons call it."""
    if spec.engine_name == "hivemall":
        return {"duckdb", "sql"}
    if spec.estimator == AUTO or "xgboost" in spec.estimator:
        return {"python", "xgboost"}
    return (
        {"python", "scikitlearn"} if spec.estimator.startswith("sklearn.") or "kmeans" in spec.estimator else {"python"}
    )


def engine_of(spec: WorkflowSpec, settings: Settings) -> Engine:
    """What trains a workflow's models."""
    return engine_named(spec.engine_name, settings.trusted_types)


def tier_of(spec: WorkflowSpec, default: str) -> Tier:
    """What the engine may use: the workflow's tier, or the settings'."""
    cores, memory_gb = machine()
    return tier_named(spec.tier or default, cpus=cores, memory_gb=memory_gb, disk_gb=memory_gb)


def disk_of(tier: Tier, folder: Path) -> Tier:
    """The tier with the disk that is free where rows are kept: of ``machine`` all of it."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(there).free / 1e9
    return replace(tier, disk_gb=free if tier.name == "machine" else min(tier.disk_gb, free))


def model_spec_of(spec: WorkflowSpec, previous: Previous = dict) -> ModelSpec:
    """What the engine is asked to train; ``previous`` reads the files of the champion before."""
    return ModelSpec(
        estimator=spec.estimator,
        parameters=task_of(spec).learner_parameters(spec, previous),
        seed=spec.model.seed,
        task=spec.learns,
        steps=tuple(step.model_dump() for step in spec.model.steps),
        horizon_days=spec.target.horizon_days,
        target_kind=spec.target_kind,
        target_transform=spec.prepare.target_transform,
        options=spec.model.options,
    )


@dataclass(frozen=True)
class LoadedChampion:
    """A champion ready to score.

    ``manifest``: what it is. ``model``: the parsed model. ``parameters``: its preparation. ``features``, ``predictions``:
    statistics its session stored, which drift is measured against. ``sample``: Parquet bytes of some of the rows behind them,
    without ids, for the report. ``intervals``: bounds of predicted amounts; None where its test had too few rows, or nothing is
    an amount.
    """

    manifest: Manifest
    model: FittedModel
    parameters: Parameters
    features: Reference
    predictions: Reference
    sample: bytes
    intervals: Intervals | None = None


def reference_files(*, features: Reference, predictions: Reference, sample: pa.Table) -> dict[str, bytes]:
    """What a session stores next to its model, so that drift can be measured when its tables are long gone."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(sample, buffer)
    return {
        FEATURES_FILE: features.to_json().encode(),
        PREDICTIONS_FILE: predictions.to_json().encode(),
        SAMPLE_FILE: buffer.getvalue(),
    }


def load_champion(
    models: ModelStore, spec: WorkflowSpec, settings: Settings, recorded: Mapping[str, str] | None = None
) -> LoadedChampion:
    """Read the champion; every byte is verified before it is parsed.

    ``recorded``: what each version was when it was trained, as the warehouse keeps it. Raises ``LookupError`` if nothing was
    promoted yet. Raises ``BundleDamagedError`` if a file is not what was stored, or the model no longer gives its golden
    predictions.
    """
    bundle = models.open().read_champion(spec.name, recorded)
    files = bundle.files
    model = _load_final(bundle, spec, settings)
    return LoadedChampion(
        manifest=bundle.manifest,
        model=model,
        parameters=_parameters_of(bundle, model),
        features=read_reference(files, FEATURES_FILE),
        predictions=read_reference(files, PREDICTIONS_FILE),
        sample=_sample_of(files),
        intervals=_intervals_of(files),
    )


@refusing_damage(INTERVALS_FILE)
def _intervals_of(files: Mapping[str, bytes]) -> Intervals | None:
    return Intervals.from_json(files[INTERVALS_FILE].decode()) if INTERVALS_FILE in files else None


@refusing_damage(SAMPLE_FILE)
def _sample_of(files: Mapping[str, bytes]) -> bytes:
    return files[SAMPLE_FILE]


def warn_of_libraries(log: logging.Logger, manifest: Manifest) -> None:
    """Log where a library has another major version than when the model was stored."""
    changed = other_libraries(manifest.libraries, library_versions())
    if changed:
        log.warning(
            f"{manifest.version} was trained with other libraries ({'; '.join(changed)}): it still gives its golden predictions, "
            "train again to be sure of the rest"
        )


@refusing_damage("a reference of the model")
def read_reference(files: Mapping[str, bytes], name: str) -> Reference:
    """A stored reference. Raises ``BundleDamagedError`` where it is missing or cannot be one."""
    return Reference.from_json(files[name].decode())


@dataclass(frozen=True)
class Measurable:
    """The fit of a version that was measured, and the preparation it shares with the one that scores."""

    model: FittedModel
    parameters: Parameters

    @property
    def sources(self) -> set[str]:
        """Columns of the feature table that the preparation reads."""
        numeric, levels = self.parameters.numeric, self.parameters.levels
        return {column.name for column in numeric} | {level.source for level in levels}


def load_measurable(bundle: Bundle, spec: WorkflowSpec, settings: Settings) -> Measurable | None:
    """The fit that was measured; None where the version keeps none.

    Raises ``BundleDamagedError`` if the model that scores no longer gives its golden predictions.
    """
    _load_final(bundle, spec, settings)
    files = {name: data for name, data in evaluated_of(bundle.files).items() if name != SCOPE_FILE}
    if not files:
        return None
    model = _load(files, bundle, spec, settings)
    return Measurable(model, _parameters_of(bundle, model))


def _load_final(bundle: Bundle, spec: WorkflowSpec, settings: Settings) -> FittedModel:
    """The model that scores, proven on its golden rows."""
    others = {name for name in bundle.files if name in _OWN_FILES or name.startswith(EVALUATED_PREFIX)}
    model = _load({name: bundle.files[name] for name in bundle.files.keys() - others}, bundle, spec, settings)
    with refusing_damage(GOLDEN_FILE):
        check_golden(bundle.files[GOLDEN_FILE], model.score)
    return model


@refusing_damage(PREPARATION_FILE)
def _parameters_of(bundle: Bundle, model: FittedModel) -> Parameters:
    """The preparation, which must give what the model takes."""
    found = Parameters.from_json(bundle.files[PREPARATION_FILE].decode())
    require_same_columns(model.features, found.feature_names, "columns it prepares, against those the model takes")
    return found


def _load(files: Mapping[str, bytes], bundle: Bundle, spec: WorkflowSpec, settings: Settings) -> FittedModel:
    # By the engine and the estimator it was trained with: the workflow's may have changed since.
    stored = replace(model_spec_of(spec), estimator=bundle.manifest.spec.get("estimator", spec.estimator))
    with refusing_damage(f"the model {bundle.manifest.version} of {spec.name}"):
        name = bundle.manifest.engine
        if name not in (*ENGINES, spec.engine_name):
            # A manifest must not decide what is imported.
            raise ValueError(f"its engine {name!r} is not the one that the workflow declares: write engine: {name}")
        engine = engine_named(name, settings.trusted_types)
        return engine.load(files, stored, tier_of(spec, settings.tier))
