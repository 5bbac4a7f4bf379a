"""<workflow>/candidate_model, evaluation, champion_model: train, measure, promote.

Belongs here: handing tables to the engine, keeping what it made, and asking whether it may score. Does not: learning
(``engines/``, ``core/training.py``), metrics (``core/evaluation.py``), what a stored version is (``core/bundles.py``).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.assets.champions import engine_of, model_spec_of, reference_files, tier_of
from tdml_assets.assets.evaluation import CHOSEN, build_evaluation, read_measured, read_splits, read_today
from tdml_assets.assets.prepared import read_parameters
from tdml_assets.assets.sessions import as_of, find_session, record_session, session_id_of
from tdml_assets.core import figures
from tdml_assets.core.bundles import (
    GOLDEN_FILE,
    Manifest,
    ModelFeature,
    describe_files,
    golden_predictions,
    version_name,
)
from tdml_assets.core.drift import Reference, build_reference, report_sample
from tdml_assets.core.evaluation import Evaluation
from tdml_assets.core.features import choose_features, features_table
from tdml_assets.core.monitoring import FEATURE_IMPORTANCES, MODEL_PARAMS
from tdml_assets.core.preparation import PREPARATION_FILE, Parameters
from tdml_assets.core.statements import render
from tdml_assets.core.tasks import task_of
from tdml_assets.core.training import Candidate, features_of, golden_rows, holdout_contract, train_candidate
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.engines.protocol import FittedModel, table_source
from tdml_assets.engines.python import PythonEngine
from tdml_assets.environment import code_version, library_versions
from tdml_assets.metadata import OWNER, column_schema, plot, table_preview
from tdml_assets.resources.bundle_store import BundleStore
from tdml_assets.resources.model_store import ModelStore
from tdml_assets.resources.raw_tables import fingerprint as raw_fingerprint
from tdml_assets.resources.warehouse import Database, Warehouse
from tdml_assets.settings import Settings

_SHOWN = 20


def _read_rows(
    database: Database, spec: WorkflowSpec, parameters: Parameters, engine: PythonEngine
) -> dict[str, pa.Table]:
    splits = read_splits(database, spec.name, parameters)
    if engine.wants_unlabelled(model_spec_of(spec)):
        splits["today"] = read_today(database, spec, parameters)
    return splits


def _keep_holdout(database: Database, spec: WorkflowSpec, candidate: Candidate) -> dict[str, bytes]:
    """Write the holdout predictions; describe the test snapshot's features and predictions as drift's reference files."""
    contract = holdout_contract(spec.name)
    database.replace(contract, candidate.holdout)
    day = database.row(render("evaluation/test_snapshot", table=contract.path))["snapshot_date"]
    table = features_table(spec)
    columns = choose_features(database.columns(table), spec.features).all
    (final,) = build_reference(database, contract.path, {"split": "test"}, ["final_prediction"]).columns
    return reference_files(
        features=build_reference(database, table, {"snapshot_date": day}, columns),
        predictions=Reference((replace(final, name=task_of(spec).prediction),)),
        sample=report_sample(database, table, {"snapshot_date": day}, columns),
    )


def _store(
    store: BundleStore,
    spec: WorkflowSpec,
    session: Mapping[str, Any],
    model: FittedModel,
    parameters: Parameters,
    files: Mapping[str, bytes],
    evaluation: Evaluation,
    fingerprint: str,
) -> str:
    """Write the version; returns its name."""
    files = {**model.files(), **files, PREPARATION_FILE: parameters.to_json().encode()}
    described = spec.model_dump(mode="json", exclude={"schedule", "monitor", "attributes", "label", "description"})
    described["estimator"] = spec.estimator
    identity: dict[str, Any] = {
        "spec": described,
        "data_fingerprint": fingerprint,
        "code_version": code_version(),
        "libraries": library_versions(),
    }
    manifest = Manifest(
        workflow=spec.name,
        version=version_name(session["as_of"], workflow=spec.name, **identity),
        as_of=session["as_of"],
        features=tuple(ModelFeature(name, "FLOAT") for name in parameters.feature_names),
        target="target",
        engine=PythonEngine.name,
        metrics=evaluation.metrics["test"],
        session_id=session["session_id"],
        created_at=datetime.now(UTC).replace(tzinfo=None),
        files=describe_files(files),
        **identity,
    )
    store.write(manifest, files)
    return manifest.version


def build_model(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of one workflow."""
    return [_build_candidate(spec, settings), build_evaluation(spec), _build_champion(spec)]


