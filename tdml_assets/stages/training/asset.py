"""<workflow>/candidate_model, and with it evaluation and champion_model: train, measure, promote.

Elsewhere: learning (``engines/``, ``fit.py``), metrics and the comparison with the champion (``stages/evaluation/asset.py``,
``stages/evaluation/gate_asset.py``), what a stored version is (``models/bundles.py``).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.devices import device_of
from tdml_assets.engines.learner_choice import AUTO, OPTIONS, LearnerChoice
from tdml_assets.engines.protocol import Engine, table_source
from tdml_assets.engines.python import ON_XGBOOST
from tdml_assets.engines.registry import Choice
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import ModelFeature, as_evaluated, refusing_damage
from tdml_assets.models.champions import CHOICE_FILE, engine_of, kinds_of, model_spec_of, tier_of
from tdml_assets.models.golden import GOLDEN_FILE, golden_predictions
from tdml_assets.models.record import record_version
from tdml_assets.models.scope import SCOPE_FILE
from tdml_assets.models.store import ModelStore
from tdml_assets.platform import figures
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import column_schema, plot, table_preview
from tdml_assets.platform.monitoring import (
    ESTIMATOR_CHOICES,
    FEATURE_IMPORTANCES,
    LEVEL_REHEARSALS,
    MODEL_PARAMS,
    MODEL_VERSIONS,
)
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of, record_session, session_id_of
from tdml_assets.platform.spool import Tables
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.evaluation.asset import CHOSEN, build_evaluation, read_measured, read_splits, read_today
from tdml_assets.stages.evaluation.champion_asset import build_champion
from tdml_assets.stages.evaluation.gate_asset import VERSION, scope_of
from tdml_assets.stages.features.columns import FEATURES_TABLE, features_table
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.preparation.asset import parameters_contract, read_parameters
from tdml_assets.stages.preparation.engine_choice import with_engine
from tdml_assets.stages.preparation.parameters import PREPARATION_FILE, Parameters
from tdml_assets.stages.raw.fingerprint import fingerprint as raw_fingerprint
from tdml_assets.stages.reuse import Recall, reused
from tdml_assets.stages.training.choice_words import choice_sentence
from tdml_assets.stages.training.fit import (
    Candidate,
    Choosing,
    features_of,
    golden_rows,
    holdout_contract,
)
from tdml_assets.stages.training.go_live import describe_target, describe_today
from tdml_assets.stages.training.intervals import interval_files
from tdml_assets.stages.training.learnt import Learning, Learnt, Rows, store_version
from tdml_assets.stages.training.level import KnownThen, corrects, read_known, rehearsal_rows
from tdml_assets.stages.training.recommendation import fit_baskets
from tdml_assets.stages.training.rehearsal import choice_rows
from tdml_assets.stages.training.room import Room, room_for
from tdml_assets.stages.training.samples import samples_taken
from tdml_assets.stages.training.tier_process import Training, train_within_tier
from tdml_assets.tasks import Previous, task_of

_SHOWN = 20


def _read_rows(
    database: Database, spec: WorkflowSpec, parameters: Parameters, engine: Engine, folder: str
) -> tuple[Tables, KnownThen]:
    """Prepared rows by split, in files of ``folder`` where that is said; and what the correction of the level asks."""
    splits = read_splits(database, spec.name, parameters, folder, shuffled=engine.streams)
    if engine.wants_unlabelled(model_spec_of(spec)):
        splits["today"] = read_today(database, spec, parameters)
    if task_of(spec).level_kind is None or not corrects(spec.level):
        return splits, KnownThen()
    return splits, read_known(database, spec, max(splits["test"]["snapshot_date"].unique().to_pylist()))


def _train(
    store: BundleStore,
    spec: WorkflowSpec,
    settings: Settings,
    splits: Mapping[str, pa.Table],
    parameters: Parameters,
    known: KnownThen,
    room: Room,
    folder: str,
) -> Candidate:
    """Fit, measure, fit again, within the tier, and bring the result into line with the champion before it."""
    previous = partial(store.champion_files, spec.name)
    model = replace(model_spec_of(spec, previous), device=device_of(settings.device), spill_folder=room.folder)
    kind = task_of(spec).level_kind if corrects(spec.level) else None
    base, search = known.base(spec) if kind else None, spec.model.search
    choosing = Choosing(_chosen_before(spec, previous), spec.model.rehearsal_max_rows)
    training = Training(engine_of(spec, settings), model, room.tier, search, kind, base, choosing)
    most = settings.own_process_above_mb * 1_000_000
    candidate = train_within_tier(training, splits, known.histories, folder, most)
    return task_of(spec).settle(candidate, parameters, previous)


def _chosen_before(spec: WorkflowSpec, previous: Previous) -> str | None:
    """Option that the champion before was made with, where the estimator is chosen."""
    kept = previous().get(CHOICE_FILE) if spec.estimator == AUTO else None
    with refusing_damage(CHOICE_FILE):
        name = None if kept is None else LearnerChoice.name_in(kept.decode())
    return name if name in {option.name for option in OPTIONS.get(spec.target_kind, ())} else None


def model_files(spec: WorkflowSpec, candidate: Candidate, splits: Mapping[str, pa.Table]) -> dict[str, bytes]:
    """The model that scores with its golden predictions, and next to it, where it can be compared, the fit that was measured."""
    (batch,) = golden_rows(splits).to_batches()
    files = {**candidate.final.files(), GOLDEN_FILE: golden_predictions(batch, candidate.final.score(batch))}
    if candidate.choice is not None:
        files[CHOICE_FILE] = candidate.choice.to_json().encode()
    if task_of(spec).loss is None:
        return files
    return files | as_evaluated({**candidate.evaluated.files(), SCOPE_FILE: scope_of(spec, splits).to_json()})


def _fit_rows(spec: WorkflowSpec, settings: Settings) -> Learning:
    """A candidate is a function of prepared rows, of those of today, and, for some tasks, of the champion before it."""
    made = [parameters_contract(spec.name).path, (spec.name, "prepared")]
    return Learning(
        description="Trains without anything later than the test snapshot and predicts the test split; then fits once more on "
        "every labelled row and stores that as an immutable version.",
        kinds=kinds_of(spec),
        metadata={"dagster/table_name": f"{spec.name}.holdout_predictions"},
        deps=[[spec.name, "prepared"], [spec.name, "preparation_parameters"]],
        reads=[
            *made,
            FEATURES_TABLE,
            features_table(spec),
            SNAPSHOTS_TABLE,
            ORDERS_TABLE,
            (spec.name, "training_table"),
        ],
        tables=[holdout_contract(spec.name).path],
        learn=lambda warehouse, store: _learn(warehouse, store, spec, settings),
        slices=[FEATURE_IMPORTANCES, LEVEL_REHEARSALS, ESTIMATOR_CHOICES],
        follows=task_of(spec).owes_to_champion or spec.estimator == AUTO,
    )


def _learn(warehouse: Warehouse, store: BundleStore, declared: WorkflowSpec, settings: Settings) -> Learnt:
    folder = warehouse.temp_directory
    with warehouse.read() as database:
        spec, choice = with_engine(database, declared, settings)
        parameters, engine = read_parameters(database, spec.name), engine_of(spec, settings)
        room = room_for(database, spec, settings, engine, len(parameters.feature_names))
        splits, known = _read_rows(database, spec, parameters, engine, folder if engine.streams or room.folder else "")
        day, fingerprint = as_of(database), raw_fingerprint(database)
    # The warehouse is free while the model trains.
    candidate = _train(store, spec, settings, splits, parameters, known, room, folder)
    samples = _samples(spec, candidate, splits, known)
    importances = importance_rows(candidate, splits)
    files = model_files(spec, candidate, splits) | {PREPARATION_FILE: parameters.to_json().encode()}
    with warehouse.write() as database:
        database.replace(holdout_contract(spec.name), candidate.holdout)
        files |= describe_today(database, spec, candidate.final, parameters) | describe_target(database, spec)
        files |= interval_files(spec, candidate.holdout)
        measured = read_measured(database, spec, candidate.final.recipe.chosen)
        evaluation = task_of(spec).evaluate(measured, spec)
    return Learnt(
        spec,
        day,
        fingerprint,
        features=[ModelFeature(name, "FLOAT") for name in parameters.feature_names],
        target="target",
        files=files,
        metrics=evaluation.metrics["test"],
        parameters=model_parameters(spec, candidate, splits),
        rows=candidate.holdout.num_rows,
        sentence=f"{candidate.holdout.num_rows} rows measured{room.learnt(splits)}",
        shown=lambda facts: {
            **_show_training(spec, candidate, facts, importances, choice),
            **({"rows": room.arithmetic} if room.arithmetic else {}),
            **({"looked at in samples": table_preview(samples)} if samples else {}),
        },
        slices=_slices(spec, candidate, importances),
        # What learnt, where ``auto`` has chosen.
        described={"estimator": candidate.model.estimator},
        carried=_owed(spec, candidate),
    )


def _samples(
    spec: WorkflowSpec, candidate: Candidate, splits: Mapping[str, pa.Table], known: KnownThen
) -> list[dict[str, Any]]:
    has_folds = bool(spec.model.search.grid) and spec.split.takes_all
    has_trees = candidate.model.estimator in ON_XGBOOST
    return samples_taken(splits, known.histories, has_trees=has_trees, has_folds=has_folds)


#: Tasks that learn from something else than a row per snapshot and customer.
_LEARNINGS = {"recommendation": fit_baskets}


def build_model(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of one workflow."""
    return [_build_candidate(spec, settings), build_evaluation(spec, settings), build_champion(spec)]


