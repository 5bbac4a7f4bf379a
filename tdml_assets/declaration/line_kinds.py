"""Lines of an order that are not products: discounts, shipping, tax, gift cards, tips, samples.

Belongs here: the kinds, whether they are part of spend, and what makes a declaration invalid. Does not: judging rows
(``sql/raw/parts/meanings.sql``).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, PlainValidator, ValidationError, WithJsonSchema

from tdml_assets.declaration.base import Declaration
from tdml_assets.declaration.source_values import ColumnName

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
