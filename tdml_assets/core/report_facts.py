"""What a session report is made of, read from the ``monitoring`` tables.

Belongs here: the facts and reading them from an open database; tables that are not there yet give nothing.
Does not: how they are shown (``session_report.py``), SQL (``sql/report/``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tdml_assets.core import monitoring
from tdml_assets.core.contracts import TableContract
from tdml_assets.core.reference import ColumnReference, Reference
from tdml_assets.core.report_words import STATUSES
from tdml_assets.core.statements import render
from tdml_assets.core.telling import telling_of
from tdml_assets.core.workflow import WorkflowSpec

if TYPE_CHECKING:
    from tdml_assets.resources.warehouse import Database

#: Sessions side by side: more cannot be read on a page.
SHOWN_SESSIONS = 24
SHOWN_COLUMNS = 25
SHOWN_SPIKES = 5
_EPISODES = 12
_DAYS_OF_METRICS = 730
#: Files of a bundle that hold what the predictions looked like when the champion was trained.
_REFERENCES = ("reference_predictions.json", "reference_discoveries.json")


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
class QualityFact:
    """One check of the raw data, as in ``monitoring.data_quality``."""

    check_name: str
    source: str
    value: float | None
    expected: float | None
    bound: float | None
    status: str
    sentence: str | None


@dataclass(frozen=True)
class GateFact:
    """One comparison of a candidate with the champion, as in ``monitoring.gate``."""

    session_id: str
    as_of: date
    candidate: str | None
    champion: str | None
    metric: str
    slice: str
    customers: int | None
    candidate_value: float | None
    champion_value: float | None
    difference: float | None
    low: float | None
    high: float | None
    passed: bool | None
    decision: str | None
    reason: str | None


@dataclass(frozen=True)
class EpisodeFact:
    """One episode, as in ``monitoring.drift_episodes``."""

    episode_id: str
    kind: str
    status: str
    model_version: str | None
    opened_as_of: date
    last_as_of: date | None
    closed_as_of: date | None
    alarms: int | None
    retrain: bool | None
    cause: str | None
    severity: float | None
    sentence: str | None
    alerted_at: datetime | None


@dataclass(frozen=True)
class PredictionFact:
    """Rows per bin of one prediction column now, and the column as it was when the champion was trained."""

    column_name: str
    counts: tuple[int, ...]
    reference: ColumnReference | None


@dataclass(frozen=True)
class ReportFacts:
    """Everything a session report shows.

    Parameters
    ----------
    sessions : oldest first; the last one is the session reported on.
    metrics : by measure and kind, oldest first.
    drift : of the farthest columns, in all of ``sessions``.
    statuses : columns per status in this session.
    labels, labels_before : customers per category of the predictions, now and in the session before.
    is_latest : whether no session stands at a later day.
    """

    spec: WorkflowSpec
    sessions: tuple[SessionFacts, ...]
    metrics: tuple[MetricFact, ...] = ()
    drift: tuple[DriftFact, ...] = ()
    statuses: tuple[tuple[str, int], ...] = ()
    predictions: tuple[PredictionFact, ...] = ()
    labels: tuple[tuple[str, int], ...] = ()
    labels_before: tuple[tuple[str, int], ...] = ()
    quality: tuple[QualityFact, ...] = ()
    gate: tuple[GateFact, ...] = ()
    episodes: tuple[EpisodeFact, ...] = ()
    is_latest: bool = True

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
    def is_realised(self) -> bool:
        """Whether any prediction was met by what happened."""
        return any(metric.evaluation_table == "realised" for metric in self.metrics)


def prediction_references(files: Mapping[str, bytes]) -> tuple[ColumnReference, ...]:
    """The prediction columns as a champion's bundle describes them; none where it has no such file."""
    found = [Reference.from_json(files[name].decode()) for name in _REFERENCES if name in files]
    return tuple(column for reference in found for column in reference.columns)


