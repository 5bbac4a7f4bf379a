"""Checks with absolute limits besides those of unreadable rows and copies: they judge a first load, without an earlier one.

Elsewhere: reading (``first_load_measures.py``), limits (``declaration/quality.py``). No id of a customer is shown, but for
words that mean nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from tdml_assets.stages.data_quality.after_file import after_file
from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.data_quality.first_load_measures import FirstLoad, OddIds, RoundedIds, SetAside, ZeroAmounts
from tdml_assets.stages.data_quality.history_breaks import changed_ids, changed_unit
from tdml_assets.stages.data_quality.lacking_columns import lacking_columns
from tdml_assets.stages.data_quality.measures import Days
from tdml_assets.stages.data_quality.mixed_units import mixed_units
from tdml_assets.stages.data_quality.renumbered import renumbered

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy

#: Of the months around it, below which a month has few orders; they must have so many lines themselves.
_THIN_MONTH = 0.25
_MONTH_LINES = 30
_MONTHS_AROUND = 3
_MOSTLY = 0.5
#: Average customers that the id 0 must exceed before it is taken for one that many people share.
_TIMES_AVERAGE = 3
_SHOWN = 5
_ROUNDED_SHARE = 0.01


def first_load(found: FirstLoad, orders: Days, policy: QualityPolicy) -> Iterator[Finding]:
    """Every check."""
    if found.set_aside.judged_rows >= policy.min_rows:
        yield set_aside(orders.table, found.set_aside, policy)
        yield zero_amounts(orders.table, found.zero_amounts, policy)
    total = sum(orders.rows)
    if total:
        yield empty_ids(f"{orders.table}.customer_id", found.odd_ids, total, found.set_aside.accepted_money, policy)
        yield after_file(orders.table, found.after_file, policy)
        yield _test_orders(f"{orders.table}.customer_id", found.odd_ids, total)
    yield lacking_columns(orders.table, found.lacking)
    if total >= policy.min_rows:
        yield mixed_units(orders.table, found.mixed_units, found.whole_files, policy)
        yield renumbered(orders.table, found.twin_days, policy)
        if found.rounded_ids is not None:
            yield rounded_ids(orders.table, found.rounded_ids)
    yield thin_months(orders)
    yield changed_ids(orders, found.customer_days)
    yield changed_unit(orders, policy.min_rows)


def set_aside(table: str, found: SetAside, policy: QualityPolicy) -> Finding:
    """Share of rows and of money set aside for another fault than that they could not be read."""
    is_broken = found.share > policy.set_aside_limit or found.money_share > policy.set_aside_money_limit
    text = f"{found.rows:,} of {found.judged_rows:,} rows ({found.share:.1%}), about {found.money_share:.0%} of money, set aside"
    if is_broken:
        text += (
            f"; {policy.set_aside_limit:.0%} of rows (quality.set_aside_limit) or {policy.set_aside_money_limit:.0%} of money "
            "(quality.set_aside_money_limit) is the bound"
        )
    if found.reasons:
        listed = sorted(found.reasons.items(), key=lambda one: (-one[1], one[0]))
        text += f": {', '.join(f'{reason} {count:,}' for reason, count in listed)}"
    by_money = found.money_share / policy.set_aside_money_limit > found.share / policy.set_aside_limit
    value, bound = (
        (found.money_share, policy.set_aside_money_limit) if by_money else (found.share, policy.set_aside_limit)
    )
    return judged(
        "set_aside",
        table,
        text,
        _remedy(found),
        is_broken=is_broken,
        value=value,
        bound=bound,
    )


def zero_amounts(table: str, found: ZeroAmounts, policy: QualityPolicy) -> Finding:
    """Share of order lines without money: a discount or a tax taken for the amount is 0 on most lines."""
    share = found.zeros / found.lines if found.lines else 0.0
    text = (
        f"{found.zeros:,} of {found.lines:,} order lines ({share:.1%}) have an amount of 0 in column {found.column!r}; "
        f"{policy.zero_amount_limit:.0%} (quality.zero_amount_limit) is the bound"
    )
    remedy = (
        "Map columns.amount, or quantity and unit_price, under sources.orders to the columns that say what was paid."
    )
    is_broken = share > policy.zero_amount_limit
    return judged("zero_amounts", table, text, remedy, is_broken=is_broken, value=share, bound=policy.zero_amount_limit)


def _remedy(found: SetAside) -> str:
    reason = max(found.reasons, key=found.reasons.__getitem__, default="")
    if reason == "missing_customer" and found.continue_orders > _MOSTLY:
        return (
            "Most of these rows belong to an order whose customer is on another of its lines: write carry: [customer_id, "
            "ordered_at] under sources.orders."
        )
    if reason == "missing_customer" and found.without_order > _MOSTLY:
        return (
            "Most of these rows have no order either. If the file writes both on an order's first row only, write "
            "carry: [order_id, customer_id, ordered_at] under sources.orders; else map columns.customer_id to the column that "
            "says who bought."
        )
    if reason == "missing_customer":
        return (
            "Map sources.orders.columns.customer_id to the column that says who bought, or to several, of which the first with a "
            "value counts: customer_id: {column: [customer_no, email]} knows guests by their e-mail."
        )
    if reason == "out_of_bounds":
        return "Correct sources.orders.bounds, or the columns that quantity, unit_price and amount are mapped to."
    return (
        "tdml-assets check shows three rows of each reason: correct the file or its declaration under sources.orders."
    )


def empty_ids(source: str, found: OddIds, lines: int, money: float, policy: QualityPolicy) -> Finding:
    """Share of order lines or money under ids that mean nobody: all guests as one customer, the best of all."""
    of_lines = sum(count for count, _ in found.words.values()) / lines
    of_money = sum(size for _, size in found.words.values()) / money if money else 0.0
    value = max(of_lines, of_money)
    words = list(found.words)[:_SHOWN]
    listed = ", ".join(f'"{word}"' for word in words)
    ids = f"ids that mean nobody ({listed})" if listed else "ids that mean nobody"
    text = f"{of_lines:.1%} of the order lines and {of_money:.1%} of money under {ids}; {policy.empty_id_limit:.0%} is the bound"
    remedy = (
        f"All guests would be one customer: write customer_id: {{column: {found.column!r}, empty: [{listed}]}} under "
        "sources.orders.columns, which sets these rows aside."
    )
    # Customers may be numbered from 0. Of ten such customers each has a tenth; guests have more than a customer does.
    is_numbered = words == ["0"] and value <= _TIMES_AVERAGE / max(found.customers, 1)
    is_broken = value > policy.empty_id_limit and not is_numbered
    finding = judged("empty_ids", source, text, remedy, is_broken=is_broken, value=value, bound=policy.empty_id_limit)
    if words and not is_broken and not (is_numbered and value <= policy.empty_id_limit):
        return replace(finding, status="note", sentence=f"{finding.sentence} {remedy}")
    return finding


def _test_orders(source: str, found: OddIds, lines: int) -> Finding:
    share = found.test_lines / lines
    text = f"{found.test_lines:,} order lines ({share:.1%}), {found.test_money:,.2f} of money, are of ids that look like tests"
    finding = judged("test_orders", source, text, "", is_broken=False, value=share, bound=0.0)
    if not found.test_lines:
        return finding
    remedy = "If they are tests, leave them out: give them a status that is ignored, or list the ids under customer_id.empty."
    return replace(finding, status="note", sentence=f"{finding.sentence} {remedy}")


def rounded_ids(table: str, found: RoundedIds) -> Finding:
    """Share of the order lines whose order or customer is a number that a spreadsheet has rounded: several of them are one."""
    lost = {
        "customer_id": found.customer_lines,
        "order_id": found.order_lines,
        "product_id": found.product_lines,
    }
    name = max(lost, key=lambda one: (one != "product_id" and lost[one] > 0, lost[one]))
    share = lost[name] / found.lines if found.lines else 0.0
    text = (
        f"{lost[name]:,} of {found.lines:,} order lines ({share:.1%}) have in place of their id a number that a spreadsheet "
        f"rounded, such as 1.23E+12, so that several are one; {_ROUNDED_SHARE:.0%} is the bound"
    )
    remedy = "The digits are lost in the file: export it again, and do not open and save it in a spreadsheet before."
    is_broken = share > _ROUNDED_SHARE and name != "product_id"
    finding = judged(
        "rounded_ids", f"{table}.{name}", text, remedy, is_broken=is_broken, value=share, bound=_ROUNDED_SHARE
    )
    if lost[name] and not is_broken:
        return replace(finding, status="note", sentence=f"{finding.sentence} {remedy}")
    return finding


def thin_months(orders: Days) -> Finding:
    """Months inside the history with next to no lines, where those around them have many: a file that is missing."""
    counts: dict[tuple[int, int], int] = {}
    for day, rows in zip(orders.days, orders.rows, strict=True):
        counts[day.year, day.month] = counts.get((day.year, day.month), 0) + rows
    months = _all_months(list(counts))
    lines = [counts.get(month, 0) for month in months]
    thin = []
    for place in range(1, len(months) - 1):
        around = [*lines[max(0, place - _MONTHS_AROUND) : place], *lines[place + 1 : place + 1 + _MONTHS_AROUND]]
        if median(around) >= _MONTH_LINES and lines[place] < _THIN_MONTH * median(around):
            thin.append(
                f"{months[place][0]}-{months[place][1]:02} ({lines[place]:,} lines, about {median(around):,.0f} around it)"
            )
    text = f"{len(thin)} months have few orders"
    finding = judged("thin_months", orders.table, text, "", is_broken=False, value=float(len(thin)), bound=0.0)
    if not thin:
        return finding
    more = f" and {len(thin) - _SHOWN} more" if len(thin) > _SHOWN else ""
    text = (
        f"{orders.table}: months with far fewer orders than those around them: {', '.join(thin[:_SHOWN])}{more}. Look for a file "
        "that is missing; if the shop was closed, there is nothing to do."
    )
    return replace(finding, status="note", sentence=text)


def _all_months(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Every calendar month from the first to the last, ascending."""
    if not found:
        return []
    first, last = min(found), max(found)
    numbers = range(first[0] * 12 + first[1] - 1, last[0] * 12 + last[1])
    return [(number // 12, number % 12 + 1) for number in numbers]
