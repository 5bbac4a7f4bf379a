"""What follows a run: alerts about steps that failed, where no daemon sends them, and the exit code.

Elsewhere: outcomes (``platform/outcome.py``), what a cause is (``stages/triage/alerts/failures.py``), sending
(``stages/triage/alerts/failure_alerts.py``).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tdml_assets.activation.contracts import SYNC_RUNS
from tdml_assets.commands.common import PERSON_NEEDED
from tdml_assets.component import declared_workflows
from tdml_assets.platform.monitoring import SESSIONS
from tdml_assets.platform.outcome import OUTCOMES
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.settings import Settings
from tdml_assets.stages.triage.alerts.failure_alerts import tell_failures
from tdml_assets.stages.triage.alerts.failures import EVERY_WORKFLOW, failure_of_step


def exit_code_of_session(settings: Settings) -> int:
    """0 where everything that can be published was, 3 where a person has to look at a workflow."""
    with build_warehouse(settings).read() as database:
        if not database.has_table(OUTCOMES.path):
            return 0
        rows = database.rows(render("sessions/outcomes", outcomes=OUTCOMES.path, sessions=SESSIONS.path))
        if rows and _has_unsent(database, rows[0]["session_id"]):
            return PERSON_NEEDED
    return PERSON_NEEDED if any(row["needs_person"] for row in rows) else 0


def _has_unsent(database: Database, session_id: str) -> bool:
    """Whether the last sync of the session to some destination was refused, failed, or had rows refused."""
    if not database.has_table(SYNC_RUNS.path):
        return False
    statement = render("sessions/unsent", runs=SYNC_RUNS.path, session_id=session_id)
    return bool(database.row(statement)["destinations"])


@dataclass(frozen=True)
class _RunLog:
    """Appends to the log of the run: the terminal shows the error already."""

    path: Path

    def warning(self, msg: str, /) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(msg + "\n")


def send_run_alerts(
    settings: Settings, failed: Sequence[tuple[str, str]], log_path: Path, *, ran: Collection[str] | None
) -> list[str]:
    """Tell of the steps that failed, each cause once until it has recovered. Returns keys of the causes that some channel took.

    ``failed``: name and error of each. ``ran``: workflows that ran to the end, empty for all of them; None where the run failed.
    """
    workflows = {spec.name for spec in declared_workflows(settings)}
    failures = [failure_of_step(step, text, workflows, "", str(log_path)) for step, text in failed]
    if ran is None and not failures:
        failures = [failure_of_step("run", "", workflows, "", str(log_path))]
    whole = set() if ran is None else {*(ran or workflows), EVERY_WORKFLOW}
    return tell_failures(settings.home, settings.alerts, os.environ, failures, _RunLog(log_path), ran=whole)
