"""<workflow>/candidate_model of a recommendation, and with it evaluation and champion_model: choose, measure, promote.

Belongs here: reading baskets and keeping what was trained. Does not: choosing and measuring
(``recommendation/selection.py``), learners (``engines/recommender.py``).
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from importlib.metadata import version as library_version
from importlib.util import find_spec
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import Manifest, ModelFeature, as_evaluated, describe_files, version_name
from tdml_assets.models.champions import NOT_THE_MODEL, tier_of
from tdml_assets.models.golden import GOLDEN_FILE, golden_predictions
from tdml_assets.models.record import record_version
from tdml_assets.models.scope import SCOPE_FILE, Scope
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.environment import code_version, library_versions
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, table_metadata, table_preview
from tdml_assets.platform.monitoring import MODEL_PARAMS, MODEL_VERSIONS
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of, record_session, session_id_of
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.recommendation.metrics import Metrics
from tdml_assets.recommendation.model import (
    History,
    golden_batch,
    history_from,
    score_golden,
)
from tdml_assets.recommendation.selection import (
    MODEL,
    Observed,
    Trained,
    observed_from,
    spread,
    train,
)
from tdml_assets.recommendation.tables import (
    holdout_contract,
    holdout_rows,
    stored_rows,
    training_contract,
)
from tdml_assets.recommendation.watch import describe
from tdml_assets.settings import Settings
from tdml_assets.stages.evaluation.champion_asset import build_champion
from tdml_assets.stages.evaluation.gate_asset import VERSION
from tdml_assets.stages.evaluation.recommendation_asset import (
    PARTS,
    build_recommendation_evaluation,
    days_of,
    read_interactions,
    read_metrics,
)
from tdml_assets.stages.raw.fingerprint import fingerprint as raw_fingerprint
from tdml_assets.stages.reuse import Recall, reused

HABITS_FILE, DISCOVERIES_FILE = "reference_habits.json", "reference_discoveries.json"
ENGINE = "python"
_INPUTS = (("product_id", "VARCHAR"), ("purchases", "BIGINT"), ("last_on", "DATE"))
_LIBRARIES = ("scipy", "implicit")


def build_recommendation_model(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of one workflow."""
    return [_build_candidate(spec, settings), build_recommendation_evaluation(spec), build_champion(spec)]


def _keep_holdout(
    database: Database, spec: WorkflowSpec, trained: Trained, observed: Mapping[str, Observed], everything: History
) -> dict[str, bytes]:
    """Write the lists of both windows and those of as_of; describe the latter as drift's reference files."""
    contract = holdout_contract(spec.name)
    database.replace(contract, [])
    *days, today = days_of(database, spec.name)
    for (split, measured), day in zip(trained.measured.items(), days, strict=True):
        history = observed[split].history
        rows = holdout_rows(measured, history.customers, history.products, day=day, split=split)
        database.insert(contract, rows)
    chosen = spread(np.arange(len(everything.baskets)), spec.recommendation.measured_customers)
    lists = trained.final.recommend(everything.baskets.taken(chosen))
    customers = everything.customers.take(pa.array(chosen))
    database.insert(contract, stored_rows(lists, customers, everything.products, day=today, name=MODEL))
    watched = describe(database, contract.path, {"split": "stored"}, spec.recommendation)
    return {
        HABITS_FILE: watched.habits.to_json().encode(),
        DISCOVERIES_FILE: watched.discoveries.to_json().encode(),
    }


def _model_files(trained: Trained, tested_from: date) -> dict[str, bytes]:
    """The model that scores with its golden predictions, and next to it the one that was measured."""
    model = trained.final
    golden = golden_batch(model.columns)
    files = {**model.files(), GOLDEN_FILE: golden_predictions(golden, score_golden(model, golden))}
    return files | as_evaluated({**trained.evaluated.files(), SCOPE_FILE: Scope(tested_from).to_json()})


def _read_observed(database: Database, spec: WorkflowSpec) -> tuple[dict[str, Observed], History]:
    """What both windows looked like, and what is known at as_of."""
    *days, today = days_of(database, spec.name)
    observed = {
        split: observed_from(*(read_interactions(database, spec.name, day, part) for part in PARTS))
        for split, day in zip(("train", "test"), days, strict=True)
    }
    return observed, history_from(read_interactions(database, spec.name, today, "history"))


