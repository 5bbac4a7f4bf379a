"""<workflow>/predictions of a recommendation: the champion's lists for every customer known at as_of.

Belongs here: scoring, keeping, showing. Does not: ranking (``recommendation/``), drift
(``stages/drift/recommendation_asset.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundles import Manifest, refusing_damage
from tdml_assets.models.golden import GOLDEN_FILE, check_golden
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, plot, table_metadata, table_preview
from tdml_assets.platform.monitoring import LABEL_STATS
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of, session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.recommendation import figures
from tdml_assets.recommendation.baskets import to_baskets, whole_customers
from tdml_assets.recommendation.model import FILES, Recommender, score_golden
from tdml_assets.recommendation.ranking import batch_size
from tdml_assets.recommendation.tables import list_rows, predictions_contract, with_names
from tdml_assets.settings import Settings
from tdml_assets.stages.exploration.analyses import ProductOverlap, product_overlap
from tdml_assets.stages.features.columns import FEATURES_TABLE, features_table
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.predictions.asset import keep_scored, open_champion, scored_again
from tdml_assets.stages.predictions.fallback_asset import score_by_fallback
from tdml_assets.stages.reuse import reused
from tdml_assets.stages.training.recommendation_asset import ENGINE
from tdml_assets.stages.training_table.asset import make_features_view

# Rows of one batch that is read; customers are put together from them.
_ROWS_READ = 250_000


@dataclass(frozen=True)
class LoadedRecommender:
    """A champion ready to recommend, verified and proven on its golden baskets."""

    manifest: Manifest
    model: Recommender


def load_recommender(models: ModelStore, workflow: str, recorded: Mapping[str, str] | None = None) -> LoadedRecommender:
    """Read the champion; every byte is verified before it is parsed.

    ``recorded``: what each version was when it was trained, as the warehouse keeps it. Raises ``LookupError`` if nothing was
    promoted yet. Raises ``BundleDamagedError`` if a file is not what was stored, or the model no longer gives its golden scores.
    """
    bundle = models.open().read_champion(workflow, recorded)
    model = Recommender.from_files({name: data for name, data in bundle.files.items() if name in FILES})
    with refusing_damage(GOLDEN_FILE):
        check_golden(bundle.files[GOLDEN_FILE], lambda batch: score_golden(model, batch))
    return LoadedRecommender(bundle.manifest, model)


def recommend_all(database: Database, spec: WorkflowSpec, model: Recommender, session_id: str) -> int:
    """Recommend to every customer of the scoring snapshot, inside the caller's transaction. Returns the rows."""
    day, contract = as_of(database), predictions_contract(spec.name)
    make_features_view(database, spec)
    statement = render(
        "recommendation/baskets",
        orders_table=ORDERS_TABLE,
        features_table=features_table(spec),
        as_of=day,
        include=spec.recommendation.include,
        exclude=spec.recommendation.exclude,
    )
    names = database.arrow(render("recommendation/product_names", orders_table=ORDERS_TABLE, as_of=day))
    rows = database.replace(contract, [])
    # Not more customers at a time than their dense scores fit.
    at_once = batch_size(model.columns, spec.batch_rows)
    for table in whole_customers(database.batches(statement, _ROWS_READ), at_once):
        customers, baskets = to_baskets(table, model.products)
        found = list_rows(model.recommend(baskets), customers, model.products).drop_columns(["is_new"])
        found = with_names(found, names)
        for name, value in (("session_id", pa.scalar(session_id)), ("as_of", pa.scalar(day))):
            found = found.append_column(name, pa.repeat(value, found.num_rows))
        rows += database.insert(contract, found)
    return rows


def _profile(database: Database, spec: WorkflowSpec, length: int) -> dict[str, Any]:
    """Counts of what must hold, and the ranks that every customer must have."""
    found = database.row(
        render(
            "recommendation/profile",
            table=predictions_contract(spec.name).path,
            features_table=features_table(spec),
            snapshots_table=SNAPSHOTS_TABLE,
            length=length,
        )
    )
    return {**found, "ranks": length}


