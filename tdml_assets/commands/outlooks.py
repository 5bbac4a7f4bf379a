"""What a run will do with every workflow, from a trial load: learn from these orders, or score by a fallback, and why.

Elsewhere: loading (``trial_load.py``), printing (``check.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.refusals import RefusedError
from tdml_assets.platform.statements import render
from tdml_assets.recommendation.eligibility import NoProductsError
from tdml_assets.settings import EVERY_OTHER
from tdml_assets.stages.features.snapshots import HistoryTooShortError, SnapshotPlan, plan_snapshots, plan_split
from tdml_assets.stages.raw.contracts import ORDERS
from tdml_assets.tasks.presentation import presentation_of

if TYPE_CHECKING:
    from tdml_assets.commands.preflight import OrderFacts
    from tdml_assets.platform.warehouse import Database

#: What scores where no model can be trained (``stages/predictions/fallback_asset.py``), by kind of target.
_FALLBACKS = {
    "unlabelled": "RFM segments",
    "products": "popular products",
    "net_spend": "a lifetime model or the total spend so far, whichever erred less on the last horizon",
    "purchase": "a lifetime model or the recency of the last order, whichever erred less on the last horizon",
}
_FALLBACKS["no_purchase"] = _FALLBACKS["purchase"]
#: Kind of target of ranked lists.
_PRODUCTS = "products"
#: Learners that refuse few rows and few buyers of their own accord.
_SPEND_LEARNERS = ("two_stage_xgboost", "lifetime_xgboost")
#: Customers that a lifetime model of spend needs: with a second purchase.
_LEAST_RETURNING = 2

_KEY = (Column("snapshot_date", "DATE", "Day the features are of."), Column("customer_id", "VARCHAR", "Customer."))
_KNOWN = TableContract("outlook", "known_customers", "Customers whom a workflow learns from.", _KEY)
_PURCHASES = TableContract(
    "outlook",
    "purchases",
    "Units per order line.",
    (
        Column("customer_id", "VARCHAR", "Customer."),
        Column("ordered_on", "DATE", "Day."),
        Column("units", "DOUBLE", "Units, negative for a return."),
    ),
)
_ROWS = TableContract(
    "outlook",
    "training_rows",
    "Rows of a training table without features.",
    (*_KEY, Column("split", "VARCHAR", "Part."), Column("target", "DOUBLE", "What is predicted.")),
)


@dataclass(frozen=True)
class WorkflowOutlook:
    """What a run does with a workflow, and why; ``is_short`` where its horizon is too long for a later test.

    ``on`` trains a model, ``fallback`` scores without one, ``off`` scores nobody.
    """

    workflow: str
    state: Literal["on", "fallback", "off"]
    reason: str = field(default="")
    is_short: bool = field(default=False)


def outlook_of(spec: WorkflowSpec, facts: OrderFacts, as_of: date, *, is_named: bool = False) -> WorkflowOutlook:
    """Whether the history is long enough for a workflow's horizon.

    ``is_named``: whether the settings name the workflows that run. Where they do not, naming one would turn off the others.
    """
    if facts.first_on is None or not presentation_of(spec.task).looks_ahead:
        return WorkflowOutlook(spec.name, "on")
    span, horizon = (as_of - facts.first_on).days + 1, spec.target.horizon_days
    # A target to learn from, a later one to test on, and as much history before the first of them.
    longest = span // 3
    others = "" if is_named else f', "{EVERY_OTHER}": {{}}'
    shorter = (
        f"workflows: {{{spec.name}: {{target: {{horizon_days: {longest}}}}}{others}}}"
        if longest
        else "none, give earlier orders"
    )
    try:
        if spec.target_kind == _PRODUCTS:
            return _of_windows(spec, facts.first_on, as_of)
        plan = plan_snapshots(as_of, facts.first_on, horizon, spec.snapshots)
    except HistoryTooShortError as error:
        why = f"{error}. Longest horizon with a test: {shorter}"
        return _by_fallback(spec, why, is_short=True, has_rule=False, returning_customers=facts.returning_customers)
    if plan_split(plan).by_customers:
        return WorkflowOutlook(
            spec.name,
            "on",
            f"{span:,} days of orders hold one target of {horizon} days: the test is on other customers, not on a later time. "
            f"Longest horizon with a later test: {shorter}",
            is_short=True,
        )
    return WorkflowOutlook(
        spec.name, "on", f"{len(plan.labelled)} snapshots to learn from and to test on, up to {plan.labelled[-1]}"
    )


def read_outlook(
    database: Database, spec: WorkflowSpec, facts: OrderFacts, as_of: date, *, is_named: bool = False
) -> WorkflowOutlook:
    """:func:`outlook_of`, and whether there are rows enough: the checks of training, on the orders of a trial load.

    Rows of targets that a trial load does not hold, such as page views, are not counted, and what only a fit finds is not known.
    """
    from tdml_assets.tasks import task_of

    found = outlook_of(spec, facts, as_of, is_named=is_named)
    looks_ahead = presentation_of(spec.task).looks_ahead
    is_counted = (
        not looks_ahead or spec.target_kind == "net_spend" or (_is_purchase(spec) and not spec.target.conditions)
    )
    if found.state != "on" or facts.first_on is None:
        return found
    horizon = spec.target.horizon_days
    try:
        if spec.target_kind == _PRODUCTS:
            _require_buyers(database, spec, as_of)
        elif is_counted:
            task = task_of(spec)
            plan = SnapshotPlan(as_of=as_of, labelled=(as_of,), horizon_days=horizon)
            if looks_ahead:
                plan = plan_snapshots(as_of, facts.first_on, horizon, spec.snapshots)
            sizes = _sizes(database, spec, task.roles(plan)[0])
            task.check_rows(sizes, spec)
            _require_rows(spec, [row for row in sizes if row["split"] == "train"])
    except NoProductsError as error:
        return WorkflowOutlook(spec.name, "off", str(error))
    except RefusedError as error:
        return _by_fallback(spec, str(error), is_short=found.is_short)
    return found


def _require_buyers(database: Database, spec: WorkflowSpec, as_of: date) -> None:
    """Refuse windows in which too few customers bought a known product, as the training table does."""
    from tdml_assets.recommendation.tables import check_sizes, training_contract
    from tdml_assets.stages.features.past_rows import replaced_rows
    from tdml_assets.stages.training_table.recommendation import plan_training, training_statement

    windows, _ = plan_training(database, spec, as_of)
    contract = replace(training_contract(spec.name), schema=_ROWS.schema)
    database.replace(contract, training_statement(spec, windows, 1.0, replaced_rows(database)))
    sizes = database.rows(render("recommendation/sizes", table=contract.path))
    check_sizes(sizes, {"validation": windows.validation.day, "test": windows.test.day}, spec.split.min_rows)


def _require_rows(spec: WorkflowSpec, rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what is too little for the learners of spend."""
    if spec.model.estimator not in _SPEND_LEARNERS:
        return
    from tdml_assets.engines.two_stage import TwoStageParameters
    from tdml_assets.engines.xgboost_rows import StageRows, TargetFacts

    asked = {
        name: spec.model.parameters.get(name, getattr(TwoStageParameters, name)) for name in ("min_rows", "min_buyers")
    }
    facts = TargetFacts(sum(int(row["customers"]) for row in rows), sum(int(row["positives"]) for row in rows))
    facts.require(StageRows(False, 1.0, "training rows", **asked))


