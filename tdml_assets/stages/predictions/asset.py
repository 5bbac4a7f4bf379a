"""<workflow>/predictions: the champion scores every customer known at as_of, in batches, in one transaction.

Where no model was ever promoted, a fallback scores (``fallback_asset.py``).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundles import Manifest
from tdml_assets.models.champions import LoadedChampion, load_champion, warn_of_libraries
from tdml_assets.models.record import recorded_versions
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.isolation import begin_outcome, isolated, keep_outcome
from tdml_assets.platform.metadata import plot, table_metadata, table_preview
from tdml_assets.platform.monitoring import LABEL_STATS, LEVEL
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of, record_session, session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import label_stats
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.features.columns import FEATURES_TABLE, choose_features, features_table
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.predictions.contracts import scores_contract
from tdml_assets.stages.predictions.fallback_asset import score_by_fallback
from tdml_assets.stages.predictions.history import keep_predictions
from tdml_assets.stages.predictions.in_sql import insert_scores, keep_weights, weights_contract
from tdml_assets.stages.predictions.level import move_scores, read_level_sentence
from tdml_assets.stages.predictions.next_orders import add_next_orders, drop_scores
from tdml_assets.stages.predictions.reasons import reason_names
from tdml_assets.stages.predictions.recommendation import score_lists
from tdml_assets.stages.predictions.scoring import Explainer, Loaded, Scoring, bounds_of
from tdml_assets.stages.reuse import Recall, champion_of, reused
from tdml_assets.stages.training_table.asset import make_features_view
from tdml_assets.tasks import task_of

#: With reasons a row carries its raw features too.
_EXPLAINED_ROWS = 100_000


def score_all(database: Database, spec: WorkflowSpec, champion: LoadedChampion, session_id: str) -> int:
    """Score the as_of snapshot into ``<workflow>.predictions``, inside the caller's transaction. Returns the customers."""
    day, scores, task = as_of(database), scores_contract(spec), task_of(spec)
    make_features_view(database, spec)
    chosen = choose_features(database.columns(features_table(spec)), spec.features)
    explainer = Explainer.of(champion.model, champion.features, chosen.all, spec.reasons)
    reasons = list(reason_names(spec.reasons))
    database.replace(scores, [])
    prepared = {
        "table": features_table(spec),
        "parameters": champion.parameters,
        "keys": ["customer_id"],
        "carried": explainer.columns if explainer else [],
        "snapshot_date": day,
        "drop_outliers": False,
        "ordered": False,
    }
    rows = min(spec.batch_rows, _EXPLAINED_ROWS) if explainer else spec.batch_rows
    keep_weights(database, spec.name, champion.model)
    insert_scores(database, scores, champion.model, prepared, rows, explainer, reasons)
    move_scores(database, spec, champion, scores, session_id)
    context = {"scores": scores.path, "session_id": session_id, "as_of": day, "snapshot_date": day, "reasons": reasons}
    task.name_groups(database, spec, day, scores.path)
    context |= bounds_of(champion.intervals) | add_next_orders(database, spec, scores.path, day)
    count = database.replace(task.predictions_contract(spec), task.publish(spec, **context))
    drop_scores(database, spec, scores.path)
    return count


def _profile(database: Database, spec: WorkflowSpec, count: int) -> tuple[bool, dict[str, Any]]:
    """Whether every customer known has one possible prediction, and the counts behind that."""
    task = task_of(spec)
    tables = {"table": (spec.name, "predictions"), "features_table": features_table(spec)}
    values = {"column": task.prediction, "highest": task.highest, "snapshots_table": SNAPSHOTS_TABLE}
    found = database.row(render("predictions/profile", **tables, **values))
    return count == found["customers"] == found["known_customers"] > 0 and not found["impossible"], found


def _look(database: Database, spec: WorkflowSpec, session_id: str, profile: Mapping[str, Any]) -> dict[str, Any]:
    task = task_of(spec)
    shown, total = task.look(database, spec), task.total_words(spec)
    stated = read_level_sentence(database, session_id, spec.name)
    return {
        **({total: float(profile["total"] or 0)} if total else {}),
        **({"level": stated} if stated else {}),
        **{title: table_preview(rows) for title, rows in shown.tables.items()},
        **{title: plot(title, picture) for title, picture in shown.plots.items()},
    }


def _score_rows(spec: WorkflowSpec, settings: Settings) -> Scoring[LoadedChampion]:
    """A row per customer."""
    task = task_of(spec)
    contract = task.predictions_contract(spec)
    # What scoring leaves for the engine's sake.
    of_engine = [weights_contract(spec.name).path] if spec.engine_name == "hivemall" else []
    return Scoring(
        description=task.describe(spec),
        metadata=table_metadata(contract),
        deps=[[spec.name, "champion_model"], ["features", "customer_features"], SNAPSHOTS_TABLE],
        reads=[FEATURES_TABLE, features_table(spec), SNAPSHOTS_TABLE, ORDERS_TABLE, (spec.name, "training_table")],
        check="every_customer_is_scored",
        promise="One possible prediction for every eligible customer known at as_of.",
        load=lambda models, recorded: load_champion(models, spec, settings, recorded),
        score=lambda database, champion, session_id: score_all(database, spec, champion, session_id),
        labels=("categories", lambda database: label_stats(database, contract.path, {}, task.category)),
        profile=lambda database, count, _: _profile(database, spec, count),
        look=lambda database, session_id, profile: _look(database, spec, session_id, profile),
        tables=[contract.path, *task.tables_of_scoring(spec), *of_engine],
        slices=[LABEL_STATS, *([] if task.level_kind is None else [LEVEL])],
    )


