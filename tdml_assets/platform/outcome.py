"""What became of every workflow in a session: published, published by a fallback, kept from before, off, or failed.

Elsewhere: catching the errors (``isolation.py``), the fallbacks (``engines/fallback.py``), publishing
(``stages/audience/publication.py``).

A workflow passes through two phases. If its training ends early, the champion of an earlier session scores, or a fallback where
there is none. If its scoring or its monitoring ends early, the attributes of its last good session stay.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.refusals import RefusedError
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Begins the description of a check whose stage did not run.
NOT_RUN = "Not run: "

State = Literal["running", "published", "fallback", "kept", "off", "failed"]
Method = Literal["champion", "lifetime", "rules"]


OUTCOMES = TableContract(
    "monitoring",
    "workflow_outcomes",
    "One row per session and workflow: whether it was published, how it was scored, and why not as declared.",
    (
        Column("session_id", "VARCHAR", "Execution of the workflow: the root run's id, so a retry keeps it.", False),
        Column("workflow", "VARCHAR", "Name of the workflow.", False),
        Column("as_of", "DATE", "Last day of data that the session reads."),
        Column("run_id", "VARCHAR", "The latest attempt."),
        Column(
            "state",
            "VARCHAR",
            "published (scored by the champion), fallback (scored without a trained model), kept (attributes of an earlier "
            "session), off (no attributes), failed (an error, no attributes), or running.",
        ),
        Column("method", "VARCHAR", "What scored: champion, lifetime or rules; NULL where nothing did."),
        Column("stopped_at", "VARCHAR", "Stage at which the workflow ended early; NULL where every stage ran."),
        Column("error", "VARCHAR", "Class of the error that ended the stage; NULL for a hold."),
        Column("reason", "VARCHAR", "Why, in words, with figures; NULL where every stage ran."),
        Column("remedy", "VARCHAR", "What to do about it."),
        Column("needs_person", "BOOLEAN", "Whether somebody has to look at it: run exits with 3."),
    ),
    ("session_id", "workflow"),
)

#: The stages that make a champion: behind one that ends early the earlier champion scores, or a fallback.
NEEDED_FOR_CHAMPION = (
    "training_table",
    "preparation_parameters",
    "prepared",
    "candidate_model",
    "evaluation",
    "champion_model",
)
#: The stages without which nothing of the session is published.
NEEDED_FOR_PUBLICATION = ("predictions", "realised", "drift", "triage", "session_report")

_IN_WORDS: Mapping[State, str] = {
    "published": "scored by the champion of an earlier session",
    "fallback": "scored without a trained model",
    "kept": "not scored; the attributes of an earlier session stay",
    "off": "off in this session",
    "failed": "failed in this session, and has no attributes",
    "running": "not published",
}
_SEE_LOG = "read the error in the run's log; the other workflows are not affected"


@dataclass(frozen=True)
class Outcome:
    """One row of :data:`OUTCOMES`; its columns say what the fields mean. Until publication ``state`` is ``running``."""

    session_id: str
    workflow: str
    as_of: date | None = None
    run_id: str | None = None
    state: State = "running"
    method: Method | None = None
    stopped_at: str | None = None
    error: str | None = None
    reason: str | None = None
    remedy: str | None = None
    needs_person: bool = False

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Outcome:
        """Read a row of the table."""
        return cls(**{name: row[name] for name in OUTCOMES.column_names})

    def row(self) -> dict[str, Any]:
        """Give a row of the table."""
        return asdict(self)

    @property
    def ran(self) -> bool:
        """Whether any stage of the workflow was part of this attempt."""
        return self.method is not None or self.stopped_at is not None

    @property
    def by_fallback(self) -> bool:
        """Whether a lifetime model or a rule scored."""
        return self.method in ("lifetime", "rules")

    @property
    def withholds(self) -> bool:
        """Whether this session's predictions must not be published: nothing scored, or the monitoring behind it ended early."""
        return self.method is None or self.stopped_at in NEEDED_FOR_PUBLICATION

    @property
    def in_words(self) -> str:
        """Reason and remedy in one sentence; empty where every stage ran."""
        return ": ".join(filter(None, (self.reason, self.remedy)))

    @property
    def sentence(self) -> str:
        """What became of the workflow and why, for people."""
        mark = " A person has to look at it." if self.needs_person else ""
        return f"{self.workflow}: {_IN_WORDS[self.state]}, because {self.in_words}.{mark}"


def outcomes_of(database: Database, session_id: str) -> list[Outcome]:
    """What became of every workflow in a session, by name; empty where nothing was kept."""
    statement = render("sessions/outcomes_of_session", outcomes=OUTCOMES.path, session_id=session_id)
    return [Outcome.from_row(row) for row in database.rows_if(OUTCOMES.path, statement)]


def read_latest(database: Database, sessions: Sequence[str], workflow: str) -> Outcome | None:
    """What became of a workflow in the session that was written last; None where it kept nothing."""
    tables = {"outcomes": OUTCOMES.path, "sessions": sessions}
    rows = database.rows_if(OUTCOMES.path, render("summary/outcome", workflow=workflow, **tables))
    return Outcome.from_row(rows[0]) if rows else None


def stopped_by(error: Exception, stage: str, before: Outcome) -> Outcome:
    """Outcome of a workflow whose ``stage`` ended with ``error``.

    A :class:`RefusedError` needs nobody: the orders do not allow more. Any other error does. An error of this project's own says
    what to do about it in its message; of any other the log is all there is.
    """
    if isinstance(error, RefusedError):
        return replace(before, stopped_at=stage, error=type(error).__name__, reason=error.reason, remedy=error.remedy)
    reason = f"{stage} failed with {type(error).__name__}: {_first_line(error)}"
    says_what_to_do = type(error).__module__.startswith("tdml_assets.") and len(str(error).strip().splitlines()) == 1
    remedy = None if says_what_to_do else _SEE_LOG
    return replace(
        before, stopped_at=stage, error=type(error).__name__, reason=reason, remedy=remedy, needs_person=True
    )


def held(reason: str, remedy: str, stage: str, before: Outcome, *, needs_person: bool) -> Outcome:
    """Outcome of a workflow without a champion whose first candidate is not fit to score."""
    return replace(before, stopped_at=stage, error=None, reason=reason, remedy=remedy, needs_person=needs_person)


def ended_early(outcome: Outcome | None, run_id: str, stages: Collection[str]) -> bool:
    """Whether one of ``stages`` ended early in this very attempt, so that what follows it has nothing to work on.

    A later attempt at the same session begins anew.
    """
    return outcome is not None and outcome.run_id == run_id and outcome.stopped_at in stages


def published_as(outcome: Outcome, *, fresh: bool, carried: bool) -> Outcome:
    """State after publication.

    ``fresh``: whether this session's predictions were published. ``carried``: whether the attributes of an earlier session were.
    """
    if fresh:
        return replace(outcome, state="fallback" if outcome.by_fallback else "published")
    if carried:
        return replace(outcome, state="kept")
    return replace(outcome, state="failed" if outcome.needs_person else "off")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"
