"""What CONTRIBUTING promises about adding a kind: a module outside of the package is enough.

Destinations have the same test in ``tests/activation/test_registry.py``, on the module that the documents show.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.component import effective_spec
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.protocol import TIER1, ModelSpec, table_source
from tdml_assets.engines.registry import engine_named
from tdml_assets.models.champions import engine_of
from tdml_assets.settings import SettingsError, load_settings

ENGINE = '''
"""An engine whose model predicts the mean of the training rows."""
import json
import pyarrow as pa
from tdml_assets.engines.protocol import Estimate, Recipe

class Mean:
    def __init__(self, features, mean):
        self.features, self.mean, self.recipe = features, mean, Recipe({}, {})
    def score(self, batch):
        return pa.record_batch({"predicted_target": pa.array([self.mean] * batch.num_rows)})
    def reasons(self, batch):
        return None
    def importances(self, source, rows=2000):
        return []
    def files(self):
        return {"mean.json": json.dumps({"features": self.features, "mean": self.mean}).encode()}

class MeanEngine:
    name, streams = "shop.MeanEngine", False
    def __init__(self, trusted_types=()):
        self.trusted_types = trusted_types
    def wants_unlabelled(self, spec):
        return False
    def estimate(self, spec, rows, features, tier):
        return Estimate(True, "one number")
    def fit(self, train, validation, spec, tier):
        targets = [value for batch in train.batches() for value in batch.column(batch.num_columns - 1).to_pylist()]
        return Mean(list(train.features), sum(targets) / len(targets))
    def refit(self, sources, recipe, spec, tier):
        return self.fit(sources[0], None, spec, tier)
    def load(self, files, spec, tier):
        return Mean(**json.loads(files["mean.json"]))
'''


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of a user's own modules on the path."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("shop"):
            del sys.modules[name]


def declared(engine: str) -> WorkflowSpec:
    return WorkflowSpec.model_validate({"name": "cltv", "engine": engine})


def test_an_engine_is_one_module(shop: Path) -> None:
    (shop / "shop_engine.py").write_text(ENGINE, encoding="utf-8")
    settings = load_settings({"TDML_HOME": str(shop / "home")}, working_folder=shop)
    spec = effective_spec(declared("shop_engine.MeanEngine"), settings)
    assert spec is not None
    engine = engine_of(spec, settings)
    rows = pa.table({"a": np.arange(4, dtype=np.float32), "target": [1.0, 2.0, 3.0, 6.0]})
    source = table_source(rows, "target", 10)
    assert engine.estimate(ModelSpec(spec.estimator), 4, 1, TIER1).fits
    model = engine.fit(source, source, ModelSpec(spec.estimator), TIER1)
    again = engine.load(model.files(), ModelSpec(spec.estimator), TIER1)
    (batch,) = rows.select(["a"]).to_batches()
    assert again.score(batch)["predicted_target"].to_pylist() == [3.0] * 4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shop_engine.Missing", "engine: shop_engine.Missing cannot be imported"),
        ("nowhere.Engine", "No module named"),
    ],
)
def test_an_engine_that_cannot_be_imported_is_named_with_the_form(shop: Path, name: str, words: str) -> None:
    (shop / "shop_engine.py").write_text(ENGINE, encoding="utf-8")
    with pytest.raises(SettingsError, match=words):
        effective_spec(declared(name), load_settings({"TDML_HOME": str(shop / "home")}, working_folder=shop))


def test_a_name_without_a_module_is_answered_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="no engine 'spark': use one of python, hivemall, or the import path"):
        engine_named("spark")
