"""<workflow>/candidate_model, evaluation, champion_model: train, measure, promote.

Belongs here: handing tables to the engine, keeping what it made, and asking whether it may score. Does not: learning
(``engines/``, ``core/training.py``), metrics (``core/evaluation.py``), what a stored version is (``core/bundles.py``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from tdml_assets.assets.champions import PREPARATION_FILE, reference_files
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
from tdml_assets.core.evaluation import Evaluation, evaluate, may_be_promoted
from tdml_assets.core.features import choose_features
from tdml_assets.core.monitoring import CALIBRATION, FEATURE_IMPORTANCES, MODEL_METRICS, MODEL_PARAMS, PREDICTION_STATS
from tdml_assets.core.preparation import Parameters
from tdml_assets.core.statements import render
from tdml_assets.core.statistics import prediction_stats
from tdml_assets.core.training import PREDICTION, Candidate, features_of, golden_rows, holdout_contract, train_candidate
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.engines.protocol import FittedModel, ModelSpec, Tier, table_source, tier_named
from tdml_assets.engines.python import PythonEngine
from tdml_assets.environment import code_version, library_versions, machine
from tdml_assets.metadata import OWNER, column_schema, plot, table_metadata, table_preview
from tdml_assets.resources.bundle_store import BundleStore
from tdml_assets.resources.model_store import ModelStore
from tdml_assets.resources.raw_tables import fingerprint as raw_fingerprint
from tdml_assets.resources.warehouse import Database, Warehouse

FEATURES_TABLE = ("features", "customer_features")
_SPLITS = ("train", "validation", "test", "refit")
_SHOWN = 20


def tier_of(spec: WorkflowSpec, default: str) -> Tier:
    """What the engine may use: the workflow's tier, or the settings'."""
    cores, memory_gb = machine()
    return tier_named(spec.tier or default, cpus=cores, memory_gb=memory_gb, disk_gb=memory_gb)


def _model_spec(spec: WorkflowSpec) -> ModelSpec:
    return ModelSpec(spec.model.estimator, dict(spec.model.parameters), spec.model.seed)


def read_splits(database: Database, workflow: str, parameters: Parameters) -> dict[str, pa.Table]:
    """Prepared rows per split, in a fixed order."""
    table = (workflow, "prepared")
    return {
        split: database.arrow(
            render("preparation/read_split", table=table, columns=parameters.feature_names, split=split)
        )
        for split in _SPLITS
    }


def _keep_holdout(database: Database, spec: WorkflowSpec, candidate: Candidate) -> dict[str, bytes]:
    """Write the holdout predictions; describe the test snapshot's features and predictions as drift's reference files."""
    contract = holdout_contract(spec.name)
    database.replace(contract, candidate.holdout)
    day = database.row(render("evaluation/test_snapshot", table=contract.path))["snapshot_date"]
    columns = choose_features(database.columns(FEATURES_TABLE), spec.features).all
    (final,) = build_reference(database, contract.path, {"split": "test"}, ["final_prediction"]).columns
    return reference_files(
        features=build_reference(database, FEATURES_TABLE, {"snapshot_date": day}, columns),
        predictions=Reference((replace(final, name=PREDICTION),)),
        sample=report_sample(database, FEATURES_TABLE, {"snapshot_date": day}, columns),
    )


def _read_evaluation(database: Database, workflow: str) -> tuple[pa.Table, Evaluation]:
    holdout = database.arrow(
        render("evaluation/holdout", holdout=holdout_contract(workflow).path, features_table=FEATURES_TABLE)
    )
    return holdout, evaluate(holdout)


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


def build_model(spec: WorkflowSpec, default_tier: str) -> list[dg.AssetsDefinition]:
    """The assets of one workflow."""
    return [_build_candidate(spec, default_tier), _build_evaluation(spec), _build_champion(spec)]


def _build_candidate(spec: WorkflowSpec, default_tier: str) -> dg.AssetsDefinition:
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
            splits = read_splits(database, spec.name, parameters)
            session = {"session_id": session_id_of(context), "as_of": as_of(database)}
            fingerprint = raw_fingerprint(database)
        # The warehouse is free while the model trains.
        candidate = train_candidate(PythonEngine(), splits, _model_spec(spec), tier_of(spec, default_tier))
        importances = importance_rows(candidate, splits)
        (batch,) = golden_rows(splits).to_batches()
        golden = golden_predictions(batch, candidate.final.score(batch))
        with warehouse.write() as database:
            files = {GOLDEN_FILE: golden, **_keep_holdout(database, spec, candidate)}
            _, evaluation = _read_evaluation(database, spec.name)
        version = _store(models.open(), spec, session, candidate.final, parameters, files, evaluation, fingerprint)
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
        return dg.MaterializeResult(metadata=shown | _show_training(spec, facts, importances))

    return candidate_model


def _show_training(
    spec: WorkflowSpec, facts: Sequence[Mapping[str, Any]], importances: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    combined = [row for row in importances if row["stage"] == "expected"]
    return {
        "dagster/column_schema": column_schema(holdout_contract(spec.name)),
        "training": table_preview(facts),
        "importances": table_preview(combined[:_SHOWN]),
        "importance plot": plot("what the model looks at", figures.importances(combined)),
    }


def importance_rows(candidate: Candidate, splits: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Rows of ``monitoring.feature_importances`` without their key, on the test split, the largest first."""
    table = splits["test"]
    source = table_source(features_of(table).append_column("target", table["target"]), "target")
    rows = [
        {"stage": found.stage, "feature": found.feature, "weight": found.gain_share, "shap": found.mean_abs_shap}
        for found in candidate.final.importances(source)
    ]
    return sorted(rows, key=lambda row: (row["stage"], -row["shap"], row["feature"]))


