"""How many customers earlier snapshots need: those that training draws, before their features are built.

Elsewhere: who is drawn, which a hash of the customer id decides (``dbt_project/models/features/int_drawn_customers.sql``),
the rows of one workflow (``training_table/``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features.snapshots import ORDERS_TABLE

#: A hash does not draw the same share of every day's customers; the training table takes away what is too many.
_MARGIN = 1.05


def share_to_draw(database: Database, specs: Sequence[WorkflowSpec], days: Mapping[str, Sequence[date]]) -> float:
    """Share of the customers that the most demanding workflow learns from: 1 where any learns from everybody.

    Customers are counted from sales, before returns are taken off them: slightly more than have features. ``days``: earlier
    snapshots per workflow, by name.
    """
    learning = [(spec, days[spec.name]) for spec in specs if days[spec.name]]
    if not learning:
        return 1.0
    last = max(day for _, learnt in learning for day in learnt)
    known = database.row(render("features/known_customers", orders_table=ORDERS_TABLE, last_day=last))["customers"]
    shares: list[float] = []
    for spec, learnt in learning:
        if known * len(learnt) <= spec.split.most_rows:
            return 1.0
        counted = render(
            "features/rows_at_days",
            orders_table=ORDERS_TABLE,
            days=list(learnt),
            ordered_within_days=spec.eligible.ordered_within_days,
            min_orders=spec.eligible.min_orders,
        )
        rows = database.row(counted)["row_count"]
        if rows <= spec.split.most_rows:
            return 1.0
        shares.append(spec.split.most_rows / rows)
    return min(1.0, _MARGIN * max(shares))
