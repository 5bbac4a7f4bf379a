"""What the kinds of rows of a file of orders count as: statuses, marks such as ``is_test``, kinds of documents and of events.

Elsewhere: the meaning of one word (``guess_orders.py``, ``column_words.py``), what the lines of an order have in common
(``guess_lines.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tdml_assets.declaration.statuses import Meaning
from tdml_assets.stages.raw.guess_lines import kinds_without_money, repeated_kinds
from tdml_assets.stages.raw.guess_orders import codes_of, flags_of, meaning_of, statuses_of, types_of, unexplained
from tdml_assets.stages.raw.numbers import NumberMarks
from tdml_assets.stages.raw.sample import FileSample


@dataclass(frozen=True)
class Kinds:
    """What says which rows are sales.

    ``column``: of the status; None where none is needed. ``statuses``: its values, where there are few. ``flag``: what they mean,
    where the column stands in for a status. ``others``: further columns and what their values mean but for sales.
    ``are_repeated``: whether rows of each status come to the same money. ``why_open``: what a person must decide; else empty.
    """

    column: str | None
    statuses: tuple[str, ...] = ()
    flag: Mapping[str, Meaning] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Meaning]] = field(default_factory=dict)
    are_repeated: bool = False
    why_open: str = ""


def guess_kinds(
    first: FileSample,
    found: Mapping[str, str],
    values: Mapping[str, Sequence[str]],
    marks: NumberMarks,
    *,
    is_known: bool,
) -> Kinds:
    """What says which rows of a file are sales.

    ``found``: column per role. ``values``: texts per role, of every file. ``marks``: of numbers. ``is_known``: whether a preset
    says the rest.
    """
    column = found.get("order_status")
    statuses = statuses_of(values.get("order_status", ()))
    if is_known:
        return Kinds(column, statuses)
    repeated = repeated_kinds(first, found, marks.read)
    if repeated is not None:
        why = f"rows of each {repeated!r} come to the same money: write sale for the one that counts, and ignore for the others"
        return Kinds(repeated, statuses_of(first.columns[repeated]), are_repeated=True, why_open=why)
    flags = {**types_of(first, found.values()), **flags_of(first, found.values())}
    events = kinds_without_money(first, found, marks.read)
    if events is not None and column is None:
        flags = {events[0]: dict.fromkeys(events[1], "ignore"), **flags}
    flag: Mapping[str, Meaning] = {}
    if flags and column is None:
        column = next(iter(flags))
        flag = flags.pop(column)
    if not flag and column is not None and statuses:
        flag = _of_sides(first, found, column)
    others = {name: kept for name, meanings in flags.items() if (kept := _of_no_sale(meanings))}
    if column is None and (codes := codes_of(first, found, marks.read)) is not None:
        statuses = statuses_of(first.columns[codes])
        why = (
            f"{codes!r} holds {', '.join(statuses)}, kinds of documents of which none has negative amounts: write return for those "
            "that take back what was sold, sale for the others"
        )
        return Kinds(codes, statuses, others=others, why_open=why)
    is_refund_known = "refunded_amount" in found
    return Kinds(
        column, statuses, flag, others, why_open=_why_open(values.get("order_status", ()), statuses, is_refund_known)
    )


def _of_sides(first: FileSample, found: Mapping[str, str], column: str) -> dict[str, Meaning]:
    """What statuses mean where amounts are in two columns: rows that have money on the other side alone take back what was sold."""
    if "amount_reversed" not in found:
        return {}
    sold, back = (first.cells[found[role]] for role in ("amount", "amount_reversed"))
    sides: dict[str, set[bool]] = {}
    for status, one, other in zip(first.cells[column], sold, back, strict=True):
        if status and (one or other):
            sides.setdefault(status, set()).add(bool(one))
    return {
        status: "return" if found_on == {False} else meaning_of(status)[0] for status, found_on in sorted(sides.items())
    }


def _why_open(texts: Sequence[str], statuses: Sequence[str], is_refund_known: bool) -> str:
    if statuses and all(status.isdigit() for status in statuses):
        return f"{', '.join(statuses[:9])} are codes: write what each counts as, sale, return, void or ignore"
    unclear = unexplained(texts, is_refund_known=is_refund_known) if statuses else ()
    listed = ", ".join(map(repr, unclear[:9]))
    return f"no word of {listed} says what it counts as: write sale, return, void or ignore" if unclear else ""


def _of_no_sale(meanings: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """Values that say more than the status next to them."""
    return {value: meaning for value, meaning in meanings.items() if meaning != "sale"}
