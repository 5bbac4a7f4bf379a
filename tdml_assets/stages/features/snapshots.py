"""Which dates a session looks from: the scoring snapshot and the labelled ones, and which of them are held out."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tdml_assets.declaration.workflow import Snapshots
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.refusals import RefusedError

# Behind a snapshot: a year-long horizon needs no year of orders to learn from.
_ENOUGH_HISTORY_DAYS = 90
ORDERS_TABLE = ("raw", "orders")
SNAPSHOTS = TableContract(
    "features",
    "snapshots",
    "One row per day at whose end features are taken.",
    (
        Column("snapshot_date", "DATE", "The day.", False),
        Column("is_scoring", "BOOLEAN", "Whether customers are scored there: true for as_of alone.", False),
        Column(
            "customer_share",
            "DOUBLE",
            "Share of the customers that is there, by a hash of their id; 1 at as_of.",
            False,
        ),
    ),
)


class HistoryTooShortError(RefusedError):
    """The orders do not reach back far enough to label a single snapshot."""


@dataclass(frozen=True)
class SnapshotPlan:
    """The snapshots of one workflow in one session.

    ``as_of``: last day of data that the session reads; customers are scored there. ``labelled``: ascending days whose target
    window ends on or before ``as_of``. ``horizon_days``: length of the target window.
    """

    as_of: date
    labelled: tuple[date, ...]
    horizon_days: int


@dataclass(frozen=True)
class SplitPlan:
    """The part every labelled snapshot plays.

    ``test``: the latest labelled snapshot, measured on. ``validation``: snapshot that early stopping watches; None if customers
    of ``train`` are held out for it. ``train``: snapshots the evaluated model learns from. ``refit_only``: labelled snapshots
    whose target reaches past ``test``: only the final fit may use them. ``by_customers``: True where history allows no
    later-in-time test, so that customers of ``test`` are split instead.
    """

    test: date
    validation: date | None
    train: tuple[date, ...]
    refit_only: tuple[date, ...]
    by_customers: bool


def years_before(day: date, years: int) -> date:
    """The same calendar day ``years`` earlier; 29 February becomes the 28th."""
    year = day.year - years
    return day.replace(year=year, day=min(day.day, calendar.monthrange(year, day.month)[1]))


def plan_snapshots(as_of: date, first_order_on: date, horizon_days: int, spec: Snapshots) -> SnapshotPlan:
    """Choose the snapshots of a session.

    Raises ``HistoryTooShortError`` if no snapshot has both a whole target window before ``as_of`` and at least a day of orders
    behind it. ``as_of``: last day of data that the session reads. ``first_order_on``: day of the earliest order known.
    ``horizon_days``: length of the target window in days. ``spec``: the workflow's ``snapshots``.
    """
    horizon = timedelta(days=horizon_days)
    step = timedelta(days=spec.step_days or horizon_days)
    enough = min(horizon_days, _ENOUGH_HISTORY_DAYS)
    history = timedelta(days=enough if spec.min_history_days is None else spec.min_history_days)
    latest = as_of - horizon
    if latest < first_order_on:
        raise HistoryTooShortError(
            f"orders from {first_order_on} to as_of {as_of} span {(as_of - first_order_on).days + 1} days, and a horizon of "
            f"{horizon_days} days leaves none to learn from",
            "shorten target.horizon_days or give earlier orders",
        )
    wanted = {latest - index * step for index in range(spec.count)}
    # The season of the test as well as that of the scoring: what is measured is then made the way it will be used.
    wanted |= {years_before(day, years) for day in (as_of, latest) for years in spec.seasons}
    # The latest is kept even with little behind it: something can be learnt from it, and nothing without it.
    kept = {day for day in wanted if day == latest or (day <= latest and day - first_order_on >= history)}
    return SnapshotPlan(as_of=as_of, labelled=tuple(sorted(kept)), horizon_days=horizon_days)


def plan_split(plan: SnapshotPlan) -> SplitPlan:
    """Give every labelled snapshot its part.

    The test is the latest labelled snapshot. What the evaluated model learns from must have been known on that day, so only
    snapshots whose target window ends on or before it take part; the latest of those is the validation set if its own day
    leaves others to train on.
    """
    test = plan.labelled[-1]
    horizon = timedelta(days=plan.horizon_days)
    known = [day for day in plan.labelled if day + horizon <= test]
    if not known:
        return SplitPlan(test=test, validation=None, train=(test,), refit_only=plan.labelled[:-1], by_customers=True)
    refit_only = tuple(day for day in plan.labelled if test - horizon < day < test)
    validation = known[-1]
    train = tuple(day for day in known if day + horizon <= validation)
    if not train:
        return SplitPlan(test=test, validation=None, train=tuple(known), refit_only=refit_only, by_customers=False)
    between = tuple(day for day in known if validation - horizon < day < validation)
    return SplitPlan(
        test=test,
        validation=validation,
        train=train,
        refit_only=tuple(sorted((*refit_only, *between))),
        by_customers=False,
    )


def snapshot_rows(dates: Iterable[date], as_of: date, share: float) -> list[dict[str, Any]]:
    """Rows of ``features.snapshots``: a share of the customers at earlier days, everybody at ``as_of``."""
    return [
        {"snapshot_date": day, "is_scoring": day == as_of, "customer_share": 1.0 if day == as_of else share}
        for day in sorted(dates)
    ]
