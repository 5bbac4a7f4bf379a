"""Model bundles that are consistent with their manifest and deformed: small versions of every kind, and ways to spoil them.

Belongs here: making the versions, choosing the file that is spoilt, and what the product then does with it. Does not: how bytes are
deformed (``robustness_deform.py``), counting and the processes it is done in (``robustness_models.py``).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.robustness_deform import deformed
from tdml_assets.declaration.recommendation import Recommendation
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.intervals import fit_intervals
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.protocol import TIER1, ModelSpec, table_source
from tdml_assets.engines.registry import engine_named
from tdml_assets.models.bundles import BundleDamagedError, Manifest, ModelFeature, as_evaluated, describe_files, sha256
from tdml_assets.models.champions import (
    INTERVALS_FILE,
    load_champion,
    load_measurable,
    reference_files,
)
from tdml_assets.models.golden import GOLDEN_FILE, golden_predictions
from tdml_assets.models.reference import ColumnReference, Reference
from tdml_assets.models.scope import SCOPE_FILE, Scope
from tdml_assets.models.store import ModelStore
from tdml_assets.recommendation.baskets import Baskets
from tdml_assets.recommendation.model import Choice, History, fit, golden_batch, load_recommender, score_golden
from tdml_assets.settings import Settings
from tdml_assets.stages.preparation.parameters import PREPARATION_FILE, NumericColumn, Parameters

FEATURES = ("total_pageviews", *HISTORY)
#: Task and parameters per estimator.
ESTIMATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "two_stage_xgboost": ("regression", {"rounds": 12, "patience": 4}),
    "lifetime_xgboost": ("regression", {"rounds": 8, "patience": 4}),
    "pareto_nbd_gamma_gamma": ("regression", {}),
    "sklearn.ensemble.RandomForestRegressor": ("regression", {"n_estimators": 4, "max_depth": 5}),
    "sklearn.ensemble.HistGradientBoostingRegressor": ("regression", {"max_iter": 4}),
    "sklearn.ensemble.GradientBoostingRegressor": ("regression", {"n_estimators": 4}),
    "sklearn.neighbors.KNeighborsRegressor": ("regression", {"algorithm": "kd_tree", "leaf_size": 20}),
    "sklearn.svm.SVR": ("regression", {}),
    "xgboost.XGBRegressor": ("regression", {"n_estimators": 6, "max_depth": 3}),
    "xgboost_classifier": ("classification", {"rounds": 12, "patience": 4}),
    "lifetime_xgboost_classifier": ("classification", {"rounds": 8, "patience": 4}),
    "minibatch_kmeans": ("clustering", {"k": 3, "order_by": "total_pageviews"}),
    "train_regressor": ("regression", {"eta0": 0.01}),
    "train_classifier": ("classification", {"eta0": 0.01}),
    "item_knn": ("recommendation", {"neighbours": 5}),
    "als": ("recommendation", {"factors": 3, "iterations": 2, "regularization": 0.1, "alpha": 2.0}),
}
_NAME, _VERSION = "probe", "2024-06-30-0123456789ab"
_NOW = datetime.fromisoformat("2024-07-01T00:00")
Files = Mapping[str, bytes]
#: What a refusal raises.
REFUSED = BundleDamagedError


@dataclass(frozen=True)
class Original:
    """A version as it was stored, and what it gives."""

    estimator: str
    manifest: Manifest
    files: Files


@dataclass(frozen=True)
class Loaded:
    """What a version gives for the probe rows: numbers per row."""

    scores: np.ndarray[Any, np.dtype[np.float64]]


def _rows(seed: int, count: int = 500) -> pa.Table:
    rng = np.random.default_rng(seed)
    age = rng.integers(100, 365, count).astype(float)
    repeats = rng.poisson(rng.gamma(0.9, 2.0, count)).astype(float)
    recency = np.where(repeats > 0, np.round(age * rng.random(count)).clip(1), 0.0)
    mean = np.where(repeats > 0, rng.gamma(4.0, 10.0, count), 0.0)
    target = np.where(rng.random(count) < 0.2 + 0.5 * (repeats > 1), mean + 5.0, 0.0)
    columns = [rng.integers(0, 50, count).astype(float), repeats, recency, age, mean]
    return pa.table([*(pa.array(c.astype(np.float32)) for c in columns), pa.array(target)], names=[*FEATURES, "target"])


def _spec(estimator: str) -> WorkflowSpec:
    task, parameters = ESTIMATORS[estimator]
    content: dict[str, Any] = {"name": _NAME, "task": task, "target": {"horizon_days": 30}}
    if task != "recommendation":
        content["model"] = {"estimator": estimator, "parameters": {} if task == "clustering" else parameters}
        content["engine"] = _engine(estimator)
    return WorkflowSpec.model_validate(content)


def _engine(estimator: str) -> str:
    return "hivemall" if estimator.startswith("train_") else "python"


def _settings() -> Settings:
    home = Path(tempfile.gettempdir())
    return Settings(home=home, base_folder=home)


def make(estimator: str) -> Original:
    """Train a small version and describe it as a session does."""
    task, parameters = ESTIMATORS[estimator]
    if task == "recommendation":
        files, engine_features = _recommender_files(estimator, parameters), (("product_id", "VARCHAR"),)
    else:
        files, engine_features = _model_files(estimator, task, parameters), tuple((name, "FLOAT") for name in FEATURES)
    spec = _spec(estimator)
    manifest = Manifest(
        workflow=_NAME,
        version=_VERSION,
        as_of=date(2024, 6, 30),
        features=tuple(ModelFeature(name, kind) for name, kind in engine_features),
        target="target",
        engine=_engine(estimator),
        spec={**spec.model_dump(mode="json"), "estimator": spec.estimator},
        data_fingerprint="0",
        code_version="0",
        libraries={},
        metrics={"mae": 1.0},
        session_id="study",
        created_at=_NOW,
        files=describe_files(files),
    )
    return Original(estimator, manifest, files)


def _model_files(estimator: str, task: str, parameters: Mapping[str, Any]) -> dict[str, bytes]:
    kind = "purchase" if task == "classification" else "net_spend"
    asked = ModelSpec(estimator=estimator, parameters=parameters, task=task, horizon_days=30, target_kind=kind)
    train, validation = _rows(1), _rows(2, 300)
    if task == "classification":
        place = train.column_names.index("target")
        train, validation = (
            table.set_column(place, "target", pa.array((table["target"].to_numpy() > 0).astype(float)))
            for table in (train, validation)
        )
    engine = engine_named(_engine(estimator))
    evaluated = engine.fit(table_source(train, "target"), table_source(validation, "target"), asked, TIER1)
    golden = _features(_rows(3, 20))
    sample = pa.table({name: golden.column(place) for place, name in enumerate(golden.schema.names)})
    column = ColumnReference("orders", True, 6, 6, 1.0, 1.0, 0.0, 2.0, (1.0,), (), (3, 3, 0))
    described = reference_files(features=Reference((column,)), predictions=Reference((column,)), sample=sample)
    prepared = Parameters(tuple(NumericColumn(name, None, None, None, 0.0, 1.0) for name in FEATURES), (), "clip", {})
    return {
        **evaluated.files(),
        **described,
        **as_evaluated({**evaluated.files(), SCOPE_FILE: Scope(date(2024, 5, 31)).to_json()}),
        GOLDEN_FILE: golden_predictions(golden, evaluated.score(golden)),
        PREPARATION_FILE: prepared.to_json().encode(),
        **_interval_files(task, evaluated.score(_features(validation)), validation),
    }


def _interval_files(task: str, scored: pa.RecordBatch, rows: pa.Table) -> dict[str, bytes]:
    """Intervals of a model of amounts."""
    if task != "regression":
        return {}
    predicted = scored.column("predicted_target").to_numpy().astype(np.float64)
    found = fit_intervals(predicted, rows["target"].to_numpy().astype(np.float64))
    return {} if found is None else {INTERVALS_FILE: found.to_json().encode()}


def _recommender_files(learner: str, parameters: Mapping[str, Any]) -> dict[str, bytes]:
    baskets, products = _baskets(), pa.array([f"product {place}" for place in range(30)])
    popular = np.bincount(baskets.codes, minlength=30).astype(np.float64)
    customers = pa.array([str(place) for place in range(len(baskets.starts) - 1)])
    history = History(products, np.sort(popular)[::-1].copy(), customers, baskets)
    model = fit(history, Choice(learner, parameters=parameters), Recommendation(count=4, discover_count=2), seed=1)
    golden = golden_batch(model.columns)
    return {**model.files(), GOLDEN_FILE: golden_predictions(golden, score_golden(model, golden))}


def _baskets() -> Baskets:
    rng = np.random.default_rng(5)
    rows = [np.sort(rng.permutation(30)[: rng.integers(2, 7)]) for _ in range(120)]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    codes = np.concatenate(rows).astype(np.int32)
    return Baskets(starts, codes, np.ones(len(codes)), rng.integers(0, 90, len(codes)).astype(np.float64), 30)


def _features(table: pa.Table) -> pa.RecordBatch:
    return table.select(list(FEATURES)).combine_chunks().to_batches()[0]


def load(root: Path, estimator: str, recorded: Mapping[str, str] | None = None) -> Loaded:
    """Read the version below ``root`` as a session does, and score with it.

    Parameters
    ----------
    recorded : what each version was when it was trained, as the warehouse keeps it.

    Raises
    ------
    BundleDamagedError
        If the product refuses it.
    """
    models = ModelStore(url=str(root))
    if ESTIMATORS[estimator][0] == "recommendation":
        model = load_recommender(models, _NAME, recorded).model
        baskets = replace(_baskets(), products=len(model.products))
        return Loaded(np.nan_to_num(model.discoveries(baskets).scores.astype(np.float64), neginf=-1.0))
    spec, settings = _spec(estimator), _settings()
    champion = load_champion(models, spec, settings, recorded)
    load_measurable(models.open().read_champion(_NAME), spec, settings)
    probe = _features(_rows(4))
    scored = champion.model.score(probe)
    champion.model.reasons(probe)
    described = (champion.parameters, (champion.features, champion.predictions), champion.intervals)
    prepared = [repr(part).encode() for part in described]
    facts = [float(sum(text) % 1_000_003) for text in prepared]
    return Loaded(np.concatenate([*(column.to_numpy() for column in scored.columns), facts]))


def store(root: Path, original: Original, files: Files, manifest: bytes | None = None) -> None:
    """Write a version whose manifest describes ``files``, and point to it. Given bytes replace the manifest."""
    described = replace(original.manifest, files=describe_files(files))
    opened = ModelStore(url=str(root)).open()
    opened.write(described, files)
    opened.promote(_NAME, _VERSION, replacing=None, reason="study", session_id="study", promoted_at=_NOW)
    if manifest is not None:
        (root / _NAME / _VERSION / "manifest.json").write_bytes(manifest)
        pointer = root / _NAME / "champion.json"
        content = json.loads(pointer.read_bytes())
        pointer.write_text(json.dumps({**content, "manifest_sha256": sha256(manifest)}))


def deform(original: Original, rng: np.random.Generator) -> tuple[str, Files, bytes | None]:
    """Spoil one file of a version. Returns what was done, the files, and the manifest where that was spoilt."""
    files = dict(original.files)
    names = [*sorted(files), "manifest.json"]
    name = names[int(rng.integers(len(names)))]
    if name == "manifest.json":
        what, data = deformed(original.manifest.to_bytes(), name, rng)
        return f"{original.estimator}: {name}: {what}", files, data
    if rng.random() < 0.03:
        del files[name]
        return f"{original.estimator}: {name}: left out", files, None
    what, files[name] = deformed(files[name], name, rng)
    return f"{original.estimator}: {name}: {what}", files, None
