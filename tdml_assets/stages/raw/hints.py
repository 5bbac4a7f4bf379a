"""What to change where rows of a source cannot be read: the cell at fault, and the key of the settings that mends it.

Elsewhere: judging how many rows are too many (``stages/data_quality/unreadable.py``, ``commands/preflight.py``), reading
files.

A shown cell is masked: a column mapped by mistake may hold names or addresses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tdml_assets.declaration.sources import EventSource, OrdersSource, Source
from tdml_assets.stages.raw.currencies import currencies_of, marks_of
from tdml_assets.stages.raw.dates import formats_of_shapes, formats_that_read, reads, remedy_of_odd_dates, swapped
from tdml_assets.stages.raw.figures import MONEY, number_marks
from tdml_assets.stages.raw.numbers import currency_mark, marks_that_read
from tdml_assets.stages.raw.rules import NUMBERS

#: Reasons that say a row was not understood, as against one that is complete and unwanted.
UNREADABLE = (
    *("bad_timestamp", "future_timestamp", "too_old", "bad_number", "not_finite", "bad_flag", "missing_amount"),
    *("unknown_currency", "other_currency", "nul_character", "short_row", "long_row", "broken_row"),
)
_MOMENTS = ("bad_timestamp", "future_timestamp", "too_old")
_NUL = "Write the file again without NUL characters, or declare {where}.csv.encoding."
_SHAPES = {
    "short_row": "Write csv: {{short_rows: fill}} under {where} if the last cells of a row may be left out; else correct the file.",
    "long_row": "Correct {where}.csv.delimiter or csv.quote, or quote the fields of the file that hold the delimiter.",
    "broken_row": "Declare {where}.csv.quote and csv.escape as the file is written: quotes inside fields are doubled or escaped.",
}
_SHOWN_CHARACTERS = 32
_WORD = re.compile(r"[^\W\d_]+")
_KEPT_WORDS = {
    *(
        "jan",
        "feb",
        "mar",
        "apr",
        "may",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "january",
        "february",
    ),
    *("march", "april", "june", "july", "august", "september", "october", "november", "december", "mon", "tue", "wed"),
    *(
        "thu",
        "fri",
        "sat",
        "sun",
        "am",
        "pm",
        "t",
        "z",
        "utc",
        "gmt",
        "null",
        "none",
        "nan",
        "na",
        "inf",
        "true",
        "false",
    ),
}


def masked(cell: str) -> str:
    """Show a cell as text in quotes: digits and marks as they are, letters other than of dates and currencies as x."""
    shown = _WORD.sub(
        lambda word: (
            word.group()
            if word.group().lower() in _KEPT_WORDS or re.fullmatch("[A-Z]{3}", word.group())
            else "x" * len(word.group())
        ),
        cell.strip(),
    )
    return repr(shown if len(shown) <= _SHOWN_CHARACTERS else shown[: _SHOWN_CHARACTERS - 3] + "...")


def offending_cell(declaration: Source, reason: str, content: Mapping[str, object]) -> tuple[str, str] | None:
    """Source column and text of the cell for which a row was refused; ``None`` where a cell is missing or unknown.

    ``reason``: a code of ``REASONS``. ``content``: the row, by the source's column names.
    """
    mapped = declaration.mapped
    if reason in _MOMENTS and isinstance(declaration, EventSource):
        return _cell(content, mapped.get(declaration.moment or ""))
    if reason in ("bad_number", "not_finite"):
        marks = number_marks(declaration)
        cells = [_cell(content, mapped.get(name)) for name in NUMBERS]
        return next((cell for cell in cells if cell and marks.read(cell[1]) is None), None)
    if reason == "other_currency":
        cells = [_cell(content, mapped.get(name)) for name in MONEY]
        return next((cell for cell in cells if cell and _is_foreign(declaration, content, cell[1])), None)
    column = {"bad_flag": "coupon_used", "unknown_currency": "currency"}.get(reason)
    return _cell(content, mapped.get(column)) if column else None


def _is_foreign(declaration: Source, content: Mapping[str, object], text: str) -> bool:
    """Whether a cell has the sign of another currency than its row."""
    if not isinstance(declaration, OrdersSource):
        return False
    code = declaration.currency or str(content.get(declaration.columns.currency or "") or "").strip().upper()
    mark = currency_mark(text)
    return mark != "" and mark not in marks_of(code)


def _cell(content: Mapping[str, object], column: str | None) -> tuple[str, str] | None:
    if column is None or content.get(column) in (None, ""):
        return None
    return column, str(content[column])


def remedy_for(table: str, declaration: Source, reason: str, cells: Sequence[str], accepted: Sequence[str] = ()) -> str:
    """What to write into the settings, or to ask of the source, so that such rows are read.

    ``cells``: texts that could not be read; the more there are, the surer the proposal. ``accepted``: of dates, texts that could:
    another format must read them too.
    """
    where = f"sources.{table}"
    if reason in _MOMENTS:
        return _date_remedy(where, declaration, cells, accepted, is_read=reason != "bad_timestamp")
    if reason in ("bad_number", "not_finite"):
        return _number_remedy(where, declaration, cells)
    if reason in ("other_currency", "unknown_currency") and isinstance(declaration, OrdersSource):
        return (_currency_remedy if reason == "other_currency" else _rate_remedy)(where, declaration, cells)
    if reason == "missing_amount":
        return _amount_remedy(where, declaration)
    if reason == "bad_flag":
        return f"Map {where}.columns.coupon_used to a column of true/false, yes/no or 1/0, or leave it out."
    return _SHAPES.get(reason, _NUL).format(where=where)


def _amount_remedy(where: str, declaration: Source) -> str:
    remedy = f"Map {where}.columns.amount, or quantity and unit_price, to columns that every row fills."
    if not isinstance(declaration, OrdersSource) or declaration.amount_level == "order":
        return remedy
    if declaration.columns.order_id is None or declaration.columns.amount is None:
        return remedy
    mapped = declaration.mapped
    carried = ", ".join(name for name in ("customer_id", "ordered_at", "order_status") if name in mapped)
    return (
        f"If the total is on the first line of each order only, write amount_level: order and carry: [{carried}] under "
        f"{where}. Else map amount, or quantity and unit_price, to columns that every row fills."
    )


def _date_remedy(
    where: str, declaration: Source, cells: Sequence[str], accepted: Sequence[str], *, is_read: bool
) -> str:
    formats: tuple[str, ...] = getattr(declaration, "timestamp_format", None) or ()
    declared = formats[0] if len(formats) == 1 else list(formats)
    fitting = [one for one in formats_that_read(cells) if one not in formats]
    if is_read:
        return f"Check {where}.timestamp_format ({declared}): day and month, and the digits of the year; or {where}.earliest."
    if not fitting:
        odd = remedy_of_odd_dates(where, cells)
        if odd is not None:
            return odd
        several = formats_of_shapes([*cells, *accepted])
        if len(several) > 1:
            listed = ", ".join(map(repr, several))
            return f"Times are written in more than one way: write timestamp_format: [{listed}] under {where}."
        return (
            f"No usual format reads them all: write {where}.timestamp_format as they are written (now {declared}), or ask the "
            "source for one format."
        )
    usual = [one for one in fitting if all(reads(text, one) for text in accepted)]
    if not usual:
        both = ", ".join(repr(one) for one in (*formats, fitting[0]))
        return (
            f"{fitting[0]!r} reads them and not the other rows: times are written in more than one way. If that is right, write "
            f"timestamp_format: [{both}] under {where}: the first format that reads a time counts."
        )
    fitting = usual
    hint = f"Write timestamp_format: {fitting[0]!r} under {where}"
    other = swapped(fitting[0])
    if other in fitting:
        hint += f" if the day comes {'first' if _day_first(fitting[0]) else 'second'}, {other!r} if not: these cells do not show"
    return f"{hint}."


def _day_first(format_text: str) -> bool:
    return format_text.find("%d") < format_text.find("%m")


def _number_remedy(where: str, declaration: Source, cells: Sequence[str]) -> str:
    marks, now = marks_that_read(cells), number_marks(declaration)
    if marks is None or marks == now:
        return (
            f"Numbers are digits, marks as {where}.numbers declares them, and the row's currency: declare decimal and thousands as "
            f"the file has them, or map another column under {where}.columns."
        )
    keys = [f'decimal: "{marks.decimal}"'] if marks.decimal != "." or marks.thousands else []
    keys += [f'thousands: "{marks.thousands}"'] if marks.thousands else []
    return f"Write numbers: {{{', '.join(keys)}}} under {where}."


def _rate_remedy(where: str, declaration: OrdersSource, cells: Sequence[str]) -> str:
    if not cells and declaration.columns.currency is not None:
        return (
            f"Column {declaration.columns.currency!r} is empty in these rows: if all amounts are in one currency, write "
            f"currency: with its code under {where}, which takes the place of columns.currency."
        )
    codes = sorted({cell.strip().upper() for cell in cells if re.fullmatch("[A-Za-z]{3}", cell.strip())})
    named = f" {codes[0]}" if codes else " each of its currencies"
    return f"Give {where}.rates a rate for{named}, in {declaration.reporting}."


def _currency_remedy(where: str, declaration: OrdersSource, cells: Sequence[str]) -> str:
    if declaration.currency is None:
        return f"Map {where}.columns.currency to the column that holds the currency of the amounts."
    found = {code for cell in cells for code in currencies_of(currency_mark(cell))}
    likely = [code for code in ("USD", "EUR", "GBP", "JPY", *sorted(found)) if code in found]
    several = len({currency_mark(cell) for cell in cells}) > 1 or not likely
    if several:
        return f"Amounts are in several currencies: map {where}.columns.currency to a column that holds them."
    others = f" (or {', '.join(code for code in sorted(found) if code != likely[0])})" if len(found) > 1 else ""
    return f"If the amounts are in it, write currency: {likely[0]}{others} under {where}, in place of {declaration.currency}."
