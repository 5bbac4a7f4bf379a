"""Checks of the ids of customers: one person under several ids, and one id that many people share.

Belongs here: the judgement, with counts and without an id. Does not: reading (``sql/data_quality/customers.sql``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.data_quality.measures import CustomerIds

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy

#: Average customers that one must exceed: of thirty customers each has 3 % of everything.
_TIMES_AVERAGE = 20


def customer_ids(orders: str, found: CustomerIds, policy: QualityPolicy) -> Iterator[Finding]:
    """Notes about ids, which may be meant so; one customer with most of everything is an alarm."""
    source = f"{orders}.customer_id"
    text, kinds = f"{found.customers:,} ids are {found.folded:,} without case and blanks", []
    if found.folded < found.customers or not found.alike:
        kinds += ["trim", "casefold"]
    if found.plain < found.folded:
        text += f" and {found.plain:,} without a trailing .0" if kinds else ""
        text = text if kinds else f"{found.customers:,} ids are {found.plain:,} without a trailing .0"
        kinds += ["integer"]
    remedy = (
        f"Each counts as a customer of its own. If they are the same people, write normalise: [{', '.join(kinds)}] under "
        "sources.orders.columns.customer_id, key column for its column."
    )
    yield _noted("alike_customers", source, text, remedy, is_noted=found.alike > 0, value=float(found.alike), bound=0.0)
    shares = {
        "order lines": found.most_lines / found.lines if found.lines else 0.0,
        "money": found.most_money / found.money if found.money else 0.0,
    }
    what, share = max(shares.items(), key=lambda one: one[1])
    bound = max(policy.one_customer_note, _TIMES_AVERAGE / found.customers if found.customers else 1.0)
    is_broken = found.customers >= _TIMES_AVERAGE and share > policy.one_customer_limit
    bound = policy.one_customer_limit if is_broken else bound
    text = f"one of {found.customers:,} customers has {share:.1%} of all {what}; {bound:.1%} is the bound"
    if is_broken:
        remedy = (
            "It is probably an account that many people share, such as guests: name its id under "
            "sources.orders.columns.customer_id, key empty, or map another column."
        )
        yield judged("one_customer", source, text, remedy, is_broken=True, value=share, bound=bound)
        return
    remedy = "If it is an account that many people share, such as guests, take it out at the source; else there is nothing to do."
    yield _noted("one_customer", source, text, remedy, is_noted=share > bound, value=share, bound=bound)


def _noted(check: str, source: str, text: str, remedy: str, *, is_noted: bool, value: float, bound: float) -> Finding:
    finding = judged(check, source, text, remedy, is_broken=False, value=value, bound=bound)
    return replace(finding, status="note", sentence=f"{finding.sentence} {remedy}") if is_noted else finding
