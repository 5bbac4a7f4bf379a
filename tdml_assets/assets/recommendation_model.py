"""<workflow>/candidate_model, evaluation, champion_model of a recommendation: choose, measure, promote.

Belongs here: reading baskets, keeping what was trained, asking whether it may score. Does not: choosing and measuring
(``core/recommendation/selection.py``), learners (``engines/recommender.py``).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version as library_version
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from tdml_assets.assets.champions import tier_of
from tdml_assets.assets.sessions import as_of, find_session, record_session, session_id_of
from tdml_assets.core.bundles import (
    GOLDEN_FILE,
    Manifest,
    ModelFeature,
    describe_files,
    golden_predictions,
    version_name,
)
from tdml_assets.core.monitoring import MODEL_METRICS, MODEL_PARAMS
from tdml_assets.core.recommendation import figures
from tdml_assets.core.recommendation.metrics import Metrics, may_be_promoted
from tdml_assets.core.recommendation.model import History, Recommender, golden_batch, history_from, score_golden
from tdml_assets.core.recommendation.selection import (
    MODEL,
    PERSONAL_LIST,
    POPULAR_LIST,
    Observed,
    Trained,
    observed_from,
    spread,
    train,
    window_metrics,
)
from tdml_assets.core.recommendation.tables import (
    holdout_contract,
    holdout_rows,
    outcome_from,
    stored_rows,
    training_contract,
)
from tdml_assets.core.recommendation.watch import describe
from tdml_assets.core.statements import render
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.environment import code_version, library_versions
from tdml_assets.metadata import OWNER, plot, table_metadata, table_preview
from tdml_assets.resources.bundle_store import BundleStore
from tdml_assets.resources.model_store import ModelStore
from tdml_assets.resources.raw_tables import fingerprint as raw_fingerprint
from tdml_assets.resources.warehouse import Database, Warehouse
from tdml_assets.settings import Settings

HABITS_FILE, DISCOVERIES_FILE = "reference_habits.json", "reference_discoveries.json"
ENGINE = "python"
_INPUTS = (("product_id", "VARCHAR"), ("purchases", "BIGINT"), ("last_on", "DATE"))
_LIBRARIES = ("scipy", "implicit")
_PARTS = ("history", "truth")


def build_recommendation_model(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of one workflow."""
    return [_build_candidate(spec, settings), _build_evaluation(spec), _build_champion(spec)]


def read_interactions(database: Database, workflow: str, day: date, split: str) -> pa.Table:
    """One part of the training table, in a fixed order."""
    table = training_contract(workflow).path
    return database.arrow(render("recommendation/interactions", table=table, snapshot_date=day, split=split))


def _days(database: Database, workflow: str) -> list[date]:
    """Snapshots of the training table: where the model is chosen, where it is measured, as_of."""
    sizes = database.rows(render("recommendation/sizes", table=training_contract(workflow).path))
    return sorted({row["snapshot_date"] for row in sizes})


def _keep_holdout(
    database: Database, spec: WorkflowSpec, trained: Trained, observed: Mapping[str, Observed], everything: History
) -> dict[str, bytes]:
    """Write the lists of both windows and those of as_of; describe the latter as drift's reference files."""
    contract = holdout_contract(spec.name)
    database.replace(contract, [])
    *days, today = _days(database, spec.name)
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


def read_metrics(database: Database, spec: WorkflowSpec) -> dict[str, Metrics]:
    """Metrics per split, from the lists as they were stored."""
    table, found = holdout_contract(spec.name).path, {}
    sizes = database.rows(render("recommendation/sizes", table=training_contract(spec.name).path))
    for split, day in zip(("train", "test"), _days(database, spec.name), strict=False):
        truth = database.arrow(
            render("recommendation/truth_sizes", table=training_contract(spec.name).path, snapshot_date=day)
        )
        (catalogue,) = [row["products"] for row in sizes if (row["snapshot_date"], row["split"]) == (day, "history")]
        outcomes = {}
        for name in (MODEL, POPULAR_LIST, PERSONAL_LIST):
            rows = database.arrow(render("recommendation/holdout", table=table, split=split, list=name))
            outcomes[name] = outcome_from(rows, truth, length=spec.recommendation.length, catalogue=catalogue)
        found[split] = window_metrics(outcomes)
    return found


