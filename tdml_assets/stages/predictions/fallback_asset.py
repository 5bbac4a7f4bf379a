"""Scoring a workflow that has no champion: a lifetime model, a rule, RFM segments, popular products.

Elsewhere: fitting and choosing (``engines/fallback.py``), the rules in SQL (``sql/predictions/fallback/``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.guards import require_whole_data
from tdml_assets.platform.isolation import begin_outcome, keep_outcome
from tdml_assets.platform.monitoring import MODEL_METRICS
from tdml_assets.platform.outcome import Method, Outcome
from tdml_assets.platform.sessions import as_of, record_session, session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.recommendation.tables import DISCOVER, REPEAT, predictions_contract
from tdml_assets.stages.features.columns import features_table
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.predictions.contracts import scores_contract
from tdml_assets.stages.predictions.history import keep_predictions
from tdml_assets.stages.predictions.level import fallback_at, move_fallback
from tdml_assets.stages.predictions.next_orders import add_next_orders, drop_scores
from tdml_assets.stages.predictions.reasons import reason_names
from tdml_assets.stages.training_table.asset import make_features_view
from tdml_assets.stages.training_table.table import observation, sample_share
from tdml_assets.tasks import task_of

if TYPE_CHECKING:
    from tdml_assets.engines.fallback import Fallback, Labelled


_RFM_VERSION, _POPULAR_VERSION = "rule:rfm", "rule:popular_products"
# Popular products beyond the ranks shown: enough that few customers have bought them all.
_MORE_CANDIDATES = 100
# A rule has five numbers, and a lifetime model seven.
_MOST_ROWS = 200_000

NO_CHAMPION = "no model was ever promoted"
TRAIN = "materialise the training stages too, or run the workflow's training job"


@dataclass(frozen=True)
class FallbackScores:
    """What a fallback wrote.

    ``rows``, ``customers``: written to ``<workflow>.predictions``. ``sentence``: how the customers were scored and why, for people.
    """

    rows: int
    method: Method
    version: str
    sentence: str


def score_by_fallback(database: Database, context: dg.AssetExecutionContext, spec: WorkflowSpec) -> FallbackScores:
    """Score every customer known at as_of without a trained model, inside the caller's transaction.

    Raises ``RefusedError`` if no fallback can score them. Raises ``BrokenDataError`` if this session's data are broken.
    """
    session_id = session_id_of(context)
    require_whole_data(database, session_id)
    outcome = begin_outcome(database, context, spec.name)
    if outcome.reason is None:
        outcome = replace(outcome, reason=NO_CHAMPION, remedy=TRAIN, stopped_at="champion_model")
    make_features_view(database, spec)
    found = _SCORERS.get(spec.learns, _score_customers)(database, spec, session_id)
    # It learnt from nothing later than the day it scores.
    keep_predictions(database, spec, session_id, found.version, as_of(database))
    keep_outcome(database, replace(outcome, method=found.method))
    record_session(database, context, spec.name, status="scored", engine=found.method, model_version=found.version)
    return replace(found, sentence=f"{found.sentence} {_because(outcome)}")


def _because(outcome: Outcome) -> str:
    return f"because {outcome.in_words}"


def _score_customers(database: Database, spec: WorkflowSpec, session_id: str) -> FallbackScores:
    """Expected spend or a probability per customer, from the customer's own features."""
    from tdml_assets.engines.fallback import choose_fallback

    day, task, reasons = as_of(database), task_of(spec), list(reason_names(spec.reasons))
    today = _customers(database, spec, day)
    fallback = choose_fallback(
        today,
        _labelled(database, spec, day),
        kind=spec.target_kind,
        horizon_days=spec.target.horizon_days,
        history_days=_history_days(database, day),
        moved=lambda then, customers, predicted: fallback_at(database, spec, customers, predicted, then),
    )
    scores = scores_contract(spec)
    predicted = fallback.scorer.score(today)
    if fallback.method == "lifetime":
        # What a rule says is what happened lately, in this season or another: nothing is known of its level.
        predicted = move_fallback(database, spec, today, predicted, session_id, day)
    columns: dict[str, Any] = {name: pa.nulls(today.num_rows, pa.string()) for name in reasons}
    columns |= {"customer_id": today["customer_id"], "predicted_target": pa.array(predicted)}
    database.replace(scores, pa.table(columns))
    context = {"scores": scores.path, "session_id": session_id, "as_of": day, "snapshot_date": day, "reasons": reasons}
    # A rule's total is not held against what the histories say.
    beside = add_next_orders(database, spec, scores.path, day, follow_total=fallback.method == "lifetime")
    rows = database.replace(task.predictions_contract(spec), task.publish(spec, **context, **beside))
    drop_scores(database, spec, scores.path)
    session = {"session_id": session_id, "workflow": spec.name}
    database.replace_slice(MODEL_METRICS, session, _metric_rows(session, fallback))
    return FallbackScores(rows, fallback.method, fallback.scorer.version, _sentence(rows, fallback))


