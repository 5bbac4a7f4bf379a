"""Recommendation: which products a customer buys next, ranked.

Elsewhere: what its stages do (``recommendation/``, ``stages/*/recommendation.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.statistics import Reader
from tdml_assets.recommendation.eligibility import why_off
from tdml_assets.recommendation.product_names import product_label
from tdml_assets.stages.evaluation.measures import Metrics
from tdml_assets.stages.realised.performance import MISSED, list_history_contract
from tdml_assets.tasks import RealisedPerformance
from tdml_assets.tasks.presentation import Measure, Presentation

__all__ = ["PRESENTATION", "REALISED_PERFORMANCE", "why_off"]

_TOLD_PRODUCTS = 3


class RecommendationPerformance:
    """See :class:`~tdml_assets.tasks.RealisedPerformance`."""

    error = MISSED

    def history(self, spec: WorkflowSpec) -> TableContract:
        """Contract of what is kept of predictions: lists."""
        return list_history_contract(spec.name)

    def kept(self, spec: WorkflowSpec, **context: Any) -> Statement:
        """Rows to keep of the lists of a day."""
        customers = min(spec.monitor.kept_customers, spec.recommendation.measured_customers)
        return render("realised/keep_lists", customers=customers, **context)

    def measure(self, reader: Reader, spec: WorkflowSpec, day: date, train: Metrics) -> Metrics:  # noqa: ARG002
        """Measure lists against what was bought, over customers who bought something known by then."""
        # Half a second of libraries that whoever only asks for a task is spared.
        from tdml_assets.recommendation.metrics import list_metrics
        from tdml_assets.recommendation.tables import outcome_from

        days = {"day": day, "as_of": day + timedelta(days=spec.target.horizon_days)}
        goods = {"include": spec.recommendation.include, "exclude": spec.recommendation.exclude}
        tables = {"history": list_history_contract(spec.name).path, "orders_table": ("raw", "orders")}
        rows, sizes, known = (
            reader.arrow(render(f"realised/lists_{name}", **tables, **days, **goods))
            for name in ("happened", "truth", "known")
        )
        found: Metrics = {"rows": float(sizes.num_rows), "catalogue": float(known["products"][0].as_py())}
        if not sizes.num_rows:
            return {**found, MISSED.metric: None}
        outcome = outcome_from(
            rows, sizes, length=int(max(rows["rank"].to_pylist())), catalogue=int(found["catalogue"] or 0)
        )
        found |= {"truth_per_customer": float(outcome.truth.mean()), **list_metrics(outcome)}
        return {**found, MISSED.metric: 1.0 - (found["recall_at_10"] or 0.0)}


REALISED_PERFORMANCE: RealisedPerformance = RecommendationPerformance()


def _highlights(reader: Reader, table: Sequence[str], session_id: str) -> list[tuple[str, str]]:
    found = reader.row(render("summary/recommended", table=table, session_id=session_id))
    if not found["customers"]:
        return []
    lines = [("recommended", f"{found['ranks']} products each, {found['products']:,} different ones in all")]
    if "product_name" not in reader.columns(table):
        # Written before products had names.
        return lines
    first = reader.rows(render("summary/first_choices", table=table, session_id=session_id, limit=_TOLD_PRODUCTS))
    # Ids alone say nothing to a marketer.
    if any(row["product_name"] is not None for row in first):
        shown = "; ".join(
            f"{product_label(row['product_id'], row['product_name'])} {row['share']:.0%}" for row in first
        )
        lines.append(("shown first", shown))
    return lines


def _product_names(reader: Reader, table: Sequence[str], session_id: str) -> dict[str, str]:
    if "product_name" not in reader.columns(table):
        return {}
    rows = reader.rows(render("session_report/product_names", table=table, session_id=session_id))
    return {row["product_id"]: product_label(row["product_id"], row["product_name"]) for row in rows}


PRESENTATION = Presentation(
    measures=(
        Measure("recall_at_10", "found of what was bought, in 10", "score", "higher", "baseline_popular_recall_at_10"),
        Measure("ndcg_at_10", "order of the 10 (NDCG)", "score", "higher", "baseline_popular_ndcg_at_10"),
        Measure("hit_rate_at_10", "customers with a hit in 10", "score", "higher", "baseline_popular_hit_rate_at_10"),
        Measure("recall_at_10_new", "found of what was new to them", "score", "higher", None),
    ),
    naive="everybody is shown the popular products",
    highlights=_highlights,
    level_names=_product_names,
    columns={
        "first_choice": "first product shown",
        "first_discovery": "first product shown that is new to the customer",
        "first_discovery_score": "score of the first product that is new to the customer",
    },
    alternatives={
        "recall_at_10": "this model",
        "baseline_personal_recall_at_10": "their own most frequent products",
        "baseline_popular_recall_at_10": "the most popular products",
    },
    category="first product shown",
    levels={"repeat": "bought by the customer before", "discover": "new to the customer"},
)