def _recall(spec: WorkflowSpec, settings: Settings, learning: Learning) -> Recall:
    return Recall(
        spec,
        "candidate_model",
        learning.reads,
        settings,
        tables=learning.tables,
        slices=[MODEL_PARAMS, *learning.slices, MODEL_VERSIONS],
        recorded=["status", "engine", "model_version"],
        owes=lambda _, database, __: [
            raw_fingerprint(database),
            asdict(tier_of(spec, settings.tier)),
            *([settings.device] if settings.device != "cpu" else []),
        ],
        follows=learning.follows,
        has_model=True,
    )


def _build_candidate(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    learning = _LEARNINGS.get(spec.learns, _fit_rows)(spec, settings)

    @dg.asset(**learning.asset(spec, "candidate_model", learning.kinds))
    @isolated(spec, "candidate_model")
    @reused(_recall(spec, settings, learning))
    def candidate_model(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        session, store = {"session_id": session_id_of(context), "workflow": spec.name}, models.open()
        learnt = learning.learn(warehouse, store)
        stored = store_version(store, learnt, session["session_id"], context.log)
        version, engine = stored.version, stored.engine
        facts = parameter_rows({VERSION: version, **learnt.parameters})
        with warehouse.write() as database:
            record_version(database, session["session_id"], stored)
            for table, rows in {MODEL_PARAMS: facts, **learnt.slices}.items():
                database.replace_slice(table, session, [{**session, **row} for row in rows])
            record_session(database, context, spec.name, status="trained", engine=engine, model_version=version)
        context.log.info(f"report: {version}, {learnt.sentence}")
        shown = {"dagster/row_count": learnt.rows, "model_version": version, **learnt.shown(facts)}
        return dg.MaterializeResult(metadata=shown)

    return candidate_model


def parameter_rows(parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of ``monitoring.model_params`` without their key."""
    return [{"parameter": name, "value": str(value)} for name, value in parameters.items()]


def _owed(spec: WorkflowSpec, candidate: Candidate) -> dict[str, Any]:
    """What a candidate owes to the champion before it: for a learner that was chosen, which one."""
    chosen = {} if candidate.choice is None else {"choice": candidate.choice.name}
    return {**task_of(spec).identity(candidate), **chosen}


def _slices(spec: WorkflowSpec, candidate: Candidate, importances: Rows) -> dict[TableContract, Rows]:
    """What a session keeps of a training, by table of ``monitoring``, without the key."""
    return {
        FEATURE_IMPORTANCES: importances,
        LEVEL_REHEARSALS: rehearsal_rows(candidate.rehearsals),
        ESTIMATOR_CHOICES: choice_rows(candidate.choice, spec.target_kind),
    }


def _show_training(
    spec: WorkflowSpec, candidate: Candidate, facts: Rows, importances: Rows, choice: Choice
) -> dict[str, Any]:
    tried, options = candidate.search, choice_rows(candidate.choice, spec.target_kind)
    chosen = {"learner": choice_sentence(options), "tried": table_preview(options)} if options else {}
    combined = [row for row in importances if row["stage"] == importances[0]["stage"]]
    return {
        "dagster/column_schema": column_schema(holdout_contract(spec.name)),
        "engine": f"{choice.engine}: {choice.why}",
        "training": table_preview(facts),
        **chosen,
        **({"search": table_preview(tried.table()), "searched on": tried.note} if tried else {}),
        "importances": table_preview(combined[:_SHOWN]),
        "importance plot": plot("what the model looks at", figures.importances(combined)),
    }


def importance_rows(candidate: Candidate, splits: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Rows of ``monitoring.feature_importances`` without their key, on the test split.

    The largest first, and the whole model before its parts: a model gives its parts first.
    """
    table = splits["test"]
    source = table_source(features_of(table).append_column("target", table["target"]), "target")
    found = candidate.final.importances(source)
    stages = list(dict.fromkeys(one.stage for one in found))[::-1]
    rows = [
        {"stage": one.stage, "feature": one.feature, "weight": one.gain_share, "shap": one.mean_abs_shap}
        for one in found
    ]
    return sorted(rows, key=lambda row: (stages.index(row["stage"]), -row["shap"], row["feature"]))


def model_parameters(spec: WorkflowSpec, candidate: Candidate, splits: Mapping[str, pa.Table]) -> dict[str, Any]:
    """What is kept of a candidate in ``monitoring.model_params``, but its version."""
    recipe = candidate.final.recipe
    # What the champion before adds is not declared, and says nothing about this version that ``chosen`` does not say.
    declared = {*model_spec_of(spec).parameters, *spec.model.search.grid}
    if candidate.choice is not None:
        declared |= {*candidate.model.parameters}
    return {
        "engine": spec.engine_name,
        "estimator": candidate.model.estimator,
        **({"device": candidate.model.device} if candidate.model.estimator in ON_XGBOOST else {}),
        "seed": spec.model.seed,
        "target": spec.target_kind,
        "horizon_days": spec.target.horizon_days,
        "features": len(candidate.final.features),
        **{f"{split}_rows": table.num_rows for split, table in splits.items()},
        CHOSEN: json.dumps(recipe.chosen, sort_keys=True),
        **{f"rounds_{stage}": rounds for stage, rounds in recipe.rounds.items()},
        "calibration_factor": f"{recipe.calibration_factor:.6g}",
        **{f"parameter_{name}": value for name, value in candidate.model.parameters.items() if name in declared},
    }
