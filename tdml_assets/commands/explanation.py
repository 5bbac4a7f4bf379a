"""One customer explained: scores, reasons, raw figures, history, and what moved since the session before.

Elsewhere: features of a day that is not stored (``stages/features/past_features.py``), SQL (``sql/explain/``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from tdml_assets.commands.output import wrapped
from tdml_assets.platform.monitoring import FEATURE_IMPORTANCES, SESSIONS
from tdml_assets.platform.statements import render
from tdml_assets.recommendation.product_names import product_label
from tdml_assets.stages.predictions.reasons import phrase_of, source_column
from tdml_assets.stages.raw.contracts import ORDERS

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

_KEYS = ("session_id", "as_of", "customer_id")
#: What is shown of a workflow whose model records no importances: it learns from baskets.
_BASKET_FEATURES = (
    "total_orders",
    "total_spend",
    "days_since_last_order",
    "distinct_items_ordered",
    "last_ordered_category",
)
_FEATURE_KEYS = ("snapshot_date", "customer_id")
_RECENT_ORDERS = 5
_HISTORY_ROWS = 400
_SHOWN_DAYS = 8
_SHOWN_MOVES = 8
_SHOWN_PRODUCTS = 10


@dataclass(frozen=True)
class Move:
    """A feature that differs between two days.

    ``importance``: share of the model's importance that its prepared forms hold; 0 where the model does not use it.
    """

    feature: str
    before: Any
    now: Any
    importance: float

    def words(self) -> str:
        """Before and now, as a marketer reads them."""
        return f"{phrase_of(self.feature, self.before)} -> {phrase_of(self.feature, self.now)}"


@dataclass(frozen=True)
class Point:
    """What was predicted at one day: a number, or the products recommended."""

    as_of: date
    model_version: str
    predicted: float | None = None
    products: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkflowExplanation:
    """What one workflow predicts of the customer, and why.

    ``scores``: columns of the predictions but keys and reasons; empty where the customer was not scored. ``products``: ranked
    products of a recommendation. ``history``: predictions kept, the latest first, today's among them. ``moves``: features that
    differ from the session before, the most important first. ``before``: day of that session; None for none.
    """

    workflow: str
    title: str
    as_of: date | None = None
    model_version: str = ""
    scores: Mapping[str, Any] | None = None
    reasons: tuple[str, ...] = ()
    products: tuple[Mapping[str, Any], ...] = ()
    history: tuple[Point, ...] = ()
    before: date | None = None
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Everything about one customer.

    ``figures``: orders, net spend, returns, first and last order up to as_of. ``recent``: the latest orders.
    """

    customer_id: str
    as_of: date | None
    figures: Mapping[str, Any]
    recent: tuple[Mapping[str, Any], ...]
    workflows: tuple[WorkflowExplanation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the same as a dictionary, for JSON, with the moves in words."""
        found = asdict(self)
        for explained, entry in zip(self.workflows, found["workflows"], strict=True):
            for move, written in zip(explained.moves, entry["moves"], strict=True):
                written["words"] = move.words()
        return found


def read_figures(
    database: Database, customer_id: str, until: date | None
) -> tuple[Mapping[str, Any], tuple[Mapping[str, Any], ...]]:
    """Raw figures of a customer, and the latest orders; a customer without orders has ``orders`` 0."""
    key = {"orders": ORDERS.path, "customer_id": customer_id, "until": until}
    figures = database.row(render("explain/orders", **key))
    return figures, tuple(database.rows(render("explain/recent_orders", **key, limit=_RECENT_ORDERS)))


def similar_ids(database: Database, customer_id: str) -> list[str]:
    """Ids that differ from the given one by case, blanks or leading zeros alone."""
    return [
        row["customer_id"]
        for row in database.rows(render("explain/similar_ids", orders=ORDERS.path, customer_id=customer_id))
    ]


def read_workflow(database: Database, workflow: str, title: str, customer_id: str) -> WorkflowExplanation:
    """What a workflow predicted for a customer, now and before; without the moves."""
    table, kept = (workflow, "predictions"), (workflow, "prediction_history")
    if not database.has_table(table):
        return WorkflowExplanation(workflow, title)
    rows = database.rows(render("explain/rows_of_customer", table=table, customer_id=customer_id, limit=_HISTORY_ROWS))
    history = render("explain/rows_of_customer", table=kept, customer_id=customer_id, limit=_HISTORY_ROWS)
    points = points_of(database.rows_if(kept, history))
    if not rows:
        return WorkflowExplanation(workflow, title, history=points)
    as_of, session_id = rows[0]["as_of"], rows[0]["session_id"]
    ranked = "rank" in rows[0]
    scores = {} if ranked else {name: value for name, value in rows[0].items() if name not in _KEYS}
    reasons = tuple(str(value) for name, value in scores.items() if name.startswith("reason_") and value is not None)
    products = [
        {key: row[key] for key in ("rank", "product_id", "product_name", "score", "slot") if key in row} for row in rows
    ]
    found = database.rows(render("sessions/find", table=SESSIONS.path, session_id=session_id, workflow=workflow))
    return WorkflowExplanation(
        workflow,
        title,
        as_of=as_of,
        model_version=str(found[0]["model_version"]) if found else "",
        scores={name: value for name, value in scores.items() if not name.startswith("reason_")},
        reasons=reasons,
        products=tuple(sorted(products, key=lambda row: row["rank"])) if ranked else (),
        history=points,
        before=next((point.as_of for point in points if point.as_of < as_of), None),
    )


def points_of(history: Sequence[Mapping[str, Any]]) -> tuple[Point, ...]:
    """Rows of ``<workflow>.prediction_history`` as one point a day, the latest first."""
    days: dict[date, list[Mapping[str, Any]]] = {}
    for row in history:
        days.setdefault(row["as_of"], []).append(row)
    points = []
    for day, rows in days.items():
        version = str(rows[0].get("model_version") or "")
        if "rank" in rows[0]:
            ordered = sorted(rows, key=lambda row: row["rank"])
            points.append(Point(day, version, products=tuple(str(row["product_id"]) for row in ordered)))
        else:
            points.append(Point(day, version, predicted=rows[0]["predicted_target"]))
    return tuple(points)


def read_importances(database: Database, workflow: str, model_version: str, columns: Sequence[str]) -> dict[str, float]:
    """Share of the model's importance per raw column; empty where it was not recorded."""
    if not model_version or not database.has_table(FEATURE_IMPORTANCES.path):
        return {}
    key = {"workflow": workflow, "model_version": model_version}
    trained = database.rows(
        render("summary/training_session", **key, metrics=("monitoring", "model_metrics"), sessions=SESSIONS.path)
    )
    if not trained:
        return {}
    rows = database.rows(
        render(
            "triage/importances",
            table=FEATURE_IMPORTANCES.path,
            session_id=trained[0]["session_id"],
            workflow=workflow,
        )
    )
    shares: dict[str, float] = {}
    for row in rows:
        try:
            column = source_column(row["feature"], columns)
        except ValueError:
            # A column of the customers source, which has no history.
            continue
        shares[column] = shares.get(column, 0.0) + (row["shap"] or 0.0)
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()} if total else {}


