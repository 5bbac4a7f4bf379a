"""<workflow>/evaluation of a recommendation: its lists measured, next to the champion's for the same customers.

Belongs here: reading lists and baskets, keeping, showing. Does not: measuring (``recommendation/metrics.py``), comparing
(``recommendation/contest.py``), what a decision is kept as (``gate_asset.py``).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundle_store import Bundle
from tdml_assets.models.bundles import evaluated_of, refusing_damage
from tdml_assets.models.golden import GOLDEN_FILE, check_golden
from tdml_assets.models.scope import TestWindow, obstacle
from tdml_assets.models.store import ModelStore
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, glance, plot, table_metadata, table_preview
from tdml_assets.platform.monitoring import MODEL_METRICS
from tdml_assets.platform.sessions import session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.recommendation import figures
from tdml_assets.recommendation.contest import guard_slices, missed, missed_by, pair_of_lists
from tdml_assets.recommendation.metrics import Metrics, Outcome, may_be_promoted
from tdml_assets.recommendation.model import FILES, Recommender, score_golden
from tdml_assets.recommendation.selection import MODEL, PERSONAL_LIST, POPULAR_LIST, window_metrics
from tdml_assets.recommendation.tables import holdout_contract, outcome_from, training_contract
from tdml_assets.stages.evaluation.gate_asset import (
    Incumbent,
    PairedResult,
    check_result,
    check_spec,
    find_incumbent,
    gate_metadata,
    keep_decision,
    read_candidate,
    settle,
)
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


def load_measured(bundle: Bundle) -> Recommender | None:
    """The model that was measured; None where the version keeps none.

    Raises ``BundleDamagedError`` if the model that recommends no longer gives its golden scores.
    """
    final = Recommender.from_files({name: data for name, data in bundle.files.items() if name in FILES})
    with refusing_damage(GOLDEN_FILE):
        check_golden(bundle.files[GOLDEN_FILE], lambda batch: score_golden(final, batch))
    files = evaluated_of(bundle.files)
    return Recommender.from_files({name: files[name] for name in FILES if name in files}) if files else None


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


def _keep_metrics(database: Database, spec: WorkflowSpec, session_id: str, metrics: Mapping[str, Metrics]) -> int:
    session = {"session_id": session_id, "workflow": spec.name}
    rows = [
        {**session, "evaluation_table": split, "metric": name, "value": value}
        for split, found in metrics.items()
        for name, value in found.items()
    ]
    return database.replace_slice(MODEL_METRICS, session, rows)


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


def build_recommendation_evaluation(spec: WorkflowSpec) -> dg.AssetsDefinition:
    """The asset of one workflow, with its blocking check."""
    key = dg.AssetKey([spec.name, "evaluation"])

    @dg.asset(
        key=key,
        deps=[[spec.name, "candidate_model"]],
        group_name=spec.name,
        kinds={"duckdb", "python"},
        owners=[OWNER],
        pool="warehouse",
        description="Recall, NDCG, hit rate and coverage of the lists, repeats and new products apart, next to popularity and "
        "personal frequency; 'train' is the window that choices were made on.",
        metadata=table_metadata(MODEL_METRICS),
        check_specs=[check_spec(key)],
    )
    @isolated(spec, "evaluation", "fit_to_score")
    def evaluation(context: dg.AssetExecutionContext, warehouse: Warehouse, models: ModelStore) -> dg.MaterializeResult:
        with warehouse.read() as database:
            candidate = read_candidate(database, context, spec.name)
        incumbent = find_incumbent(models.open(), spec.name, candidate, load_measured)
        with warehouse.write() as database:
            metrics = read_metrics(database, spec)
            count = _keep_metrics(database, spec, session_id_of(context), metrics)
            judged = may_be_promoted(metrics["test"])
            decision = settle(candidate, incumbent, judged, _compare_with_champion(database, spec, incumbent), spec)
            keep_decision(database, context, spec.name, decision)
        context.log.info(f"report: {decision.reason}")
        metadata = {"dagster/row_count": count, "verdict": decision.reason, **_show_metrics(metrics)}
        return dg.MaterializeResult(metadata=metadata | gate_metadata(decision), check_results=[check_result(decision)])

    return evaluation


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
