"""What an order is in a source: which rows are sales, and which columns stand for the whole order.

Elsewhere: columns, money and time (``sources.py``), how rows are joined to orders (``sql/raw``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, PlainValidator, ValidationError, WithJsonSchema, model_validator

from tdml_assets.declaration.base import Declaration
from tdml_assets.declaration.source_values import ColumnName
from tdml_assets.declaration.statuses import Statuses

Kind = Literal["product", "discount", "shipping", "fee", "tax", "gift_card", "tip", "sample"]
#: Tax and tips are passed on; a gift card is spent when an order is paid with it.
OUTSIDE_SPEND = ("tax", "gift_card", "tip")


class LineKind(Declaration):
    """What the lines of one code are."""

    kind: Kind = Field(description="What the line is.")
    spend: bool | None = Field(
        default=None,
        description="Whether its amount is part of spend; unless given, it is but for tax, gift_card and tip.",
    )

    @property
    def is_spend(self) -> bool:
        """Whether the line's amount counts."""
        return self.kind not in OUTSIDE_SPEND if self.spend is None else self.spend


class LineKinds(Declaration):
    """Kind per code of a column; codes that are not named are products."""

    column: ColumnName = Field(
        default="product_id", description="Column of the contract or of the source that holds the codes."
    )
    values: dict[str, LineKind] = Field(
        default={}, description="Kind per code, in any case; * stands for any text, as in SHIP*."
    )


def _as_line_kinds(value: Any) -> LineKinds:
    """Read the short form, a mapping of product codes, and the long one, with a column."""
    if isinstance(value, LineKinds):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(  # noqa: TRY004 - what pydantic reports
            "line_kinds is a mapping of product codes, for instance {SHIPPING: shipping, DISC*: discount}"
        )
    is_long = bool(value) and set(value) <= {"column", "values"} and isinstance(value.get("values", {}), Mapping)
    column, codes = (value.get("column", "product_id"), value.get("values", {})) if is_long else ("product_id", value)
    if not isinstance(column, str) or not column:
        raise ValueError(f"column is {column!r}: name the column that holds the codes")
    return LineKinds(column=column, values={str(code).strip(): _as_kind(code, kind) for code, kind in codes.items()})


def _as_kind(code: object, value: Any) -> LineKind:
    try:
        return LineKind.model_validate({"kind": value} if isinstance(value, str) else value)
    except ValidationError:
        kinds = ", ".join(get_args(Kind))
        raise ValueError(
            f"{code}: {value!r} is not a kind of line: write one of {kinds}, or {{kind: shipping, spend: false}}"
        ) from None


#: Either form is a mapping whose keys are codes of the source, so that no schema knows them.
DeclaredKinds = Annotated[Any, PlainValidator(_as_line_kinds), WithJsonSchema({"type": "object"})]


Level = Literal["line", "order"]
#: Columns that may be carried from one line of an order to the others; the order itself from the rows above.
CARRIED = ("order_id", "customer_id", "ordered_at", "order_status", "order_type", "coupon_used", "currency")
#: Columns of money that an order has once: their level says so.
_LEVELS = {"amount": "amount_level", "refunded_amount": "refund_level"}


class OrderRules(Declaration):
    """Statuses, levels and kinds of lines."""

    statuses: Statuses = Field(
        default={},
        description="What the source's statuses mean, in any case, with * for any text: sale, return (a line that takes back "
        "another one), void (refunded, cancelled, failed: the order counts as nothing) or ignore (tests). Before the "
        "common ones, which are known; any other counts as a sale and is noted.",
    )
    other_statuses: dict[ColumnName, Statuses] = Field(
        default={},
        description="Further columns that say what a row counts as, such as a mark of tests or the day of a cancellation, each "
        "with its values as in statuses. What they say comes before the status; a value that is not named, or none, says nothing.",
    )
    amount_level: Level = Field(
        default="line",
        description="What columns.amount is the total of. An order's total, on every line of it or on one, is counted once and "
        "spread over its lines by price times quantity, else by quantity, else evenly.",
    )
    refund_level: Level | None = Field(
        default=None, description="The same for columns.refunded_amount; amount_level unless given."
    )
    carry: tuple[str, ...] = Field(
        default=(),
        description="Columns of the contract that stand on one line of an order only and are meant for all of them, by order_id: "
        f"{', '.join(CARRIED)}. With order_id, a row without one belongs to the order of the row above it in its file.",
    )
    line_kinds: DeclaredKinds = Field(
        default=LineKinds(),
        description="Product codes, with * for any text, of lines that are not products: discount, shipping, fee, sample (part of "
        "spend), tax, gift_card, tip (not). With {column, values} by another column; with {kind, spend} otherwise part of spend.",
    )

    @model_validator(mode="before")
    @classmethod
    def _has_no_return_statuses(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "return_statuses" in data:
            given = data["return_statuses"]
            listed = [str(status) for status in given] if isinstance(given, (list, tuple)) else [str(given)]
            line = ", ".join(f"{status}: return" for status in listed)
            raise ValueError(
                f"return_statuses is now part of statuses: write statuses: {{{line}}} for lines that take back another "
                "line, and void instead of return for orders that were refunded or cancelled"
            )
        return data

    @model_validator(mode="after")
    def _levels_have_their_columns(self) -> OrderRules:
        columns: Any = getattr(self, "columns", None)
        if columns is None:
            return self
        for name in self.carry:
            self._check_carried(name, columns)
        needing = [
            *(["carry"] if self.carry else []),
            *(["amount_level: order"] if self.amount_level == "order" else []),
            *(["refund_level: order"] if self.refund_level == "order" else []),
            *(["columns.parent_order_id"] if columns.parent_order_id is not None else []),
        ]
        if needing and columns.order_id is None:
            raise ValueError(f"{needing[0]} needs columns.order_id, the column that says which lines are one order")
        if self.amount_level == "order" and columns.amount is None:
            raise ValueError(
                "amount_level: order needs columns.amount, the column of the order's total; for totals of price times quantity "
                "leave amount_level out"
            )
        if self.refund_level is not None and columns.refunded_amount is None:
            raise ValueError("refund_level needs columns.refunded_amount, the column of what was given back")
        return self

    def _check_carried(self, name: str, columns: Any) -> None:
        levels = {"amount": self.amount_level, "refunded_amount": self.effective_refund_level}
        if name in levels:
            if levels[name] != "order":
                raise ValueError(
                    f"carry does not take {name}: on every line it would count once per line; write {_LEVELS[name]}: order"
                )
        elif name not in CARRIED:
            raise ValueError(f"carry does not take {name!r}: it takes {', '.join(CARRIED)}")
        elif getattr(columns, name) is None:
            raise ValueError(f"carry names {name}, but columns.{name} is not mapped: map it, or leave it out of carry")

    @property
    def effective_refund_level(self) -> Level:
        """Level of ``columns.refunded_amount``."""
        return self.refund_level or self.amount_level

    @property
    def is_by_order(self) -> bool:
        """Whether rows can be judged only when the other rows of their orders are known."""
        columns: Any = getattr(self, "columns", None)
        return bool(
            self.carry
            or "order" in (self.amount_level, self.effective_refund_level)
            or (columns is not None and columns.parent_order_id is not None)
        )