def read_facts(
    database: Database,
    spec: WorkflowSpec,
    session_id: str,
    as_of: date,
    references: tuple[ColumnReference, ...] = (),
) -> ReportFacts:
    """Read what the report on one session shows.

    Parameters
    ----------
    as_of : day at whose end the session stands; nothing later is read.
    references : of the predictions, from :func:`prediction_references`.
    """
    reader = _Reader(database, spec.name, session_id, as_of)
    sessions = reader.sessions()
    return ReportFacts(
        spec=spec,
        sessions=sessions,
        metrics=reader.metrics(spec),
        drift=reader.drift(sessions),
        statuses=tuple((row["status"], row["columns"]) for row in reader.rows("statuses", monitoring.DRIFT)),
        predictions=reader.predictions(references),
        labels=reader.labels(session_id),
        labels_before=reader.labels(sessions[-2].session_id) if len(sessions) > 1 else (),
        quality=tuple(QualityFact(**row) for row in reader.rows("quality", monitoring.DATA_QUALITY)),
        gate=reader.gate(),
        episodes=tuple(
            EpisodeFact(**row) for row in reader.rows("episodes", monitoring.DRIFT_EPISODES, limit=_EPISODES)
        ),
        is_latest=reader.is_latest(),
    )


class _Reader:
    """Runs the statements of ``sql/report`` for one session."""

    def __init__(self, database: Database, workflow: str, session_id: str, as_of: date) -> None:
        self._database = database
        self._key = {"workflow": workflow, "session_id": session_id, "as_of": as_of}
        # Asked once: asking for each table takes longer than reading them.
        self._tables = {row["table_name"] for row in database.rows(render("report/tables", schema="monitoring"))}

    def rows(self, name: str, contract: TableContract, **context: Any) -> list[dict[str, Any]]:
        if contract.name not in self._tables:
            return []
        return self._database.rows(render(f"report/{name}", table=contract.path, **self._key, **context))

    def sessions(self) -> tuple[SessionFacts, ...]:
        found = self.rows("sessions", monitoring.SESSIONS, limit=SHOWN_SESSIONS)[::-1]
        this = self._key["session_id"]
        others = [row for row in found if row["session_id"] != this and row["as_of"] < self._key["as_of"]]
        own = [row for row in found if row["session_id"] == this] or [{"session_id": this}]
        ordered = [*others, {**own[0], "as_of": self._key["as_of"]}]
        ids = [row["session_id"] for row in ordered]
        decided = {row["session_id"]: row for row in self.rows("decisions", monitoring.TRIAGE, session_ids=ids)}
        rows = [{**row, **_known(decided.get(row["session_id"], {}))} for row in ordered]
        return tuple(SessionFacts(**row) for row in rows)

    def metrics(self, spec: WorkflowSpec) -> tuple[MetricFact, ...]:
        measures = telling_of(spec.task).measures
        names = sorted({name for one in measures for name in (one.metric, one.naive) if name})
        if monitoring.SESSIONS.name not in self._tables:
            return ()
        context = {"metrics": names, "days": _DAYS_OF_METRICS, "horizon_days": spec.target.horizon_days}
        found = self.rows("metrics", monitoring.MODEL_METRICS, sessions_table=monitoring.SESSIONS.path, **context)
        return tuple(MetricFact(**row) for row in found)

    def drift(self, sessions: tuple[SessionFacts, ...]) -> tuple[DriftFact, ...]:
        calm = [name for name, words in STATUSES.items() if not words.alarm]
        limits = {"farthest": SHOWN_COLUMNS, "moved": SHOWN_SPIKES, "calm": calm}
        ids = [session.session_id for session in sessions]
        return tuple(DriftFact(**row) for row in self.rows("drift", monitoring.DRIFT, session_ids=ids, **limits))

    def predictions(self, references: tuple[ColumnReference, ...]) -> tuple[PredictionFact, ...]:
        known = {column.name: column for column in references}
        found = self.rows("bins", monitoring.DRIFT_BINS)
        return tuple(
            PredictionFact(row["column_name"], tuple(json.loads(row["counts"])), known.get(row["column_name"]))
            for row in found
        )

    def labels(self, session_id: str) -> tuple[tuple[str, int], ...]:
        found = self.rows("labels", monitoring.LABEL_STATS, session_ids=[session_id])
        return tuple((row["prediction_category"] or "none", row["count"]) for row in found)

    def gate(self) -> tuple[GateFact, ...]:
        if monitoring.SESSIONS.name not in self._tables:
            return ()
        found = self.rows("gate", monitoring.GATE, sessions_table=monitoring.SESSIONS.path)
        return tuple(GateFact(**row) for row in found)

    def is_latest(self) -> bool:
        found = self.rows("later_sessions", monitoring.SESSIONS)
        return not found or not found[0]["later"]


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
