"""What a person must decide, because no column, value or sign of the files says it.

Elsewhere: the guesses themselves (``guess.py`` and its neighbours).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tdml_assets.stages.raw.currencies import is_code
from tdml_assets.stages.raw.guess_columns import MOMENTS, Table
from tdml_assets.stages.raw.guess_orders import sides_of
from tdml_assets.stages.raw.numbers import NumberMarks, currency_mark
from tdml_assets.stages.raw.sample import FileSample

_LOOKED_AT = 2_000


#: Money of the side of sales over that of the other, from where it is clear which is which.
_CLEARLY_MORE = 1.5


def two_sides(first: FileSample, found: dict[str, str], marks: NumberMarks) -> dict[str, str]:
    """Map amounts that are in a column of debit and one of credit; what is open where it is not clear which are sales.

    Some systems book a sale as a debit of the customer, others as a credit of the shop: the side with more money holds sales.
    """
    sides = sides_of(first)
    if sides is None or found.get("amount", sides[0]) not in sides:
        return {}
    found.pop("amount", None)
    money = {side: sum(abs(marks.read(text) or 0.0) for text in first.columns[side]) for side in sides}
    less, more = sorted(sides, key=lambda side: money[side])
    if money[more] >= _CLEARLY_MORE * money[less]:
        found |= {"amount": more, "amount_reversed": less}
        return {}
    why = (
        f"{sides[0]!r} and {sides[1]!r} are the two sides of an amount: write the one with what is sold here, and the other as "
        "amount_reversed; rows of payments are no sales: say so under statuses"
    )
    return {"columns.amount": why}


def missing_columns(table: Table, sample: FileSample, found: Mapping[str, str]) -> dict[str, str]:
    """Columns that a source must have and no column looks like."""
    there = f"no column looks like it; there are {', '.join(sample.columns)}"
    wanted = [] if table == "identities" else ["customer_id", *([MOMENTS[table]] if table in MOMENTS else [])]
    missing = {f"columns.{role}": there for role in wanted if role not in found}
    if table == "orders" and "amount" not in found and not {"quantity", "unit_price"} <= set(found):
        missing["columns.amount"] = there
    return missing


def unread(samples: Sequence[FileSample]) -> dict[str, str]:
    """Sheets and packed files with the columns of the one that is read: one source reads one of them, and rows would be lost."""
    found = next((one for one in samples if one.alike > 1), None)
    if found is None:
        return {}
    if "member" in found.keys:
        return {
            "member": f"{found.alike} files of the archive have these columns: unpack it and give init the folder, or write one"
        }
    return {
        "sheet": f"{found.alike} sheets have these columns: save each as a CSV file and give init their folder, or write one"
    }


def open_currency(column: str | None, texts: Sequence[str], amounts: Sequence[str]) -> dict[str, str]:
    """What is open of the currency: ``texts`` are the values of its column, ``amounts`` may have signs of several."""
    if column is None:
        marks = sorted({mark for text in amounts[:_LOOKED_AT] if (mark := currency_mark(text.strip()))})
        if len(marks) > 1:
            return {
                "currency": f"the amounts have the signs {' and '.join(marks[:4])}: one source reads amounts of one sign, or the "
                "codes of a column: add such a column to the export, or write the code whose rows are to be read"
            }
        return {"currency": "no column holds a currency: write its code, such as EUR"}
    codes = sorted({text.strip().upper() for text in texts})
    if not codes or not all(is_code(code) for code in codes):
        return {"currency": f"column {column!r} does not hold codes of three letters: write the code, such as EUR"}
    listed = ", ".join(codes[:9])
    return {"reporting_currency": f"found {listed}: write the one that amounts are converted to, and rates"}


def why_unreadable(texts: Sequence[str]) -> str:
    """Why no marks read every one of the numbers."""
    unread = next((text for text in texts if not any(NumberMarks(mark).read(text) is not None for mark in ".,")), None)
    if unread is not None and not re.fullmatch(r"[-+]?[\d.,'\s]+", unread):
        return f"{unread!r} is not a number: map another column"
    return "the numbers can be read in two ways: is 1,234 a thousand or a little more than one?"
