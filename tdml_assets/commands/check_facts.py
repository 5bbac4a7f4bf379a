"""What a person compares with their own books, from a trial load: examples, returns, statuses, the largest orders, pauses.

Elsewhere: loading (``trial_load.py``), printing (``check.py``). Ids and cells are shown by ``check`` alone: they go into no
log and no table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tdml_assets.commands.check_signs import OwnCurrency, TestSign, read_test_signs
from tdml_assets.declaration.sources import Sources
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.raw.contracts import ORDERS, REJECTED_ROWS
from tdml_assets.stages.raw.meanings import StatusCount, read_statuses

_EXAMPLES = 3
_LARGEST = 5
_LONGEST_CELLS = 160


@dataclass(frozen=True)
class Example:
    """A row that was set aside: where it is, and its cells as JSON, cut where they are long."""

    file: str
    row_number: int
    content: str


@dataclass(frozen=True)
class Largest:
    """An order or a customer with much revenue."""

    name: str
    order_lines: int
    amount: Decimal


@dataclass(frozen=True)
class Pause:
    """Days without orders between two days with some."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Books:
    """The figures.

    ``examples``: rows set aside per source and reason.
    ``statuses``: statuses of the orders, with rows, money and what they count as.
    ``currencies``: reporting currency first, then those with a rate.
    ``own_currencies``: money of each currency of the source before it was converted; empty where it has one.
    ``test_signs``: order lines that look like tests.
    ``return_lines``, ``return_amount``: lines of negative quantity.
    ``negative_lines``, ``negative_amount``: other lines of negative amount, such as discounts.
    ``empty_days``: days without orders between the first and the last.
    ``pauses``: the longest of them in a row.
    """

    examples: Mapping[tuple[str, str], Sequence[Example]] = field(default_factory=dict)
    statuses: tuple[StatusCount, ...] = ()
    currencies: tuple[str, ...] = ()
    own_currencies: tuple[OwnCurrency, ...] = ()
    test_signs: tuple[TestSign, ...] = ()
    return_lines: int = 0
    return_amount: Decimal = Decimal(0)
    negative_lines: int = 0
    negative_amount: Decimal = Decimal(0)
    largest_orders: tuple[Largest, ...] = ()
    largest_customers: tuple[Largest, ...] = ()
    empty_days: int = 0
    pauses: tuple[Pause, ...] = ()


def read_books(reader: Reader, sources: Sources, own_currencies: tuple[OwnCurrency, ...] = ()) -> Books:
    """Read them all.

    ``own_currencies``: known only while the orders are loaded, as no table keeps the amounts of before the conversion.
    """
    examples: dict[tuple[str, str], list[Example]] = {}
    for row in reader.rows(render("rejected/examples", rejected=REJECTED_ROWS.path, reason=None, limit=_EXAMPLES)):
        example = Example(row["file"], row["row_number"], _cut(row["content"]))
        examples.setdefault((row["source"], row["reason"]), []).append(example)
    days = [row["day"] for row in reader.rows(render("raw/order_days", orders=ORDERS.path, is_recorded=False))]
    pauses = pauses_of(days)
    declared = sources.orders
    return Books(
        examples=examples,
        statuses=() if declared is None else read_statuses(reader),
        currencies=() if declared is None else tuple(dict.fromkeys([declared.reporting, *sorted(declared.rates)])),
        own_currencies=own_currencies,
        test_signs=() if declared is None else read_test_signs(reader),
        **reader.row(render("check/returns", orders=ORDERS.path)),
        largest_orders=_largest(reader, "order_id"),
        largest_customers=_largest(reader, "customer_id"),
        empty_days=sum(pause.days for pause in pauses),
        pauses=tuple(sorted(pauses, key=lambda pause: (-pause.days, pause.first))[:_EXAMPLES]),
    )


def pauses_of(days: Sequence[date]) -> list[Pause]:
    """Days in a row without orders between ``days``, which ascend."""
    one = timedelta(days=1)
    return [Pause(former + one, later - one) for former, later in pairwise(days) if later - former > one]


