"""Publishing attributes: from the predictions of all workflows to the two tables of the ``audience`` schema.

Elsewhere: declarations and rules (``attributes.py``), SQL (``sql/audience/``), files (``destinations/``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.outcome import Outcome
from tdml_assets.platform.statements import render
from tdml_assets.recommendation.tables import DISCOVER
from tdml_assets.stages.audience.attributes import (
    CATALOG,
    AttributeDeclarationError,
    SanityLimits,
    WorkflowAttributes,
    catalog_rows,
    check_declarations,
    check_sources,
    judge_sanity,
    parent_segment_contract,
    without_product,
)
from tdml_assets.stages.audience.control import CONTROL_ATTRIBUTE, CONTROL_GROUPS, assign, control_row

if TYPE_CHECKING:
    from tdml_assets.declaration.audience import ControlGroup
    from tdml_assets.platform.warehouse import Database

_CARRIED = ("audience", "carried_attributes")
_JUDGED = ("judged_attributes",)


class PublicationRefusedError(RuntimeError):
    """The attributes failed their sanity check; what was published before is untouched."""


@dataclass(frozen=True)
class Scores:
    """The predictions of one workflow that are published."""

    workflow: str
    session_id: str
    as_of: date


@dataclass(frozen=True)
class Published:
    """What one publication wrote.

    ``withheld``: why, per workflow whose new scores were not published. ``carried``: those of them whose earlier attributes
    stay. ``catalogue``: rows of ``audience.attribute_catalog``.
    """

    rows: int
    attributes: int
    scores: tuple[Scores, ...]
    evidence: Mapping[str, Any]
    withheld: Mapping[str, str] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    catalogue: Sequence[Mapping[str, Any]] = ()


def find_scores(
    database: Database, workflows: Sequence[WorkflowAttributes], *, session_id: str, as_of: date
) -> tuple[Scores, ...]:
    """Which predictions are published: this session's, else the latest up to ``as_of``.

    Raises ``AttributeDeclarationError`` if a workflow has no predictions, or they lack a column an attribute is computed from.
    """
    check_declarations(workflows)
    check_sources(workflows, {wf.workflow: database.columns((wf.workflow, "predictions")) for wf in workflows})
    found = []
    for wf in workflows:
        statement = render("audience/sessions", table=_predictions(wf.workflow), session_id=session_id, as_of=as_of)
        rows = database.rows(statement)
        if not rows:
            raise AttributeDeclarationError(f"workflow {wf.workflow} has no predictions up to {as_of}: score it first")
        found.append(Scores(wf.workflow, rows[0]["session_id"], rows[0]["as_of"]))
    return tuple(found)


def publish(
    database: Database,
    workflows: Sequence[WorkflowAttributes],
    *,
    session_id: str,
    as_of: date,
    limits: SanityLimits | None = None,
    expected_customers: Callable[[Collection[str]], int] | int | None = None,
    eligible: Mapping[str, int] | None = None,
    outcomes: Mapping[str, Outcome] | None = None,
    control: ControlGroup | None = None,
) -> Published:
    """Replace both tables of the ``audience`` schema inside the caller's transaction, and judge what was written.

    A workflow whose scoring or monitoring ended early, or whose attributes are not sane, keeps the attributes of its last
    publication, as long as they are not older than ``limits.max_age_days``; else its columns are NULL.

    Raises ``PublicationRefusedError`` if no workflow has new scores, or the sanity check fails; nothing has been written then.
    ``expected_customers``, ``eligible``: known customers whom any of some workflows scores, and whom each does. ``outcomes``:
    what became of each workflow in this session; those left out ran to the end. ``control``: who is kept out of activation, as
    declared.
    """
    limits, outcomes = limits or SanityLimits(), outcomes or {}
    contract = parent_segment_contract(workflows, [CONTROL_ATTRIBUTE] if control else [])
    withheld = {name: outcome.in_words for name, outcome in outcomes.items() if outcome.withholds}
    for wf in workflows:
        if wf.workflow not in outcomes and not database.columns(_predictions(wf.workflow)):
            withheld[wf.workflow] = "it was never scored: run it too"
    while True:
        fresh = [wf for wf in workflows if wf.workflow not in withheld]
        if not fresh:
            reasons = "; ".join(f"{name}: {why}" for name, why in withheld.items())
            raise PublicationRefusedError(f"no workflow has new scores, the tables of before stay: {reasons}")
        scores = find_scores(database, fresh, session_id=session_id, as_of=as_of)
        scored = {score.workflow for score in scores}
        by_rules = {wf.workflow for wf in fresh if wf.workflow in outcomes and outcomes[wf.workflow].by_fallback}
        passed, evidence = _judge(
            database,
            fresh,
            scores,
            as_of=as_of,
            limits=limits,
            expected_customers=expected_customers(sorted(scored))
            if callable(expected_customers)
            else expected_customers,
            eligible=eligible,
            by_rules=by_rules,
        )
        if passed:
            break
        alone = evidence["of_workflows"]
        if len(alone) == len(fresh) or sum(map(len, alone.values())) < len(evidence["problems"]):
            raise PublicationRefusedError(
                f"{contract.schema}.{contract.name} is not published, the tables of before stay: "
                + "; ".join(evidence["problems"])
            )
        withheld |= {name: "; ".join(problems) for name, problems in alone.items()}
    carried = _carried(database, workflows, withheld, as_of, limits)
    if carried:
        database.replace(
            _before(workflows, carried),
            render("audience/carry", table=contract.path, workflows=[wf for wf in workflows if wf.workflow in carried]),
        )
    context = _context(workflows, scores, as_of, carried)
    if control is not None:
        assign(database, control, context["workflows"], as_of)
        context |= {"control_table": CONTROL_GROUPS.path, "seed": control.seed}
    # Ranks sort all customers: where the tables are what was judged, they are not computed again.
    is_judged = control is None and not withheld
    rows = database.replace(
        contract,
        render("audience/all_judged", table=_JUDGED)
        if is_judged
        else render("audience/parent_segment_attributes", **context),
    )
    database.execute(render("warehouse/drop_table", table=_JUDGED))
    if carried:
        database.execute(render("warehouse/drop_table", table=_CARRIED))
    catalogue = catalog_rows(workflows, _notes(scores, carried, withheld, outcomes))
    catalogue += [control_row()] if control else []
    database.replace(CATALOG, catalogue)
    return Published(rows, len(contract.columns) - 2, scores, evidence, withheld, tuple(carried), catalogue)


def _carried(
    database: Database,
    workflows: Sequence[WorkflowAttributes],
    withheld: Mapping[str, str],
    as_of: date,
    limits: SanityLimits,
) -> dict[str, date]:
    """Day of the attributes of each withheld workflow that are kept from the last publication."""
    if not withheld or "as_of" not in database.columns(CATALOG.path):
        return {}
    published = database.columns(parent_segment_contract(workflows).path)
    days = {row["workflow"]: row["as_of"] for row in database.rows(render("audience/days", table=CATALOG.path))}
    found = {}
    for wf in workflows:
        day, whole = days.get(wf.workflow), all(spec.name in published for spec in wf.attributes)
        if wf.workflow in withheld and whole and day is not None and 0 <= (as_of - day).days <= limits.max_age_days:
            found[wf.workflow] = day
    return found


def _before(workflows: Sequence[WorkflowAttributes], carried: Mapping[str, date]) -> TableContract:
    columns = [
        Column(spec.name, spec.sql_type, spec.description)
        for wf in workflows
        if wf.workflow in carried
        for spec in wf.attributes
    ]
    return TableContract(
        *_CARRIED,
        "Attributes on their way from the last publication to this one.",
        (Column("customer_id", "VARCHAR", "Customer.", nullable=False), *columns),
    )


def _notes(
    scores: Sequence[Scores], carried: Mapping[str, date], withheld: Mapping[str, str], outcomes: Mapping[str, Outcome]
) -> dict[str, tuple[date | None, str | None]]:
    """Per workflow, the day its values are of and why they are not this session's champion's."""
    notes: dict[str, tuple[date | None, str | None]] = {}
    for score in scores:
        outcome = outcomes.get(score.workflow)
        how = f"scored by {outcome.method}: {outcome.in_words}" if outcome is not None and outcome.by_fallback else None
        notes[score.workflow] = (score.as_of, how)
    for name, why in withheld.items():
        day = carried.get(name)
        notes[name] = (day, f"no values: {why}" if day is None else f"values of {day}: {why}")
    return notes


def _judge(
    database: Database,
    workflows: Sequence[WorkflowAttributes],
    scores: Sequence[Scores],
    *,
    as_of: date,
    limits: SanityLimits,
    expected_customers: int | None,
    eligible: Mapping[str, int] | None,
    by_rules: Collection[str],
) -> tuple[bool, dict[str, Any]]:
    context = _context(workflows, scores, as_of, {})
    specs = [spec for wf in workflows for spec in wf.attributes]
    database.execute(render("audience/judged", table=_JUDGED, **context))
    profile = database.row(render("audience/profile", attributes=specs, table=_JUDGED))
    return judge_sanity(
        profile,
        workflows,
        limits,
        population=int(database.row(render("audience/population", **context))["customers"]),
        expected_customers=expected_customers,
        eligible=eligible,
        ages_days={score.workflow: (as_of - score.as_of).days for score in scores},
        by_rules=by_rules,
        without_product=_without_product(database, workflows, context),
    )


def _without_product(
    database: Database, workflows: Sequence[WorkflowAttributes], context: Mapping[str, Any]
) -> dict[str, int]:
    """Per attribute of a recommendation, customers for whom there is no product to publish."""
    found: dict[str, int] = {}
    for wf, scored in zip(workflows, context["workflows"], strict=True):
        if scored["ranked"] and "slot" in database.columns(scored["table"]):
            where = {name: scored[name] for name in ("table", "session_id")}
            lists = database.row(render("audience/lists", never_bought=DISCOVER, **where))
            found |= {spec.name: without_product(spec, **lists) for spec in wf.attributes}
    return found


def _context(
    workflows: Sequence[WorkflowAttributes], scores: Sequence[Scores], as_of: date, carried: Collection[str]
) -> dict[str, Any]:
    """What the statements of ``sql/audience/`` ask for: ``workflows`` have new scores, ``others`` have not."""
    sessions = {score.workflow: score.session_id for score in scores}
    fresh = [
        {
            "name": wf.workflow,
            "table": _predictions(wf.workflow),
            "session_id": sessions[wf.workflow],
            "attributes": wf.attributes,
            "ranked": any(spec.rank is not None for spec in wf.attributes),
        }
        for wf in workflows
        if wf.workflow in sessions
    ]
    others = [
        {"attributes": wf.attributes, "carried": wf.workflow in carried}
        for wf in workflows
        if wf.workflow not in sessions
    ]
    return {
        "workflows": fresh,
        "others": others,
        "carried_table": _CARRIED,
        "as_of": as_of,
        "never_bought": DISCOVER,
        "control_table": None,
    }


def _predictions(workflow: str) -> tuple[str, str]:
    return (workflow, "predictions")
