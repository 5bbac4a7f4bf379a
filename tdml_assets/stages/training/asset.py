"""<workflow>/candidate_model, and with it evaluation and champion_model: train, measure, promote.

Belongs here: handing tables to the engine and keeping what it made. Does not: learning (``engines/``, ``fit.py``),
metrics and the comparison with the champion (``stages/evaluation/asset.py``, ``stages/evaluation/gate_asset.py``), what a stored
version is (``models/bundles.py``).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.choice import Choice
from tdml_assets.engines.learner_choice import AUTO, OPTIONS, LearnerChoice
from tdml_assets.engines.protocol import Engine, table_source
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import (
    Manifest,
    ModelFeature,
    as_evaluated,
    describe_files,
    refusing_damage,
    version_name,
)
from tdml_assets.models.champions import CHOICE_FILE, NOT_THE_MODEL, engine_of, kinds_of, model_spec_of, tier_of
from tdml_assets.models.golden import GOLDEN_FILE, golden_predictions
from tdml_assets.models.record import record_version
from tdml_assets.models.scope import SCOPE_FILE
from tdml_assets.models.store import ModelStore
from tdml_assets.platform import figures
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.environment import code_version, library_versions
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, column_schema, plot, table_preview
from tdml_assets.platform.monitoring import (
    ESTIMATOR_CHOICES,
    FEATURE_IMPORTANCES,
    LEVEL_REHEARSALS,
    MODEL_PARAMS,
    MODEL_VERSIONS,
)
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of, record_session, session_id_of
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.evaluation.asset import CHOSEN, build_evaluation, read_measured, read_splits, read_today
from tdml_assets.stages.evaluation.champion_asset import build_champion
from tdml_assets.stages.evaluation.gate_asset import VERSION, scope_of
from tdml_assets.stages.evaluation.measures import Evaluation
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
from tdml_assets.stages.training.level import KnownThen, corrects, read_known, rehearsal_rows
from tdml_assets.stages.training.rehearsal import choice_rows
from tdml_assets.stages.training.tier_process import Training, train_within_tier
from tdml_assets.tasks import Previous, task_of

_SHOWN = 20


def _read_rows(
    database: Database, spec: WorkflowSpec, parameters: Parameters, engine: Engine, folder: str
) -> tuple[dict[str, pa.Table], KnownThen]:
    """Prepared rows by split, in files of ``folder`` where the engine streams; and what the correction of the level asks."""
    splits = read_splits(database, spec.name, parameters, folder if engine.streams else None)
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
    folder: str,
) -> Candidate:
    """Fit, measure, fit again, within the tier, and bring the result into line with the champion before it."""
    previous = partial(store.champion_files, spec.name)
    model, tier = model_spec_of(spec, previous), tier_of(spec, settings.tier)
    kind = task_of(spec).level_kind if corrects(spec.level) else None
    base, search = known.base(spec) if kind else None, spec.model.search
    choosing = Choosing(_chosen_before(spec, previous), spec.model.rehearsal_max_rows)
    training = Training(engine_of(spec, settings), model, tier, search, kind, base, choosing)
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


def _store(
    store: BundleStore,
    spec: WorkflowSpec,
    session_id: str,
    day: date,
    parameters: Parameters,
    files: Mapping[str, bytes],
    evaluation: Evaluation,
    fingerprint: str,
    estimator: str,
    carried: Mapping[str, Any],
    log: logging.Logger,
) -> Manifest:
    """Write the version; returns what it is. ``estimator`` is what learnt, which ``auto`` has chosen."""
    described = spec.model_dump(mode="json", exclude=NOT_THE_MODEL)
    described["estimator"] = estimator
    identity: dict[str, Any] = {
        "spec": described,
        "data_fingerprint": fingerprint,
        "code_version": code_version(),
        "libraries": library_versions(),
    }
    manifest = Manifest(
        workflow=spec.name,
        version=version_name(day, workflow=spec.name, carried=carried, **identity),
        as_of=day,
        features=tuple(ModelFeature(name, "FLOAT") for name in parameters.feature_names),
        target="target",
        engine=spec.engine_name,
        metrics=evaluation.metrics["test"],
        session_id=session_id,
        created_at=datetime.now(UTC).replace(tzinfo=None),
        files=describe_files(files),
        **identity,
    )
    store.write(manifest, files, lambda words: log.warning(f"report: {words}"))
    return manifest


def build_model(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of one workflow."""
    return [
        _build_candidate(spec, settings),
        build_evaluation(spec, settings),
        build_champion(spec),
    ]


