"""The champion as the stages that use it see it: verified, parsed, and proven on its golden rows."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from tdml_assets.core.bundles import GOLDEN_FILE, Manifest, check_golden
from tdml_assets.core.drift import Reference
from tdml_assets.core.preparation import Parameters
from tdml_assets.engines.protocol import FittedModel, Tier
from tdml_assets.engines.python import PythonEngine
from tdml_assets.resources.model_store import ModelStore

PREPARATION_FILE = "preparation.json"
_FEATURES_FILE = "reference_features.json"
_PREDICTIONS_FILE = "reference_predictions.json"
_SAMPLE_FILE = "reference_sample.parquet"
_OWN_FILES = {GOLDEN_FILE, PREPARATION_FILE, _FEATURES_FILE, _PREDICTIONS_FILE, _SAMPLE_FILE}


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


def load_champion(models: ModelStore, workflow: str, tier: Tier) -> LoadedChampion:
    """Read the champion; every byte is verified before it is parsed.

    Raises
    ------
    LookupError
        If nothing was promoted yet.
    BundleDamagedError
        If a file is not what was stored, or the model no longer gives its golden predictions.
    """
    bundle = models.open().read_champion(workflow)
    files = bundle.files
    model = PythonEngine().load({name: data for name, data in files.items() if name not in _OWN_FILES}, tier)
    check_golden(files[GOLDEN_FILE], model.score)
    return LoadedChampion(
        manifest=bundle.manifest,
        model=model,
        parameters=Parameters.from_json(files[PREPARATION_FILE].decode()),
        features=Reference.from_json(files[_FEATURES_FILE].decode()),
        predictions=Reference.from_json(files[_PREDICTIONS_FILE].decode()),
        sample=files[_SAMPLE_FILE],
    )