def _store(
    store: BundleStore,
    spec: WorkflowSpec,
    session: Mapping[str, Any],
    model: Recommender,
    files: Mapping[str, bytes],
    metrics: Metrics,
    fingerprint: str,
) -> str:
    """Write the version; returns its name."""
    golden = golden_batch(model.columns)
    files = {**model.files(), **files, GOLDEN_FILE: golden_predictions(golden, score_golden(model, golden))}
    described = spec.model_dump(mode="json", exclude={"schedule", "monitor", "attributes", "label", "description"})
    identity: dict[str, Any] = {
        "spec": described,
        "data_fingerprint": fingerprint,
        "code_version": code_version(),
        "libraries": library_versions() | {name: library_version(name) for name in _LIBRARIES},
    }
    manifest = Manifest(
        workflow=spec.name,
        version=version_name(session["as_of"], workflow=spec.name, **identity),
        as_of=session["as_of"],
        features=tuple(ModelFeature(name, kind) for name, kind in _INPUTS),
        target="product_id",
        engine=ENGINE,
        metrics=metrics,
        session_id=session["session_id"],
        created_at=datetime.now(UTC).replace(tzinfo=None),
        files=describe_files(files),
        **identity,
    )
    store.write(manifest, files)
    return manifest.version


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
    def candidate_model(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        with warehouse.read() as database:
            *days, today = _days(database, spec.name)
            observed = {
                split: observed_from(*(read_interactions(database, spec.name, day, part) for part in _PARTS))
                for split, day in zip(("train", "test"), days, strict=True)
            }
            everything = history_from(read_interactions(database, spec.name, today, "history"))
            session = {"session_id": session_id_of(context), "as_of": as_of(database)}
            fingerprint = raw_fingerprint(database)
        # The warehouse is free while the model trains.
        tier = tier_of(spec, settings.tier)
        trained = train(observed, everything, spec.recommendation, spec.model.seed, tier)
        with warehouse.write() as database:
            files = _keep_holdout(database, spec, trained, observed, everything)
            metrics = read_metrics(database, spec)["test"]
        version = _store(models.open(), spec, session, trained.final, files, metrics, fingerprint)
        facts = parameter_rows(spec, trained, everything)
        key = {"session_id": session["session_id"], "workflow": spec.name}
        with warehouse.write() as database:
            database.replace_slice(MODEL_PARAMS, key, [{**key, **row} for row in facts])
            record_session(database, context, spec.name, status="trained", engine=ENGINE, model_version=version)
            count = database.count(holdout_contract(spec.name).path)
        context.log.info(f"report: {version}, {trained.choice.learner} for what was never bought")
        shown = {"parameters": table_preview(facts), "tried": table_preview(trained.trials)}
        return dg.MaterializeResult(metadata={"dagster/row_count": count, "model_version": version, **shown})

    return candidate_model


def parameter_rows(spec: WorkflowSpec, trained: Trained, everything: History) -> list[dict[str, str]]:
    """Rows of ``monitoring.model_params`` without their key."""
    choice, wanted = trained.choice, spec.recommendation
    facts: dict[str, Any] = {
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


def _build_evaluation(spec: WorkflowSpec) -> dg.AssetsDefinition:
    key = dg.AssetKey([spec.name, "evaluation"])

    @dg.asset(
        key=key,
        deps=[[spec.name, "candidate_model"]],
        group_name=spec.name,
        kinds={"duckdb", "python"},
        owners=[OWNER],
        pool="warehouse",
        description="Recall, NDCG, hit rate and coverage of the lists, repeats and new products apart, beside popularity and "
        "personal frequency; 'train' is the window that choices were made on.",
        metadata=table_metadata(MODEL_METRICS),
        check_specs=[
            dg.AssetCheckSpec(
                "fit_to_score",
                asset=key,
                blocking=True,
                description="In the test window the lists find at least as much as the popular products; otherwise the candidate "
                "is held and the champion stays.",
            )
        ],
    )
    def evaluation(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        session = {"session_id": session_id_of(context), "workflow": spec.name}
        with warehouse.write() as database:
            metrics = read_metrics(database, spec)
            rows = [
                {**session, "evaluation_table": split, "metric": name, "value": value}
                for split, found in metrics.items()
                for name, value in found.items()
            ]
            count = database.replace_slice(MODEL_METRICS, session, rows)
            passed, reason = may_be_promoted(metrics["test"])
            note = {} if passed else {"note": reason}
            record_session(database, context, spec.name, status="evaluated" if passed else "held", **note)
        context.log.info(f"report: {reason}")
        drawn = plot("against the baselines", figures.against_baselines(metrics["test"]))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "verdict": reason,
                "metrics": table_preview(compared(metrics["test"])),
                "validation window": table_preview(compared(metrics["train"])),
                "comparison": drawn,
            },
            check_results=[dg.AssetCheckResult(check_name="fit_to_score", passed=passed, metadata={"verdict": reason})],
        )

    return evaluation


def compared(metrics: Metrics) -> Sequence[dict[str, Any]]:
    """One row per metric: the model, personal frequency, popularity."""
    names = [name for name in metrics if not name.startswith("baseline_")]
    return [
        {
            "metric": name,
            "model": metrics[name],
            "personal_frequency": metrics.get(f"{PERSONAL_LIST}_{name}"),
            "popular": metrics.get(f"{POPULAR_LIST}_{name}"),
        }
        for name in names
    ]


def _build_champion(spec: WorkflowSpec) -> dg.AssetsDefinition:
    @dg.asset(
        key=[spec.name, "champion_model"],
        deps=[[spec.name, "candidate_model"], [spec.name, "evaluation"]],
        group_name=spec.name,
        kinds={"python"},
        owners=[OWNER],
        pool="warehouse",
        description="The version that recommends. One pointer names it and moves atomically, past the evaluation's blocking "
        "check.",
    )
    def champion_model(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        store = models.open()
        with warehouse.read() as database:
            version = find_session(database, context, spec.name)["model_version"]
        _, reason = may_be_promoted(dict(store.manifest(spec.name, version).metrics))
        current = store.promote(
            spec.name,
            version,
            replacing=store.champion(spec.name),
            reason=reason,
            session_id=session_id_of(context),
            promoted_at=datetime.now(UTC).replace(tzinfo=None),
        )
        with warehouse.write() as database:
            record_session(database, context, spec.name, status="promoted")
        context.log.info(f"report: {version} recommends from now on")
        return dg.MaterializeResult(
            metadata={"model_version": version, "previous": current.champion.previous or "none", "reason": reason},
            data_version=dg.DataVersion(version),
        )

    return champion_model
