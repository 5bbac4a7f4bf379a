"""<workflow>/predictions: the champion scores every customer known at as_of, in batches, in one transaction.

Where no model was ever promoted, a fallback scores (``fallback_asset.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import dagster as dg

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundles import Manifest
from tdml_assets.models.champions import LoadedChampion, load_champion, warn_of_libraries
from tdml_assets.models.record import recorded_versions
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.isolation import begin_outcome, isolated, keep_outcome
from tdml_assets.platform.metadata import OWNER, plot, table_metadata, table_preview
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
from tdml_assets.stages.predictions.scoring import Explainer, bounds_of
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


def tables_of_engine(spec: WorkflowSpec) -> list[tuple[str, str]]:
    """Tables that scoring leaves for the engine's sake."""
    return [weights_contract(spec.name).path] if spec.engine_name == "hivemall" else []


def _profile(database: Database, table: Sequence[str], spec: WorkflowSpec) -> dict[str, Any]:
    task = task_of(spec)
    tables = {"table": table, "features_table": features_table(spec), "snapshots_table": SNAPSHOTS_TABLE}
    return database.row(render("predictions/profile", column=task.prediction, highest=task.highest, **tables))


def _without_champion(
    context: dg.AssetExecutionContext, warehouse: Warehouse, spec: WorkflowSpec
) -> dg.MaterializeResult:
    task = task_of(spec)
    table = task.predictions_contract(spec).path
    session = {"session_id": session_id_of(context), "workflow": spec.name}
    with warehouse.write() as database:
        found = score_by_fallback(database, context, spec)
        labels = label_stats(database, table, {}, task.category)
        database.replace_slice(LABEL_STATS, session, [{**session, **row} for row in labels])
        profile = _profile(database, table, spec)
    passed = found.rows == profile["customers"] == profile["known_customers"] > 0 and not profile["impossible"]
    context.log.info(f"report: {found.sentence}")
    check = dg.AssetCheckResult(check_name="every_customer_is_scored", passed=passed, metadata=profile)
    metadata: dict[str, Any] = {
        "dagster/row_count": found.rows,
        "scored by": found.version,
        "why": found.sentence,
    }
    return dg.MaterializeResult(metadata={**metadata, "categories": table_preview(labels)}, check_results=[check])


def scored_again(
    spec: WorkflowSpec,
    settings: Settings,
    reads: Sequence[tuple[str, str]],
    tables: Sequence[tuple[str, str]],
    *,
    has_level: bool = False,
) -> Recall:
    """Predictions are a function of the champion and of the features of today; where a fallback scores they are made anew.

    ``has_level``: whether scoring writes to ``monitoring.level``.
    """

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
        reads,
        settings,
        tables=tables,
        slices=[LABEL_STATS, *([LEVEL] if has_level else [])],
        recorded=["status", "engine", "model_version"],
        owes=owes,
        has_model=True,
        again=again,
    )


class HasManifest(Protocol):
    """A champion as one of the kinds of tasks loads it."""

    @property
    def manifest(self) -> Manifest:
        """What it is."""


Loaded = TypeVar("Loaded", bound=HasManifest)


def open_champion(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    models: ModelStore,
    spec: WorkflowSpec,
    load: Callable[[Mapping[str, str]], Loaded],
) -> Loaded | None:
    """The champion, loaded by ``load`` from what was recorded of each version; None where nothing was promoted yet."""
    if models.open().champion(spec.name) is None:
        return None
    with warehouse.read() as database:
        recorded = recorded_versions(database, spec.name)
    champion = load(recorded)
    warn_of_libraries(context.log, champion.manifest)
    return champion


def keep_scored(
    database: Database,
    context: dg.AssetExecutionContext,
    spec: WorkflowSpec,
    manifest: Manifest,
    engine: str,
    labels: Sequence[Mapping[str, Any]],
) -> None:
    """Keep that this session's champion scored, and its predictions until they can be compared with what happened.

    ``labels``: rows of ``monitoring.label_stats`` without their key.
    """
    session = {"session_id": session_id_of(context), "workflow": spec.name}
    keep_predictions(database, spec, session["session_id"], manifest.version, manifest.as_of)
    database.replace_slice(LABEL_STATS, session, [{**session, **row} for row in labels])
    record_session(database, context, spec.name, status="scored", engine=engine, model_version=manifest.version)
    keep_outcome(database, replace(begin_outcome(database, context, spec.name), method="champion"))


def build_predictions(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    """The asset of one workflow, with its blocking check."""
    task = task_of(spec)
    contract = task.predictions_contract(spec)
    key = dg.AssetKey([spec.name, "predictions"])
    recall = scored_again(
        spec,
        settings,
        [FEATURES_TABLE, features_table(spec), SNAPSHOTS_TABLE, ORDERS_TABLE, (spec.name, "training_table")],
        [contract.path, *task.tables_of_scoring(spec), *tables_of_engine(spec)],
        has_level=task.level_kind is not None,
    )

    @dg.asset(
        key=key,
        deps=[[spec.name, "champion_model"], ["features", "customer_features"], ["features", "snapshots"]],
        group_name=spec.name,
        kinds={"python", "duckdb"},
        owners=[OWNER],
        pool="warehouse",
        description=task.describe(spec),
        metadata=table_metadata(contract),
        check_specs=[
            dg.AssetCheckSpec(
                "every_customer_is_scored",
                asset=key,
                blocking=True,
                description="One possible prediction for every eligible customer known at as_of.",
            )
        ],
    )
    @isolated(spec, "predictions", "every_customer_is_scored")
    @reused(recall)
    def predictions(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        champion = open_champion(
            context, warehouse, models, spec, lambda recorded: load_champion(models, spec, settings, recorded)
        )
        if champion is None:
            return _without_champion(context, warehouse, spec)
        with warehouse.write() as database:
            count = score_all(database, spec, champion, session_id_of(context))
            labels = label_stats(database, contract.path, {}, task.category)
            keep_scored(database, context, spec, champion.manifest, champion.manifest.engine, labels)
            profile = _profile(database, contract.path, spec)
            shown = task.look(database, spec)
            stated = read_level_sentence(database, session_id_of(context), spec.name)
        passed = count == profile["customers"] == profile["known_customers"] > 0 and not profile["impossible"]
        context.log.info(f"report: {count} customers scored by {champion.manifest.version}")
        total = task.total_words(spec)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "model_version": champion.manifest.version,
                **({total: float(profile["total"] or 0)} if total else {}),
                **({"level": stated} if stated else {}),
                "categories": table_preview(labels),
                **{title: table_preview(rows) for title, rows in shown.tables.items()},
                **{title: plot(title, png) for title, png in shown.plots.items()},
            },
            check_results=[dg.AssetCheckResult(check_name="every_customer_is_scored", passed=passed, metadata=profile)],
        )

    return predictions
