"""What a workflow's YAML may say about the attributes it publishes.

Elsewhere: rules over all of them (``stages/audience/attributes.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tdml_assets.declaration.columns import OrderColumns

AttributeType = Literal["string", "number", "timestamp", "date", "boolean"]
AttributeKind = Literal["column", "decile", "percentile"]
NAME_RULE = "lower case letters, digits and underscores, 3 to 128 characters, not starting with a digit"
#: Stands for the days of a horizon in name, column and description: one attribute becomes one per horizon.
DAYS = "{days}"
_TYPES = {"string": "VARCHAR", "number": "DOUBLE", "timestamp": "TIMESTAMP", "date": "DATE", "boolean": "BOOLEAN"}


class AttributeSpec(BaseModel):
    """One attribute, computed from the predictions table of its workflow.

    A ``decile`` is 1 to 10 (10 = highest tenth) and a ``percentile`` 0 to 100 (the share of the other customers ranked
    below, rounded down; 100 = highest) of ``column`` among the customers where it is not NULL. Equal values are ranked
    by ``customer_id``, so that the result does not depend on the order of rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        description=f"Name of the published column: {NAME_RULE}. With {DAYS} in name, column and description it is one "
        "attribute per horizon of the workflow."
    )
    column: str = Field(min_length=1, description="Column of the workflow's predictions that it is computed from.")
    kind: AttributeKind = Field(
        default="column", description="The column itself, or the customer's decile or percentile by it."
    )
    type: AttributeType = Field(default="number", description="Type as published to other systems.")
    integer: bool = Field(default=False, description="Whether a number is always whole; deciles and percentiles are.")
    rank: int | None = Field(
        default=None, ge=1, description="For recommendations: which rank is published, 1 = first choice."
    )
    never_bought: bool = Field(
        default=False,
        description="For recommendations: only a product that the customer never bought, the first from rank on; where the list "
        "ends before, the first of the ranks above.",
    )
    grouping: str | None = Field(
        default=None, description="Folder it is shown under; the workflow's name if not given."
    )
    description: str = Field(min_length=1, description="What it means, in a marketer's words.")
    max_null_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of customers that may have no value; the general limit if not given.",
    )
    may_be_constant: bool = Field(
        default=False, description="Whether a number may be the same for every customer; else it is not published then."
    )
    changed_by: str | None = Field(
        default=None,
        description="Attribute, such as its grade or decile, whose change sends a customer to destinations again; a change of this "
        "one alone does not. Every change does unless given.",
    )
    needs: str | None = Field(
        default=None,
        description="Column of sources.orders, such as product_name, without which it is not published.",
    )

    @model_validator(mode="after")
    def _kinds_fit(self) -> Self:
        if self.kind != "column" and self.type != "number":
            raise ValueError(f"attribute {self.name}: a {self.kind} is a number, not a {self.type}: leave its type out")
        if self.kind != "column" and self.rank is not None:
            raise ValueError(
                f"attribute {self.name}: a {self.kind} of one recommendation rank has no meaning: leave rank out"
            )
        if self.never_bought and self.rank is None:
            raise ValueError(f"attribute {self.name}: never_bought chooses among ranks: add rank, such as 1")
        if self.needs is not None and self.needs not in OrderColumns.model_fields:
            known = ", ".join(OrderColumns.model_fields)
            raise ValueError(f"attribute {self.name}: needs is {self.needs!r}, no column of sources.orders: {known}")
        if self.integer and self.type != "number":
            raise ValueError(f"attribute {self.name}: only a number can be an integer, this is a {self.type}")
        return self

    @property
    def sql_type(self) -> str:
        """Type of its column in the warehouse."""
        return "BIGINT" if self.integer or self.kind != "column" else _TYPES[self.type]


def for_horizons(attributes: Sequence[AttributeSpec], horizons: Sequence[int]) -> Iterator[AttributeSpec]:
    """The attributes, those with ``{days}`` in their name once per horizon."""
    for one in attributes:
        if DAYS not in one.name:
            yield one
            continue
        for days in horizons:
            texts = {key: getattr(one, key).replace(DAYS, str(days)) for key in ("name", "column", "description")}
            yield one.model_copy(update=texts)
