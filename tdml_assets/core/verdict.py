"""One verdict over features and predictions: what the sensor acts on and the summary says.

Belongs here: joining the reports per kind. Does not: statistics and their policy (``core/drift.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tdml_assets.core.drift import DriftPolicy, DriftReport
from tdml_assets.core.workflow import Monitor


@dataclass(frozen=True)
class Verdict:
    """Whether the data has changed enough to train anew.

    Parameters
    ----------
    drifted : a retraining is called for.
    sentence : why, or why not.
    """

    drifted: bool
    sentence: str


def policy_of(monitor: Monitor) -> DriftPolicy:
    """The drift policy a workflow's ``monitor`` asks for."""
    return DriftPolicy(psi_limit=monitor.psi_limit, alpha=monitor.alpha, min_rows=monitor.min_rows)


def judge_session(reports: Sequence[DriftReport], monitor: Monitor) -> Verdict:
    """Join the reports of one session.

    Broken data is never answered by a retraining. Predictions that moved far are; features are when at least
    ``spiked_share`` of them moved far, since some always follow the calendar.

    Parameters
    ----------
    reports : for features first, then predictions.
    """
    features, predictions = reports
    broken = [report.sentence for report in reports if report.status == "broken"]
    if broken:
        return Verdict(False, broken[0])
    if predictions.status == "drift":
        return Verdict(True, predictions.sentence)
    if features.status == "drift" and features.spiked_share >= monitor.spiked_share:
        return Verdict(True, features.sentence)
    if features.status == "drift":
        return Verdict(
            False, f"{features.sentence} Below the share of {monitor.spiked_share:.0%} that calls for a retraining."
        )
    return Verdict(False, " ".join(dict.fromkeys(report.sentence for report in (features, predictions))))
