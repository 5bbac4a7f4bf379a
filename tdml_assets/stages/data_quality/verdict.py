"""Broken data told from drift, before anything is trained or published: the policy, and the verdict over all checks.

Belongs here: keys, bounds and defaults; which checks are made and what follows. Does not: the checks themselves
(``data_quality_arrival.py``, ``data_quality_content.py``), reading the raw tables (``data_quality_measures.py``), drift of
features (``drift.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tdml_assets.core import data_quality_arrival as arrival
from tdml_assets.core import data_quality_content as content
from tdml_assets.core.data_quality_customers import customer_ids
from tdml_assets.core.data_quality_findings import MIN_WINDOWS, Finding, Status
from tdml_assets.core.data_quality_measures import Earlier, Measured
from tdml_assets.core.data_quality_unreadable import unreadable

_FINGERPRINT = re.compile(r"[0-9a-f]{12,64}")
_SHOWN_DIGITS = 12


class QualityPolicy(BaseModel):
    """From where raw data counts as broken. A stop costs a day, so the floors are far from what real logs do by themselves.

    Alarms of sessions without a session before, at these defaults, counted on whole logs that nobody broke. At month ends:
    UCI Online Retail, February to November 2011, 0 of 10; CDNOW, March 1997 to June 1998, 1 of 16; sample data 0 of 34. Every
    day: 2 of 312 (a holiday week), 15 of 487 and 2 of 1,034. Those of CDNOW are one event but for one day: the days after its
    last customer was acquired. Half a feed: seen within 14 days in all of 120 simulated shops, 60 of 3,000 and 60
    of 6,000 customers (about 170 and 340 lines a week). Where weeks differ by 15 % of themselves (Online Retail) and no year of
    history shows the season, a third of such losses stay within what the source does by itself; missing columns, units, copies and
    lost history do not depend on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_days: int = Field(default=7, ge=1, le=366, description="Length of the last window, in days up to as_of.")
    windows: int = Field(
        default=8, ge=MIN_WINDOWS, le=52, description="Windows before it, of the same length, that it is compared with."
    )
    min_rows: int = Field(
        default=100, ge=10, description="Rows a window must have to be judged; with few orders, lengthen the window."
    )
    z_limit: float = Field(
        default=3.5,
        gt=0,
        description="Standard errors from which a rise of a share is more than chance, besides large.",
    )
    volume_z: float = Field(
        default=2.0,
        gt=0,
        description="The same for the rows of a window, in standard errors of the windows' own spread.",
    )
    volume_floor: float = Field(
        default=0.6, gt=0, lt=1, description="Share of the expected rows below which the last window has too few."
    )
    lasting_volume_z: float = Field(
        default=2.5, gt=0, description="As volume_z, for the rows of the last two windows together."
    )
    lasting_volume_floor: float = Field(
        default=0.75, gt=0, lt=1, description="As volume_floor, for the rows of the last two windows together."
    )
    freshness_days: int = Field(
        default=7, ge=1, description="Days without a row up to as_of that are never an alarm, in any source."
    )
    freshness_factor: float = Field(
        default=3.0, ge=1, description="Days without a row, in longest pauses the source ever made, that are an alarm."
    )
    null_rise: float = Field(
        default=0.2, gt=0, lt=1, description="Rise of a column's share of missing values that is an alarm."
    )
    scale_limit: float = Field(
        default=8.0, gt=1, description="Ratio of geometric means of money, either way, that is a change of unit."
    )
    lost_share: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Share of earlier order lines that may vanish from the files; 1 where they only hold recent ones.",
    )
    duplicate_rise: float = Field(
        default=0.2, gt=0, lt=1, description="Rise of the share of order lines that equal another that is an alarm."
    )
    rejected_rise: float = Field(
        default=0.05, gt=0, lt=1, description="Rise of the share of rows refused at load that is an alarm."
    )
    unreadable_limit: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="Share of a source's rows that could not be read (dates, numbers, currencies, ...) that is an alarm, in a "
        "first session too. Rows without a customer, or out of declared bounds, do not count.",
    )
    unreadable_money_limit: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="The same for the share of the orders' money, as far as the digits of unreadable rows tell.",
    )
    unreadable_note: float = Field(
        default=0.02, ge=0, le=1, description="Share of unreadable rows or money from which the summary notes it."
    )
    repeated_limit: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="Share of all order lines that equal another one that is an alarm, in a first session too.",
    )
    repeated_note: float = Field(
        default=0.1, ge=0, le=1, description="Share of repeated order lines from which the summary notes it."
    )
    overlap_limit: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of a file's order lines that equal a line of another file that is an alarm, in a first session too.",
    )
    overlap_note: float = Field(
        default=0.1, ge=0, le=1, description="Share of such lines of a file from which the summary notes it."
    )
    one_customer_note: float = Field(
        default=0.02,
        gt=0,
        le=1,
        description="Share of all order lines or money of one customer from which the summary notes it.",
    )
    new_share: float = Field(
        default=0.5, gt=0, le=1, description="Share of rows with a category never seen before that is an alarm."
    )
    max_levels: int = Field(default=100, ge=1, description="Levels up to which a column counts as categories.")
    accepted: tuple[str, ...] = Field(
        default=(),
        description="Fingerprints, from 12 digits on, of raw data that a person has looked at: its alarms stop nothing.",
    )

    @field_validator("accepted", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("accepted")
    @classmethod
    def _are_fingerprints(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not _FINGERPRINT.fullmatch(text):
                raise ValueError(
                    f"{text!r} is not a fingerprint: give 12 to 64 of its hexadecimal digits, as the check shows them, "
                    "in quotes"
                )
        return value


@dataclass(frozen=True)
class QualityReport:
    """Verdict over the raw data of one session.

    Parameters
    ----------
    findings : one per check and thing checked.
    fingerprint : hash of the raw data.
    """

    findings: tuple[Finding, ...]
    fingerprint: str

    def with_status(self, status: Status) -> tuple[Finding, ...]:
        """Findings of one status."""
        return tuple(finding for finding in self.findings if finding.status == status)

    @property
    def passed(self) -> bool:
        """Whether the session may go on: nothing is broken, or a person has accepted it."""
        return not self.with_status("alarm")

    @property
    def sentence(self) -> str:
        """The verdict in words; of alarms every one, with what to do."""
        shown = self.fingerprint[:_SHOWN_DIGITS]
        alarms, accepted = self.with_status("alarm"), self.with_status("accepted")
        if alarms:
            return " ".join([f"Broken data ({shown}):", *(finding.sentence for finding in alarms), remedy(shown)])
        if accepted:
            listed = " ".join(finding.sentence for finding in accepted)
            return f"Data {shown} was accepted by quality.accepted, with {len(accepted)} findings: {listed}"
        # What is only noted for the next session has no bound, and judges nothing.
        judged = sum(finding.bound is not None for finding in self.with_status("ok"))
        return f"Nothing broken: {judged} checks passed, {len(self.with_status('too_little'))} had too little to judge."

    def rows(self, session_id: str, workflow: str) -> list[dict[str, Any]]:
        """Rows for ``monitoring.data_quality``; alarms say how the data can be accepted."""
        extra = {"alarm": f" {remedy(self.fingerprint[:_SHOWN_DIGITS])}", "accepted": " Accepted by quality.accepted."}
        return [
            {
                "session_id": session_id,
                "workflow": workflow,
                **asdict(finding),
                "sentence": finding.sentence + extra.get(finding.status, ""),
            }
            for finding in self.findings
        ]


def remedy(fingerprint: str) -> str:
    """What to do where the alarm is wrong."""
    return (
        f"If this data is right as it is, accept it: quality.accepted: ['{fingerprint}'] in tdml.yaml, or "
        f"TDML_QUALITY__ACCEPTED=\"['{fingerprint}']\" in the environment."
    )


def judge(measured: Measured, earlier: Earlier | None, policy: QualityPolicy) -> QualityReport:
    """Make every check.

    Parameters
    ----------
    measured : the raw data up to as_of.
    earlier : what the session before found; ``None`` for the first.
    """
    is_accepted = any(measured.fingerprint.startswith(known) for known in policy.accepted)
    findings = tuple(
        replace(finding, status="accepted") if is_accepted and finding.status == "alarm" else finding
        for finding in _checked(measured, earlier, policy)
    )
    return QualityReport(findings, measured.fingerprint)


def _checked(measured: Measured, earlier: Earlier | None, policy: QualityPolicy) -> Iterator[Finding]:
    as_of = measured.as_of
    comparable = {}
    for intake in measured.intakes:
        finding, is_same = arrival.declaration(intake, earlier)
        # Read by other rules, the same files give other rows: a difference would say nothing about the data.
        comparable[intake.source] = earlier if is_same else None
        yield finding
        yield from arrival.rejected(intake, comparable[intake.source], policy)
    for days in measured.tables:
        before = comparable.get(days.table)
        yield from arrival.freshness(days, as_of, before, policy)
        yield from arrival.volume(days, as_of, policy)
        yield from arrival.lasting_volume(days, as_of, policy)
        yield from content.null_share(days, as_of, policy)
        yield from content.scale(days, as_of, before, policy)
    for found in measured.unreadable:
        yield unreadable(found, policy)
    orders = measured.tables[0]
    if measured.latest is not None:
        yield arrival.latest(orders.table, measured.latest)
        yield from arrival.age(orders, measured.today, policy)
    if measured.repeated is not None and measured.repeated.rows >= policy.min_rows:
        yield content.repeated(orders.table, measured.repeated, policy)
    if (overlapping := content.overlap(orders.table, measured.overlaps, policy)) is not None:
        yield overlapping
    if measured.customers is not None and measured.customers.lines >= policy.min_rows:
        yield from customer_ids(orders.table, measured.customers, policy)
    before = comparable.get(orders.table)
    yield from arrival.lost_rows(orders, as_of, before, policy)
    yield from content.duplicates(orders.table, measured.repeats, as_of, before, policy)
    for levels in measured.levels:
        table = next(days for days in measured.tables if levels.source.startswith(f"{days.table}."))
        has_history = len(table.windows(as_of, policy.window_days, policy.windows)) > MIN_WINDOWS
        yield from content.new_categories(levels, as_of, policy, has_history=has_history)
