"""What the latest session did with each workflow, as an exit code.

Belongs here: reading the outcomes. Does not: what they are (``platform/outcome.py``).
"""

from __future__ import annotations

from tdml_assets.activation.contracts import SYNC_RUNS
from tdml_assets.platform.monitoring import SESSIONS
from tdml_assets.platform.outcome import FAILED, NEEDS_A_PERSON, OUTCOMES, PUBLISHED, Outcome, exit_code
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.settings import Settings

__all__ = ["FAILED", "exit_code_of_session"]


def exit_code_of_session(settings: Settings) -> int:
    """0 where everything that can be published was, 3 where a person has to look at a workflow."""
    with build_warehouse(settings).read() as database:
        if not database.has_table(OUTCOMES.path):
            return PUBLISHED
        rows = database.rows(render("sessions/outcomes", outcomes=OUTCOMES.path, sessions=SESSIONS.path))
        if rows and _has_unsent(database, rows[0]["session_id"]):
            return NEEDS_A_PERSON
    return exit_code(Outcome.from_row(row) for row in rows)


def _has_unsent(database: Database, session_id: str) -> bool:
    """Whether the last sync of the session to some destination was refused, failed, or had rows refused."""
    if not database.has_table(SYNC_RUNS.path):
        return False
    statement = render("sessions/unsent", runs=SYNC_RUNS.path, session_id=session_id)
    return bool(database.row(statement)["destinations"])
