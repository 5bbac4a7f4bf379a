"""What a workflow's YAML may name as its target, and what is said where it may not."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from tdml_assets.declaration.target_kinds import KINDS
from tdml_assets.declaration.targets import EVENTS, Target, describe, words_of
from tdml_assets.declaration.workflow import TARGET_KINDS, WorkflowSpec


def message_of(**keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Target(**keys)
    (fault,) = caught.value.errors()
    return str(fault["msg"])


def test_a_condition_on_a_column_that_is_not_there_names_those_that_are() -> None:
    for source, events in EVENTS.items():
        found = message_of(kind="any", source=source, where={"colour": "red"})
        assert found.endswith(f"where: {source} has no column 'colour'; allowed: {', '.join(events.columns)}")


@pytest.mark.parametrize("column", [None, "unit_price", "product_id"])
def test_only_columns_that_can_be_added_up_are_summed(column: str | None) -> None:
    found = message_of(kind="sum", column=column)
    assert found.endswith(f"column: {column!r} cannot be added up; allowed: amount, units")


@pytest.mark.parametrize("source", ["pageviews", "email_events"])
def test_a_source_without_amounts_says_that_nothing_can_be_added_up(source: str) -> None:
    assert message_of(kind="sum", source=source, column="path").endswith("allowed: none of this source")


@pytest.mark.parametrize("kind", ["any", "none", "count"])
def test_a_column_belongs_to_sums_alone(kind: str) -> None:
    assert "column belongs to the kind sum: leave it out" in message_of(kind=kind, column="amount")


@pytest.mark.parametrize(
    "kind",
    [None, "net_spend", "purchase", "no_purchase", *(name for name, kind in KINDS.items() if kind.observed is None)],
)
@pytest.mark.parametrize("keys", [{"source": "pageviews"}, {"where": {"is_return": True}}, {"column": "amount"}])
def test_kinds_with_rows_of_their_own_take_no_source_condition_or_column(
    kind: str | None, keys: dict[str, Any]
) -> None:
    """They would be passed over in silence."""
    assert "belong to the kinds any, none, count and sum: leave them out" in message_of(kind=kind, **keys)


@pytest.mark.parametrize("days", [0, -1, 1831])
def test_a_horizon_is_some_days_and_at_most_five_years(days: int) -> None:
    with pytest.raises(ValidationError, match="horizon_days"):
        Target(horizon_days=days)


def test_one_value_and_a_list_of_values_are_both_conditions() -> None:
    target = Target(kind="any", where={"is_return": True, "product_category": ["Toys", "Books"]})
    assert target.conditions == {"is_return": [True], "product_category": ["Toys", "Books"]}


def test_every_kind_belongs_to_one_task_which_refuses_the_others() -> None:
    every = [kind for kinds in TARGET_KINDS.values() for kind in kinds]
    assert len(every) == len(set(every))
    for task, kinds in TARGET_KINDS.items():
        assert WorkflowSpec.model_validate({"name": "abc", "task": task}).target_kind == kinds[0]
        for kind in every:
            content = {"name": "abc", "task": task, "target": {"kind": kind}}
            if kind == "sum":
                content["target"] = {"kind": kind, "column": "amount"}
            if kind in kinds:
                assert WorkflowSpec.model_validate(content).target_kind == kind
                continue
            words = f"target.kind: {kind!r} is not a target of a {task}; allowed: {', '.join(kinds)}"
            with pytest.raises(ValidationError, match=re.escape(words)):
                WorkflowSpec.model_validate(content)


def test_every_kind_has_words_and_a_label_comes_first() -> None:
    for kind in (kind for kinds in TARGET_KINDS.values() for kind in kinds):
        target = Target(kind=kind, column="units" if kind == "sum" else None)  # type: ignore[arg-type]
        assert words_of(kind, target)
        assert describe(kind, target)
        assert words_of(kind, target.model_copy(update={"label": "does so"})) == "does so"


def test_a_description_says_what_one_means_and_how_long_the_window_is() -> None:
    target = Target(kind="any", where={"is_return": True}, horizon_days=30, label="returns an item")
    assert describe("any", target) == "1 if the customer returns an item in the 30 days after the snapshot, else 0."
    assert all(
        describe(kind, target).startswith("1 if the customer returns")
        for kind, known in KINDS.items()
        if known.is_yes_no
    )
    summed = Target(kind="sum", column="units", horizon_days=60)
    assert describe("sum", summed) == "Units of orders in the 60 days after the snapshot, at least 0."