def is_whole(profile: Mapping[str, Any]) -> bool:
    """Whether every customer known has every rank once, each with another product."""
    wrong = ("without_list", "unknown_customers", "with_duplicates", "with_wrong_ranks", "not_finite")
    return bool(profile["customers"] == profile["known_customers"] > 0) and not any(profile[name] for name in wrong)


def _checked(profile: Mapping[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="every_customer_has_recommendations", passed=is_whole(profile), metadata=profile
    )


def _overlap(database: Database, spec: WorkflowSpec) -> ProductOverlap:
    day = as_of(database)
    after = day - timedelta(days=spec.target.horizon_days)
    return product_overlap(
        database, ORDERS_TABLE, predictions_contract(spec.name).path, {}, after=after, until=day, top=10
    )


def build_recommendation_predictions(spec: WorkflowSpec, settings: Settings) -> dg.AssetsDefinition:
    """Build `predictions` of a recommendation workflow."""
    contract = predictions_contract(spec.name)
    key = dg.AssetKey([spec.name, "predictions"])
    wanted = spec.recommendation
    reads = [ORDERS_TABLE, FEATURES_TABLE, features_table(spec), SNAPSHOTS_TABLE]
    recall = scored_again(spec, settings, reads, [contract.path])

    @dg.asset(
        key=key,
        deps=[
            [spec.name, "champion_model"],
            ["raw", "orders"],
            ["features", "customer_features"],
            ["features", "snapshots"],
        ],
        group_name=spec.name,
        kinds={"python", "duckdb"},
        owners=[OWNER],
        pool="warehouse",
        description=f"What to show every customer known at as_of: {wanted.count} ranks led by what they bought before, then "
        f"{wanted.discover_count} of what they never bought. Whoever has no history gets the popular products.",
        metadata=table_metadata(contract),
        check_specs=[
            dg.AssetCheckSpec(
                "every_customer_has_recommendations",
                asset=key,
                blocking=True,
                description="Every eligible customer has every rank once, with a finite score, and no product twice.",
            )
        ],
    )
    @isolated(spec, "predictions", "every_customer_has_recommendations")
    @reused(recall)
    def predictions(
        context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore
    ) -> dg.MaterializeResult:
        champion = open_champion(
            context, warehouse, models, spec, lambda recorded: load_recommender(models, spec.name, recorded)
        )
        if champion is None:
            return _without_champion(context, warehouse, spec)
        with warehouse.write() as database:
            count = recommend_all(database, spec, champion.model, session_id_of(context))
            slots = database.rows(render("recommendation/first_choices", table=contract.path))
            keep_scored(database, context, spec, champion.manifest, ENGINE, slots)
            profile = _profile(database, spec, champion.model.longest_list)
            overlap = _overlap(database, spec)
        context.log.info(f"report: {profile['customers']} customers x {profile['ranks']} ranks")
        metadata = {"dagster/row_count": count, "model_version": champion.manifest.version, **_show(overlap, slots)}
        return dg.MaterializeResult(metadata=metadata, check_results=[_checked(profile)])

    return predictions


def _without_champion(
    context: dg.AssetExecutionContext, warehouse: Warehouse, spec: WorkflowSpec
) -> dg.MaterializeResult:
    contract = predictions_contract(spec.name)
    session = {"session_id": session_id_of(context), "workflow": spec.name}
    with warehouse.write() as database:
        found = score_by_fallback(database, context, spec)
        slots = database.rows(render("recommendation/first_choices", table=contract.path))
        database.replace_slice(LABEL_STATS, session, [{**session, **row} for row in slots])
        ranks = database.row(render("predictions/fallback/ranks", table=contract.path))["ranks"]
        profile = _profile(database, spec, ranks)
    context.log.info(f"report: {found.sentence}")
    metadata: dict[str, Any] = {
        "dagster/row_count": found.rows,
        "scored by": found.version,
        "why": found.sentence,
    }
    return dg.MaterializeResult(metadata=metadata, check_results=[_checked(profile)])


def _show(overlap: ProductOverlap, slots: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "first choices": table_preview(slots),
        "top ordered against top recommended": table_preview(overlap.rows),
        "share of both": "nothing to compare" if overlap.share is None else f"{overlap.share:.0%}",
        "recommended most": plot("recommended most", figures.ordered_and_recommended(overlap.rows)),
    }