def _recall(spec: WorkflowSpec, settings: Settings) -> Recall:
    """A candidate is a function of prepared rows, of those of today, and, for some tasks, of the champion before it."""

    def owes(_: dg.AssetExecutionContext, database: Database, __: ModelStore | None) -> list[Any]:
        return [raw_fingerprint(database), asdict(tier_of(spec, settings.tier))]

    made = [parameters_contract(spec.name).path, (spec.name, "prepared")]
    return Recall(
        spec,
        "candidate_model",
        [*made, FEATURES_TABLE, features_table(spec), SNAPSHOTS_TABLE, ORDERS_TABLE, (spec.name, "training_table")],
        settings,
        tables=[holdout_contract(spec.name).path],
        slices=[MODEL_PARAMS, FEATURE_IMPORTANCES, LEVEL_REHEARSALS, ESTIMATOR_CHOICES, MODEL_VERSIONS],
        recorded=["status", "engine", "model_version"],
        owes=owes,
        follows=task_of(spec).owes_to_champion or spec.estimator == AUTO,
        has_model=True,
    )


def _build_candidate(declared: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=[declared.name, "candidate_model"],
        deps=[[declared.name, "prepared"], [declared.name, "preparation_parameters"]],
        group_name=declared.name,
        kinds=kinds_of(declared),
        owners=[OWNER],
        pool="warehouse",
        description="Trains without anything later than the test snapshot and predicts the test split; then fits once more on "
        "every labelled row and stores that as an immutable version.",
        metadata={"dagster/table_name": f"{declared.name}.holdout_predictions"},
    )
    @isolated(declared, "candidate_model")
    @reused(_recall(declared, settings))
    def candidate_model(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        session = {"session_id": session_id_of(context), "workflow": declared.name}
        with warehouse.read() as database:
            spec, choice = with_engine(database, declared, settings)
            parameters, engine = read_parameters(database, spec.name), engine_of(spec, settings)
            splits, known = _read_rows(database, spec, parameters, engine, warehouse.temp_directory)
            day, fingerprint = as_of(database), raw_fingerprint(database)
        # The warehouse is free while the model trains.
        store = models.open()
        candidate = _train(store, spec, settings, splits, parameters, known, warehouse.temp_directory)
        importances = importance_rows(candidate, splits)
        files = model_files(spec, candidate, splits) | {PREPARATION_FILE: parameters.to_json().encode()}
        with warehouse.write() as database:
            database.replace(holdout_contract(spec.name), candidate.holdout)
            files |= describe_today(database, spec, candidate.final, parameters) | describe_target(database, spec)
            files |= interval_files(spec, candidate.holdout)
            measured = read_measured(database, spec, candidate.final.recipe.chosen)
            evaluation = task_of(spec).evaluate(measured, spec)
        trained = (day, parameters, files, evaluation, fingerprint, candidate.model.estimator, _owed(spec, candidate))
        stored = _store(store, spec, session["session_id"], *trained, context.log)
        version = stored.version
        facts = parameter_rows(spec, candidate, splits, version)
        with warehouse.write() as database:
            record_version(database, session["session_id"], stored)
            for table, rows in _slices(spec, candidate, facts, importances).items():
                database.replace_slice(table, session, [{**session, **row} for row in rows])
            record_session(database, context, spec.name, status="trained", engine=choice.engine, model_version=version)
        context.log.info(f"report: {version}, {candidate.holdout.num_rows} rows measured")
        shown = {"dagster/row_count": candidate.holdout.num_rows, "model_version": version}
        return dg.MaterializeResult(metadata=shown | _show_training(spec, candidate, facts, importances, choice))

    return candidate_model


def _owed(spec: WorkflowSpec, candidate: Candidate) -> dict[str, Any]:
    """What a candidate owes to the champion before it: for a learner that was chosen, which one."""
    chosen = {} if candidate.choice is None else {"choice": candidate.choice.name}
    return {**task_of(spec).identity(candidate), **chosen}


def _slices(
    spec: WorkflowSpec,
    candidate: Candidate,
    facts: Sequence[Mapping[str, Any]],
    importances: Sequence[Mapping[str, Any]],
) -> dict[TableContract, Sequence[Mapping[str, Any]]]:
    """What a session keeps of a training, by table of ``monitoring``, without the key."""
    rehearsed = rehearsal_rows(candidate.rehearsals)
    tried = choice_rows(candidate.choice, spec.target_kind)
    return {
        MODEL_PARAMS: facts,
        FEATURE_IMPORTANCES: importances,
        LEVEL_REHEARSALS: rehearsed,
        ESTIMATOR_CHOICES: tried,
    }


def _show_training(
    spec: WorkflowSpec,
    candidate: Candidate,
    facts: Sequence[Mapping[str, Any]],
    importances: Sequence[Mapping[str, Any]],
    choice: Choice,
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


def parameter_rows(
    spec: WorkflowSpec, candidate: Candidate, splits: Mapping[str, pa.Table], version: str
) -> list[dict[str, str]]:
    """Rows of ``monitoring.model_params`` without their key."""
    recipe = candidate.final.recipe
    # What the champion before adds is not declared, and says nothing about this version that ``chosen`` does not say.
    declared = {*model_spec_of(spec).parameters, *spec.model.search.grid}
    if candidate.choice is not None:
        declared |= {*candidate.model.parameters}
    facts: dict[str, Any] = {
        VERSION: version,
        "engine": spec.engine_name,
        "estimator": candidate.model.estimator,
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
    return [{"parameter": name, "value": str(value)} for name, value in facts.items()]