def _largest(reader: Reader, column: str) -> tuple[Largest, ...]:
    rows = reader.rows(render("check/largest", orders=ORDERS.path, column=column, most=_LARGEST))
    return tuple(Largest(**row) for row in rows)


def _cut(content: str) -> str:
    return content if len(content) <= _LONGEST_CELLS else content[: _LONGEST_CELLS - 3] + "..."


def books_dict(books: Books) -> dict[str, Any]:
    """The figures as JSON: days and decimals as text."""
    return {
        "rejected_examples": [
            {"source": source, "reason": reason, **vars(example)}
            for (source, reason), examples in books.examples.items()
            for example in examples
        ],
        "returns": {"lines": books.return_lines, "amount": f"{books.return_amount:.2f}"},
        "other_negative_lines": {"lines": books.negative_lines, "amount": f"{books.negative_amount:.2f}"},
        "statuses": [
            {
                "status": status.order_status,
                "counts_as": status.meaning,
                "from": status.meaning_from,
                "rows": status.row_count,
                "amount": f"{status.amount:.2f}",
            }
            for status in books.statuses
        ],
        "currencies": list(books.currencies),
        "own_currencies": [
            {
                "currency": one.currency,
                "order_lines": one.order_lines,
                "amount": f"{one.amount:.2f}",
                "converted": f"{one.converted:.2f}",
                "rows_rejected": one.refused_rows,
            }
            for one in books.own_currencies
        ],
        "test_orders": [
            {
                "sign": one.sign,
                "order_lines": one.order_lines,
                "customers": one.customers,
                "amount": f"{one.amount:.2f}",
            }
            for one in books.test_signs
        ],
        "largest_orders": [_largest_dict(one) for one in books.largest_orders],
        "largest_customers": [_largest_dict(one) for one in books.largest_customers],
        "days_without_orders": books.empty_days,
        "longest_pauses": [{"first": p.first, "last": p.last, "days": p.days} for p in books.pauses],
    }


def _largest_dict(one: Largest) -> dict[str, Any]:
    return {"id": one.name, "order_lines": one.order_lines, "amount": f"{one.amount:.2f}"}


def books_lines(books: Books) -> list[str]:
    """The figures as text, below the revenue by month."""
    lines = [f"  returns      {books.return_lines:>16,}   lines of negative quantity, {books.return_amount:,.2f}"]
    if books.negative_lines:
        lines.append(
            f"  discounts    {books.negative_lines:>16,}   other lines of negative amount, {books.negative_amount:,.2f}"
        )
    lines.append(f"  currencies   {', '.join(books.currencies):>16}")
    lines += [
        f"    {one.currency}: {one.order_lines:,} lines, {one.amount:,.2f} {one.currency}, which are {one.converted:,.2f} "
        f"{books.currencies[0]}" + (f"; {one.refused_rows:,} rows rejected" if one.refused_rows else "")
        for one in books.own_currencies
    ]
    if books.statuses:
        lines.append("  statuses")
        lines += [
            f"    {status.order_status or '(none)'}: {status.row_count:,} rows, {status.amount:,.2f}, counted as {status.meaning}"
            + ("" if status.meaning_from == "declared" else f" ({status.meaning_from})")
            for status in books.statuses
        ]
    for title, found in (("orders", books.largest_orders), ("customers", books.largest_customers)):
        if found:
            lines.append(f"  largest {title}")
            lines += [f"    {one.name}: {one.amount:,.2f} on {one.order_lines:,} lines" for one in found]
    if books.test_signs:
        lines.append("  look like tests, and are kept")
        lines += [
            f"    {one.words}: {one.order_lines:,} lines of {one.customers:,} customers, {one.amount:,.2f}"
            for one in books.test_signs
        ]
    longest = ", ".join(
        f"{pause.first} to {pause.last} ({pause.days:,} days)" if pause.days > 1 else f"{pause.first}"
        for pause in books.pauses
    )
    lines.append(f"  days without orders {books.empty_days:>9,}" + (f"   the longest: {longest}" if longest else ""))
    return lines