def parameter_rows(spec: WorkflowSpec, candidate: Candidate, splits: Mapping[str, pa.Table]) -> list[dict[str, str]]:
    """Rows of ``monitoring.model_params`` without their key."""
    recipe = candidate.final.recipe
    facts: dict[str, Any] = {
        "estimator": spec.model.estimator,
        "seed": spec.model.seed,
        "target": spec.target.kind,
        "horizon_days": spec.target.horizon_days,
        "features": len(candidate.final.features),
        **{f"{split}_rows": table.num_rows for split, table in splits.items()},
        **{f"rounds_{stage}": rounds for stage, rounds in recipe.rounds.items()},
        "calibration_factor": f"{recipe.calibration_factor:.6g}",
        **{f"parameter_{name}": value for name, value in spec.model.parameters.items()},
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
        description="Metrics of train and test kept per session, calibration by decile, and the naive forecast beside them.",
        metadata=table_metadata(MODEL_METRICS),
        check_specs=[
            dg.AssetCheckSpec(
                "fit_to_score",
                asset=key,
                blocking=True,
                description="On the test split the candidate ranks better than chance and errs less than a constant; "
                "otherwise it is held and the champion stays.",
            )
        ],
    )
    def evaluation(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        session = {"session_id": session_id_of(context), "workflow": spec.name}
        with warehouse.write() as database:
            holdout, found = _read_evaluation(database, spec.name)
            database.replace_slice(MODEL_METRICS, session, [{**session, **row} for row in found.metric_rows()])
            database.replace_slice(CALIBRATION, session, [{**session, **row} for row in found.decile_rows()])
            datasets = {"Original": "target", "Predicted": "predicted_target"}
            stats = prediction_stats(database, holdout_contract(spec.name).path, {"split": "test"}, datasets)
            database.replace_slice(PREDICTION_STATS, session, [{**session, **row} for row in stats])
            passed, reason = may_be_promoted(found.metrics["test"])
            note = {} if passed else {"note": reason}
            record_session(database, context, spec.name, status="evaluated" if passed else "held", **note)
        context.log.info(f"report: {reason}")
        return dg.MaterializeResult(
            metadata={"dagster/row_count": len(found.metric_rows())} | _show_evaluation(holdout, found, stats),
            check_results=[dg.AssetCheckResult(check_name="fit_to_score", passed=passed, metadata={"verdict": reason})],
        )

    return evaluation


def _show_evaluation(holdout: pa.Table, found: Evaluation, stats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    train, test = found.metrics["train"], found.metrics["test"]
    rows = holdout.filter(pc.equal(holdout["split"], "test"))
    gain = figures.gain(rows["predicted_target"].to_numpy(), rows["target"].to_numpy(), what="spend")
    return {
        "metrics": table_preview([{"metric": name, "train": train[name], "test": test[name]} for name in test]),
        "calibration": plot("calibration by decile", figures.calibration(found.deciles["test"])),
        "gain": plot("gain", gain),
        "prediction statistics": table_preview(stats),
    }


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
        _, reason = may_be_promoted(store.manifest(spec.name, version).metrics)
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
