"""The predictions of a recommendation: the champion's lists for every customer known at as_of.

Elsewhere: ranking (``recommendation/``), the asset (``asset.py``).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.metadata import plot, table_metadata, table_preview
from tdml_assets.platform.monitoring import LABEL_STATS
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.recommendation import figures
from tdml_assets.recommendation.baskets import to_baskets, whole_customers
from tdml_assets.recommendation.model import LoadedRecommender, Recommender, load_recommender
from tdml_assets.recommendation.ranking import batch_size
from tdml_assets.recommendation.tables import list_rows, predictions_contract, with_names
from tdml_assets.settings import Settings
from tdml_assets.stages.exploration.analyses import product_overlap
from tdml_assets.stages.features.columns import FEATURES_TABLE, features_table
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.predictions.scoring import Scoring
from tdml_assets.stages.training_table.asset import make_features_view

# Rows of one batch that is read; customers are put together from them.
_ROWS_READ = 250_000


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


def _profile(database: Database, spec: WorkflowSpec, champion: LoadedRecommender | None) -> tuple[bool, dict[str, Any]]:
    """Whether every customer has every rank, with the counts of what must hold, and the ranks that everybody must have."""
    tables = {"table": predictions_contract(spec.name).path, "features_table": features_table(spec)}
    if champion is None:
        length = database.row(render("predictions/fallback/ranks", table=tables["table"]))["ranks"]
    else:
        length = champion.model.longest_list
    statement = render("recommendation/profile", snapshots_table=SNAPSHOTS_TABLE, length=length, **tables)
    found = {**database.row(statement), "ranks": length}
    return is_whole(found), found


def is_whole(profile: Mapping[str, Any]) -> bool:
    """Whether every customer known has every rank once, each with another product."""
    wrong = ("without_list", "unknown_customers", "with_duplicates", "with_wrong_ranks", "not_finite")
    return bool(profile["customers"] == profile["known_customers"] > 0) and not any(profile[name] for name in wrong)


def score_lists(spec: WorkflowSpec, _: Settings) -> Scoring[LoadedRecommender]:
    """Ranks of products per customer."""
    contract, wanted = predictions_contract(spec.name), spec.recommendation
    return Scoring(
        description=f"What to show every customer known at as_of: {wanted.count} ranks led by what they bought before, then "
        f"{wanted.discover_count} of what they never bought. Whoever has no history gets the popular products.",
        metadata=table_metadata(contract),
        deps=[[spec.name, "champion_model"], ORDERS_TABLE, ["features", "customer_features"], SNAPSHOTS_TABLE],
        reads=[ORDERS_TABLE, FEATURES_TABLE, features_table(spec), SNAPSHOTS_TABLE],
        tables=[contract.path],
        slices=[LABEL_STATS],
        check="every_customer_has_recommendations",
        promise="Every eligible customer has every rank once, with a finite score, and no product twice.",
        load=lambda models, recorded: load_recommender(models, spec.name, recorded),
        score=lambda database, champion, session_id: recommend_all(database, spec, champion.model, session_id),
        labels=(
            "first choices",
            lambda database: database.rows(render("recommendation/first_choices", table=contract.path)),
        ),
        profile=lambda database, _, champion: _profile(database, spec, champion),
        look=lambda database, *_: _look(database, spec),
    )


def _look(database: Database, spec: WorkflowSpec) -> dict[str, Any]:
    day = as_of(database)
    after = day - timedelta(days=spec.target.horizon_days)
    table = predictions_contract(spec.name).path
    overlap = product_overlap(database, ORDERS_TABLE, table, {}, after=after, until=day, top=10)
    return {
        "top ordered against top recommended": table_preview(overlap.rows),
        "share of both": "nothing to compare" if overlap.share is None else f"{overlap.share:.0%}",
        "recommended most": plot("recommended most", figures.ordered_and_recommended(overlap.rows)),
    }
