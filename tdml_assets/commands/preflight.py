"""What the declared sources hold, judged before anything is stored: what stops a run, and what a person should know.

Elsewhere: loading (``trial_load.py``), the command that prints them (``commands/check.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from tdml_assets.commands.check_facts import Books
from tdml_assets.commands.check_permissions import Permissions
from tdml_assets.commands.check_signs import odd_months, sign_notes
from tdml_assets.commands.outlooks import WorkflowOutlook
from tdml_assets.declaration.quality import FIRST_LOAD_CHECKS
from tdml_assets.stages.data_quality.findings import Finding, Status
from tdml_assets.stages.data_quality.quality_report import QualityReport, accept_by_name

#: Checks of the raw data that mean a wrong declaration; the others are judged inside a session, which also tells owners.
_DECLARED_WRONG = FIRST_LOAD_CHECKS
#: Of them and of the notes, those that the first rows of large files can answer: they judge how a row is read. The others compare
#: days, customers or files, and a file may be sorted by them: all its guests first, or the oldest orders.
_SEEN_IN_FIRST_ROWS = ("unreadable", "zero_amounts", "order_totals", "unknown_statuses")
#: Customers below which no learner of the project trains.
_FEW_CUSTOMERS = 100
#: Horizon of the workflows that ship.
_USUAL_HORIZON_DAYS = 90


@dataclass(frozen=True)
class SourceFacts:
    """One declared source.

    ``table``: its key in the settings.
    ``files``: files found.
    ``rows_read``, ``rows_accepted``: of the rows looked at.
    ``reasons``: rejected rows per reason code.
    ``is_whole``: whether every row was looked at, or the first ones of some files.
    ``grouped_keys``: line keys that several lines of a file share.
    ``files_without_rows``: files that have a header and nothing below it.
    """

    table: str
    files: int
    rows_read: int
    rows_accepted: int
    reasons: dict[str, int]
    is_whole: bool
    grouped_keys: int = 0
    files_without_rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class OrderFacts:
    """The accepted order lines. ``net_revenue`` and ``months`` (YYYY-MM and its revenue) are in ``currency``.

    ``returning_customers`` bought on two days or more.
    """

    customers: int
    returning_customers: int
    orders: int
    order_lines: int
    days: int
    first_on: date | None
    last_on: date | None
    currency: str | None
    net_revenue: Decimal
    months: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True)
class Trial:
    """Everything a trial load found.

    ``as_of``: last day the session would read; ``None`` without orders. ``report``: verdict of the checks of the raw data, as a
    first session makes them. ``outlooks``: what a run does with the workflows that were asked for. ``permissions``: the lists
    of consent and suppression, and what they leave each destination.
    """

    sources: tuple[SourceFacts, ...]
    orders: OrderFacts
    as_of: date | None
    report: QualityReport
    books: Books = field(default_factory=Books)
    outlooks: tuple[WorkflowOutlook, ...] = ()
    permissions: Permissions = field(default_factory=Permissions)

    @property
    def is_whole(self) -> bool:
        """Whether every row of every source was looked at."""
        return all(source.is_whole for source in self.sources)

    def findings(self, status: Status) -> list[Finding]:
        """Findings of a status, as far as the rows that were looked at can answer."""
        found = self.report.with_status(status)
        return [finding for finding in found if self.is_whole or finding.check_name in _SEEN_IN_FIRST_ROWS]


def problems_of(trial: Trial, *, as_of: date | Literal["latest"], accepted: Sequence[str]) -> list[str]:
    """What a run must not start with, each with its remedy.

    ``as_of``: as the settings say it. ``accepted``: ``quality.accepted``: fingerprints can be compared only where every row was
    looked at.
    """
    orders = next((source for source in trial.sources if source.table == "orders"), None)
    found = trial.findings("alarm")
    if any(name not in FIRST_LOAD_CHECKS for name in accepted) and not trial.is_whole:
        found = []
    problems = [
        f"{finding.sentence} {accept_by_name(finding.check_name)}"
        for finding in found
        if finding.check_name in _DECLARED_WRONG
    ]
    facts = trial.orders
    if (
        orders is not None
        and orders.rows_read
        and not orders.rows_accepted
        and not problems
        and _is_said(trial, orders)
    ):
        reasons = ", ".join(f"{code} {count:,}" for code, count in orders.reasons.items())
        problems.append(f"sources.orders: none of {orders.rows_read:,} rows can be used ({reasons}). {_remedy(orders)}")
    if isinstance(as_of, date) and trial.is_whole and facts.first_on is not None and facts.last_on is not None:
        problems += _wrong_day(as_of, facts.first_on, facts.last_on, trial.report)
    return [*problems, *trial.permissions.problems]


def _is_said(trial: Trial, orders: SourceFacts) -> bool:
    """Whether rows that cannot be used say so of all rows; guests may come first."""
    return trial.is_whole or set(orders.reasons) != {"missing_customer"}


def _remedy(orders: SourceFacts) -> str:
    if max(orders.reasons, key=orders.reasons.__getitem__) == "missing_customer":
        return "Map sources.orders.columns.customer_id to the column that says who bought."
    return "Correct columns, timestamp_format, currency and bounds under sources.orders."


def _wrong_day(as_of: date, first_on: date, last_on: date, report: QualityReport) -> list[str]:
    if as_of < first_on:
        return [
            f"as_of: {as_of} is before the first order, which is of {first_on}: write as_of: latest, or a day from {first_on} to "
            f"{last_on}"
        ]
    stopped = [finding for finding in report.with_status("alarm") if finding.check_name == "freshness"]
    if not any(finding.source == "raw.orders" for finding in stopped):
        return []
    return [
        f"as_of: {as_of} is {(as_of - last_on).days:,} days after the last order, which is of {last_on}: write as_of: latest, or "
        f"as_of: {last_on}, or add the orders since then to sources.orders.path"
    ]


def notes_of(trial: Trial) -> list[str]:
    """What a person should know before a run, though it may start."""
    facts = trial.orders
    notes = [finding.sentence for finding in trial.findings("note")]
    notes += trial.permissions.notes
    if trial.is_whole:
        notes += sign_notes(trial.books.test_signs, odd_months(facts.months, facts.order_lines))
    notes += [
        f"sources.{source.table}.line_key names several lines in {source.grouped_keys:,} cases, such as a product twice in an "
        "order: lines of one file are all kept, and of several files the latest that holds the key counts. A key that tells lines "
        "apart is better where the files have one"
        for source in trial.sources
        if source.grouped_keys
    ]
    if not trial.is_whole:
        notes.append("large or remote files were not read in full before the run: tdml-assets check reads every row")
    elif 0 < facts.customers < _FEW_CUSTOMERS:
        notes.append(
            f"customers {facts.customers:,}, order lines {facts.order_lines:,}: too few to learn from ({_FEW_CUSTOMERS} customers "
            "are the least). Workflows that cannot learn use rules, and say so. Give all orders of all "
            "customers in sources.orders.path"
        )
    elif facts.customers and not facts.returning_customers:
        notes.append(
            f"none of {facts.customers:,} customers bought on two days: nothing can be learnt of who comes back, and workflows "
            "that look ahead use rules. Give a longer history of orders, or check that columns.customer_id says who bought"
        )
    return notes


def may_be_too_short(facts: OrderFacts, as_of: date, overrides: Mapping[str, Mapping[str, Any]] | None) -> bool:
    """Whether a horizon could be too long for the history, before the workflows' own files are read, which takes seconds.

    ``overrides``: ``workflows`` of the settings.
    """
    horizons = [_USUAL_HORIZON_DAYS]
    for keys in (overrides or {}).values():
        target = keys.get("target")
        days = target.get("horizon_days") if isinstance(target, Mapping) else None
        horizons += [days] if isinstance(days, int) else []
    return facts.first_on is not None and (as_of - facts.first_on).days + 1 < 3 * max(horizons)
