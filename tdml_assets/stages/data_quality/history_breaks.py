"""Days from which a log is another one: new ids for the same customers, amounts in another unit.

Both happen when a shop changes its system or the way it exports, and both leave every row valid.

Elsewhere: ids that differ by spelling in the whole log (``content.py``), a change of unit since the session before
(``content.scale``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import fmean, median

import numpy as np

from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.stages.data_quality.findings import Finding, judged
from tdml_assets.stages.data_quality.measures import Days
from tdml_assets.stages.raw.contracts import ORDERS

#: Customers that must be known before a day, and seen from it on, for the day to be judged.
_LEAST_CUSTOMERS = 100
#: Customers of both sides that must be expected, and the share of them below which ids have changed.
_LEAST_EXPECTED = 30
_CHANGED_SHARE = 0.5
#: Days around a day whose customers of both sides say how many to expect: nearer days share its orders.
_NEAR_DAYS, _FAR_DAYS = 15, 60
#: Next to a pause customers may well be others: each week around a day must have this share of their mean of lines.
_OPEN_SHARE = 0.25
_WEEK = timedelta(days=7)
_NEAR_WEEKS = 8
#: Powers of ten from which a change of amounts is one of units, such as cents, and how near it must be, in logarithms.
_UNIT_POWER, _NEAR_POWER = 2, 0.15
_MONTHS_BEFORE = 3


@dataclass(frozen=True)
class CustomerDays:
    """Days in order; customers who ordered for the first time on each, and for the last time."""

    days: tuple[date, ...]
    firsts: tuple[int, ...]
    lasts: tuple[int, ...]


def read_customer_days(reader: Reader, day: date) -> CustomerDays:
    """First and last days of customers with orders up to ``day``."""
    rows = reader.rows(render("data_quality/customer_days", orders=ORDERS.path, as_of=day))
    days, firsts, lasts = (tuple(row[name] for row in rows) for name in ("day", "firsts", "lasts"))
    return CustomerDays(days, firsts, lasts)


def changed_ids(orders: Days, customers: CustomerDays) -> Finding:
    """The day that far fewer customers are known before and after than of the days around it."""
    found = min(_crossings(orders, customers), key=lambda one: one.share, default=None)
    source = f"{orders.table}.customer_id"
    if found is None or found.share > _CHANGED_SHARE:
        share = 1.0 if found is None else found.share
        text = "customers who order before and after a day are as many as around it"
        return judged("changed_ids", source, text, "", is_broken=False, value=share, bound=_CHANGED_SHARE)
    text = (
        f"ids of customers change on {found.day}: {found.both:,} of {found.before:,} customers before it order again "
        f"from it on, as do {found.after - found.both:,} others; about {found.expected:,.0f} were to be expected by the weeks "
        f"around it, and {_CHANGED_SHARE:.0%} of them is the bound"
    )
    remedy = (
        "Everybody before that day would be a lost customer. If ids are only written in another way, write normalise under "
        "sources.orders.columns.customer_id; if they are others, give the pairs of old and new ids as sources.identities; if "
        "neither can be had, let sources.orders.path begin with the files from that day on."
    )
    return judged("changed_ids", source, text, remedy, is_broken=True, value=found.share, bound=_CHANGED_SHARE)


@dataclass(frozen=True)
class _Crossing:
    """Customers known before a day, those seen from it on, those of both, and how many of both were to be expected."""

    day: date
    before: int
    after: int
    both: int
    expected: float

    @property
    def share(self) -> float:
        return self.both / self.expected


def _crossings(orders: Days, customers: CustomerDays) -> list[_Crossing]:
    """Days with enough customers on both sides, in an open shop."""
    if not customers.days:
        return []
    # A customer whose last day is before another day has the first one before it, too.
    known = np.concatenate([[0], np.cumsum(customers.firsts)[:-1]])
    gone = np.concatenate([[0], np.cumsum(customers.lasts)[:-1]])
    staying = int(np.sum(customers.firsts)) - gone
    both, fewer = known - gone, np.minimum(known, staying)
    numbers = np.array([day.toordinal() for day in customers.days])
    enough = fewer >= _LEAST_EXPECTED
    ratios = np.divide(both, fewer, out=np.zeros(len(both)), where=fewer > 0)
    found = []
    for place in np.flatnonzero((fewer >= _LEAST_CUSTOMERS) & (both < _CHANGED_SHARE * fewer)):
        distance = numbers - numbers[place]
        sides = [ratios[enough & (sign * distance >= _NEAR_DAYS) & (sign * distance <= _FAR_DAYS)] for sign in (-1, 1)]
        usual = min((float(np.median(side)) for side in sides if len(side)), default=0.0)
        expected, day = usual * int(fewer[place]), customers.days[place]
        if expected >= _LEAST_EXPECTED and _is_open(orders, day):
            found.append(_Crossing(day, int(known[place]), int(staying[place]), int(both[place]), expected))
    return found


def _is_open(orders: Days, day: date) -> bool:
    """Whether no week of the log near ``day`` has far fewer lines than the others."""
    eve = day - timedelta(days=1)
    ends = [eve + _WEEK * place for place in range(1 - _NEAR_WEEKS, _NEAR_WEEKS + 1)]
    weeks = [
        orders.row_count(end - _WEEK, end) for end in ends if orders.days[0] <= end - _WEEK and end <= orders.days[-1]
    ]
    return min(weeks, default=0) >= _OPEN_SHARE * fmean(weeks or [1])


def changed_unit(orders: Days, least_lines: int) -> Finding:
    """The first month whose amounts are 100 or more times as large, or as small, as those of the months before."""
    source = f"{orders.table}.amount"
    months = _monthly(orders, least_lines)
    names = list(months)
    for place, name in enumerate(names[1:], start=1):
        before = median(months[each] for each in names[max(0, place - _MONTHS_BEFORE) : place])
        power = months[name] - before
        unit = round(power)
        if abs(unit) >= _UNIT_POWER and abs(power - unit) <= _NEAR_POWER:
            bound = 10.0 ** math.copysign(_UNIT_POWER, unit)
            times, way = f"{10 ** abs(unit):,}", "large" if unit > 0 else "small"
            text = (
                f"amounts of {name[0]}-{name[1]:02} are about {times} times as {way} as those of the months before "
                f"({10**before:,.2f} in the geometric mean, then {10 ** months[name]:,.2f}), like another unit"
            )
            remedy = (
                "If some files are in cents or in another currency, write all in one unit, or map columns.currency to a column "
                "that says which."
            )
            return judged("changed_unit", source, text, remedy, is_broken=True, value=10.0**power, bound=bound)
    text = "amounts of each month are in the unit of the months before"
    return judged("changed_unit", source, text, "", is_broken=False, value=1.0, bound=10.0**_UNIT_POWER)


def _monthly(orders: Days, least_lines: int) -> Mapping[tuple[int, int], float]:
    """Decimal logarithm of the geometric mean of amounts, by month with enough lines, in order."""
    logs = orders.logs["amount"]
    counts: dict[tuple[int, int], int] = {}
    sums: dict[tuple[int, int], float] = {}
    for day, count, total in zip(orders.days, logs.counts, logs.sums, strict=True):
        month = (day.year, day.month)
        counts[month] = counts.get(month, 0) + count
        sums[month] = sums.get(month, 0.0) + total
    return {month: sums[month] / count / math.log(10) for month, count in counts.items() if count >= least_lines}
