"""The champion as the stages that use it see it: verified, parsed, and proven on its golden rows."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq

from tdml_assets.core.bundles import GOLDEN_FILE, Manifest, check_golden
from tdml_assets.core.drift import Reference
from tdml_assets.core.preparation import PREPARATION_FILE, Parameters
from tdml_assets.core.tasks import Previous, task_of
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.engines.protocol import FittedModel, ModelSpec, Tier, tier_named
from tdml_assets.engines.python import PythonEngine
from tdml_assets.environment import machine
from tdml_assets.resources.model_store import ModelStore
from tdml_assets.settings import Settings

_FEATURES_FILE = "reference_features.json"
_PREDICTIONS_FILE = "reference_predictions.json"
_SAMPLE_FILE = "reference_sample.parquet"
_OWN_FILES = {GOLDEN_FILE, PREPARATION_FILE, _FEATURES_FILE, _PREDICTIONS_FILE, _SAMPLE_FILE}


def engine_of(settings: Settings) -> PythonEngine:
    """What trains and scores."""
    return PythonEngine(settings.trusted_types)


def tier_of(spec: WorkflowSpec, default: str) -> Tier:
    """What the engine may use: the workflow's tier, or the settings'."""
    cores, memory_gb = machine()
    return tier_named(spec.tier or default, cpus=cores, memory_gb=memory_gb, disk_gb=memory_gb)


def model_spec_of(spec: WorkflowSpec, previous: Previous = dict) -> ModelSpec:
    """What the engine is asked to train; ``previous`` reads the files of the champion before."""
    return ModelSpec(
        estimator=spec.estimator,
        parameters=task_of(spec).learner_parameters(spec, previous),
        seed=spec.model.seed,
        task=spec.task,
        steps=tuple(step.model_dump() for step in spec.model.steps),
        horizon_days=spec.target.horizon_days,
    )


@dataclass(frozen=True)
class LoadedChampion:
    """A champion ready to score.

    Parameters
    ----------
    manifest : what it is.
    model : the parsed model.
    parameters : its preparation.
    features, predictions : statistics its session stored, which drift is measured against.
    sample : Parquet bytes of some of the rows behind them, without ids, for the report.
    """

    manifest: Manifest
    model: FittedModel
    parameters: Parameters
    features: Reference
    predictions: Reference
    sample: bytes


def reference_files(*, features: Reference, predictions: Reference, sample: pa.Table) -> dict[str, bytes]:
    """What a session stores beside its model, so that drift can be measured when its tables are long gone."""
    buffer = io.BytesIO()
    pq.write_table(sample, buffer)
    return {
        _FEATURES_FILE: features.to_json().encode(),
        _PREDICTIONS_FILE: predictions.to_json().encode(),
        _SAMPLE_FILE: buffer.getvalue(),
    }


def load_champion(models: ModelStore, spec: WorkflowSpec, settings: Settings) -> LoadedChampion:
    """Read the champion; every byte is verified before it is parsed.

    Raises
    ------
    LookupError
        If nothing was promoted yet.
    BundleDamagedError
        If a file is not what was stored, or the model no longer gives its golden predictions.
    """
    bundle = models.open().read_champion(spec.name)
    files = bundle.files
    own = {name: data for name, data in files.items() if name not in _OWN_FILES}
    # By the estimator it was trained with: the workflow's may have changed since.
    stored = replace(model_spec_of(spec), estimator=bundle.manifest.spec.get("estimator", spec.estimator))
    model = engine_of(settings).load(own, stored, tier_of(spec, settings.tier))
    check_golden(files[GOLDEN_FILE], model.score)
    return LoadedChampion(
        manifest=bundle.manifest,
        model=model,
        parameters=Parameters.from_json(files[PREPARATION_FILE].decode()),
        features=Reference.from_json(files[_FEATURES_FILE].decode()),
        predictions=Reference.from_json(files[_PREDICTIONS_FILE].decode()),
        sample=files[_SAMPLE_FILE],
    )