def moves_between(
    before: Mapping[str, Any], now: Mapping[str, Any], importances: Mapping[str, float]
) -> tuple[Move, ...]:
    """Features that differ, those that the model weighs most first.

    Features that the model does not use are left out. Where no importances are recorded, those of the orders are shown.
    """
    shown = set(importances) or set(_BASKET_FEATURES)
    moved = [
        Move(name, before.get(name), value, importances.get(name, 0.0))
        for name, value in now.items()
        if name not in _FEATURE_KEYS and name in shown and _differs(before.get(name), value)
    ]
    return tuple(sorted([move for move in moved if move.importance > 0] or moved, key=_weight))


def _weight(move: Move) -> tuple[float, str]:
    return -move.importance, move.feature


def _differs(before: Any, now: Any) -> bool:
    if isinstance(before, float) and isinstance(now, float):
        both_missing = math.isnan(before) and math.isnan(now)
        return not both_missing and not math.isclose(before, now, rel_tol=1e-9, abs_tol=1e-9)
    return bool(before != now)


def render_explanation(found: Explanation) -> str:
    """Write the explanation for a terminal."""
    figures = found.figures
    currency = figures["currency"] or ""
    lines = [
        f"Customer {found.customer_id}",
        f"  orders      {figures['orders']:,} ({figures['order_lines']:,} lines), {figures['first_order_on']} to "
        f"{figures['last_order_on']}",
        f"  net spend   {figures['net_spend']:,.2f} {currency}"
        + (f", of it returned {figures['returned']:,.2f}" if figures["returned"] else ""),
    ]
    for order in found.recent:
        name = f"  order {order['order_id']}" if order["order_id"] is not None else ""
        lines.append(f"    {order['ordered_on']}  {order['amount']:>12,.2f} {currency}  {order['lines']} lines{name}")
    for explained in found.workflows:
        lines += ["", *_workflow_lines(explained)]
    return "\n".join(lines)


def _workflow_lines(found: WorkflowExplanation) -> list[str]:
    if found.as_of is None:
        return [f"{found.title} ({found.workflow}): not scored in the latest session"]
    lines = [f"{found.title} ({found.workflow}), as of {found.as_of}, by {found.model_version or 'no model'}"]
    lines += [f"  {name:<22}{_shown(value)}" for name, value in (found.scores or {}).items()]
    if found.products:
        shown = found.products[:_SHOWN_PRODUCTS]
        named = any(row.get("product_name") is not None for row in shown)
        labels = [product_label(str(row["product_id"]), row.get("product_name")) for row in shown]
        lines += wrapped(f"  {'products':<22}{('; ' if named else ', ').join(labels)}", 24)
    lines += [line for reason in found.reasons for line in wrapped(f"  - {reason}", 4)]
    if found.history:
        lines.append("  predicted before" if found.before else "  predicted before: nothing is kept of an earlier day")
    for point in found.history[:_SHOWN_DAYS] if found.before else ():
        value = ", ".join(point.products[:5]) if point.products else _shown(point.predicted)
        lines.append(f"    {point.as_of}  {value:<14}  {point.model_version}")
    if found.before is not None:
        lines += _change_lines(found)
    return lines


def _change_lines(found: WorkflowExplanation) -> list[str]:
    lines = [f"  what moved since {found.before}"]
    versions = [point.model_version for point in found.history if point.as_of == found.before]
    if versions and versions[0] != found.model_version:
        lines.append(f"    the model: {versions[0]} then, {found.model_version} now")
    for move in found.moves[:_SHOWN_MOVES]:
        share = f" ({move.importance:.0%} of the model)" if move.importance >= 0.005 else ""
        lines += wrapped(f"    {move.words()}{share}", 6)
    more = len(found.moves) - _SHOWN_MOVES
    if more > 0:
        lines.append(f"    and {more} more (--json lists all)")
    return lines if len(lines) > 1 else [f"{lines[0]}: no figure that the model uses"]


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3f}"
    return str(value)
