"""The overview page of all workflows: facts in, one HTML page out.

Elsewhere: what the page of one session shows (``page.py``), layout and wording (``templates/overview.html.j2``), files
(``pages.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform import monitoring
from tdml_assets.platform.outcome import outcomes_of
from tdml_assets.platform.report_paths import report_name
from tdml_assets.platform.svg import Markup
from tdml_assets.stages.session_report.facts import MetricFact, Rows, SessionFacts
from tdml_assets.stages.session_report.model_figures import trend
from tdml_assets.stages.session_report.page import page_templates
from tdml_assets.stages.session_report.reader import ReportReader, monitoring_tables
from tdml_assets.stages.session_report.reading import SessionReader
from tdml_assets.stages.triage.words import DecisionWords, decision_words, plain_words
from tdml_assets.tasks.presentation import presentation_of, shown

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

OVERVIEW_FILE = "index.html"
_SHOWN_EPISODES = 5
#: State of a workflow in words, and its tone; what is not listed is said as it is written.
_STATES = {
    "published": ("published", "good"),
    "fallback": ("published by a simpler method", "look"),
    "kept": ("values of an earlier session kept", "look"),
    "off": ("off in this session", "look"),
    "failed": ("failed", "stop"),
    "scored": ("scored, not published", "act"),
    "none": ("no session yet", "look"),
}


@dataclass(frozen=True)
class WorkflowState:
    """One workflow, as its latest session left it.

    ``state``: published, fallback, kept, off, failed, none, or how far an unfinished session came. ``session``: the latest one;
    None before the first. ``metrics``: of the main measure, oldest first. ``customers``: scored in the latest session.
    ``reason``, ``remedy``: why the workflow is not simply published, and the remedy. ``needs_person``: whether somebody has
    to look at it; what the orders do not allow needs nobody.
    """

    spec: WorkflowSpec
    state: str
    session: SessionFacts | None = None
    metrics: tuple[MetricFact, ...] = ()
    customers: int = 0
    episodes: Rows = ()
    reason: str | None = None
    remedy: str | None = None
    needs_person: bool = False


@dataclass(frozen=True)
class Overview:
    """Everything the overview page shows.

    ``workflows``: in the order of their names. ``off``: reason per workflow that the sources do not allow. ``as_of``,
    ``run_id``, ``written_at``: of the latest session of any workflow; None before the first. UTC.
    """

    workflows: tuple[WorkflowState, ...]
    off: Mapping[str, str]
    as_of: date | None = None
    run_id: str | None = None
    written_at: datetime | None = None


@dataclass(frozen=True)
class Row:
    """A workflow as the page shows it."""

    title: str
    name: str
    state: str
    tone: str
    why: str
    decision: DecisionWords | None
    sentence: str
    as_of: date | None
    measure: str
    trend: Markup | None
    customers: str
    model: str
    report: str | None
    needs: tuple[str, ...]


def read_overview(database: Database, specs: Sequence[WorkflowSpec], off: Mapping[str, str]) -> Overview:
    """Read what the overview shows; workflows without a session are there too.

    ``off``: reason per workflow that the sources do not allow.
    """
    tables = monitoring_tables(database)
    anybody = ReportReader(database, "all", "", date.max, tables)
    latest = anybody.rows("latest_sessions", monitoring.SESSIONS)
    by_workflow = {row["workflow"]: row for row in latest}
    newest = latest[0] if latest else None
    outcomes = {one.workflow: one.row() for one in outcomes_of(database, newest["session_id"])} if newest else {}
    states = tuple(_read_state(database, spec, by_workflow.get(spec.name), outcomes, tables) for spec in specs)
    if newest is None:
        return Overview(states, off)
    return Overview(states, off, newest["as_of"], newest["run_id"], newest["updated_at"])


def _read_state(
    database: Database,
    spec: WorkflowSpec,
    latest: Mapping[str, Any] | None,
    outcomes: Mapping[str, Mapping[str, Any]],
    tables: frozenset[str],
) -> WorkflowState:
    outcome = outcomes.get(spec.name, {})
    state, reason, remedy = (outcome.get(name) for name in ("state", "reason", "remedy"))
    needs_person = bool(outcome.get("needs_person"))
    # Until the attributes are published a workflow is only known to run.
    state = None if state == "running" else state
    if latest is None:
        return WorkflowState(spec, state or "none", reason=reason, remedy=remedy, needs_person=needs_person)
    reader = SessionReader(database, spec.name, latest["session_id"], latest["as_of"], tables)
    measure = presentation_of(spec.task).measures[0].metric
    return WorkflowState(
        spec,
        state or latest["status"] or "none",
        session=reader.sessions()[-1],
        metrics=tuple(one for one in reader.metrics(spec) if one.metric == measure),
        customers=sum(count for _, count in reader.labels(latest["session_id"])),
        episodes=reader.rows("episodes", monitoring.DRIFT_EPISODES, limit=_SHOWN_EPISODES),
        reason=reason,
        remedy=remedy,
        needs_person=needs_person,
    )


def render_overview(facts: Overview, *, exports: str, reports: Sequence[str] = ()) -> str:
    """Write the page.

    ``exports``: where the published attributes are. ``reports``: pages that are there, relative to the overview; a link is made to
    no other.
    """
    rows = [row_of(state, set(reports)) for state in facts.workflows]
    template = page_templates().get_template("overview.html.j2")
    return template.render(facts=facts, rows=rows, needing=[row for row in rows if row.needs], exports=exports)


def row_of(state: WorkflowState, reports: set[str]) -> Row:
    """What the page says of one workflow."""
    spec, session = state.spec, state.session
    words, tone = _STATES.get(state.state, (plain_words(state.state), "act"))
    decision = decision_words(session.decision) if session and session.decision else None
    measure, picture = _measure(state)
    links = (
        [f"{spec.name}/{report_name(session.as_of, session.session_id)}", f"{spec.name}/latest.html"] if session else []
    )
    return Row(
        title=spec.title,
        name=spec.name,
        state=words,
        tone=tone,
        why=_why(state),
        decision=decision,
        sentence=(session.sentence if session else None) or "",
        as_of=session.as_of if session else None,
        measure=measure,
        trend=picture,
        customers=f"{state.customers:,}" if state.customers else "-",
        model=(session.model_version if session else None) or "none yet",
        report=next((link for link in links if link in reports), None),
        needs=tuple(_needs(state, decision)),
    )


def _needs(state: WorkflowState, decision: DecisionWords | None) -> list[str]:
    """What a person should do about a workflow; nothing for one that is well."""
    found = []
    if state.needs_person or state.state == "failed":
        found.append(_why(state) or "No reason is recorded: read the log of the run.")
    if decision is not None and decision.tone in {"act", "stop"}:
        found.append(decision.next_step)
    found += [
        f"{plain_words(one['kind'])} since {one['opened_as_of']}" for one in state.episodes if one["status"] == "open"
    ]
    return found


def _why(state: WorkflowState) -> str:
    """Reason and remedy as sentences."""
    parts = [part.rstrip(".") for part in (state.reason, state.remedy) if part]
    return "".join(f"{part[:1].upper()}{part[1:]}. " for part in parts).strip()


def _measure(state: WorkflowState) -> tuple[str, Markup | None]:
    """The main measure in words, and its line over the sessions where there are two."""
    main = presentation_of(state.spec.task).measures[0]
    tested = [one.value for one in state.metrics if one.evaluation_table == "test"]
    realised = [one.value for one in state.metrics if one.evaluation_table == "realised"]
    if not tested:
        return "-", None
    words = f"{main.words}: {shown(tested[-1], main.form)}"
    if realised:
        words += f" in the test, {shown(realised[-1], main.form)} came true"
    if len(tested) < 2:
        return words, None
    title = f"{main.words} of {state.spec.title} over the sessions, {main.better} is better"
    return words, trend(f"trend-{state.spec.name}", title, tested, [shown(value, main.form) for value in tested])
