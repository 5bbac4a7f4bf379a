"""What a drafted settings file says of orders: levels of amounts, cells of first lines, keys, kinds of lines, statuses.

Elsewhere: files, numbers, times and columns (``settings_draft.py``), the guesses (``stages/raw/guess*.py``).
"""

from __future__ import annotations

import json
from typing import Any

from tdml_assets.declaration.presets import preset_keys
from tdml_assets.declaration.statuses import REFUNDED_STATUSES
from tdml_assets.stages.raw.guess import Guess
from tdml_assets.stages.raw.guess_lines import kinds_of
from tdml_assets.stages.raw.guess_orders import is_guessed_word, meaning_of, unexplained

_OUT_OF_SPEND = ("tax", "gift_card", "tip")


def level_lines(found: Guess) -> list[str]:
    """``amount_level`` and ``refund_level``, where an amount is one of the whole order."""
    lines = []
    if "amount_level" in found.open:
        lines.append(f"amount_level:    # {found.open['amount_level']}")
    elif found.amount_level:
        lines.append(f"amount_level: order    # guessed: {found.amount_level}")
    elif found.refund_level:
        lines.append(f"refund_level: order    # guessed: {found.refund_level}")
    return lines


def carry_lines(found: Guess) -> list[str]:
    """``carry``, where cells stand on first lines only."""
    if not found.carry:
        return []
    names = [name for name in found.carry if name != "currency" or found.currency is None]
    return [
        f"carry: [{', '.join(names)}]    # they stand on the first line of an order, and are meant for its other lines"
    ]


def key_lines(found: Guess) -> list[str]:
    """``line_key``: where files overlap the key that tells their lines apart, else how one is written."""
    key, why = found.line_key
    if key:
        return [
            f"line_key: [{', '.join(map(text, key))}]    # {why}. Of several states of a line that of the last file counts"
        ]
    if found.preset is not None:
        return []
    return ["# line_key: [order_no, line]    # columns that make a line unique; without them no row is ever collapsed"]


def kind_lines(found: Guess) -> list[str]:
    """``line_kinds`` by product code."""
    kinds = kinds_of(found.texts("product_id"))
    if not kinds:
        return []
    lines = ["line_kinds:    # guessed by their codes: lines that are not products, and no return"]
    for code, kind in kinds.items():
        why = "    # left out of spend; {kind: " + kind + ", spend: true} keeps it" if kind in _OUT_OF_SPEND else ""
        lines.append(f"  {text(code)}: {kind}{why}")
    return lines


def status_lines(found: Guess) -> list[str]:
    """Every status found with what it counts as: sale, return, void (the order came to nothing) or ignore."""
    return [*_status_lines(found), *_other_lines(found)]


def _other_lines(found: Guess) -> list[str]:
    """Columns next to the status that say of some rows that they are no sales."""
    if not found.other_statuses:
        return []
    lines = ["other_statuses:    # guessed by their names: what they say comes before the status; * is any value"]
    for column, meanings in found.other_statuses.items():
        listed = ", ".join(f"{json.dumps(value)}: {meaning}" for value, meaning in meanings.items())
        lines.append(f"  {text(column)}: {{{listed}}}")
    return lines


def _status_lines(found: Guess) -> list[str]:
    if found.flag:
        lines = [f"statuses:    # guessed by the name of column {found.columns['order_status']!r}; * is any value"]
        return [*lines, *(f"  {json.dumps(value)}: {meaning}" for value, meaning in found.flag.items())]
    if not found.statuses:
        return []
    declared = preset_keys(found.preset).get("statuses") if found.preset else None
    lines = ["statuses:    # each that was found, and what it counts as: sale, return, void or ignore"]
    # Codes say nothing, every one of them.
    are_codes = found.are_repeated or all(status.isdigit() for status in found.statuses)
    unclear = (
        (
            found.statuses
            if are_codes
            else unexplained(found.texts("order_status"), is_refund_known=found.is_refund_known)
        )
        if "statuses" in found.open
        else ()
    )
    for status in found.statuses:
        if status in unclear:
            lines.append(f"  {text(status)}:    # sale, return, void or ignore")
            continue
        meaning, is_known = meaning_of(status, declared)
        if found.is_refund_known and meaning == "void" and status.lower() in REFUNDED_STATUSES:
            meaning = "sale"
        doubt = "guessed by the word" if is_guessed_word(status) else "guessed: no common status"
        lines.append(f"  {text(status)}: {meaning}" + ("" if is_known else f"    # {doubt}"))
    return lines


def text(value: str) -> str:
    """A text as YAML writes it: JSON's quoting is YAML's too, and is used where a bare word would not do."""
    is_word = value.replace("_", "").replace("-", "").replace("/", "").replace(".", "").isalnum()
    is_other = not value or value[0].isdigit() or value[0] in ".-"
    if is_word and not is_other and value.lower() not in ("yes", "no", "on", "off", "true", "false", "null", "y", "n"):
        return value
    return json.dumps(value, ensure_ascii=False)


def key_line(name: str, value: Any, why: str) -> str:
    """A key with its value, and behind it what says so."""
    shown = text(value) if isinstance(value, str) else str(value).lower()
    return f"{name}: {shown}" + (f"    # {why}" if why else "")
