"""Sessions at successive days of the past, in order, so that there is history on day one.

Elsewhere: which days and which words (``replay.py``), doing a stage's work.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tdml_assets.commands.progress import run_with_progress
from tdml_assets.commands.replay import Step, Stopped, heading, ledger_lines, line_of, realised_words, why_stopped
from tdml_assets.component import declared_workflows
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.environment import child_environment, project_root
from tdml_assets.platform.monitoring import DRIFT, MODEL_METRICS, SESSIONS, TRIAGE
from tdml_assets.platform.resources import build_model_store, build_warehouse
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.settings import Settings
from tdml_assets.stages.realised.asset import read_ledger
from tdml_assets.tasks import realised_performance_of
from tdml_assets.tasks.presentation import presentation_of

#: Everything but what leaves the house: attributes of the past are published to nobody.
_SELECTION = 'not group:"audience"'


class ReplayStoppedError(RuntimeError):
    """A session of the replay failed."""


class ReplayRefusedError(ValueError):
    """The replay may not begin."""


def run_replay(settings: Settings, names: Sequence[str], dates: Sequence[date], *, keep_going: bool) -> Iterator[str]:
    """Run a session at each day, in order; gives the lines to print.

    Raises ``ReplayRefusedError`` if a workflow is unknown, or has a session after the first day. Raises ``ReplayStoppedError`` if a
    session failed; names its day. ``names``: workflows; all that the settings run if there are none. ``keep_going``: whether the
    next day follows where blocking checks stopped a session.
    """
    specs = _chosen(declared_workflows(settings), names)
    _check_order(settings, [spec.name for spec in specs], dates[0])
    yield heading()
    answered: set[str] = set()
    for day in dates:
        stopped, lines = _run_day(settings, specs, day, _selection(settings, specs))
        yield from lines
        called = {} if stopped else _called(settings, specs, day)
        fresh = [spec for spec in specs if called.get(spec.name, "") not in {*answered, ""}]
        if fresh:
            answered |= {called[spec.name] for spec in fresh}
            stopped, _ = _run_day(settings, specs, day, " or ".join(map(training_selection, fresh)))
            yield f"  {day}: retrained {', '.join(spec.name for spec in fresh)}, as its episode called for"
        if stopped is not None and not (stopped.by_check and keep_going):
            raise ReplayStoppedError(f"the replay stopped at {day}: {stopped.words}. Log: {_log_path(settings, day)}")
    yield from _ledgers(settings, specs)


def training_selection(spec: WorkflowSpec) -> str:
    """The stages that make a champion, of features that are there."""
    return f'(key:"{spec.name}/training_table"+ and +key:"{spec.name}/champion_model")'


def scoring_selection(spec: WorkflowSpec) -> str:
    """What the scoring job does with one workflow, short of publishing."""
    stages = [
        "predictions",
        "drift",
        "triage",
        "session_report",
        *(["realised"] if realised_performance_of(spec) else []),
    ]
    return " or ".join(f'key:"{spec.name}/{stage}"' for stage in stages)


def _selection(settings: Settings, specs: Sequence[WorkflowSpec]) -> str:
    """Everything on the first day; after it the champions score, as every night, and are retrained when that is called for."""
    store = build_model_store(settings).open()
    if any(store.champion(spec.name) is None for spec in specs):
        return _SELECTION
    shared = '+key:"features/customer_features" or +key:"monitoring/data_quality"'
    return " or ".join([shared, *map(scoring_selection, specs)])


def _called(settings: Settings, specs: Sequence[WorkflowSpec], day: date) -> dict[str, str]:
    """Episode per workflow that called for a retraining on a day."""
    with build_warehouse(settings).read() as database:
        rows = database.rows(render("replay/called", table=TRIAGE.path, as_of=day))
    wanted = {spec.name for spec in specs}
    return {row["workflow"]: row["episode_id"] for row in rows if row["workflow"] in wanted}


def _chosen(specs: Sequence[WorkflowSpec], names: Sequence[str]) -> list[WorkflowSpec]:
    unknown = sorted(set(names) - {spec.name for spec in specs})
    if unknown:
        known = ", ".join(spec.name for spec in specs)
        raise ReplayRefusedError(f"--workflow {', '.join(unknown)} does not run with these settings; known: {known}")
    return [spec for spec in specs if not names or spec.name in names]


def _check_order(settings: Settings, names: Sequence[str], first: date) -> None:
    """A champion that has learnt from days to come may not score the past."""
    if not settings.warehouse_path.exists():
        return
    with build_warehouse(settings).read() as database:
        if not database.has_table(SESSIONS.path):
            return
        later = database.rows(render("replay/latest", table=SESSIONS.path, workflows=list(names), after=first))
    if later:
        raise ReplayRefusedError(
            f"a session of {later[0]['workflow']} exists at {later[0]['as_of']}, after --from {first}, and its model has "
            f"learnt from days to come: begin at {later[0]['as_of']} or later, or set TDML_HOME to an empty folder"
        )


def session_environment(
    settings: Settings, names: Sequence[str], day: date, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Variables of a session of ``day`` and runs these workflows.

    The overrides of the settings file go along, whole: what the environment said about single keys is in them. Reports of
    Evidently are left out: each takes longer than the rest of a small session. So are alerts, but for the log.
    """
    overrides = settings.workflows or {}
    chosen: dict[str, Any] = {}
    for name in names:
        own = overrides.get(name, {})
        chosen[name] = {**own, "monitor": {**(own.get("monitor") or {}), "report": False}}
    environment = child_environment(settings, base)
    kept = {key: value for key, value in environment.items() if not key.startswith(("TDML_WORKFLOWS", "TDML_ALERTS"))}
    # Nobody is woken by what happened long ago.
    return {**kept, "TDML_ALERTS": "{}", "TDML_AS_OF": str(day), "TDML_WORKFLOWS": json.dumps(chosen, default=str)}


