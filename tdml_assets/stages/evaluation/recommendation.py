"""The evaluation of a recommendation: its lists measured, next to the champion's for the same customers.

Elsewhere: measuring (``recommendation/metrics.py``), comparing (``recommendation/contest.py``), what a decision is kept as
(``gate_asset.py``).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.scope import TestWindow, obstacle
from tdml_assets.platform.metadata import glance, plot, table_preview
from tdml_assets.platform.monitoring import MODEL_METRICS
from tdml_assets.platform.recorded_events import AssetContext
from tdml_assets.platform.sessions import session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.recommendation import figures
from tdml_assets.recommendation.contest import guard_slices, missed, missed_by, pair_of_lists
from tdml_assets.recommendation.metrics import Metrics, Outcome, may_be_promoted
from tdml_assets.recommendation.model import Recommender, load_measured
from tdml_assets.recommendation.selection import MODEL, PERSONAL_LIST, POPULAR_LIST, window_metrics
from tdml_assets.recommendation.tables import holdout_contract, outcome_from, training_contract
from tdml_assets.settings import Settings
from tdml_assets.stages.evaluation.gate_asset import Examination, Examined, Incumbent, PairedResult
from tdml_assets.stages.evaluation.measures import Evaluation
from tdml_assets.stages.evaluation.paired import compare

#: Parts of the training table, per snapshot.
PARTS = ("history", "truth")


def read_interactions(database: Database, workflow: str, day: date, split: str) -> pa.Table:
    """One part of the training table, in a fixed order."""
    table = training_contract(workflow).path
    return database.arrow(render("recommendation/interactions", table=table, snapshot_date=day, split=split))


def days_of(database: Database, workflow: str) -> list[date]:
    """Snapshots of the training table: where the model is chosen, where it is measured, as_of."""
    sizes = database.rows(render("recommendation/sizes", table=training_contract(workflow).path))
    return sorted({row["snapshot_date"] for row in sizes})


def _read_lists(database: Database, spec: WorkflowSpec, split: str, name: str, day: date) -> tuple[pa.Array, Outcome]:
    """One kind of list of one window as it was stored: whose they are, and what became of them."""
    import pyarrow.compute as pc

    training = training_contract(spec.name).path
    rows = database.arrow(
        render("recommendation/holdout", table=holdout_contract(spec.name).path, split=split, list=name)
    )
    truth = database.arrow(render("recommendation/truth_sizes", table=training, snapshot_date=day))
    sizes = database.rows(render("recommendation/sizes", table=training))
    (catalogue,) = [row["products"] for row in sizes if (row["snapshot_date"], row["split"]) == (day, "history")]
    outcome = outcome_from(rows, truth, length=spec.recommendation.length, catalogue=catalogue)
    return rows["customer_id"].combine_chunks().filter(pc.equal(rows["rank"], 1).combine_chunks()), outcome


def read_metrics(database: Database, spec: WorkflowSpec) -> dict[str, Metrics]:
    """Metrics per split, from the lists as they were stored."""
    return {
        split: window_metrics(
            {name: _read_lists(database, spec, split, name, day)[1] for name in (MODEL, POPULAR_LIST, PERSONAL_LIST)}
        )
        for split, day in zip(("train", "test"), days_of(database, spec.name), strict=False)
    }


def _compare_with_champion(database: Database, spec: WorkflowSpec, incumbent: Incumbent[Recommender]) -> PairedResult:
    """Let the champion's measured model recommend to the candidate's test customers, from the same history."""
    if incumbent.manifest is None:
        return None, []
    _, day, _ = days_of(database, spec.name)
    found = obstacle(incumbent.manifest, incumbent.scope, spec.model_dump(mode="json"), TestWindow(day))
    if found is not None or incumbent.model is None:
        return found, []
    history, truth = (read_interactions(database, spec.name, day, part) for part in PARTS)
    customers, outcome = _read_lists(database, spec, "test", MODEL, day)
    theirs = missed_by(incumbent.model, history, truth, customers, outcome.truth)
    pair = pair_of_lists(missed(outcome), theirs, guard_slices(history, customers))
    return None, compare(pair, spec.gate, spec.model.seed)


def _show_metrics(metrics: Mapping[str, Metrics]) -> dict[str, Any]:
    names = ("recall_at_10", "baseline_personal_recall_at_10", "baseline_popular_recall_at_10")
    shares = [metrics["test"].get(name) or 0.0 for name in names]
    title = "found of what was bought, in 10: the model, each customer's own products, popular products"
    return {
        **glance(title, [("share found", shares)], "model", "popular"),
        "metrics": table_preview(compared(metrics["test"])),
        "validation window": table_preview(compared(metrics["train"])),
        "comparison": plot("against the baselines", figures.against_baselines(metrics["test"])),
    }


def on_test_lists(spec: WorkflowSpec, _: Settings) -> Examination[Recommender]:
    """Lists of products, next to those of the baselines."""

    def examine(context: AssetContext, database: Database, incumbent: Incumbent[Recommender]) -> Examined:
        session = {"session_id": session_id_of(context), "workflow": spec.name}
        metrics = read_metrics(database, spec)
        rows = [{**session, **row} for row in Evaluation(metrics, {}).metric_rows()]
        count = database.replace_slice(MODEL_METRICS, session, rows)
        paired = _compare_with_champion(database, spec, incumbent)
        shown = {"dagster/row_count": count, **_show_metrics(metrics)}
        return Examined(may_be_promoted(metrics["test"]), paired, shown)

    return Examination(
        "Recall, NDCG, hit rate and coverage of the lists, repeats and new products apart, next to popularity and personal "
        "frequency; 'train' is the window that choices were made on.",
        load_measured,
        examine,
    )


def compared(metrics: Metrics) -> Sequence[dict[str, Any]]:
    """One row per metric: the model, personal frequency, popularity."""
    names = [name for name in metrics if not name.startswith("baseline_")]
    return [
        {
            "metric": name,
            "model": metrics[name],
            "personal_frequency": metrics.get(f"{PERSONAL_LIST}_{name}"),
            "popular": metrics.get(f"{POPULAR_LIST}_{name}"),
        }
        for name in names
    ]
