"""What is predicted: the target of a workflow, from any source that has dates.

Elsewhere: the statement that observes it (``sql/training_table/build.sql``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tdml_assets.declaration.target_kinds import kind_named, require_kind

Value = str | bool | int | float


@dataclass(frozen=True)
class EventSource:
    """A table of dated events of customers.

    ``table``: schema and name. ``day``: column with the calendar day of an event. ``columns``: columns a condition may name.
    ``sums``: columns that can be added up.
    """

    table: tuple[str, str]
    day: str
    columns: tuple[str, ...]
    sums: tuple[str, ...] = ()


EVENTS = {
    "orders": EventSource(
        ("staging", "stg_orders"),
        "ordered_on",
        ("is_return", "is_coupon", "channel", "product_id", "product_category"),
        ("amount", "units"),
    ),
    "pageviews": EventSource(("staging", "stg_pageviews"), "viewed_on", ("path",)),
    "email_events": EventSource(
        ("staging", "stg_email_events"), "sent_on", ("event_type", "email_name", "campaign_name")
    ),
}


class Target(BaseModel):
    """What is predicted, observed in the horizon after a snapshot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[str | None, AfterValidator(require_kind)] = Field(
        default=None,
        description="net_spend: spend net of cancellations, never below 0. purchase, no_purchase: whether anything is bought. "
        "any, none: whether there is an event of source that meets where. count, sum: of such events. unlabelled: of "
        "clustering. products: of recommendation. The task's usual one unless given. Or the import path of a module with a "
        "TARGET_KIND of your own.",
    )
    horizon_days: int = Field(
        default=90, ge=1, le=1830, description="Length of the predicted window, in days after a snapshot."
    )
    source: Literal["orders", "pageviews", "email_events"] = Field(
        default="orders", description="Events that any, none, count and sum look at."
    )
    where: dict[str, Value | list[Value]] = Field(
        default_factory=dict, description="Value, or list of values, per column of the source that an event must have."
    )
    column: str | None = Field(default=None, description="Column that sum adds up, never below 0.")
    label: str | None = Field(default=None, description="What people call it, such as 'returns an item'.")

    @model_validator(mode="after")
    def _columns_are_there(self) -> Self:
        source = EVENTS[self.source]
        kind = None if self.kind is None else kind_named(self.kind)
        takes_column = kind is not None and kind.takes_column
        if not (kind is not None and kind.of_events) and (self.where or self.column or self.source != "orders"):
            raise ValueError("source, where and column belong to the kinds any, none, count and sum: leave them out")
        for name in self.where:
            if name not in source.columns:
                raise ValueError(f"where: {self.source} has no column {name!r}; allowed: {', '.join(source.columns)}")
        if takes_column and self.column not in source.sums:
            allowed = ", ".join(source.sums) or "none of this source"
            raise ValueError(f"column: {self.column!r} cannot be added up; allowed: {allowed}")
        if not takes_column and self.column is not None:
            raise ValueError("column belongs to the kind sum: leave it out")
        return self

    @property
    def events(self) -> EventSource:
        """Where it is observed."""
        return EVENTS[self.source]

    @property
    def conditions(self) -> dict[str, list[Value]]:
        """Allowed values per column an event must have."""
        return {name: value if isinstance(value, list) else [value] for name, value in self.where.items()}


def words_of(kind: str, target: Target) -> str:
    """What the target is called in tables, plots and sentences, without its horizon."""
    if target.label:
        return target.label
    return kind_named(kind).words(target)


def describe(kind: str, target: Target) -> str:
    """The contract's sentence about the target column."""
    what = words_of(kind, target)
    if kind_named(kind).is_yes_no:
        return f"1 if the customer {what} in the {target.horizon_days} days after the snapshot, else 0."
    if kind == "unlabelled":
        return "0: groups are found without a target."
    return f"{what[:1].upper()}{what[1:]} in the {target.horizon_days} days after the snapshot, at least 0."
