"""How a source writes numbers, in which unit it writes money, and which values are taken.

Elsewhere: reading a number (``stages/raw/numbers.py``), judging rows (``sql/raw``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tdml_assets.declaration.base import Declaration
from tdml_assets.declaration.source_values import Currency

AmountUnit = Literal["major", "minor"]
_SAME_MARK = {None: "", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"}


def _usual_mark(value: Any) -> Any:
    """Spreadsheets write several kinds of blank and of apostrophe: one of a kind stands for all."""
    return _SAME_MARK.get(value, value) if value is None or isinstance(value, str) else value


class NumberFormat(Declaration):
    """How numbers are written where a file holds them as text. Numbers that carry a type (Parquet, JSON) need no marks."""

    decimal: Literal[".", ","] = Field(default=".", description="Decimal mark.")
    thousands: Annotated[Literal["", ".", ",", " ", "'"], BeforeValidator(_usual_mark)] = Field(
        default="",
        description="Mark between thousands, as in 1.234,50, or 12,34,567.89 in India; empty for none. A mark that does not group "
        "digits this way makes a number unreadable. A blank stands for no-break ones too.",
    )

    @model_validator(mode="after")
    def _marks_differ(self) -> NumberFormat:
        if self.thousands == self.decimal:
            raise ValueError(
                f"thousands and decimal are both {self.decimal!r}: of 1.234,50 the decimal is ',' and thousands is '.'"
            )
        return self


def refuse_old_place(csv: Any) -> Any:
    """Refuse ``csv.decimal`` and ``csv.thousands``, which are keys of ``numbers``, with the line to write."""
    if isinstance(csv, Mapping) and (moved := [key for key in ("decimal", "thousands") if key in csv]):
        written = ", ".join(f"{key}: {json.dumps(csv[key], ensure_ascii=False)}" for key in moved)
        raise ValueError(
            f"{' and '.join(moved)}: not a key of csv, since every format may write numbers so: write numbers: {{{written}}} "
            "under the source, and take it out of csv"
        )
    return csv


class AmountUnits(Declaration):
    """What one unit of an amount is."""

    amount_unit: AmountUnit = Field(
        default="major",
        description="Unit of amounts and prices: major, such as EUR, or minor, such as cents; of JPY both are one yen, and a KWD "
        "has 1,000 fils. Bounds and rates are of major units.",
    )
    minor_digits: dict[Currency, Annotated[int, Field(ge=0, le=4)]] = Field(
        default={},
        description="Digits of a currency's minor unit where a system does not use those of ISO 4217; for amount_unit: minor.",
    )


class Bounds(Declaration):
    """The values a number may take, in the source's currency; a row outside is quarantined."""

    min: float = Field(default=-1e9, description="Smallest value allowed.")
    max: float = Field(default=1e9, description="Largest value allowed.")
    above: float | None = Field(default=None, description="Values must be greater than this.")
    below: float | None = Field(default=None, description="Values must be less than this.")

    @model_validator(mode="after")
    def _not_empty(self) -> Bounds:
        low = self.min if self.above is None else max(self.min, self.above)
        high = self.max if self.below is None else min(self.max, self.below)
        if low > high:
            raise ValueError(f"no value lies between {low:g} and {high:g}: correct the bounds")
        if max(abs(self.min), abs(self.max)) > 1e12:
            raise ValueError("bounds beyond 1e12 do not fit the warehouse's decimals: choose smaller ones")
        return self


class OrderBounds(Declaration):
    """Bounds of the numbers of an order line."""

    quantity: Bounds = Field(default=Bounds(), description="Units on the line.")
    unit_price: Bounds = Field(default=Bounds(), description="Price of one unit.")
    amount: Bounds = Field(default=Bounds(), description="Total of the line.")
