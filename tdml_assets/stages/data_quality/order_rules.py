"""Checks of what orders are taken for: totals that repeat on every line, and statuses that nothing names.

Elsewhere: what statuses mean (``stages/raw/meanings.py``), policy (``declaration/quality.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.raw.column_words import probable_meaning
from tdml_assets.stages.raw.contracts import ORDER_STATUSES, ORDERS
from tdml_assets.stages.raw.meanings import StatusCount, read_statuses

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy

#: Orders and amounts below which equal lines may be chance: a shop with few prices.
_FEWEST_ORDERS = 20
_FEWEST_AMOUNTS = 10
_SHOWN = 8
#: More values than these are not statuses: a column of something else, such as an address, is not shown.
_MOST_STATUSES = 50


@dataclass(frozen=True)
class OrderTotals:
    """Orders of several lines.

    ``orders``, ``alike``: such orders, and those whose lines all have one amount. ``amounts``: different amounts among the
    latter. ``money``, ``money_once``: what the latter come to line by line, and once per order; in the reporting currency.
    """

    orders: int
    alike: int
    amounts: int
    money: float
    money_once: float


@dataclass(frozen=True)
class PartialStatuses:
    """Lines without a status whose order has one on another line, and their share of all money."""

    lines: int
    share: float


def read_partial_statuses(
    reader: Reader, declaration: OrdersSource | None, found: Sequence[StatusCount], as_of: date
) -> PartialStatuses | None:
    """Look for statuses that stand on one line of an order only; ``None`` where every row has one, or has it from its order."""
    if declaration is None or declaration.columns.order_id is None or "order_status" in declaration.carry:
        return None
    if len(found) < 2 or all(item.order_status is not None or item.meaning_from == "declared" for item in found):
        return None
    return PartialStatuses(**reader.row(render("data_quality/partial_statuses", orders=ORDERS.path, as_of=as_of)))


def read_order_totals(reader: Reader, declaration: OrdersSource | None, as_of: date) -> OrderTotals | None:
    """Measure amounts that may be totals of orders; ``None`` where the declaration says what they are."""
    if declaration is None or declaration.columns.order_id is None or declaration.columns.amount is None:
        return None
    if declaration.amount_level == "order":
        return None
    return OrderTotals(**reader.row(render("data_quality/order_totals", orders=ORDERS.path, as_of=as_of)))


def read_order_statuses(reader: Reader, declaration: OrdersSource | None) -> tuple[StatusCount, ...]:
    """Statuses of the last load; empty where no column of statuses is mapped."""
    if declaration is None or declaration.columns.order_status is None or not reader.columns(ORDER_STATUSES.path):
        return ()
    return read_statuses(reader)


def order_rules(
    orders: str,
    totals: OrderTotals | None,
    found: Sequence[StatusCount],
    partial: PartialStatuses | None,
    policy: QualityPolicy,
) -> Iterator[Finding]:
    """Make both checks, as far as there is something to judge."""
    for finding in (order_totals(orders, totals, policy), statuses(orders, found, partial, policy)):
        if finding is not None:
            yield finding


def order_totals(orders: str, found: OrderTotals | None, policy: QualityPolicy) -> Finding | None:
    """Whether amounts of lines look like totals of their orders; ``None`` with too few orders of several lines."""
    if found is None or found.orders < _FEWEST_ORDERS:
        return None
    value = found.alike / found.orders
    text = (
        f"the amount is the same on all lines of {found.alike:,} of {found.orders:,} orders of several lines ({value:.0%}); "
        f"{policy.order_totals_limit:.0%} is the bound (quality.order_totals_limit)"
    )
    remedy = (
        f"If it is the order's total, {found.money:,.2f} of revenue are really {found.money_once:,.2f}: write "
        "sources.orders.amount_level: order."
    )
    is_broken = value > policy.order_totals_limit and found.amounts >= _FEWEST_AMOUNTS
    return judged(
        "order_totals", orders, text, remedy, is_broken=is_broken, value=value, bound=policy.order_totals_limit
    )


def statuses(
    orders: str, found: Sequence[StatusCount], partial: PartialStatuses | None, policy: QualityPolicy
) -> Finding | None:
    """Whether rows count as sales only because nothing says what their status means; ``None`` without statuses."""
    money = sum(abs(float(item.amount)) for item in found)
    if not found:
        return None
    unknown = [item for item in found if item.is_unknown]
    value = sum(abs(float(item.amount)) for item in unknown) / money if money else 0.0
    value += 0.0 if partial is None else partial.share
    text, remedies = _words(found, unknown, partial)
    is_broken = value > policy.unknown_status_limit
    if is_broken:
        text += f"; {policy.unknown_status_limit:.0%} of the money is the bound (quality.unknown_status_limit)"
    remedy = " ".join(remedies)
    finding = judged(
        "unknown_statuses", orders, text, remedy, is_broken=is_broken, value=value, bound=policy.unknown_status_limit
    )
    if remedies and not is_broken:
        return replace(finding, status="note", sentence=f"{finding.sentence} {remedy}")
    return finding


def _words(
    found: Sequence[StatusCount], unknown: Sequence[StatusCount], partial: PartialStatuses | None
) -> tuple[str, list[str]]:
    """What the statuses count as, and what to declare."""
    if len(found) > _MOST_STATUSES:
        return (
            f"order_status holds {len(found)} values or more, which no statuses are known to be",
            ["Map columns.order_status to the column of statuses, or leave it out."],
        )
    named = [item for item in found if item.order_status is not None]
    parts, remedies = [], []
    if partial is not None and partial.lines:
        parts.append(
            f"{partial.lines:,} lines ({partial.share:.0%} of the money) have no status though another line of their order has "
            "one, and count as sales"
        )
        remedies.append("If a status is meant for the whole order, write sources.orders.carry: [order_status].")
    if unknown:
        parts.append(f"statuses that nothing names count as sales: {_listed(unknown)}")
        line = ", ".join(
            f"{item.order_status}: {probable_meaning(item.order_status or '') or 'sale'}" for item in unknown[:_SHOWN]
        )
        remedies.append(f"Say what they mean (sale, return, void or ignore): sources.orders.statuses: {{{line}}}.")
    voided = [item for item in named if item.meaning == "void" and item.meaning_from == "common"]
    if voided:
        parts.append(f"statuses that count as nothing, though not declared: {_listed(voided)}")
        line = ", ".join(f"{item.order_status}: void" for item in voided[:_SHOWN])
        remedies.append(f"If that is right, write sources.orders.statuses: {{{line}}}.")
    return "; ".join(parts) or f"order_status: {_listed(named)}, all named", remedies


def _listed(items: Sequence[StatusCount]) -> str:
    shown = ", ".join(
        f"{item.order_status!r} {item.row_count:,} rows with {item.amount:,.2f}" for item in items[:_SHOWN]
    )
    return shown if len(items) <= _SHOWN else f"{shown} and {len(items) - _SHOWN} more"
