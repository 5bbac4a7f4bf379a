"""What a session report is made of: rows of the ``monitoring`` tables.

Elsewhere: reading them (``reading.py``), how they are shown (``page.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.reference import ColumnReference
from tdml_assets.stages.data_quality.findings import Finding
from tdml_assets.stages.drift.detection import FIRST
from tdml_assets.stages.session_report.model import ModelFacts
from tdml_assets.stages.triage.words import STATUSES

#: Columns of the data that a page shows, the farthest first.
SHOWN_COLUMNS = 25
#: Rows of a statement of ``sql/session_report/``.
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class SessionFacts:
    """One session: its row in ``monitoring.sessions`` and, where there is one, in ``monitoring.triage``."""

    session_id: str
    as_of: date
    engine: str | None = None
    model_version: str | None = None
    status: str | None = None
    note: str | None = None
    decision: str | None = None
    cause: str | None = None
    severity: float | None = None
    sentence: str | None = None
    episode_id: str | None = None


@dataclass(frozen=True)
class MetricFact:
    """One measure at the day of the session that was tested, or that predicted."""

    as_of: date
    evaluation_table: str
    metric: str
    value: float


@dataclass(frozen=True)
class DriftFact:
    """One column in one session, as in ``monitoring.drift``. ``far`` and ``moved`` are its ranks in the session reported on."""

    session_id: str
    kind: str
    column_name: str
    avg_val: float | None = None
    avg_ref: float | None = None
    kld: float | None = None
    kld_log: float | None = None
    psi: float | None = None
    psi_previous: float | None = None
    z: float | None = None
    null_share: float | None = None
    null_share_ref: float | None = None
    status: str | None = None
    far: int = 1
    moved: int = 1


@dataclass(frozen=True)
class PredictionFact:
    """Rows per bin of one prediction column now, and the column as it was when the champion was trained."""

    column_name: str
    counts: tuple[int, ...]
    reference: ColumnReference | None


@dataclass(frozen=True)
class ReportFacts:
    """Everything a session report shows.

    ``sessions``: oldest first; the last one is the session reported on.
    ``metrics``: by measure and kind, oldest first.
    ``drift``: of the farthest columns, in all of ``sessions``.
    ``statuses``: columns per status in this session.
    ``trained_here``: whether this session trained the champion.
    ``labels``, ``labels_before``: customers per category of the predictions, now and in the session before.
    ``gate``: the latest comparison of a candidate with the champion, as in ``monitoring.gate``.
    ``episodes``: as in ``monitoring.drift_episodes``.
    ``lift``: the latest comparison with the control group, as in ``monitoring.lift``, all bands together first.
    ``is_latest``: whether there is no session of a later day.
    ``retrains_itself``: whether the sensor that starts retrainings is on.
    ``level``: what was done to the total of the predictions, and how far it may be off; None where nothing is known of it.
    """

    spec: WorkflowSpec
    sessions: tuple[SessionFacts, ...]
    metrics: tuple[MetricFact, ...] = ()
    drift: tuple[DriftFact, ...] = ()
    statuses: tuple[tuple[str, int], ...] = ()
    predictions: tuple[PredictionFact, ...] = ()
    labels: tuple[tuple[str, int], ...] = ()
    labels_before: tuple[tuple[str, int], ...] = ()
    quality: tuple[Finding, ...] = ()
    gate: Rows = ()
    episodes: Rows = ()
    lift: Rows = ()
    model: ModelFacts = field(default_factory=ModelFacts)
    trained_here: bool = False
    is_latest: bool = True
    retrains_itself: bool = False
    level: str | None = None

    @property
    def has_nothing_earlier(self) -> bool:
        """Whether this session was compared with itself: it is the first, and its model went live with it."""
        if any(status == FIRST for status, _ in self.statuses):
            return True
        differs = any(fact.psi or fact.psi_previous for fact in self.drift)
        return len(self.sessions) == 1 and (self.trained_here or not differs)

    @property
    def repeats_first_day(self) -> bool:
        """Whether this session saw the same day again as the first one: its model was compared, with equal data."""
        return (
            self.has_nothing_earlier and not self.trained_here and not any(kind == FIRST for kind, _ in self.statuses)
        )

    @property
    def session(self) -> SessionFacts:
        """The session reported on."""
        return self.sessions[-1]

    @property
    def watched(self) -> int:
        """Columns measured in this session."""
        return sum(count for _, count in self.statuses)

    @property
    def broken_checks(self) -> int:
        """Checks of the raw data that alarm."""
        return sum(check.status == "alarm" for check in self.quality)

    @property
    def with_too_little(self) -> int:
        """Checks of the raw data that had too little data to say anything."""
        return sum(check.status == "too_little" for check in self.quality)

    @property
    def columns_in_alarm(self) -> int:
        """Watched columns whose status is an alarm."""
        alarms = {name for name, words in STATUSES.items() if words.alarm}
        return sum(count for status, count in self.statuses if status in alarms)

    @property
    def is_realised(self) -> bool:
        """Whether any prediction was met by what happened."""
        return any(metric.evaluation_table == "realised" for metric in self.metrics)
