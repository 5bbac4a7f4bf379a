"""Numbers as people write them: decimal and thousands marks, signs of currencies, minus signs on either side.

Elsewhere: reading rows (``sql/raw/parts/figures.sql``), which keys a declaration has (``declaration/numbers.py``).

A thousands mark counts only where it groups digits (``1.234,50``, ``12,34,567.89``): read as a mark anywhere else, ``1.5`` would
be fifteen. The expressions are written in what Python and the warehouse read alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from tdml_assets.stages.raw.currencies import all_marks, all_signs

# Spreadsheets write several kinds of blank and of apostrophe.
_THOUSANDS = {".": ".", ",": ",", " ": " \u00a0\u202f\u2009", "'": "'\u2019"}
_BLANK = "[ \t\u00a0\u202f\u2009]*"
_MINUS = "[-\u2212]"
#: What a written number has besides a currency.
FRAME = "[0-9 \t\u00a0\u202f\u2009'\u2019()+\\-\u2212.,]+"
_DECIMAL_ENDING = re.compile(r"[.,](\d{1,2})\D*$")


def _currency() -> str:
    """A currency's sign, code or both and the blanks behind them, or nothing. A dot ends short signs: ``Rs. 500``."""
    signs = "|".join(re.escape(sign) + (r"\.?" if sign[0].isalpha() else "") for sign in all_signs())
    return f"(?:(?:{signs}|[A-Za-z]{{3}}){_BLANK}){{0,2}}"


_CURRENCY = _currency()


@dataclass(frozen=True)
class NumberMarks:
    """Marks of a written number. ``decimal``: ``.`` or ``,``. ``thousands``: ``.``, ``,``, a blank, ``'``, or empty for none."""

    decimal: str = "."
    thousands: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether the warehouse's own numbers are written so."""
        return self == NumberMarks()

    @property
    def taken_out(self) -> str:
        """Characters of a figure for ``translate``: the first becomes a decimal point, the others vanish."""
        return self.decimal + _THOUSANDS.get(self.thousands, "")

    @cached_property
    def plain(self) -> str:
        """Regular expression of a number without a currency, and with at most a sign before it."""
        return f"^[+-]?(?:{self._whole}(?:[{self.decimal}][0-9]*)?|[{self.decimal}][0-9]+)(?:[eE][+-]?[0-9]+)?$"

    @cached_property
    def positive(self) -> str:
        """Regular expression of a written number of zero and more; group 1 is its figure."""
        return (
            f"(?i)^['\u2019]?{_BLANK}{_CURRENCY}(?:\\+{_BLANK})?{_CURRENCY}({self._figure}){_BLANK}{_CURRENCY}"
            f"(?:\\+{_BLANK})?{_CURRENCY}$"
        )

    @cached_property
    def negative(self) -> str:
        """Regular expression of a written number below zero: ``-1``, ``1-``, ``(1)``; one of groups 1 to 3 is its figure."""
        figure = f"({self._figure}){_BLANK}"
        before = f"{_MINUS}{_BLANK}{_CURRENCY}{figure}{_CURRENCY}{_CURRENCY}"
        behind = f"{_CURRENCY}{figure}{_CURRENCY}{_MINUS}{_BLANK}{_CURRENCY}"
        around = f"\\({_BLANK}{_CURRENCY}{figure}{_CURRENCY}\\){_BLANK}{_CURRENCY}"
        return f"(?i)^['\u2019]?{_BLANK}{_CURRENCY}(?:{before}|{behind}|{around})$"

    @property
    def _whole(self) -> str:
        mark = _THOUSANDS.get(self.thousands)
        if mark is None:
            return "[0-9]+"
        grouped = f"[0-9]{{1,3}}(?:[{mark}][0-9]{{3}})+"
        # India groups by two before the last three, always by commas.
        indian = "|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}" if mark == "," else ""
        return f"(?:{grouped}{indian}|[0-9]+)"

    @property
    def _figure(self) -> str:
        # Without digits behind the mark: 12,- is twelve, and no negative number.
        return f"(?:{self._whole}(?:[{self.decimal}][0-9]+)?|[{self.decimal}][0-9]+)"

    def read(self, text: str, currency_marks: Collection[str] | None = None) -> float | None:
        """The number that ``text`` means, as the loader reads it; ``None`` if it is none. NaN and infinities are none.

        ``currency_marks``: what may stand around the figure, in capitals (``marks_of``); any known mark unless given.
        """
        cleaned = text.strip()
        mark = currency_mark(cleaned)
        if re.match(self.plain, cleaned):
            number, mark = float(self._point(cleaned)), ""
        elif found := re.match(self.positive, cleaned):
            number = float(self._point(found.group(1)))
        elif found := re.match(self.negative, cleaned):
            number = -float(self._point(next(group for group in found.groups() if group)))
        else:
            return None
        is_known = not mark or mark in (all_marks() if currency_marks is None else currency_marks)
        return number if math.isfinite(number) and is_known else None

    def _point(self, figure: str) -> str:
        return figure.translate(str.maketrans(self.taken_out[0], ".", self.taken_out[1:]))


def currency_mark(text: str) -> str:
    """What is left of a written number without figures, blanks and minus signs, in capitals; empty for no currency."""
    return re.sub(FRAME, "", text).upper()


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


#: Numbers of a column with a mark between digits, and without, that say that the mark is one of thousands.
_FEWEST_GROUPED, _FEWEST_WHOLE = 5, 10


def marks_of_thousands(columns: Sequence[Sequence[str]]) -> NumberMarks | None:
    """The marks of columns of money without decimals, some of whose numbers group thousands; ``None`` where they are others.

    Where many numbers of a column have no mark, its decimals are not always written: then it is by no chance that each number
    with a mark has three digits behind it.
    """
    for mark, decimal in ((".", ","), (",", ".")):
        grouped = re.compile(rf"\D*[1-9][0-9]{{0,2}}(?:[{mark}][0-9]{{3}})+\D*")
        counts = [0, 0]
        for texts in columns:
            marked = [text for text in texts if re.search(r"[0-9][.,][0-9]", text)]
            if not all(grouped.fullmatch(text) for text in marked):
                break
            counts[0] += len(marked)
            counts[1] += len(texts) - len(marked)
        else:
            if counts[0] >= _FEWEST_GROUPED and counts[1] >= _FEWEST_WHOLE:
                return NumberMarks(decimal, mark)
    return None


def rough_size(text: str) -> float:
    """About what a number is worth that could not be read: its digits, with a decimal mark before the last one or two."""
    digits = re.sub(r"\D", "", text)
    ending = _DECIMAL_ENDING.search(text)
    return float(digits or 0) / math.pow(10, len(ending.group(1)) if ending else 0)
