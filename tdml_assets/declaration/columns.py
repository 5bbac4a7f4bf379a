"""Which column of a file is which column of a raw table, and which ids mean the same customer.

Elsewhere: how values are read (``sources.py``), reading ids (``stages/raw/customer_ids.py``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from tdml_assets.declaration.base import Declaration
from tdml_assets.declaration.source_values import ColumnName

Normaliser = Literal["trim", "casefold", "strip_zero_width", "integer"]


def _as_texts(value: Any) -> Any:
    """One value stands for a list of one; YAML reads 0 and nan without quotes as numbers."""
    values = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(str(one) if isinstance(one, (int, float)) and not isinstance(one, bool) else one for one in values)


class CustomerId(Declaration):
    """Who a customer is. Nothing is folded unless ``normalise`` says so: ids of some systems differ only by case."""

    column: Annotated[tuple[ColumnName, ...], Field(min_length=1), BeforeValidator(_as_texts)] = Field(
        description="Column of the id, or a list: the first that has one counts, such as [id, email] for guests and members."
    )
    normalise: tuple[Normaliser, ...] = Field(
        default=(),
        description="What is the same id: trim (blanks at the ends), casefold (capitals), strip_zero_width (characters that show "
        "nothing), integer (12345, 12345.0 and 1.2345E4).",
    )
    empty: Annotated[tuple[str, ...], BeforeValidator(_as_texts)] = Field(
        default=(), description="Ids that mean nobody, in any case: their rows are set aside as missing_customer."
    )


def _form(value: Any) -> str:
    return "(rule)" if isinstance(value, (dict, CustomerId)) else "(name)"


CustomerIdColumn = Annotated[
    Annotated[ColumnName, Tag("(name)")] | Annotated[CustomerId, Tag("(rule)")], Discriminator(_form)
]


def customer_rule(declared: str | CustomerId) -> CustomerId:
    """The long form of ``columns.customer_id``."""
    return declared if isinstance(declared, CustomerId) else CustomerId(column=(declared,))


class OrderColumns(Declaration):
    """Source column per column of ``raw.orders``."""

    customer_id: CustomerIdColumn = Field(description="Who bought.")
    ordered_at: ColumnName = Field(description="When.")
    order_id: ColumnName | None = Field(default=None, description="Order or invoice.")
    product_id: ColumnName | None = Field(default=None, description="What.")
    product_category: ColumnName | None = Field(default=None, description="Category of the product.")
    product_name: ColumnName | None = Field(
        default=None, description="Name of the product, for people; the newest name of a product_id is shown."
    )
    quantity: ColumnName | None = Field(default=None, description="Units; negative for a return.")
    unit_price: ColumnName | None = Field(default=None, description="Price of one unit.")
    amount: ColumnName | None = Field(default=None, description="Total of the line; else quantity * unit_price.")
    amount_reversed: ColumnName | None = Field(
        default=None,
        description="Amount the other way, where sales and what is given back are in two columns, such as debit and credit: it is "
        "taken off amount.",
    )
    order_status: ColumnName | None = Field(default=None, description="Status; see statuses.")
    order_type: ColumnName | None = Field(default=None, description="Channel: website, in-store, ...")
    coupon_used: ColumnName | None = Field(
        default=None, description="Whether a coupon was used: true/false, yes/no, 1/0."
    )
    currency: ColumnName | None = Field(default=None, description="Currency code of the row.")
    refunded_amount: ColumnName | None = Field(
        default=None, description="What was given back of the amount, whatever its sign; see refund_level."
    )
    parent_order_id: ColumnName | None = Field(
        default=None,
        description="Order that a refund belongs to, where refunds are rows of their own. A row that names one and has no customer "
        "is booked on that order's customer, and lowers their spend.",
    )

    @model_validator(mode="after")
    def _amount_is_known(self) -> OrderColumns:
        if self.amount is None and (self.quantity is None or self.unit_price is None):
            raise ValueError("map either amount, or both quantity and unit_price: without them a line has no amount")
        if self.amount_reversed is not None and self.amount is None:
            raise ValueError("amount_reversed is taken off amount, which is not mapped: map amount to the other column")
        return self


class PageviewColumns(Declaration):
    """Source column per column of ``raw.pageviews``."""

    customer_id: CustomerIdColumn = Field(description="Who looked.")
    viewed_at: ColumnName = Field(description="When.")
    path: ColumnName | None = Field(default=None, description="Path of the page.")


class EmailEventColumns(Declaration):
    """Source column per column of ``raw.email_events``."""

    customer_id: CustomerIdColumn = Field(description="Whom the e-mail went to.")
    sent_at: ColumnName = Field(description="When the event happened.")
    event_type: ColumnName = Field(description="send, open, click, bounce, unsubscribe, ...")
    email_name: ColumnName | None = Field(default=None, description="Which e-mail.")
    campaign_name: ColumnName | None = Field(default=None, description="Which campaign.")


class IdentityColumns(Declaration):
    """Source column per part of an identity."""

    old_id: ColumnName = Field(description="An id that other sources hold.")
    person: ColumnName = Field(description="The customer it belongs to; may be an old id too.")
    valid_from: ColumnName | None = Field(
        default=None, description="From when it belongs to that person; always where it is not mapped or empty."
    )


class PermissionColumns(Declaration):
    """Source column per part of a line of ``consent`` or ``suppression``."""

    customer_id: CustomerIdColumn = Field(description="Who.")
    purpose: ColumnName | None = Field(
        default=None, description="What for, such as email; a line without one holds for every purpose."
    )
    destination: ColumnName | None = Field(
        default=None, description="Where to; a line without one holds for every destination."
    )
    allowed: ColumnName | None = Field(
        default=None,
        description="Of a consent, whether it was given: true, yes, y, 1, granted or opt_in; anything else is a refusal. "
        "Every line is a consent where it is not mapped.",
    )
