"""Whether the session behind the published attributes may be sent.

Belongs here: reading what the monitoring found. Does not: judging it against the settings (``guards.py``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from tdml_assets.platform.monitoring import SESSIONS, TRIAGE
from tdml_assets.platform.outcome import outcomes_of
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database


@dataclass(frozen=True)
class PublishedSession:
    """The session whose attributes are in the warehouse. ``faults``: why it must not be sent; empty where it may."""

    session_id: str
    as_of: date | None
    faults: tuple[str, ...] = ()


def read_published(database: Database, workflows: Collection[str]) -> PublishedSession | None:
    """The session that published last, and what is wrong with it or was found wrong after it.

    ``workflows``: whose attributes are sent. None where no session is known.
    """
    found = database.rows_if(SESSIONS.path, render("activation/published_session", sessions=SESSIONS.path))
    if not found:
        return None
    session_id, day = found[0]["session_id"], found[0]["as_of"]
    faults = []
    for outcome in outcomes_of(database, session_id):
        if outcome.needs_person and (outcome.workflow in workflows or not workflows):
            # The words of an error may quote a value; a hold's own do not.
            why = outcome.reason if outcome.error is None else f"{outcome.error} at {outcome.stopped_at}"
            faults.append(f"{outcome.workflow} needs a person ({why}): see tdml-assets status")
    statement = render(
        "activation/broken_sessions",
        triage=TRIAGE.path,
        sessions=SESSIONS.path,
        session_id=session_id,
        updated_at=found[0]["updated_at"],
        workflows=sorted({*workflows, "all"}),
    )
    faults += [
        f"the data of session {row['session_id'][:8]} ({row['as_of']}) are broken: see tdml-assets status"
        for row in database.rows_if(TRIAGE.path, statement)
    ]
    return PublishedSession(session_id, day, tuple(dict.fromkeys(faults)))
