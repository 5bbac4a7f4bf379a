"""A settings file as a draft: what was guessed of the files, with comments, and gaps where a person must decide.

Belongs here: the text of the file. Does not: the guesses (``stages/raw/guess.py``), writing it (``commands/init.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tdml_assets.declaration.presets import preset_keys
from tdml_assets.declaration.statuses import REFUNDED_STATUSES
from tdml_assets.stages.raw.guess import Guess, currency_of
from tdml_assets.stages.raw.guess_orders import meaning_of

#: Order in which columns are written.
_ORDER = (
    *("order_id", "parent_order_id", "customer_id", "ordered_at", "viewed_at", "sent_at", "product_id", "product_name"),
    *(
        "product_category",
        "quantity",
        "unit_price",
        "amount",
        "refunded_amount",
        "order_status",
        "order_type",
        "currency",
    ),
)
_HEAD = """\
# Written by tdml-assets init from the first rows of your files. Every line is a guess: read it, correct it, then
#   tdml-assets check    what the files hold as declared here
#   tdml-assets run      everything
# All keys: docs/sources.md
"""


def draft(guesses: Sequence[Guess]) -> str:
    """The text of a settings file for these sources."""
    lines = [_HEAD, "as_of: latest    # or a date: nothing later is read", "sources:"]
    for found in guesses:
        lines += [f"  {found.table}:", *(f"    {line}" for line in _source(found))]
    return "\n".join(lines) + "\n"


def _source(found: Guess) -> list[str]:
    first = found.samples[0]
    paths = [sample.path for sample in found.samples]
    lines = [f"path: {_text(paths[0]) if len(paths) == 1 else '[' + ', '.join(map(_text, paths)) + ']'}"]
    if found.preset is not None:
        return [*lines, *_of_preset(found)]
    lines.append(f"format: {first.format}")
    lines += [*_csv(found), *_numbers(found)]
    if found.table != "customers":
        lines += _times(found)
    if found.table == "orders":
        lines += _money(found)
    if found.is_total:
        lines.append(
            "amount_level: order    # guessed: the amount is the same on all lines of an order, so it is counted once"
        )
    lines.append("columns:    # our name: yours")
    lines += [
        f"  {role}: {_text(column)}{'' if found.is_total else _doubt(role, column)}"
        for role, column in sorted(found.columns.items(), key=_place)
        if role != "currency" or not _one_currency(found)
    ]
    lines += [
        f"  {key.removeprefix('columns.')}:    # {why}" for key, why in found.open.items() if key.startswith("columns.")
    ]
    if found.table == "orders":
        lines.append(
            "# line_key: [order_no, line]    # columns that make a line unique; without them no row is ever collapsed"
        )
        if "order_status" in found.columns:
            lines += _statuses(found)
    return lines


def _of_preset(found: Guess) -> list[str]:
    """A known export: what its preset cannot know is left."""
    lines = [
        f"preset: {found.preset}    # recognised by its columns; keys written here come before those of the preset"
    ]
    lines += _csv(found)
    if found.preset != "online_retail":
        lines += _money(found) or ["currency:    # write its code, such as EUR"]
    lines.append("# days_in: Europe/Paris    # time zone in which days are counted; that of the times unless given")
    return [*lines, *_statuses(found)]


def _statuses(found: Guess) -> list[str]:
    """Every status found with what it counts as: sale, return, void (the order came to nothing) or ignore."""
    if not found.statuses:
        return []
    lines = ["statuses:    # each that was found, and what it counts as: sale, return, void or ignore"]
    for status in found.statuses:
        meaning, is_known = meaning_of(status, preset_keys(found.preset).get("statuses") if found.preset else None)
        if found.is_refund_known and meaning == "void" and status.lower() in REFUNDED_STATUSES:
            meaning = "sale"
        lines.append(f"  {_text(status)}: {meaning}" + ("" if is_known else "    # guessed: no common status"))
    return lines


def _place(item: tuple[str, str]) -> int:
    """Where a column stands in the draft: names of products behind their ids, which are looked for later."""
    return _ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER)


def _csv(found: Guess) -> list[str]:
    first = found.samples[0]
    if first.format != "csv":
        return []
    options = {"delimiter": first.delimiter} if first.delimiter != "," else {}
    if first.encoding != "utf-8":
        options["encoding"] = first.encoding
    lines = [f"  {key}: {_text(value)}" for key, value in options.items()]
    if not first.has_header:
        lines.append("  header: false    # columns are column_1, column_2, ...")
    return ["csv:", *lines] if lines else []


def _numbers(found: Guess) -> list[str]:
    if "numbers.decimal" in found.open:
        return ["numbers:", f"  decimal:    # . or , : {found.open['numbers.decimal']}"]
    if found.marks is None or found.marks.is_plain:
        return []
    thousands = [f"  thousands: {_text(found.marks.thousands)}"] if found.marks.thousands else []
    return ["numbers:", f"  decimal: {_text(found.marks.decimal)}", *thousands]


def _times(found: Guess) -> list[str]:
    if "timestamp_format" in found.open:
        lines = [f"timestamp_format:    # {found.open['timestamp_format']}"]
    elif found.timestamp_format is not None:
        lines = [f"timestamp_format: {_text(found.timestamp_format)}"]
    else:
        lines = []
    return [*lines, "# timezone: Europe/Paris    # of timestamps without an offset; UTC unless given"]


def _money(found: Guess) -> list[str]:
    if found.currency is not None:
        return [f"currency: {found.currency}    # its sign stands at every amount"]
    if _one_currency(found):
        return [f"currency: {currency_of(found)}    # the one code in column {found.columns['currency']!r}"]
    if "reporting_currency" in found.open:
        return [
            f"reporting_currency:    # {found.open['reporting_currency']}",
            "# rates: {USD: 0.92}    # units of the reporting currency per unit of another",
        ]
    return [f"currency:    # {found.open['currency']}"] if "currency" in found.open else []


def _doubt(role: str, column: str) -> str:
    """What to look at where a name sounds like another figure than the one wanted."""
    if (
        role == "amount"
        and not re.search(r"line|item", column, re.IGNORECASE)
        and re.search(r"tot|order", column, re.IGNORECASE)
    ):
        return "    # of the line? an order's total that stands on each of its lines would be counted several times"
    return ""


def _one_currency(found: Guess) -> bool:
    return currency_of(found) is not None


def _text(value: str) -> str:
    """A value as YAML writes it: JSON's quoting is YAML's too, and is used where a bare word would not do."""
    return (
        value
        if value.replace("_", "").replace("-", "").replace("/", "").replace(".", "").isalnum()
        and not (
            value[0].isdigit()
            or value[0] in ".-"
            or value.lower() in ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
        )
        else json.dumps(value, ensure_ascii=False)
    )
