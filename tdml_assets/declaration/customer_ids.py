"""Which column says who a customer is, and which ids mean the same one.

Belongs here: the long form of ``columns.customer_id``. Does not: other columns (``sources.py``), reading ids
(``stages/raw/customer_ids.py``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

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
