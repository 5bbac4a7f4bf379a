"""Scores by a statement in the warehouse, for models that are a table of weights; by batches in Python for all others.

Elsewhere: a model's expression (``sql/predictions/linear/``), what is done with scores (``asset.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tdml_assets.engines.linear_model import BIAS
from tdml_assets.engines.protocol import FittedModel, ScoresInSql
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.stages.predictions.scoring import Explainer, score_batch

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Features up to which scores are one wide expression; above it they are exploded and joined.
WIDE_FEATURES = 300


def weights_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.model_weights``: the champion of ``engine: hivemall`` as a table."""
    return TableContract(
        workflow,
        "model_weights",
        "The linear model that scores, one row per feature. Replaced when predictions are made.",
        (
            Column("feature", "VARCHAR", "Prepared feature; 0 is the constant.", False),
            Column("weight", "DOUBLE", "What a unit of the prepared feature adds.", False),
            Column("covar", "DOUBLE", "Variance of the weight; NULL for learners without one."),
        ),
    )


def keep_weights(database: Database, workflow: str, model: FittedModel) -> None:
    """Write the model that scores as a table; nothing for a model that is none."""
    if isinstance(model, ScoresInSql):
        database.replace(weights_contract(workflow), _as_doubles(model.weights))


def _as_doubles(weights: pa.Table) -> pa.Table:
    covar = weights["covar"] if "covar" in weights.column_names else pa.nulls(len(weights), pa.float32())
    return pa.table(
        {
            "feature": weights["feature"].cast(pa.string()),
            "weight": weights["weight"].cast(pa.float64()),
            "covar": covar.cast(pa.float64()),
        }
    )


def scoring_statement(
    model: ScoresInSql,
    workflow: str,
    prepared: Mapping[str, Any],
    *,
    with_features: bool = False,
    wide: bool | None = None,
) -> Statement:
    """The statement that prepares and scores.

    ``prepared``: context of ``sql/preparation/apply.sql``. ``with_features``: whether the prepared and the carried columns are
    given too. ``wide``: one expression, or a join with ``<workflow>.model_weights``; by the number of features unless given.
    """
    return render(
        f"predictions/linear/{form_of(model, wide=wide)}",
        **scoring_context(model, workflow, prepared, with_features=with_features),
    )


def form_of(model: ScoresInSql, *, wide: bool | None = None) -> str:
    """Name of the template."""
    return "wide" if (model.weights.num_rows <= WIDE_FEATURES if wide is None else wide) else "joined"


def scoring_context(
    model: ScoresInSql, workflow: str, prepared: Mapping[str, Any], *, with_features: bool = False
) -> dict[str, Any]:
    """What the templates take."""
    features = list(prepared["parameters"].feature_names)
    own = {
        "weights": weights_contract(workflow).path,
        "features": features,
        "bias": BIAS,
        "in_order": sorted([*features, BIAS]),
        "with_features": with_features,
    }
    return {**prepared, **model.sql_scoring(), **own, "dialect": "duckdb"}


def insert_scores(
    database: Database,
    contract: TableContract,
    model: FittedModel,
    prepared: Mapping[str, Any],
    rows: int,
    explainer: Explainer | None = None,
    reasons: Sequence[str] = (),
) -> None:
    """Score what ``prepared`` says into the table, inside the caller's transaction.

    ``contract``: of the scores. ``rows``: of a batch, where one is read.
    """
    in_sql = isinstance(model, ScoresInSql)
    if isinstance(model, ScoresInSql) and explainer is None and not reasons:
        database.insert(contract, scoring_statement(model, contract.schema, prepared))
        return
    statement = (
        scoring_statement(model, contract.schema, prepared, with_features=True)
        if isinstance(model, ScoresInSql)
        else render("preparation/apply", **prepared)
    )
    for batch in database.batches(statement, rows):
        scored = score_batch(model, batch, explainer, reasons, scored=in_sql)
        database.insert(
            contract, scored.select([name for name in scored.column_names if name in contract.column_names])
        )
