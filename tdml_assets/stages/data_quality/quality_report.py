"""Broken data, as distinct from drift, before anything is trained or published: the verdict over all checks.

Elsewhere: the policy (``declaration/quality.py``), the checks themselves (``arrival.py``, ``content.py``), reading the raw
tables (``measures.py``), drift of features (``stages/drift/detection.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from tdml_assets.declaration.quality import FIRST_LOAD_CHECKS, MIN_WINDOWS, QualityPolicy
from tdml_assets.stages.data_quality import arrival, content
from tdml_assets.stages.data_quality.content import customer_ids
from tdml_assets.stages.data_quality.findings import Finding, Status
from tdml_assets.stages.data_quality.first_load import first_load
from tdml_assets.stages.data_quality.measures import Earlier, Measured
from tdml_assets.stages.data_quality.order_rules import order_rules
from tdml_assets.stages.data_quality.recorded import recorded
from tdml_assets.stages.data_quality.unreadable import unreadable

_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class QualityReport:
    """Verdict over the raw data of one session.

    ``findings``: one per check and thing checked. ``fingerprint``: hash of the raw data.
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
            return f"Data {shown} is accepted by quality.accepted, with {len(accepted)} findings: {listed}"
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


def accept_by_name(check: str) -> str:
    """How an alarm of a check that can be accepted by name is accepted; empty for others."""
    if check not in FIRST_LOAD_CHECKS:
        return ""
    return f"If this is right, accept it by name in tdml.yaml: quality: {{accepted: [{check}]}}"


def remedy(fingerprint: str) -> str:
    """What to do where the alarm is wrong."""
    return (
        f"If this data is right as it is, accept it: quality.accepted: ['{fingerprint}'] in tdml.yaml, or "
        f"TDML_QUALITY__ACCEPTED=\"['{fingerprint}']\" in the environment."
    )


def judge(measured: Measured, earlier: Earlier | None, policy: QualityPolicy) -> QualityReport:
    """Make every check.

    ``measured``: the raw data up to as_of. ``earlier``: what the session before found; ``None`` for the first.
    """
    findings = tuple(
        replace(finding, status="accepted")
        if finding.status == "alarm" and policy.accepts(finding.check_name, measured.fingerprint)
        else finding
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
    surplus = measured.overlaps[0].surplus_lines if measured.overlaps else 0
    if measured.repeated is not None and measured.repeated.rows >= policy.min_rows:
        yield content.repeated(orders.table, measured.repeated, policy, surplus)
    if (overlapping := content.overlap(orders, measured.overlaps, policy)) is not None:
        yield overlapping
    yield from order_rules(orders.table, measured.order_totals, measured.statuses, measured.partial_statuses, policy)
    yield from map(recorded, measured.record_lags)
    if measured.first_load is not None:
        yield from first_load(measured.first_load, orders, policy)
    if measured.customers is not None and measured.customers.lines >= policy.min_rows:
        yield from customer_ids(orders.table, measured.customers, policy)
    before = comparable.get(orders.table)
    void_rows = sum(intake.void_rows for intake in measured.intakes if intake.source == orders.table)
    yield from arrival.lost_rows(orders, as_of, before, policy, void_rows)
    yield from content.duplicates(orders.table, measured.repeats, as_of, before, policy)
    for levels in measured.levels:
        table = next(days for days in measured.tables if levels.source.startswith(f"{days.table}."))
        has_history = len(table.windows(as_of, policy.window_days, policy.windows)) > MIN_WINDOWS
        yield from content.new_categories(levels, as_of, policy, has_history=has_history)