def _store(
    store: BundleStore,
    spec: WorkflowSpec,
    session_id: str,
    day: date,
    files: Mapping[str, bytes],
    metrics: Metrics,
    fingerprint: str,
    log: logging.Logger,
) -> Manifest:
    """Write the version; returns what it is."""
    described = spec.model_dump(mode="json", exclude=NOT_THE_MODEL)
    identity: dict[str, Any] = {
        "spec": described,
        "data_fingerprint": fingerprint,
        "code_version": code_version(),
        "libraries": library_versions() | {name: library_version(name) for name in _LIBRARIES if find_spec(name)},
    }
    manifest = Manifest(
        workflow=spec.name,
        version=version_name(day, workflow=spec.name, **identity),
        as_of=day,
        features=tuple(ModelFeature(name, kind) for name, kind in _INPUTS),
        target="product_id",
        engine=ENGINE,
        metrics=metrics,
        session_id=session_id,
        created_at=datetime.now(UTC).replace(tzinfo=None),
        files=describe_files(files),
        **identity,
    )
    store.write(manifest, files, lambda words: log.warning(f"report: {words}"))
    return manifest


def _recall(spec: WorkflowSpec, settings: Settings) -> Recall:
    """A candidate is a function of the baskets."""
    return Recall(
        spec,
        "candidate_model",
        [training_contract(spec.name).path, SNAPSHOTS_TABLE],
        settings,
        tables=[holdout_contract(spec.name).path],
        slices=[MODEL_PARAMS, MODEL_VERSIONS],
        recorded=["status", "engine", "model_version"],
        owes=lambda _, database, __: [raw_fingerprint(database), asdict(tier_of(spec, settings.tier))],
        has_model=True,
    )


def _build_candidate(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=[spec.name, "candidate_model"],
        deps=[[spec.name, "training_table"]],
        group_name=spec.name,
        kinds={"python", "scipy"},
        owners=[OWNER],
        pool="warehouse",
        description="Chooses on the validation window between popularity, item neighbours, EASE and factors for what a customer "
        "never bought, and how to order what they did; lists what it would have shown before the test window; then learns "
        "once more from everything and stores that as an immutable version.",
        metadata=table_metadata(holdout_contract(spec.name)),
    )
    @isolated(spec, "candidate_model")
    @reused(_recall(spec, settings))
    def candidate_model(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        session = {"session_id": session_id_of(context), "workflow": spec.name}
        with warehouse.read() as database:
            observed, everything = _read_observed(database, spec)
            tested_from = days_of(database, spec.name)[1]
            day, fingerprint = as_of(database), raw_fingerprint(database)
        # The warehouse is free while the model trains.
        tier = tier_of(spec, settings.tier)
        trained = train(observed, everything, spec.recommendation, spec.model.seed, tier)
        files = _model_files(trained, tested_from)
        with warehouse.write() as database:
            files |= _keep_holdout(database, spec, trained, observed, everything)
            metrics = read_metrics(database, spec)["test"]
        made = (day, files, metrics, fingerprint)
        stored = _store(models.open(), spec, session["session_id"], *made, context.log)
        version = stored.version
        facts = parameter_rows(spec, trained, everything, version)
        with warehouse.write() as database:
            record_version(database, session["session_id"], stored)
            database.replace_slice(MODEL_PARAMS, session, [{**session, **row} for row in facts])
            record_session(database, context, spec.name, status="trained", engine=ENGINE, model_version=version)
            count = database.count(holdout_contract(spec.name).path)
        context.log.info(f"report: {version}, {trained.choice.learner} for what was never bought")
        shown = {"parameters": table_preview(facts), "tried": table_preview(trained.trials)}
        return dg.MaterializeResult(metadata={"dagster/row_count": count, "model_version": version, **shown})

    return candidate_model


def parameter_rows(spec: WorkflowSpec, trained: Trained, everything: History, version: str) -> list[dict[str, str]]:
    """Rows of ``monitoring.model_params`` without their key."""
    choice, wanted = trained.choice, spec.recommendation
    facts: dict[str, Any] = {
        VERSION: version,
        "learner": choice.learner,
        "half_life_days": choice.half_life_days,
        "popularity_half_life_days": choice.fallback_half_life_days,
        **{f"parameter_{name}": value for name, value in choice.parameters.items()},
        **{f"blend_{name}": value for name, value in choice.blend.to_dict().items()},
        "seed": spec.model.seed,
        "horizon_days": spec.target.horizon_days,
        "count": wanted.count,
        "discover_count": wanted.discover_count,
        "products": len(everything.products),
        # The rest is only recommended to those who bought it.
        "products_scored": trained.final.columns,
        "customers": len(everything.baskets),
        "interactions": len(everything.baskets.codes),
    }
    return [{"parameter": name, "value": str(value)} for name, value in facts.items()]
