"""How the numbers of an order line are read: from a declaration to the context of ``raw/parts/figures``.

Elsewhere: the grammar of written numbers (``numbers.py``), currencies in general (``currencies.py``), bounds and rates
(``plan.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tdml_assets.declaration.sources import OrdersSource, Source
from tdml_assets.stages.raw.currencies import exponent_of, marks_of
from tdml_assets.stages.raw.numbers import NumberMarks
from tdml_assets.stages.raw.values import Value

_SUFFIX = "_given"
_TYPES = dict.fromkeys(("amount", "amount_reversed"), "DECIMAL(18, 4)")
_USUAL_TYPE = "DECIMAL(18, 6)"
#: Numbers that have a currency; one in the cell of another number makes it unreadable.
MONEY = ("amount", "unit_price", "refunded_amount", "amount_reversed")


@dataclass(frozen=True)
class Figure:
    """One number of an order line, and the names of what is made of it.

    ``name``: for instance ``amount``; its value is ``amount_given``. ``type``: decimal type that it is read into. ``is_text``:
    whether the file holds it as text; else it carries a type. ``json_pointer``: of a JSON file, where it is; else ``None``.
    """

    name: str
    type: str
    is_text: bool
    json_pointer: str | None

    @property
    def is_money(self) -> bool:
        """Whether it has a currency and a unit."""
        return self.name in MONEY

    @property
    def given(self) -> str:
        """Column of the value as the file has it."""
        return f"{self.name}{_SUFFIX}"

    @property
    def plain(self) -> str:
        """Column of the number as the warehouse itself reads it."""
        return f"{self.name}_plain"

    @property
    def written(self) -> str:
        """Column of a written number as the warehouse would write it."""
        return f"{self.name}_written"

    @property
    def mark(self) -> str:
        """Column of the currency in the cell, in capitals."""
        return f"{self.name}_mark"

    @property
    def double(self) -> str:
        """Column of the number as a double, for bounds and infinities."""
        return f"{self.name}_double"

    @property
    def read(self) -> str:
        """Column of the number as a decimal."""
        return f"{self.name}_read"


def plan_figure(value: Value) -> Figure:
    """How ``<name>_given`` is read."""
    name = value.column.removesuffix(_SUFFIX)
    pointer = value.field if value.family == "json" else None
    return Figure(name, _TYPES.get(name, _USUAL_TYPE), value.family in {"text", "json"}, pointer)


def number_marks(declaration: Source) -> NumberMarks:
    """Marks of the numbers in a source's files."""
    if not isinstance(declaration, OrdersSource):
        return NumberMarks()
    return NumberMarks(declaration.numbers.decimal, declaration.numbers.thousands)


def own_marks(declaration: OrdersSource) -> tuple[str, ...]:
    """What may stand around a figure: ``<currency> <mark>`` for every currency that rows may have."""
    return tuple(f"{code} {mark}" for code in _currencies(declaration) for mark in sorted(marks_of(code)))


def money_units(declaration: OrdersSource) -> tuple[tuple[str, Decimal], ...]:
    """Per currency that rows may have, what one unit of their amounts is; empty for amounts in major units."""
    if declaration.amount_unit == "major":
        return ()
    digits = {code: declaration.minor_digits.get(code, exponent_of(code)) for code in _currencies(declaration)}
    return tuple((code, Decimal(1).scaleb(-exponent)) for code, exponent in digits.items())


def _currencies(declaration: OrdersSource) -> list[str]:
    if declaration.currency is not None:
        return [declaration.currency]
    return sorted({declaration.reporting, *declaration.rates})
