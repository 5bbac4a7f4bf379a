"""Attributes of customers: what all workflows together publish, under which names and types.

Elsewhere: the declaration of an attribute (``declaration/attributes.py``), reading and writing tables (``publication.py``),
files (``exports.py``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tdml_assets.activation.selection import CONTROL_COLUMN
from tdml_assets.declaration.attributes import NAME_RULE, AttributeSpec
from tdml_assets.platform.contracts import Column, TableContract

_NAME = re.compile(r"[a-z_][a-z0-9_]{2,127}")
# Columns of the parent segment itself; ``time`` is added to every table by Treasure Data.
RESERVED_NAMES = ("customer_id", "as_of", "time", CONTROL_COLUMN)

CATALOG = TableContract(
    schema="audience",
    name="attribute_catalog",
    description="One row per published attribute: what the columns of audience.parent_segment_attributes mean.",
    columns=(
        Column("column", "VARCHAR", "Column of audience.parent_segment_attributes.", nullable=False),
        Column("type", "VARCHAR", "string, number, timestamp, date or boolean.", nullable=False),
        Column("grouping", "VARCHAR", "Folder the attribute is shown under.", nullable=False),
        Column("workflow", "VARCHAR", "Workflow that computes it.", nullable=False),
        Column("description", "VARCHAR", "What it means, and what a NULL means.", nullable=False),
        Column("as_of", "DATE", "Day its values are of; NULL where it has none."),
        Column("note", "VARCHAR", "Why its values are not this session's champion's; NULL where they are."),
        Column("changed_by", "VARCHAR", "Attribute whose change sends it to destinations again; NULL for its own."),
    ),
)


class AttributeDeclarationError(ValueError):
    """A workflow declares an attribute that cannot be published."""


class WorkflowAttributes(BaseModel):
    """What one workflow publishes. ``workflow`` is also the schema of its predictions table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workflow: str = Field(min_length=1)
    attributes: tuple[AttributeSpec, ...]
    eligible: str | None = Field(
        default=None, description="Who is scored, in words; every known customer unless given."
    )


