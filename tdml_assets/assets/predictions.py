"""<workflow>/predictions: the champion scores every customer known at as_of, in batches, in one transaction."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.assets.champions import LoadedChampion, load_champion
from tdml_assets.assets.model import FEATURES_TABLE, tier_of
from tdml_assets.assets.sessions import SNAPSHOTS_TABLE, as_of, record_session, session_id_of
from tdml_assets.core import figures
from tdml_assets.core.monitoring import LABEL_STATS
from tdml_assets.core.predictions import ABOVE, BELOW, predictions_contract, scores_contract
from tdml_assets.core.statements import render
from tdml_assets.core.statistics import label_stats
from tdml_assets.core.training import PREDICTION, score_table
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.engines.python import PythonEngine
from tdml_assets.metadata import OWNER, plot, table_metadata, table_preview
from tdml_assets.resources.model_store import ModelStore
from tdml_assets.resources.warehouse import Database, Warehouse

_SAMPLED = 50_000


def score_all(database: Database, spec: WorkflowSpec, champion: LoadedChampion, session_id: str) -> int:
    """Score the as_of snapshot into ``<workflow>.predictions``, inside the caller's transaction. Returns the customers."""
    day = as_of(database)
    scores = scores_contract(spec.name)
    database.replace(scores, [])
    statement = render(
        "preparation/apply",
        table=FEATURES_TABLE,
        parameters=champion.parameters,
        keys=["customer_id"],
        snapshot_date=day,
        drop_outliers=False,
        ordered=False,
    )
    schema = pa.schema([("customer_id", pa.string()), *((name, pa.float32()) for name in champion.model.features)])
    for batch in database.batches(statement, spec.batch_rows):
        features = pa.Table.from_batches([batch]).cast(schema)
        scored = score_table(champion.model, features.drop_columns(["customer_id"]))
        database.insert(
            scores, pa.table({"customer_id": features["customer_id"], "predicted_target": scored[PREDICTION]})
        )
    categorised = render(
        "predictions/categorise", scores=scores.path, session_id=session_id, as_of=day, above=ABOVE, below=BELOW
    )
    count = database.replace(predictions_contract(spec.name), categorised)
    database.execute(render("warehouse/drop_table", table=scores.path))
    return count


def _profile(database: Database, table: Sequence[str]) -> dict[str, Any]:
    return database.row(
        render("predictions/profile", table=table, features_table=FEATURES_TABLE, snapshots_table=SNAPSHOTS_TABLE)
    )


def build_predictions(spec: WorkflowSpec, default_tier: str) -> dg.AssetsDefinition:
    """The asset of one workflow, with its blocking check."""
    contract = predictions_contract(spec.name)
    key = dg.AssetKey([spec.name, "predictions"])

    @dg.asset(
        key=key,
        deps=[[spec.name, "champion_model"], ["features", "customer_features"], ["features", "snapshots"]],
        group_name=spec.name,
        kinds={"xgboost", "duckdb"},
        owners=[OWNER],
        pool="warehouse",
        description=f"Expected spend of every customer known at as_of, in the {spec.target.horizon_days} days after it.",
        metadata=table_metadata(contract),
        check_specs=[
            dg.AssetCheckSpec(
                "every_customer_is_scored",
                asset=key,
                blocking=True,
                description="One finite prediction of at least 0 for every customer known at as_of.",
            )
        ],
    )
    def predictions(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        champion = load_champion(models, spec.name, tier_of(spec, default_tier))
        session = {"session_id": session_id_of(context), "workflow": spec.name}
        scored = {"status": "scored", "engine": PythonEngine.name, "model_version": champion.manifest.version}
        with warehouse.write() as database:
            count = score_all(database, spec, champion, session["session_id"])
            labels = label_stats(database, contract.path, {}, "prediction_category")
            database.replace_slice(LABEL_STATS, session, [{**session, **row} for row in labels])
            record_session(database, context, spec.name, **scored)
            profile = _profile(database, contract.path)
            sample = database.arrow(render("predictions/sample", table=contract.path, rows=_SAMPLED))
        passed = count == profile["customers"] == profile["known_customers"] > 0 and not profile["impossible"]
        context.log.info(f"report: {count} customers scored by {champion.manifest.version}")
        drawn = figures.prediction_distribution(sample[PREDICTION].to_numpy(), target="expected spend")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "model_version": champion.manifest.version,
                "expected spend in all": float(profile["expected_total"] or 0),
                "categories": table_preview(labels),
                "distribution": plot("distribution", drawn),
            },
            check_results=[dg.AssetCheckResult(check_name="every_customer_is_scored", passed=passed, metadata=profile)],
        )

    return predictions
