"""How the id of a customer is read: from a declaration to the context of ``raw/parts/customer``.

Elsewhere: what a declaration may say (``declaration/columns.py``), ids that look alike in the loaded table
(``stages/data_quality/content.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tdml_assets.declaration.columns import CustomerId
from tdml_assets.stages.raw.rules import FileLayout
from tdml_assets.stages.raw.values import Value

# Besides the usual ones every blank of Unicode, next those that show nothing.
_BLANKS = "[\\s\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
_ZERO_WIDTH = "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
#: From where doubles skip whole numbers, by type.
_EXACT_BELOW = {"DOUBLE": 2**53, "FLOAT": 2**24}


@dataclass(frozen=True)
class IdColumn:
    """One column that may hold the id.

    ``given``: column of its text. ``json_pointer``: of a JSON file, where it is; else ``None``. ``exact_below``: from where its
    type skips whole numbers; ``None`` where it holds them all.
    """

    given: str
    json_pointer: str | None
    exact_below: int | None

    @property
    def text(self) -> str:
        """Column of the text without blanks, invisible characters and capitals, as declared."""
        return f"{self.given}_text"


@dataclass(frozen=True)
class CustomerPlan:
    """How the id of a customer is made of one or several columns; ``output`` is the column it becomes."""

    columns: tuple[IdColumn, ...]
    normalise: tuple[str, ...]
    empty: tuple[str, ...]
    output: str = "customer_id"
    blanks: str = f"^{_BLANKS}|{_BLANKS}$"
    zero_width: str = _ZERO_WIDTH

    @property
    def is_integer(self) -> bool:
        """Whether ids are whole numbers however they are written."""
        return "integer" in self.normalise


def plan_customer(
    rule: CustomerId, values: Sequence[Value], layout: FileLayout, *, output: str = "customer_id", always: bool = False
) -> CustomerPlan | None:
    """How the ids of a file are read; ``None`` where they are taken as they are.

    ``values``: per column of the rule. ``output``: column that the id becomes. ``always``: give a plan for ids that are taken
    as they are, too.
    """
    if not always and len(rule.column) == 1 and not rule.normalise and not rule.empty:
        return None
    types = {item.name: item.type.split("(")[0] for item in layout.fields}
    columns = tuple(
        IdColumn(
            value.column,
            value.field if value.family == "json" else None,
            _EXACT_BELOW.get(types.get(name, "")) if value.family == "number" else None,
        )
        for name, value in zip(rule.column, values, strict=True)
    )
    empty = tuple(sorted({text.strip().casefold() for text in rule.empty if text.strip()}))
    return CustomerPlan(columns, rule.normalise, empty, output)
