"""Publishing attributes: from the predictions of all workflows to the two tables of the ``audience`` schema.

Belongs here: which predictions are published, the sanity check before, and writing; in an open database.
Does not: declarations and rules (``core/attributes.py``), SQL (``sql/publish/``), files (``destinations/``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from tdml_assets.core.attributes import (
    CATALOG,
    AttributeDeclarationError,
    SanityLimits,
    WorkflowAttributes,
    catalog_rows,
    check_declarations,
    check_sources,
    judge_sanity,
    parent_segment_contract,
)
from tdml_assets.core.statements import render

if TYPE_CHECKING:
    from tdml_assets.resources.warehouse import Database


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
    """What one publication wrote."""

    rows: int
    attributes: int
    scores: tuple[Scores, ...]
    evidence: Mapping[str, Any]


def find_scores(
    database: Database, workflows: Sequence[WorkflowAttributes], *, session_id: str, as_of: date
) -> tuple[Scores, ...]:
    """Which predictions are published: this session's, else the latest up to ``as_of``.

    Raises
    ------
    AttributeDeclarationError
        If a workflow has no predictions, or they lack a column an attribute is computed from.
    """
    if not workflows:
        raise AttributeDeclarationError(
            "no workflow publishes an attribute: declare attributes in at least one workflow"
        )
    check_declarations(workflows)
    check_sources(workflows, {wf.workflow: database.columns((wf.workflow, "predictions")) for wf in workflows})
    found = []
    for wf in workflows:
        statement = render("publish/sessions", table=_predictions(wf.workflow), session_id=session_id, as_of=as_of)
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
    expected_customers: int | None = None,
    eligible: Mapping[str, int] | None = None,
) -> Published:
    """Replace both tables of the ``audience`` schema inside the caller's transaction, and judge what was written.

    Parameters
    ----------
    expected_customers, eligible : known customers whom any workflow scores, and whom each does.

    Raises
    ------
    PublicationRefusedError
        If the sanity check fails; nothing has been written then.
    """
    scores = find_scores(database, workflows, session_id=session_id, as_of=as_of)
    contract = parent_segment_contract(workflows)
    passed, evidence = _judge(
        database,
        workflows,
        scores,
        as_of=as_of,
        limits=limits,
        expected_customers=expected_customers,
        eligible=eligible,
    )
    if not passed:
        raise PublicationRefusedError(
            f"{contract.schema}.{contract.name} is not published, the tables of before stay: "
            + "; ".join(evidence["problems"])
        )
    rows = database.replace(contract, render("publish/parent_segment_attributes", **_context(workflows, scores, as_of)))
    database.replace(CATALOG, catalog_rows(workflows))
    return Published(rows, len(contract.columns) - 2, scores, evidence)


def _judge(
    database: Database,
    workflows: Sequence[WorkflowAttributes],
    scores: Sequence[Scores],
    *,
    as_of: date,
    limits: SanityLimits | None,
    expected_customers: int | None,
    eligible: Mapping[str, int] | None,
) -> tuple[bool, dict[str, Any]]:
    context = _context(workflows, scores, as_of)
    specs = [spec for wf in workflows for spec in wf.attributes]
    profile = database.row(render("publish/profile", attributes=specs, **context))
    return judge_sanity(
        profile,
        workflows,
        limits or SanityLimits(),
        population=int(database.row(render("publish/population", **context))["customers"]),
        expected_customers=expected_customers,
        eligible=eligible,
        ages_days={score.workflow: (as_of - score.as_of).days for score in scores},
    )


def _context(workflows: Sequence[WorkflowAttributes], scores: Sequence[Scores], as_of: date) -> dict[str, Any]:
    sessions = {score.workflow: score.session_id for score in scores}
    parts = [
        {
            "name": wf.workflow,
            "table": _predictions(wf.workflow),
            "session_id": sessions[wf.workflow],
            "attributes": wf.attributes,
            "ranked": any(spec.rank is not None for spec in wf.attributes),
        }
        for wf in workflows
    ]
    return {"workflows": parts, "as_of": as_of}


def _predictions(workflow: str) -> tuple[str, str]:
    return (workflow, "predictions")
