"""Reads what a session report shows.

Elsewhere: the facts (``facts.py``), how they are shown (``page.py``), SQL (``sql/session_report/``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.champions import PREDICTIONS_FILE
from tdml_assets.models.reference import ColumnReference, Reference
from tdml_assets.platform import monitoring
from tdml_assets.recommendation.watch import WATCHED
from tdml_assets.stages.data_quality.findings import Finding
from tdml_assets.stages.predictions.level import read_level_sentence
from tdml_assets.stages.session_report.facts import (
    SHOWN_COLUMNS,
    DriftFact,
    MetricFact,
    PredictionFact,
    ReportFacts,
    Rows,
    SessionFacts,
)
from tdml_assets.stages.session_report.model import read_model_facts
from tdml_assets.stages.session_report.reader import ReportReader
from tdml_assets.stages.triage.words import STATUSES
from tdml_assets.tasks.presentation import gain_ends, presentation_of

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Sessions side by side: more cannot be read on a page.
SHOWN_SESSIONS = 24
SHOWN_SPIKES = 5
_EPISODES = 12
_DAYS_OF_METRICS = 730
#: Files of a bundle that hold what the predictions looked like when the champion was trained.
_REFERENCES = (PREDICTIONS_FILE, *WATCHED)


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
    trained_in: str | None = None,
    *,
    retrains_itself: bool = False,
) -> ReportFacts:
    """Read what the report on one session shows.

    ``as_of``: last day of data that the session reads; nothing later is read. ``references``: of the predictions, from
    :func:`prediction_references`. ``trained_in``: session that trained the champion; this one unless given.
    ``retrains_itself``: whether the sensor that starts retrainings is on.
    """
    reader = SessionReader(database, spec.name, session_id, as_of)
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
        quality=tuple(Finding(**row) for row in reader.rows("quality", monitoring.DATA_QUALITY)),
        gate=reader.gate(),
        episodes=reader.rows("episodes", monitoring.DRIFT_EPISODES, limit=_EPISODES),
        lift=reader.rows("lift", monitoring.LIFT),
        model=read_model_facts(reader, spec, trained_in or session_id),
        trained_here=trained_in == session_id,
        is_latest=reader.is_latest(),
        retrains_itself=retrains_itself,
        level=read_level_sentence(database, session_id, spec.name),
    )


class SessionReader(ReportReader):
    """Reads the facts of one session, and of those before it."""

    def sessions(self) -> tuple[SessionFacts, ...]:
        """Sessions up to this one, the oldest first."""
        found = self.rows("sessions", monitoring.SESSIONS, limit=SHOWN_SESSIONS)[::-1]
        this = self.session_id
        others = [row for row in found if row["session_id"] != this and row["as_of"] < self.as_of]
        own = [row for row in found if row["session_id"] == this] or [{"session_id": this}]
        ordered = [*others, {**own[0], "as_of": self.as_of}]
        ids = [row["session_id"] for row in ordered]
        decided = {row["session_id"]: row for row in self.rows("decisions", monitoring.TRIAGE, session_ids=ids)}
        rows = [{**row, **_known(decided.get(row["session_id"], {}))} for row in ordered]
        return tuple(SessionFacts(**row) for row in rows)

    def metrics(self, spec: WorkflowSpec) -> tuple[MetricFact, ...]:
        """Main measures over the days of sessions."""
        measures = presentation_of(spec.task).measures
        names = sorted({name for one in measures for name in (one.metric, one.naive, *gain_ends(one.metric)) if name})
        if monitoring.SESSIONS.name not in self.tables:
            return ()
        context = {"metrics": names, "days": _DAYS_OF_METRICS, "horizon_days": spec.target.horizon_days}
        found = self.rows("metrics", monitoring.MODEL_METRICS, sessions_table=monitoring.SESSIONS.path, **context)
        return tuple(MetricFact(**row) for row in found)

    def drift(self, sessions: tuple[SessionFacts, ...]) -> tuple[DriftFact, ...]:
        """The farthest columns in all of the sessions."""
        without_alarm = [name for name, words in STATUSES.items() if not words.alarm]
        limits = {"farthest": SHOWN_COLUMNS, "moved": SHOWN_SPIKES, "without_alarm": without_alarm}
        ids = [session.session_id for session in sessions]
        return tuple(DriftFact(**row) for row in self.rows("drift", monitoring.DRIFT, session_ids=ids, **limits))

    def predictions(self, references: tuple[ColumnReference, ...]) -> tuple[PredictionFact, ...]:
        """How the predictions fell into the bins of the champion."""
        known = {column.name: column for column in references}
        found = self.rows("bins", monitoring.DRIFT_BINS)
        return tuple(
            PredictionFact(row["column_name"], tuple(json.loads(row["counts"])), known.get(row["column_name"]))
            for row in found
        )

    def labels(self, session_id: str) -> tuple[tuple[str, int], ...]:
        """Customers per category of a session, the largest first."""
        found = self.rows("labels", monitoring.LABEL_STATS, session_ids=[session_id])
        return tuple((row["prediction_category"] or "none", row["count"]) for row in found)

    def gate(self) -> Rows:
        """The latest comparison of a candidate with the champion."""
        if monitoring.SESSIONS.name not in self.tables:
            return ()
        return self.rows("gate", monitoring.GATE, sessions_table=monitoring.SESSIONS.path)

    def is_latest(self) -> bool:
        """Whether there is no session of a later day."""
        found = self.rows("later_sessions", monitoring.SESSIONS)
        return not found or not found[0]["later"]


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