def _build_candidate(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    task, engine = task_of(spec), engine_of(settings)

    @dg.asset(
        key=[spec.name, "candidate_model"],
        deps=[[spec.name, "prepared"], [spec.name, "preparation_parameters"]],
        group_name=spec.name,
        kinds={"xgboost", "python"},
        owners=[OWNER],
        pool="warehouse",
        description="Trains without anything later than the test snapshot and predicts the test split; then fits once more on "
        "every labelled row and stores that as an immutable version.",
        metadata={"dagster/table_name": f"{spec.name}.holdout_predictions"},
    )
    def candidate_model(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        with warehouse.read() as database:
            parameters = read_parameters(database, spec.name)
            splits = _read_rows(database, spec, parameters, engine)
            session = {"session_id": session_id_of(context), "as_of": as_of(database)}
            fingerprint = raw_fingerprint(database)
        # The warehouse is free while the model trains.
        store = models.open()
        previous = partial(store.champion_files, spec.name)
        candidate = train_candidate(
            engine, splits, model_spec_of(spec, previous), tier_of(spec, settings.tier), spec.model.search
        )
        candidate = task.settle(candidate, parameters, previous)
        importances = importance_rows(candidate, splits)
        (batch,) = golden_rows(splits).to_batches()
        golden = golden_predictions(batch, candidate.final.score(batch))
        with warehouse.write() as database:
            files = {GOLDEN_FILE: golden, **_keep_holdout(database, spec, candidate)}
            measured = read_measured(database, spec, candidate.final.recipe.chosen)
            evaluation = task.evaluate(measured, spec)
        version = _store(store, spec, session, candidate.final, parameters, files, evaluation, fingerprint)
        facts = parameter_rows(spec, candidate, splits)
        with warehouse.write() as database:
            key = {"session_id": session["session_id"], "workflow": spec.name}
            database.replace_slice(MODEL_PARAMS, key, [{**key, **row} for row in facts])
            database.replace_slice(FEATURE_IMPORTANCES, key, [{**key, **row} for row in importances])
            record_session(
                database, context, spec.name, status="trained", engine=PythonEngine.name, model_version=version
            )
        context.log.info(f"report: {version}, {candidate.holdout.num_rows} rows measured")
        shown = {"dagster/row_count": candidate.holdout.num_rows, "model_version": version}
        return dg.MaterializeResult(metadata=shown | _show_training(spec, candidate, facts, importances))

    return candidate_model


def _show_training(
    spec: WorkflowSpec,
    candidate: Candidate,
    facts: Sequence[Mapping[str, Any]],
    importances: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    tried = candidate.search
    combined = [row for row in importances if row["stage"] == importances[0]["stage"]]
    return {
        "dagster/column_schema": column_schema(holdout_contract(spec.name)),
        "training": table_preview(facts),
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


def parameter_rows(spec: WorkflowSpec, candidate: Candidate, splits: Mapping[str, pa.Table]) -> list[dict[str, str]]:
    """Rows of ``monitoring.model_params`` without their key."""
    recipe = candidate.final.recipe
    facts: dict[str, Any] = {
        "estimator": spec.estimator,
        "seed": spec.model.seed,
        "target": spec.target_kind,
        "horizon_days": spec.target.horizon_days,
        "features": len(candidate.final.features),
        **{f"{split}_rows": table.num_rows for split, table in splits.items()},
        CHOSEN: json.dumps(recipe.chosen, sort_keys=True),
        **{f"rounds_{stage}": rounds for stage, rounds in recipe.rounds.items()},
        "calibration_factor": f"{recipe.calibration_factor:.6g}",
        **{f"parameter_{name}": value for name, value in candidate.model.parameters.items()},
    }
    return [{"parameter": name, "value": str(value)} for name, value in facts.items()]


def _build_champion(spec: WorkflowSpec) -> dg.AssetsDefinition:
    @dg.asset(
        key=[spec.name, "champion_model"],
        deps=[[spec.name, "candidate_model"], [spec.name, "evaluation"]],
        group_name=spec.name,
        kinds={"xgboost"},
        owners=[OWNER],
        pool="warehouse",
        description="The version that scores. One pointer names it and moves atomically, past the evaluation's blocking check.",
    )
    def champion_model(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        store = models.open()
        with warehouse.read() as database:
            version = find_session(database, context, spec.name)["model_version"]
        _, reason = task_of(spec).judge(dict(store.manifest(spec.name, version).metrics), spec)
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
        context.log.info(f"report: {version} scores from now on")
        return dg.MaterializeResult(
            metadata={"model_version": version, "previous": current.champion.previous or "none", "reason": reason},
            data_version=dg.DataVersion(version),
        )

    return champion_model