def _recall(spec: WorkflowSpec, settings: Settings, scoring: Scoring[Any]) -> Recall:
    """Predictions are a function of the champion and of the features of today; where a fallback scores they are made anew."""

    def owes(_: dg.AssetExecutionContext, __: Database, models: ModelStore | None) -> tuple[str, str]:
        champion = champion_of(spec.name, models)
        if champion is None:
            raise LookupError(f"{spec.name} has no champion: a fallback scores")
        return champion

    def again(context: dg.AssetExecutionContext, database: Database, models: ModelStore | None) -> None:
        version, _ = owes(context, database, models)
        if models is not None:
            manifest = models.open().manifest(spec.name, version)
            warn_of_libraries(context.log, manifest)
            keep_predictions(database, spec, session_id_of(context), version, manifest.as_of)
        keep_outcome(database, replace(begin_outcome(database, context, spec.name), method="champion"))

    return Recall(
        spec,
        "predictions",
        scoring.reads,
        settings,
        tables=scoring.tables,
        slices=scoring.slices,
        recorded=["status", "engine", "model_version"],
        owes=owes,
        has_model=True,
        again=again,
    )


def _open_champion(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    models: ModelStore,
    spec: WorkflowSpec,
    scoring: Scoring[Loaded],
) -> Loaded | None:
    """The champion, loaded from what was recorded of each version; None where nothing was promoted yet."""
    if models.open().champion(spec.name) is None:
        return None
    with warehouse.read() as database:
        recorded = recorded_versions(database, spec.name)
    champion = scoring.load(models, recorded)
    warn_of_libraries(context.log, champion.manifest)
    return champion


def _keep_scored(database: Database, context: dg.AssetExecutionContext, spec: WorkflowSpec, manifest: Manifest) -> None:
    """Keep that this session's champion scored, and its predictions until they can be compared with what happened."""
    version, engine = manifest.version, manifest.engine
    keep_predictions(database, spec, session_id_of(context), version, manifest.as_of)
    record_session(database, context, spec.name, status="scored", engine=engine, model_version=version)
    keep_outcome(database, replace(begin_outcome(database, context, spec.name), method="champion"))


def _score(
    database: Database,
    context: dg.AssetExecutionContext,
    spec: WorkflowSpec,
    scoring: Scoring[Loaded],
    champion: Loaded | None,
) -> dg.MaterializeResult:
    """Score by the champion or, where there is none, by a fallback, and keep it, inside the caller's transaction."""
    session = {"session_id": session_id_of(context), "workflow": spec.name}
    if champion is None:
        found = score_by_fallback(database, context, spec)
        count, sentence, by = found.rows, found.sentence, {"scored by": found.version, "why": found.sentence}
    else:
        count = scoring.score(database, champion, session["session_id"])
        _keep_scored(database, context, spec, champion.manifest)
        by = {"model_version": champion.manifest.version}
    title, read_labels = scoring.labels
    labels = read_labels(database)
    database.replace_slice(LABEL_STATS, session, [{**session, **row} for row in labels])
    passed, profile = scoring.profile(database, count, champion)
    looked = {}
    if champion is not None:
        looked = scoring.look(database, session["session_id"], profile)
        sentence = f"{profile['customers']} customers scored by {champion.manifest.version}"
    context.log.info(f"report: {sentence}")
    check = dg.AssetCheckResult(check_name=scoring.check, passed=passed, metadata=profile)
    metadata = {"dagster/row_count": count, **by, title: table_preview(labels), **looked}
    return dg.MaterializeResult(metadata=metadata, check_results=[check])


#: Tasks whose predictions are not a row per customer.
_SCORINGS: dict[str, Callable[[WorkflowSpec, Settings], Scoring[Any]]] = {"recommendation": score_lists}


def build_predictions(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    """The asset of one workflow, with its blocking check."""
    scoring = _SCORINGS.get(spec.learns, _score_rows)(spec, settings)
    check = dg.AssetCheckSpec(
        scoring.check, asset=[spec.name, "predictions"], blocking=True, description=scoring.promise
    )

    @dg.asset(**scoring.asset(spec, "predictions", {"python", "duckdb"}), check_specs=[check])
    @isolated(spec, "predictions", scoring.check)
    @reused(_recall(spec, settings, scoring))
    def predictions(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        champion = _open_champion(context, warehouse, models, spec, scoring)
        with warehouse.write() as database:
            return _score(database, context, spec, scoring, champion)

    return predictions
