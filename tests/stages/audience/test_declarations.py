"""Declarations of attributes that contradict each other are refused, and evidence names every breach of the whole table."""

from __future__ import annotations

from typing import Any

import pytest

from tdml_assets.declaration.attributes import AttributeSpec
from tdml_assets.stages.audience.attributes import (
    AttributeDeclarationError,
    SanityLimits,
    WorkflowAttributes,
    check_declarations,
    judge_sanity,
)


def workflow(*specs: AttributeSpec) -> WorkflowAttributes:
    return WorkflowAttributes(workflow="cltv", attributes=specs)


def attribute(name: str, **changes: Any) -> AttributeSpec:
    return AttributeSpec(name=name, column=name, description="A figure.", **changes)


def test_a_workflow_that_declares_its_attributes_twice_is_refused() -> None:
    one, other = workflow(attribute("spend")), workflow(attribute("margin"))
    check_declarations([one])
    with pytest.raises(AttributeDeclarationError, match="workflow cltv declares its attributes twice: keep one list"):
        check_declarations([one, other])


def test_a_band_that_has_a_band_of_its_own_is_refused() -> None:
    spend, decile, group = attribute("spend", changed_by="decile"), attribute("decile"), attribute("group")
    check_declarations([workflow(spend, decile, group)])
    chained = attribute("decile", changed_by="group")
    with pytest.raises(
        AttributeDeclarationError, match="'spend': changed_by is 'decile', which has changed_by of its own"
    ):
        check_declarations([workflow(spend, chained, group)])


@pytest.mark.parametrize(
    ("rows", "customers", "population", "problem"),
    [
        (0, 0, 0, "there is no row: score at least one workflow first"),
        (3, 3, 4, "3 customers would be published, 4 were scored"),
        (4, 3, 3, "4 rows hold 3 different customers: one row per customer is published"),
    ],
)
def test_a_table_of_another_number_of_customers_than_were_scored_is_refused(
    rows: int, customers: int, population: int, problem: str
) -> None:
    profile = {"row_count": rows, "customers": customers, "null_customers": 0}
    passed, evidence = judge_sanity(profile, [], SanityLimits(), population=population)
    assert not passed
    assert evidence["problems"] == [problem]
    whole, nothing = judge_sanity(
        {"row_count": 3, "customers": 3, "null_customers": 0}, [], SanityLimits(), population=3
    )
    assert (whole, nothing["problems"]) == (True, [])
