"""Whether drift starts a retraining: decided from what happened, never from the clock alone.

Belongs here: the decision and its reason. Does not: drift statistics (``core/drift.py``), run records (``automation/sensors.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

#: Attempts at one retraining: after that a person should look.
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class DriftReport:
    """What one session found.

    Parameters
    ----------
    session_id : the session.
    model_version : champion that was measured against its reference.
    drifted : whether the verdict was drift.
    summary : the verdict in words.
    measured_at : when, UTC.
    """

    session_id: str
    model_version: str
    drifted: bool
    summary: str
    measured_at: datetime


@dataclass(frozen=True)
class Attempts:
    """Retrainings already started because a champion drifted.

    Parameters
    ----------
    running, succeeded, failed : numbers of runs.
    last_started_at : start of the latest retraining of the workflow for any champion; None for none.
    """

    running: int
    succeeded: int
    failed: int
    last_started_at: datetime | None


@dataclass(frozen=True)
class Decision:
    """Retrain or not, and why. ``attempt`` counts from 1."""

    retrain: bool
    reason: str
    report: DriftReport | None = None
    attempt: int = 0


def latest_drift(reports: Sequence[DriftReport]) -> DriftReport | None:
    """The latest report that found drift: a calm one behind it in the same evaluation does not hide it."""
    return max((report for report in reports if report.drifted), key=lambda report: report.measured_at, default=None)


def decide_retrain(report: DriftReport | None, attempts: Attempts, cool_down_days: int, now: datetime) -> Decision:
    """Decide.

    Parameters
    ----------
    report : the drift to answer, from :func:`latest_drift`; None for none.
    attempts : retrainings already started for ``report.model_version``.
    cool_down_days : days after a retraining in which no other is started.
    now : UTC.
    """
    if report is None:
        return Decision(False, "no session found drift since the last look")
    if attempts.running:
        return Decision(False, f"a retraining of {report.model_version} is running already", report)
    if attempts.succeeded:
        return Decision(
            False,
            f"{report.model_version} was retrained for drift already: once per champion; look at why it is still champion",
            report,
        )
    if attempts.failed >= MAX_ATTEMPTS:
        return Decision(
            False, f"{attempts.failed} retrainings of {report.model_version} failed: a person should look", report
        )
    if not attempts.failed and attempts.last_started_at is not None:
        until = attempts.last_started_at + timedelta(days=cool_down_days)
        if now < until:
            return Decision(False, f"cooling down until {until:%Y-%m-%d %H:%M} UTC ({report.summary})", report)
    return Decision(True, report.summary, report, attempts.failed + 1)
