r"""Numbers as people write them: decimal and thousands marks, and which marks would read given texts.

Belongs here: the one grammar of grouped numbers, for the loader's statement and for hints. Does not: reading rows
(``sql/raw/parts/money.sql``), which keys a declaration has (``declaration/sources.py``).

A thousands mark counts only where it groups by three (``1.234,50``): read as a mark anywhere else, ``1.5`` would be fifteen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

# Spreadsheets write several kinds of blank and of apostrophe.
_CLASSES = {".": "[.]", ",": "[,]", " ": "[ \u00a0\u202f\u2009]", "'": "['\u2019]"}
_DECIMAL_ENDING = re.compile(r"[.,](\d{1,2})\D*$")


@dataclass(frozen=True)
class NumberMarks:
    """Marks of a written number.

    Parameters
    ----------
    decimal : ``.`` or ``,``.
    thousands : ``.``, ``,``, a blank, ``'``, or empty for none.
    """

    decimal: str = "."
    thousands: str = ""

    @property
    def thousands_class(self) -> str:
        """Regular expression of one thousands mark; empty if there is none."""
        return _CLASSES.get(self.thousands, "")

    @property
    def grouped(self) -> str:
        """Regular expression of a whole number that has thousands marks in the right places."""
        return rf"^[+-]?\d{{1,3}}(?:{self.thousands_class}\d{{3}})+(?:[{self.decimal}]\d*)?$" if self.thousands else ""

    def read(self, text: str) -> float | None:
        """The number that ``text`` means, as the loader reads it; ``None`` if it is none. NaN and infinities are none."""
        cleaned = text.strip()
        if self.thousands and re.search(self.thousands_class, cleaned):
            if not re.match(self.grouped, cleaned):
                return None
            cleaned = re.sub(self.thousands_class, "", cleaned)
        if self.decimal == ",":
            if "." in cleaned:
                return None
            cleaned = cleaned.replace(",", ".")
        try:
            number = float(cleaned)
        except ValueError:
            return None
        return number if math.isfinite(number) else None


_CANDIDATES = tuple(
    NumberMarks(decimal, thousands)
    for thousands in ("", ".", ",", " ", "'")
    for decimal in (".", ",")
    if thousands != decimal
)


def marks_that_read(texts: Sequence[str]) -> NumberMarks | None:
    """The marks that read every one of ``texts``; ``None`` if no marks do, or if two kinds do and disagree."""
    fitting = [marks for marks in _CANDIDATES if all(marks.read(text) is not None for text in texts)]
    if not texts or not fitting:
        return None
    readings = {tuple(marks.read(text) for text in texts) for marks in fitting}
    return fitting[0] if len(readings) == 1 else None


def rough_size(text: str) -> float:
    """About what a number is worth that could not be read: its digits, with a decimal mark before the last one or two."""
    digits = re.sub(r"\D", "", text)
    ending = _DECIMAL_ENDING.search(text)
    return float(digits or 0) / math.pow(10, len(ending.group(1)) if ending else 0)
