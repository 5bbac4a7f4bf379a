"""How a source writes numbers, and in which unit it writes money.

Belongs here: the marks of written numbers and what makes them invalid. Does not: reading a number (``stages/raw/numbers.py``).
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