def _of_windows(spec: WorkflowSpec, first_on: date, as_of: date) -> WorkflowOutlook:
    from tdml_assets.recommendation.windows import plan_windows

    windows = plan_windows(as_of, first_on, spec.target.horizon_days)
    return WorkflowOutlook(
        spec.name, "on", f"chosen on the days after {windows.validation.day}, tested on those after {windows.test.day}"
    )


def _by_fallback(
    spec: WorkflowSpec, why: str, *, is_short: bool, has_rule: bool = True, returning_customers: int = 0
) -> WorkflowOutlook:
    """What scores instead. ``has_rule``: whether a horizon lies behind some customers, from which a rate can be learnt."""
    how = _FALLBACKS.get(spec.target_kind)
    if how is None:
        return WorkflowOutlook(spec.name, "off", f"{why}; no fallback predicts {spec.target_kind}", is_short)
    if _is_purchase(spec) and not has_rule:
        if returning_customers < _LEAST_RETURNING:
            return WorkflowOutlook(
                spec.name, "off", f"{why}; no customer came back, from whom a fallback learns", is_short
            )
        how = "a lifetime model"
    return WorkflowOutlook(spec.name, "fallback", f"{why}. Scored without a trained model: {how}", is_short)


def _is_purchase(spec: WorkflowSpec) -> bool:
    return spec.target_kind in ("purchase", "no_purchase")


def _sizes(database: Database, spec: WorkflowSpec, roles: Mapping[date, str]) -> Sequence[Mapping[str, Any]]:
    """Rows per split and snapshot, as the training table would have them."""
    from tdml_assets.stages.training_table.table import observation

    known = render(
        "check/known_customers",
        orders=ORDERS.path,
        dates=list(roles),
        ordered_within_days=spec.eligible.ordered_within_days,
        min_orders=spec.eligible.min_orders,
    )
    database.replace(_KNOWN, known)
    observed = observation(spec)
    if spec.target_kind != "net_spend":
        database.replace(_PURCHASES, render("check/purchases", orders=ORDERS.path))
        observed["events_table"] = _PURCHASES.path
    built = render(
        "training_table/build",
        features_table=_KNOWN.path,
        dates=list(roles),
        roles=list(roles.values()),
        columns=[],
        holdout_share=spec.split.holdout_share,
        sample_share=1.0,
        **observed,
    )
    database.replace(_ROWS, built)
    return database.rows(render("training_table/split_sizes", table=_ROWS.path))