def _log_path(settings: Settings, day: date) -> Path:
    return settings.home / "logs" / f"replay-{day}.log"


def _run_day(
    settings: Settings, specs: Sequence[WorkflowSpec], day: date, selection: str
) -> tuple[Stopped | None, list[str]]:
    """One session: why it stopped, None where it came to its end, and the lines about it."""
    names = [spec.name for spec in specs]
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", selection]
    command += ["-m", "tdml_assets.definitions", "-d", str(project_root())]
    printed, begun, since = io.StringIO(), time.monotonic(), datetime.now(UTC).replace(tzinfo=None)
    environment = session_environment(settings, names, day)
    code = run_with_progress(command, _log_path(settings, day), environment, printed)
    stopped = why_stopped(printed.getvalue().splitlines()) if code else None
    seconds = time.monotonic() - begun
    lines = [line_of(step, seconds) for step in _read(settings, specs, day, since)]
    if stopped is not None and stopped.by_check:
        lines.append(f"  {day}: {stopped.words}")
    return stopped, lines


def _read(settings: Settings, specs: Sequence[WorkflowSpec], day: date, since: datetime) -> list[Step]:

    if not settings.warehouse_path.exists():
        return []
    with build_warehouse(settings).read() as database:
        return [read_step(database, spec, day, since) for spec in specs]


def read_step(database: Database, spec: WorkflowSpec, day: date, since: datetime) -> Step:
    """What the session of ``day`` found, from the tables it wrote.

    ``since``: naive UTC; sessions that were last heard of before it are of an earlier run.
    """
    found: list[dict[str, Any]] = []
    if database.has_table(SESSIONS.path):
        statement = render("replay/session", table=SESSIONS.path, workflow=spec.name, as_of=day, since=since)
        found = database.rows(statement)
    if not found:
        return Step(day, spec.name)
    version, ledger = found[0]["model_version"], read_ledger(database, spec)
    return Step(
        day,
        spec.name,
        model=version or "",
        tested=_tested(database, spec, version),
        realised=realised_words(ledger[-1]) if ledger else "",
        monitoring=_monitoring(database, spec, found[0]["session_id"]) or found[0]["status"],
    )


def _tested(database: Database, spec: WorkflowSpec, version: str | None) -> str:
    """The main measure of the model's test."""
    if version is None or not database.has_table(MODEL_METRICS.path):
        return ""
    tables = {"metrics": MODEL_METRICS.path, "sessions": SESSIONS.path}
    session = database.rows(render("summary/training_session", workflow=spec.name, model_version=version, **tables))
    if not session:
        return ""
    performance = realised_performance_of(spec)
    name = performance.error.metric if performance else presentation_of(spec.task).measures[0].metric
    key = {"session_id": session[0]["session_id"], "workflow": spec.name}
    metrics = database.rows(render("summary/metrics", table=MODEL_METRICS.path, **key))
    values = {row["metric"]: row["value"] for row in metrics}
    return f"{name} {values[name]:.3f}" if name in values else ""


def _monitoring(database: Database, spec: WorkflowSpec, session_id: str) -> str:
    """The decision of the session, or how many columns moved."""
    key = {"session_id": session_id, "workflow": spec.name}
    if database.has_table(TRIAGE.path):
        decided = database.rows(render("replay/decision", table=TRIAGE.path, **key))
        if decided:
            cause = decided[0]["cause"]
            return str(decided[0]["decision"]) + (f" ({cause})" if cause and cause != "none" else "")
    rows = database.rows(render("summary/drift", table=DRIFT.path, **key)) if database.has_table(DRIFT.path) else []
    counts = {row["status"]: row["columns"] for row in rows}
    return f"{counts.get('spike', 0)} of {sum(counts.values())} columns moved" if counts else ""


def _ledgers(settings: Settings, specs: Sequence[WorkflowSpec]) -> list[str]:

    lines = []
    with build_warehouse(settings).read() as database:
        for spec in specs:
            performance = realised_performance_of(spec)
            if performance is not None:
                lines += ["", *ledger_lines(spec.name, performance.error.words, read_ledger(database, spec))]
    return lines
