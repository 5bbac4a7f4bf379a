"""What a summary is made of, read from an open database; tables that are not there yet give nothing.

Elsewhere: words and warnings (``summary.py``), SQL (``sql/summary/``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tdml_assets.platform.outcome import Outcome, read_latest
from tdml_assets.platform.statements import render
from tdml_assets.stages.drift.detection import BROKEN, DRIFTED
from tdml_assets.stages.features.columns import FEATURES_TABLE
from tdml_assets.stages.training.choice_words import choice_sentence
from tdml_assets.tasks.presentation import presentation_of

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

SESSIONS, METRICS = ("monitoring", "sessions"), ("monitoring", "model_metrics")
SNAPSHOTS = ("features", "snapshots")
LEVEL = ("monitoring", "level")
CHOICES = ("monitoring", "estimator_choices")
CALIBRATION, DRIFT, TRIAGE = ("monitoring", "calibration"), ("monitoring", "drift"), ("monitoring", "triage")
_TOP_REASONS = 3


@dataclass(frozen=True)
class WorkflowInfo:
    """A workflow that may have run: its name (also its schema), what people call it, how far it looks ahead, whom it scores."""

    name: str
    title: str
    task: str
    horizon_days: int
    eligible: str | None = None


@dataclass(frozen=True)
class DataFacts:
    """What there was to learn from, up to ``as_of``. Rows read and set aside are counted over all sources.

    ``customers``: with any line, a return among them. ``orders``: with at least one line that is not a return. ``order_lines``,
    ``return_lines``: all lines, and those of them that are returns. ``first_on``, ``last_on``: days of the first and the last
    line. ``later_lines``: lines after ``as_of``, which nothing reads. ``known_customers``: customers to whom a purchase is left
    after returns; None before the features were built.
    """

    customers: int
    orders: int
    order_lines: int
    first_on: date | None
    last_on: date | None
    currency: str | None
    rows_read: int
    rows_rejected: int
    reasons: tuple[tuple[str, int], ...] = ()
    return_lines: int = 0
    later_lines: int = 0
    known_customers: int | None = None
    as_of: date | None = None

    @property
    def days(self) -> int:
        """Days from the first order to the last."""
        return (self.last_on - self.first_on).days if self.first_on and self.last_on else 0


@dataclass(frozen=True)
class WorkflowFacts:
    """What one workflow found.

    ``session_id``, ``as_of``, ``status``, ``engine``, ``model_version``, ``note``: as in ``monitoring.sessions``.
    ``customers``: customers scored.
    ``expected_spend``: sum of the predictions, in currency; None where the task predicts no spend.
    ``top_tenth_share``: share of it held by the tenth of customers with the highest predictions.
    ``metrics``: of the test split, as in ``monitoring.model_metrics``.
    ``tested_on``: day the test looked ahead from; None where nothing was tested.
    ``calibration_error``: of the same, how far the tenths of customers are off, as a share of all that happened.
    ``level``: row of ``monitoring.level`` of the session; None where none was kept.
    ``learner``: which learner ``estimator: auto`` chose for the model that scored, and why; None where it was declared.
    ``highlights``: label and text of what else is shown of the predictions.
    ``drift``: number of columns per status.
    ``moved``: whether any column differs at all from the day the champion went live.
    ``drifted``: names of the farthest columns that moved.
    ``decision``, ``sentence``: of the session's triage; None where there was none.
    ``outcome``: what became of the workflow in the latest session; None where no session kept it.
    """

    info: WorkflowInfo
    session_id: str | None = None
    as_of: date | None = None
    status: str | None = None
    engine: str | None = None
    model_version: str | None = None
    note: str | None = None
    customers: int = 0
    expected_spend: float | None = None
    top_tenth_share: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    tested_on: date | None = None
    calibration_error: float | None = None
    level: Mapping[str, Any] | None = None
    learner: str | None = None
    highlights: tuple[tuple[str, str], ...] = ()
    drift: Mapping[str, int] = field(default_factory=dict)
    moved: bool = True
    drifted: tuple[str, ...] = ()
    decision: str | None = None
    sentence: str | None = None
    outcome: Outcome | None = None


def read_data(database: Database) -> DataFacts | None:
    """Read what there was to learn from; None before orders were loaded."""
    if not database.has_table(("raw", "orders")):
        return None
    day, known = None, None
    if database.has_table(SNAPSHOTS):
        day = database.row(render("sessions/scoring_snapshot", table=SNAPSHOTS))["as_of"]
    if day is not None and database.has_table(FEATURES_TABLE):
        counted = render("training_table/labelled_rows", features_table=FEATURES_TABLE, dates=[day])
        known = database.row(counted)["row_count"]
    loads: dict[str, Any] = {"rows_read": 0, "rows_rejected": 0}
    if database.has_table(("raw", "loads")):
        loads = database.row(render("summary/loads", table=("raw", "loads")))
    rejected = ("raw", "rejected_rows")
    reasons = database.rows_if(rejected, render("summary/rejections", table=rejected, most=_TOP_REASONS))
    return DataFacts(
        **database.row(render("summary/orders", table=("raw", "orders"), as_of=day)),
        as_of=day,
        known_customers=known,
        rows_read=int(loads["rows_read"]),
        rows_rejected=int(loads["rows_rejected"]),
        reasons=tuple((row["reason"], row["row_count"]) for row in reasons),
    )


def read_workflow(database: Database, info: WorkflowInfo) -> WorkflowFacts:
    """Read what the latest session of a workflow found."""
    sessions = database.rows_if(SESSIONS, render("summary/session", table=SESSIONS, workflow=info.name))
    if not sessions:
        return WorkflowFacts(info)
    key = {"session_id": sessions[0]["session_id"], "workflow": info.name}
    drift = database.rows_if(DRIFT, render("summary/drift", table=DRIFT, **key))
    moved = [row for row in drift if row["status"] in (*DRIFTED, *BROKEN)]
    triage = database.rows_if(TRIAGE, render("summary/triage", table=TRIAGE, **key))
    watched = moved or [row for row in drift if row["status"] == "watch"]
    return WorkflowFacts(
        info,
        **sessions[0],
        **_read_predictions(database, info, sessions[0]["session_id"]),
        **_read_test(database, info, sessions[0]["model_version"]),
        level=_read_level(database, key),
        drift={row["status"]: row["columns"] for row in drift},
        moved=any(row["farthest_psi"] for row in drift),
        drifted=tuple(name for row in watched for name in row["farthest"])[:_TOP_REASONS],
        **(triage[0] if triage else {}),
        outcome=read_latest(database, SESSIONS, info.name),
    )


def _read_test(database: Database, info: WorkflowInfo, model_version: str | None) -> dict[str, Any]:
    workflow = info.name
    tables = {"metrics": METRICS, "sessions": SESSIONS}
    statement = render("summary/training_session", workflow=workflow, model_version=model_version, **tables)
    found = database.rows_if(METRICS, statement)
    if model_version is None or not found:
        return {}
    key = {"session_id": found[0]["session_id"], "workflow": workflow}
    metrics = database.rows(render("summary/metrics", table=METRICS, **key))
    calibration = {"calibration_error": None}
    if database.has_table(CALIBRATION):
        calibration = database.row(render("summary/calibration", table=CALIBRATION, **key))
    trained_on, ahead = found[0]["as_of"], presentation_of(info.task).looks_ahead
    tested_on = trained_on - timedelta(days=info.horizon_days) if trained_on is not None and ahead else trained_on
    metrics_of = {row["metric"]: row["value"] for row in metrics}
    return {"metrics": metrics_of, "tested_on": tested_on, "learner": _read_learner(database, key), **calibration}


def _read_learner(database: Database, key: Mapping[str, str]) -> str | None:
    rows = database.rows_if(CHOICES, render("summary/choices", table=CHOICES, **key))
    return choice_sentence(rows) if rows else None


def _read_level(database: Database, key: Mapping[str, str]) -> dict[str, Any] | None:
    rows = database.rows_if(LEVEL, render("predictions/level", table=LEVEL, **key))
    return rows[0] if rows else None


def _read_predictions(database: Database, info: WorkflowInfo, session_id: str) -> dict[str, Any]:
    table = (info.name, "predictions")
    columns = database.columns(table)
    if not columns:
        return {}
    highlights = tuple(presentation_of(info.task).highlights(database, table, session_id))
    if "predicted_target" not in columns:
        return {**database.row(render("summary/scored", table=table, session_id=session_id)), "highlights": highlights}
    found = database.row(render("summary/spend", table=table, session_id=session_id))
    total, top = found["expected_spend"], found["top_tenth_spend"]
    share = top / total if total and total > 0 else None
    return {
        "customers": found["customers"],
        "expected_spend": total,
        "top_tenth_share": share,
        "highlights": highlights,
    }
