"""The state of an installation, for a person who asks what is there and what needs them.

Elsewhere: the model store, the lock and the schedules (``commands/status.py`` asks them), SQL (``sql/status/``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tdml_assets.commands.output import wrapped
from tdml_assets.platform.monitoring import DRIFT_EPISODES, GATE, SESSIONS, TRIAGE
from tdml_assets.platform.outcome import outcomes_of
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import LOADS, ORDERS
from tdml_assets.stages.triage.words import decision_words

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

_STALE_DAYS = 35


@dataclass(frozen=True)
class ModelStatus:
    """What the model store holds of a workflow.

    ``versions``: how many are stored. ``champion``: the version that scores; None for none. ``since``: when it was promoted,
    UTC. ``held``: why no candidate may replace it; empty where one may. ``damage``: why the champion cannot be read; empty
    where it can.
    """

    versions: int = 0
    champion: str | None = None
    since: datetime | None = None
    held: str = ""
    damage: str = ""


@dataclass(frozen=True)
class WorkflowStatus:
    """One workflow.

    ``state``: published, scored, held, ... as in ``monitoring.sessions``, the outcome of the latest session where that is
    recorded, off where the orders do not allow the workflow, or new where it never ran. ``method``: what scored: champion,
    lifetime or rules; empty where it is not recorded. ``reason``, ``remedy``: why it is off, held or failed, and what helps;
    empty otherwise. ``needs_person``: whether the session's outcome says so. ``decision``: of the latest triage, in words;
    empty for none. ``candidate``: what became of the latest candidate where it was not promoted; empty otherwise.
    """

    name: str
    title: str
    state: str
    as_of: date | None = None
    method: str = ""
    reason: str = ""
    remedy: str = ""
    needs_person: bool = False
    decision: str = ""
    candidate: str = ""
    model: ModelStatus = ModelStatus()


@dataclass(frozen=True)
class Status:
    """Everything that is printed.

    ``home``: the state folder.
    ``data``: what the folder holds, in words.
    ``last_order_on``: day of the last order loaded.
    ``session``: session_id, as_of and updated_at of the latest session; empty before the first.
    ``running``: who uses the folder now; empty for nobody.
    ``episodes``: rows of the open episodes.
    ``schedules``: whether each schedule and sensor is on; empty where none was ever looked at.
    ``needs``: what a person should do, most urgent first.
    """

    home: str
    data: str
    last_order_on: date | None
    loaded_at: datetime | None
    session: Mapping[str, Any]
    running: str
    workflows: tuple[WorkflowStatus, ...]
    episodes: tuple[Mapping[str, Any], ...]
    schedules: Mapping[str, bool]
    needs: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the same as a dictionary, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Recorded:
    """What the tables tell; every part may be missing on a new installation."""

    session: Mapping[str, Any] = field(default_factory=dict)
    sessions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    decisions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    gates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    episodes: tuple[Mapping[str, Any], ...] = ()
    last_order_on: date | None = None
    loaded_at: datetime | None = None


def read_recorded(database: Database, workflows: Sequence[str]) -> Recorded:
    """Read the tables; those that are not there yet are left out."""
    if database.has_table(ORDERS.path):
        last_order_on = database.row(render("raw/last_order_day", orders=ORDERS.path))["last_order_day"]
        loaded_at = database.row(render("status/data", loads=LOADS.path))["loaded_at"]
    else:
        last_order_on = loaded_at = None
    if not database.has_table(SESSIONS.path):
        return Recorded(last_order_on=last_order_on, loaded_at=loaded_at)
    latest = database.rows(render("status/latest_session", sessions=SESSIONS.path))
    found = database.rows(render("status/sessions", sessions=SESSIONS.path))
    sessions = {row["workflow"]: row for row in found if row["workflow"] in set(workflows)}
    decisions: dict[str, Mapping[str, Any]] = {}
    for name, session in sessions.items():
        statement = render("summary/triage", table=TRIAGE.path, session_id=session["session_id"], workflow=name)
        decisions.update((name, row) for row in database.rows_if(TRIAGE.path, statement))
    gates = database.rows_if(GATE.path, render("status/latest_gate", gate=GATE.path, sessions=SESSIONS.path))
    outcomes = outcomes_of(database, latest[0]["session_id"]) if latest else []
    open_episodes = render("status/open_episodes", episodes=DRIFT_EPISODES.path)
    episodes = database.rows_if(DRIFT_EPISODES.path, open_episodes)
    return Recorded(
        session=latest[0] if latest else {},
        sessions=sessions,
        # A session that was not to publish, such as of one workflow, leaves an outcome that never came to its end.
        outcomes={one.workflow: one.row() for one in outcomes if one.state != "running"},
        decisions=decisions,
        gates={row["workflow"]: row for row in gates},
        episodes=tuple(episodes),
        last_order_on=last_order_on,
        loaded_at=loaded_at,
    )


def workflow_status(name: str, title: str, off: str | None, recorded: Recorded, model: ModelStatus) -> WorkflowStatus:
    """Put together what is known of one workflow. ``off``: why the orders do not allow it; None where they do."""
    if off is not None:
        return WorkflowStatus(name, title, "off", reason=off, model=model)
    session, outcome = recorded.sessions.get(name, {}), recorded.outcomes.get(name, {})
    decision, gate = recorded.decisions.get(name, {}), recorded.gates.get(name, {})
    decided = ""
    if decision and decision["decision"] not in (None, "nothing"):
        decided = f"{decision_words(decision['decision']).headline}. {decision['sentence']}"
    return WorkflowStatus(
        name,
        title,
        state=str(outcome.get("state") or session.get("status") or "new"),
        needs_person=bool(outcome.get("needs_person")),
        as_of=session.get("as_of"),
        method=str(outcome.get("method") or ""),
        reason=str(outcome.get("reason") or ""),
        remedy=str(outcome.get("remedy") or ""),
        decision=decided,
        candidate=f"of {gate['as_of']}, {gate['reason']}" if gate.get("decision") == "hold" else "",
        model=model,
    )


def needs_of(
    workflows: Sequence[WorkflowStatus],
    episodes: Sequence[Mapping[str, Any]],
    session: Mapping[str, Any],
    now: datetime,
) -> tuple[str, ...]:
    """What a person should do, with the command, most urgent first."""
    if not session:
        return ("nothing has run yet: tdml-assets run",)
    needs = [
        f"{found.name}: its champion cannot be read ({found.model.damage}): tdml-assets versions {found.name}, then "
        f"tdml-assets promote {found.name} VERSION --repair"
        for found in workflows
        if found.model.damage
    ]
    needs += [
        ": ".join(part for part in (found.name, found.state, found.reason, found.remedy) if part)
        for found in workflows
        if found.needs_person
    ]
    needs += [
        f"{found.name}: no model scores; the candidate {found.candidate}"
        for found in workflows
        if found.candidate and not found.method and found.model.champion is None and not found.model.damage
    ]
    for episode in episodes:
        what = "data are broken" if episode["kind"] == "data_quality" else "the data have changed"
        act = f"; retrain with tdml-assets run --workflow {episode['workflow']}" if episode["retrain"] else ""
        needs.append(f"{episode['workflow']}: {what} since {episode['opened_as_of']}: {episode['sentence']}{act}")
    needs += [
        f"{found.name}: no candidate may replace its champion; {found.model.held}: tdml-assets release {found.name}"
        for found in workflows
        if found.model.held
    ]
    age = (now.date() - session["updated_at"].date()).days
    if age > _STALE_DAYS:
        needs.append(f"the last session is {age} days old: tdml-assets run")
    return tuple(needs)


def render_status(status: Status, now: datetime) -> str:
    """Write the status for a terminal."""
    lines = [f"State     {status.home}", f"Data      {status.data}"]
    if status.last_order_on is not None:
        loaded = f", loaded {status.loaded_at:%Y-%m-%d %H:%M} UTC" if status.loaded_at else ""
        lines.append(f"          last order {status.last_order_on}{loaded}")
    if status.session:
        at = status.session["updated_at"]
        lines.append(
            f"Session   as of {status.session['as_of']}, {at:%Y-%m-%d %H:%M} UTC ({_age(at, now)}), {status.session['session_id']}"
        )
    else:
        lines.append("Session   none yet")
    lines.append(f"Running   {status.running or 'nothing'}")
    for found in status.workflows:
        lines += ["", *_workflow_lines(found, now)]
    if status.schedules:
        said = ", ".join(f"{name} {'on' if on else 'off'}" for name, on in sorted(status.schedules.items()))
        lines += ["", *wrapped(f"Schedules  {said}", 11)]
    lines += ["", "What needs you"]
    lines += [line for need in status.needs for line in wrapped(f"  - {need}", 4)] or ["  nothing"]
    return "\n".join(lines)


def _workflow_lines(found: WorkflowStatus, now: datetime) -> list[str]:
    when = f", as of {found.as_of}" if found.as_of else ""
    by = f" by {found.method}" if found.method and found.method != "champion" else ""
    title = found.title if found.title == found.name else f"{found.title} ({found.name})"
    lines = [f"{title}: {found.state}{by}{when}"]
    model = found.model
    if model.champion:
        since = f", scores since {model.since:%Y-%m-%d} ({_age(model.since, now)})" if model.since else ""
        lines.append(f"  champion   {model.champion}{since}; {model.versions} stored")
    elif not model.damage:
        lines.append(f"  champion   none; {model.versions} stored")
    decided = (
        ("reason", found.reason),
        ("remedy", found.remedy),
        ("candidate", found.candidate),
        ("decision", found.decision),
        ("held", model.held),
        ("damage", model.damage),
    )
    return lines + [line for label, text in decided if text for line in wrapped(f"  {label:<11}{text}", 13)]


def _age(then: datetime, now: datetime) -> str:
    days = (now.date() - then.date()).days
    return "today" if days == 0 else "1 day ago" if days == 1 else f"{days} days ago"
