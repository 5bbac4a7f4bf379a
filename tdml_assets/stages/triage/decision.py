"""What a session's monitoring means: broken data, a changed world, or nothing.

Elsewhere: measuring, what a series of decisions adds up to (``episodes.py``), whether a retraining may start now
(``retraining.py``).

Broken data come first, since a model trained on them is worse than none. What the customers turned out to do comes next. Then
the data themselves: predictions, or a feature the model leans on, in as many sessions in a row as the policy wants. Age is last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.stages.drift.detection import BROKEN, DRIFTED, ColumnDrift, DriftReport, words_of

DecisionName = Literal["nothing", "report", "confirm", "retrain", "data_quality"]
Cause = Literal["none", "source", "data", "features", "predictions", "realised", "age"]
#: Decisions that are an alarm of drift.
ALARMS: tuple[DecisionName, ...] = ("confirm", "retrain")
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """What one session's monitoring found and decided: a row of ``monitoring.triage`` without its key.

    ``as_of``: last day of data that the session reads.
    ``model_version``: champion that was measured.
    ``decision``: what is to be done.
    ``cause``: what it is about; ``source`` for raw data, which every workflow shares, ``data`` for its own features.
    ``severity``: the farthest column, or error, against its limit; 1 and more is an alarm.
    ``sentence``: the decision in words, with figures.
    ``measured_at``: UTC.
    """

    as_of: date
    model_version: str
    decision: DecisionName
    cause: Cause
    severity: float
    sentence: str
    measured_at: datetime

    def row(self, session_id: str, workflow: str, episode_id: str | None) -> dict[str, Any]:
        """Row of ``monitoring.triage``."""
        return {"session_id": session_id, "workflow": workflow, **asdict(self), "episode_id": episode_id}


@dataclass(frozen=True)
class Evidence:
    """Everything a decision rests on.

    ``as_of``, ``measured_at``, ``model_version``: of the session. ``reports``: of features, then of predictions. ``quality``:
    sentences of the data-quality checks that raised an alarm. ``realised``: sentence where stored predictions met a reality
    worse than the model's own test promised; None otherwise. ``trained_as_of``: as_of day of the champion's training.
    ``importances``: share of the model's importance per raw feature; empty where it has none.
    """

    as_of: date
    measured_at: datetime
    model_version: str
    reports: Sequence[DriftReport]
    quality: Sequence[str]
    realised: str | None
    trained_as_of: date
    importances: Mapping[str, float]


def decide(evidence: Evidence, earlier: Sequence[Finding], policy: Monitor) -> Finding:
    """Decide. ``earlier``: findings of earlier sessions, one per day and champion, oldest first."""
    columns = [column for report in evidence.reports for column in report.columns]
    drifted = [column for column in columns if column.status in DRIFTED]
    relevant = [column for column in drifted if _matters(column, evidence.importances, policy)]
    severity = max((column.severity for column in columns if _matters(column, evidence.importances, policy)), default=0)

    def found(decision: DecisionName, cause: Cause, sentence: str, at_least: float = 0.0) -> Finding:
        return Finding(
            evidence.as_of,
            evidence.model_version,
            decision,
            cause,
            max(severity, at_least),
            sentence,
            evidence.measured_at,
        )

    broken = [report.sentence for report in evidence.reports if report.status == "broken"]
    if problems := [*evidence.quality, *broken]:
        return found("data_quality", "source" if evidence.quality else "data", joined(problems), 1.0)
    if evidence.realised:
        return found("retrain", "realised", evidence.realised, 1.0)
    if relevant:
        return _confirmed(relevant, earlier, evidence.model_version, policy, found)
    age = (evidence.as_of - evidence.trained_as_of).days
    if policy.max_age_days is not None and age > policy.max_age_days:
        return found("retrain", "age", f"The model is {age} days old, at most {policy.max_age_days} are allowed.", 1.0)
    if drifted:
        text = f"{_listed(drifted)} moved, and the model hardly looks at {'them' if len(drifted) > 1 else 'it'}."
        return found("report", "features", text)
    sentences = " ".join(dict.fromkeys(report.sentence for report in evidence.reports if report.sentence))
    return found("nothing", "none", sentences or "Nothing to compare with yet.")


def joined(problems: Sequence[str]) -> str:
    """The first problems in a row, and how many more there are."""
    more = f" And {len(problems) - _NAMED} more." if len(problems) > _NAMED else ""
    return " ".join(problems[:_NAMED]) + more


def _confirmed(
    relevant: Sequence[ColumnDrift], earlier: Sequence[Finding], model_version: str, policy: Monitor, found: Any
) -> Finding:
    """Ask for a retraining once enough sessions in a row of one champion have drifted, this one included."""
    cause: Cause = "predictions" if any(column.kind == "prediction" for column in relevant) else "features"
    in_a_row = 1
    for finding in reversed(earlier):
        if finding.decision not in ALARMS or finding.model_version != model_version:
            break
        in_a_row += 1
    what = f"{_listed(relevant)} moved far"
    if in_a_row >= policy.confirm:
        return found("retrain", cause, f"{what}, in {in_a_row} sessions in a row.")  # type: ignore[no-any-return]
    wanted = f"{policy.confirm - in_a_row} more session{'s' if policy.confirm - in_a_row > 1 else ''}"
    return found("confirm", cause, f"{what}; a retraining waits for {wanted} to confirm it.")  # type: ignore[no-any-return]


def _matters(column: ColumnDrift, importances: Mapping[str, float], policy: Monitor) -> bool:
    """Whether the model leans on a column; every prediction does, and every feature of a model without importances."""
    if column.status in BROKEN or column.kind != "feature" or not importances:
        return True
    return importances.get(column.column_name, 0.0) >= policy.important_share


def _listed(columns: Sequence[ColumnDrift]) -> str:
    more = len(columns) - _NAMED
    return ", ".join(map(words_of, columns[:_NAMED])) + (f" and {more} more" if more > 0 else "")
