"""What the latest session did with each workflow, as an exit code.

Belongs here: reading the outcomes. Does not: what they are (``platform/outcome.py``).
"""

from __future__ import annotations

from tdml_assets.platform.monitoring import SESSIONS
from tdml_assets.platform.outcome import FAILED, OUTCOMES, PUBLISHED, Outcome, exit_code
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.platform.statements import render
from tdml_assets.settings import Settings

__all__ = ["FAILED", "exit_code_of_session"]


def exit_code_of_session(settings: Settings) -> int:
    """0 where everything that can be published was, 3 where a person has to look at a workflow."""
    with build_warehouse(settings).read() as database:
        if not database.has_table(OUTCOMES.path):
            return PUBLISHED
        rows = database.rows(render("sessions/outcomes", outcomes=OUTCOMES.path, sessions=SESSIONS.path))
    return exit_code(Outcome.from_row(row) for row in rows)