def _sentence(rows: int, fallback: Fallback) -> str:
    how = "a lifetime model" if fallback.method == "lifetime" else "a rule"
    measured = ", ".join(f"{name} {value:.3g}" for name, value in fallback.metrics.items())
    horizons = f"{fallback.horizons} past horizon{'s' if fallback.horizons > 1 else ''}"
    error = f"measured on {horizons}: {measured}" if measured else "not measured: no horizon lies behind it"
    return f"{rows} customers scored by {how} ({error}),"


def _metric_rows(session: dict[str, str], fallback: Fallback) -> list[dict[str, Any]]:
    return [
        {**session, "evaluation_table": "test", "metric": name, "value": value}
        for name, value in fallback.metrics.items()
    ]


def _customers(database: Database, spec: WorkflowSpec, day: date) -> pa.Table:
    from tdml_assets.engines.fallback import COLUMNS

    return database.arrow(
        render("predictions/fallback/customers", features_table=features_table(spec), columns=list(COLUMNS), day=day)
    )


def _labelled(database: Database, spec: WorkflowSpec, day: date) -> Sequence[Labelled]:
    """Customers of earlier days that features were taken at, the latest first, with what they did in the horizon after each."""
    from tdml_assets.engines.fallback import COLUMNS, Labelled

    table, until = features_table(spec), day - timedelta(days=spec.target.horizon_days)
    found = []
    for row in database.rows(render("predictions/fallback/known_days", features_table=table, until=until)):
        rows = database.arrow(
            render(
                "training_table/build",
                features_table=table,
                dates=[row["snapshot_date"]],
                roles=["test"],
                columns=list(COLUMNS),
                holdout_share=spec.split.holdout_share,
                sample_share=sample_share(int(row["customers"]), _MOST_ROWS),
                **observation(spec),
            )
        )
        found.append(Labelled(row["snapshot_date"], rows, rows["target"].to_numpy().astype(np.float64)))
    return found


def _history_days(database: Database, day: date) -> int:
    span = database.row(render("features/orders_span", table=ORDERS_TABLE, as_of=day))
    days: int = (day - span["first_order_on"]).days + 1
    return days


def _score_segments(database: Database, spec: WorkflowSpec, session_id: str) -> FallbackScores:
    """RFM segments, whose quarters need no fit."""
    day = as_of(database)
    statement = render(
        "predictions/fallback/rfm_segments",
        features_table=features_table(spec),
        snapshot_date=day,
        session_id=session_id,
        as_of=day,
    )
    rows = database.replace(task_of(spec).predictions_contract(spec), statement)
    return FallbackScores(rows, "rules", _RFM_VERSION, f"{rows} customers put into RFM segments, without groups,")


def _score_products(database: Database, spec: WorkflowSpec, session_id: str) -> FallbackScores:
    """The popular products, for everybody."""
    day, wanted = as_of(database), spec.recommendation
    length = wanted.count + wanted.discover_count
    statement = render(
        "predictions/fallback/popular_products",
        orders_table=ORDERS_TABLE,
        features_table=features_table(spec),
        as_of=day,
        recent_after=day - timedelta(days=spec.target.horizon_days),
        include=wanted.include,
        exclude=wanted.exclude,
        count=wanted.count,
        candidates=length + _MORE_CANDIDATES,
        length=length,
        session_id=session_id,
        repeat=REPEAT,
        discover=DISCOVER,
    )
    rows = database.replace(predictions_contract(spec.name), statement)
    return FallbackScores(rows, "rules", _POPULAR_VERSION, f"{rows} rows of popular products, alike for everybody,")


_SCORERS = {"clustering": _score_segments, "recommendation": _score_products}
