"""The ledger of sessions: which execution of a workflow reached which stage.

Every stage writes it in the transaction of its tables.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from tdml_assets.platform.monitoring import SESSIONS
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database

SNAPSHOTS_TABLE = ("features", "snapshots")
#: Tag of runs that train nothing: features are taken at ``as_of`` alone.
ONLY_AS_OF = "tdml/only_as_of"
#: The sensor of ``automation/sensors.py``.
RETRAINING_SENSOR = "retrain_on_drift"


def session_id_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> str:
    """Id of the session: the root run's, so that a retry replaces its rows and never doubles them."""
    return context.run.root_run_id or context.run.run_id


def as_of(database: Database) -> date:
    """Last day of data that the session reads, as the snapshots stage decided it."""
    found: date | None = database.row(render("sessions/scoring_snapshot", table=SNAPSHOTS_TABLE))["as_of"]
    if found is None:
        raise LookupError("features.snapshots is empty: materialise features/snapshots first")
    return found


def retrains_itself(context: dg.AssetExecutionContext) -> bool:
    """Whether the sensor that starts retrainings is switched on in this Dagster instance."""
    # An instance in memory keeps no schedules.
    if context.instance.schedule_storage is None:
        return False
    states = context.instance.all_instigator_state()
    return any(state.instigator_name == RETRAINING_SENSOR and state.is_running for state in states)


def find_session(database: Database, context: dg.AssetExecutionContext, workflow: str) -> dict[str, Any]:
    """The session's row as earlier stages wrote it; empty before the first."""
    key = {"session_id": session_id_of(context), "workflow": workflow}
    found = database.rows(render("sessions/find", table=SESSIONS.path, **key))
    return found[0] if found else {}


def later_than(latest: datetime | None, now: datetime) -> datetime:
    """The time to write: now, or a microsecond after the latest that was written where a clock was set back.

    Sessions are ordered by this time everywhere; the last to write must be the last.
    """
    return now if latest is None or now > latest else latest + timedelta(microseconds=1)


def record_session(
    database: Database, context: dg.AssetExecutionContext, workflow: str, **fields: Any
) -> dict[str, Any]:
    """Write the session's row: ``fields`` over what earlier stages wrote. Returns the row."""
    database.ensure(SESSIONS)
    latest = database.row(render("sessions/latest_update", table=SESSIONS.path))["updated_at"]
    key = {"session_id": session_id_of(context), "workflow": workflow}
    row = {
        **find_session(database, context, workflow),
        **key,
        "as_of": as_of(database),
        "run_id": context.run.run_id,
        "updated_at": later_than(latest, datetime.now(UTC).replace(tzinfo=None)),
        **fields,
    }
    database.replace_slice(SESSIONS, key, [row])
    return row