class SanityLimits(BaseModel):
    """What the attributes must satisfy before anybody sees them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_null_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of customers without a value, per attribute."
    )
    max_age_days: int = Field(
        default=31, ge=0, description="How much older than the publication a workflow's scores may be."
    )


def check_declarations(workflows: Sequence[WorkflowAttributes]) -> None:
    """Check names over all workflows. Raises ``AttributeDeclarationError`` that names workflow, attribute and broken rule."""
    owner: dict[str, str] = {}
    seen: set[str] = set()
    for declared in workflows:
        if declared.workflow in seen:
            raise AttributeDeclarationError(
                f"workflow {declared.workflow} declares its attributes twice: keep one list"
            )
        seen.add(declared.workflow)
        if any(spec.rank is not None for spec in declared.attributes):
            for spec in declared.attributes:
                if spec.kind != "column":
                    raise AttributeDeclarationError(
                        f"workflow {declared.workflow}, attribute {spec.name!r}: a {spec.kind} needs one row per "
                        "customer, and this workflow has one per rank: leave it out"
                    )
        for spec in declared.attributes:
            where = f"workflow {declared.workflow}, attribute {spec.name!r}"
            if not _NAME.fullmatch(spec.name):
                raise AttributeDeclarationError(f"{where}: a name has {NAME_RULE}: rename it")
            if spec.name in RESERVED_NAMES:
                raise AttributeDeclarationError(f"{where}: the name is taken by the table itself: rename it")
            if spec.name in owner:
                raise AttributeDeclarationError(
                    f"{where}: a name is unique over all workflows, and {owner[spec.name]} has it already: rename one"
                )
            owner[spec.name] = f"workflow {declared.workflow}"
        _check_bands(declared)


def _check_bands(declared: WorkflowAttributes) -> None:
    """A band is another attribute of the workflow, and has no band itself: else no change would ever be sent."""
    bands = {spec.name: spec.changed_by for spec in declared.attributes}
    for name, band in bands.items():
        if band is not None and bands.get(band) is not None:
            raise AttributeDeclarationError(
                f"workflow {declared.workflow}, attribute {name!r}: changed_by is {band!r}, which has changed_by of its own: "
                "name that one"
            )


def parent_segment_contract(workflows: Sequence[WorkflowAttributes], further: Sequence[Column] = ()) -> TableContract:
    """Contract of ``audience.parent_segment_attributes``: customer, instant, one column per attribute.

    Raises ``AttributeDeclarationError`` if a name breaks a rule. ``further``: columns that no workflow computes, such as that
    of the control group.
    """
    check_declarations(workflows)
    columns = [
        Column("customer_id", "VARCHAR", "The customer, as the sources write it.", nullable=False),
        Column("as_of", "DATE", "Last day whose data the attributes are made from.", nullable=False),
    ]
    columns += [Column(spec.name, spec.sql_type, _described(wf, spec)) for wf in workflows for spec in wf.attributes]
    columns += further
    return TableContract(
        schema="audience",
        name="parent_segment_attributes",
        description="One row per customer whom any workflow has scored, with every published attribute.",
        columns=tuple(columns),
    )


def catalog_rows(
    workflows: Sequence[WorkflowAttributes], values: Mapping[str, tuple[date | None, str | None]] | None = None
) -> list[dict[str, Any]]:
    """Rows of ``audience.attribute_catalog``, in the order of the columns.

    ``values``: per workflow, the day its values are of and why they are not this session's champion's.
    """
    nothing = (None, None)
    return [
        {
            "column": spec.name,
            "type": spec.type,
            "grouping": spec.grouping or wf.workflow,
            "workflow": wf.workflow,
            "description": _described(wf, spec),
            "as_of": (values or {}).get(wf.workflow, nothing)[0],
            "note": (values or {}).get(wf.workflow, nothing)[1],
            "changed_by": spec.changed_by,
        }
        for wf in workflows
        for spec in wf.attributes
    ]


def check_sources(workflows: Sequence[WorkflowAttributes], columns: Mapping[str, Mapping[str, str]]) -> None:
    """Check that the predictions have the columns the attributes are computed from.

    ``columns``: per workflow, type per column of its predictions table. Raises ``AttributeDeclarationError`` naming the workflow,
    the attribute, the missing column and the columns there are.
    """
    for wf in workflows:
        present = columns.get(wf.workflow, {})
        if not present:
            raise AttributeDeclarationError(
                f"workflow {wf.workflow} has no table {wf.workflow}.predictions: score it first"
            )
        for spec in wf.attributes:
            needed = [
                spec.column,
                *(["rank"] if spec.rank is not None else []),
                *(["slot"] if spec.never_bought else []),
            ]
            for name in needed:
                if name not in present:
                    raise AttributeDeclarationError(
                        f"workflow {wf.workflow}, attribute {spec.name!r}: {wf.workflow}.predictions has no column "
                        f"{name!r}, it has {', '.join(present)}: correct the declaration"
                    )


def judge_sanity(
    profile: Mapping[str, Any],
    workflows: Sequence[WorkflowAttributes],
    limits: SanityLimits,
    *,
    population: int,
    expected_customers: int | None = None,
    ages_days: Mapping[str, int] | None = None,
    eligible: Mapping[str, int] | None = None,
    by_rules: Collection[str] = (),
    without_product: Mapping[str, int] | None = None,
) -> tuple[bool, dict[str, Any]]:
    """Whether attributes may be published, and the evidence.

    ``evidence["problems"]`` holds one sentence per breach, ``evidence["of_workflows"]`` those that concern one workflow
    alone; nothing in it is a customer's value.

    ``profile``: the row of ``sql/audience/profile.sql``; per attribute i the columns nulls_i, not_finite_i, constant_i.
    ``population``: customers whom the workflows have scored.
    ``expected_customers``: customers known at the instant, where the caller can count them independently.
    ``ages_days``: per workflow, how much older than the publication its scores are, in days.
    ``eligible``: customers that a workflow scores, where it does not score every known one: the others have no value rightly.
    ``by_rules``: workflows that a fallback scored: it may leave attributes empty or alike for everybody.
    ``without_product``: per attribute of a recommendation, customers for whom there is no product: they have no value rightly.
    """
    rows, customers = int(profile["row_count"]), int(profile["customers"])
    problems = []
    if rows == 0:
        problems.append("there is no row: score at least one workflow first")
    if profile["null_customers"]:
        problems.append(f"{profile['null_customers']} rows have no customer_id")
    elif rows != customers:
        problems.append(f"{rows} rows hold {customers} different customers: one row per customer is published")
    if customers != population:
        problems.append(f"{customers} customers would be published, {population} were scored")
    if expected_customers is not None and population != expected_customers:
        problems.append(f"{population} customers were scored, {expected_customers} are known at this instant")
    of_workflows: dict[str, list[str]] = {}
    for workflow, age in (ages_days or {}).items():
        if age > limits.max_age_days:
            of_workflows.setdefault(workflow, []).append(
                f"the scores of {workflow} are {age} days old, at most {limits.max_age_days} are allowed: score again"
            )
    declared = [(wf.workflow, spec) for wf in workflows for spec in wf.attributes]
    for index, (workflow, spec) in enumerate(declared):
        outside = max(0, rows - (eligible or {}).get(workflow, rows)) + (without_product or {}).get(spec.name, 0)
        found = _attribute_problems(profile, index, workflow, spec, limits, outside, lenient=workflow in by_rules)
        if found:
            of_workflows.setdefault(workflow, []).extend(found)
    problems += [problem for found in of_workflows.values() for problem in found]
    shares = {
        spec.name: int(profile[f"nulls_{index}"]) / rows if rows else 0.0 for index, (_, spec) in enumerate(declared)
    }
    evidence = {
        "rows": rows,
        "customers": customers,
        "population": population,
        "ages_days": dict(ages_days or {}),
        "null_shares": shares,
        "problems": problems,
        "of_workflows": of_workflows,
    }
    return not problems, evidence


def without_product(spec: AttributeSpec, *, ranks: int, customers: int, bought_all: int) -> int:
    """Customers for whom there is no product to publish.

    ``ranks``: how far the lists reach, which hold every product where there are fewer than they have room for. ``customers``,
    ``bought_all``: who has a list, and who of them has bought every product.
    """
    if spec.rank is None:
        return 0
    if spec.never_bought:
        return bought_all
    return customers if spec.rank > ranks else 0


def _attribute_problems(
    profile: Mapping[str, Any],
    index: int,
    workflow: str,
    spec: AttributeSpec,
    limits: SanityLimits,
    outside: int,
    *,
    lenient: bool,
) -> list[str]:
    rows = int(profile["row_count"]) - outside
    nulls, not_finite = max(0, int(profile[f"nulls_{index}"]) - outside), int(profile[f"not_finite_{index}"])
    limit = limits.max_null_share if spec.max_null_share is None else spec.max_null_share
    where = f"{spec.name} ({workflow})"
    problems = []
    if not_finite:
        problems.append(f"{where} is NaN or infinite for {not_finite} customers")
    if lenient:
        return problems
    if rows and nulls == rows and limit < 1:
        problems.append(f"{where} has no value for any customer")
    elif nulls > limit * rows:
        problems.append(
            f"{where} has no value for {nulls / rows:.1%} of the customers, at most {limit:.1%} are allowed"
        )
    differs = spec.kind == "column" and spec.type == "number" and not spec.may_be_constant
    if differs and rows - nulls > 1 and profile[f"constant_{index}"]:
        problems.append(f"{where} is the same for every customer: the model tells nobody apart")
    return problems


def _described(workflow: WorkflowAttributes, spec: AttributeSpec) -> str:
    absent = f"no recommendation of rank {spec.rank}" if spec.rank is not None else f"not scored by {workflow.workflow}"
    if spec.never_bought:
        absent = "bought every product already"
    if workflow.eligible:
        absent += f", which scores customers who {workflow.eligible}"
    return f"{spec.description.rstrip().rstrip('.')}. NULL: {absent}."
