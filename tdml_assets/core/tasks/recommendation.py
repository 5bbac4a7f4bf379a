"""Recommendation: which products a customer buys next, ranked. Its stages are its own (``core/recommendation/``)."""

from __future__ import annotations

from collections.abc import Sequence

from tdml_assets.core.recommendation.settings import why_off
from tdml_assets.core.statements import render
from tdml_assets.core.statistics import Reader
from tdml_assets.core.telling import Measure, Telling

__all__ = ["TELLING", "why_off"]


def _tell(reader: Reader, table: Sequence[str], session_id: str) -> list[tuple[str, str]]:
    found = reader.row(render("summary/recommended", table=table, session_id=session_id))
    if not found["customers"]:
        return []
    return [("recommended", f"{found['ranks']} products each, {found['products']:,} different ones in all")]


TELLING = Telling(
    measures=(
        Measure("recall_at_10", "found of what was bought, in 10", "score", "higher", "baseline_popular_recall_at_10"),
        Measure("ndcg_at_10", "order of the 10 (NDCG)", "score", "higher", "baseline_popular_ndcg_at_10"),
        Measure("hit_rate_at_10", "customers with a hit in 10", "score", "higher", "baseline_popular_hit_rate_at_10"),
        Measure("recall_at_10_new", "found of what was new to them", "score", "higher", None),
    ),
    naive="everybody is shown the popular products",
    tell=_tell,
)
