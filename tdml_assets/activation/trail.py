"""The trail of a sync in the warehouse: what was acknowledged, what was refused, and how the sync ended.

Elsewhere: sending (``delivery.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tdml_assets.activation.contracts import (
    ACKNOWLEDGED,
    DEAD_LETTERS,
    PLANNED,
    SYNC_CHANGELOG,
    SYNC_RUNS,
    SYNC_STATE,
    TABLES,
)
from tdml_assets.activation.permission import FORGOTTEN_TABLE
from tdml_assets.activation.planning import Plan
from tdml_assets.activation.protocol import Rejection
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database


def ensure_tables(database: Database) -> None:
    """Make the tables of the schema where they are missing."""
    for contract in TABLES:
        database.ensure(contract)


def close_interrupted(database: Database, destination: str) -> None:
    """Mark syncs whose process ended."""
    database.execute(render("activation/interrupted", runs=SYNC_RUNS.path, destination=destination))


def record_run(database: Database, row: Mapping[str, Any]) -> None:
    """Write the row of a sync over the one before."""
    database.replace_slice(
        SYNC_RUNS, {"destination": row["destination"], "sync_id": row["sync_id"]}, render("activation/one_row", row=row)
    )


def mark_batch(
    database: Database,
    plan: Plan,
    batch: int,
    *,
    rejected: Mapping[str, Rejection],
    unmarked: Sequence[str],
    unlogged: Sequence[str] = (),
    now: datetime,
) -> None:
    """Write down an acknowledged batch, inside the caller's transaction.

    A batch that was taken as a whole is one row until :func:`settle`: rows are written to the state in bulk for half the CPU
    time. ``rejected``: refused rows by customer. ``unmarked``: customers whose rows the mode left alone and who are not known
    to be there. ``unlogged``: customers whose rows the mode left alone and who are there.
    """
    _acknowledge(database, plan, batch, now)
    if rejected:
        _keep_dead(database, plan, batch, rejected, now)
    if rejected or unmarked or unlogged:
        left = [*rejected, *unmarked]
        settle(database, plan.destination, unmarked=left, unlogged=[*left, *unlogged])


def mark_swap(database: Database, plan: Plan, *, rejected: Mapping[str, Rejection], now: datetime) -> None:
    """Write down that a destination was replaced as a whole."""
    name = plan.destination
    if rejected:
        _keep_dead(database, plan, None, rejected, now)
    logged = render(
        "activation/logged",
        state=SYNC_STATE.path,
        planned=PLANNED.path,
        destination=name,
        session_id=plan.session_id,
        now=now,
    )
    database.insert(SYNC_CHANGELOG, logged)
    database.execute(render("activation/gone_from_state", state=SYNC_STATE.path, destination=name))
    _acknowledge(database, plan, None, now)
    settle(database, name, unmarked=list(rejected), unlogged=list(rejected))


def settle(database: Database, destination: str, *, unmarked: Sequence[str] = (), unlogged: Sequence[str] = ()) -> None:
    """Bring the rows of acknowledged batches into state and changelog. The next sync does it where a process ended before.

    ``unmarked``: customers whose state and dead letters stay as they are. ``unlogged``: customers of whom nothing changed
    there.
    """
    if not database.count(ACKNOWLEDGED.path):
        return
    place = {"destination": destination, "planned": PLANNED.path, "acknowledged": ACKNOWLEDGED.path}
    forgotten = FORGOTTEN_TABLE if database.has_table(FORGOTTEN_TABLE) else None
    database.execute(render("activation/mark_removed", state=SYNC_STATE.path, unmarked=unmarked, **place))
    database.insert(SYNC_STATE, render("activation/mark_state", unmarked=unmarked, **place))
    log = render("activation/mark_changelog", unlogged=unlogged, forgotten_table=forgotten, **place)
    database.insert(SYNC_CHANGELOG, log)
    database.execute(render("activation/settle_dead", dead=DEAD_LETTERS.path, unmarked=unmarked, **place))
    database.execute(render("activation/drop_settled", **place))
    database.execute(render("warehouse/delete_slice", table=ACKNOWLEDGED.path, key={"destination": destination}))


def assume_sent(database: Database, customers: Sequence[str], now: datetime) -> None:
    """Let the state hold some customers wherever a sync that did not end may have sent them, so that they are deleted there."""
    if not all(database.has_table(contract.path) for contract in (PLANNED, ACKNOWLEDGED)):
        return
    place = {"planned": PLANNED.path, "state": SYNC_STATE.path, "customers": list(customers), "now": now}
    found = database.rows(render("activation/unsettled", acknowledged=ACKNOWLEDGED.path))
    for row in found:
        settle(database, row["destination"])
    database.insert(SYNC_STATE, render("activation/maybe_there", **place))


def purge_changelog(database: Database, destination: str, days: int, now: datetime) -> None:
    """Remove what the settings do not keep of the changelog."""
    before = now - timedelta(days=days)
    database.execute(
        render("activation/purge_changelog", changelog=SYNC_CHANGELOG.path, destination=destination, before=before)
    )


def _acknowledge(database: Database, plan: Plan, batch: int | None, now: datetime) -> None:
    """Note an acknowledged batch; every batch where it is None."""
    place = {"planned": PLANNED.path, "destination": plan.destination, "batch": batch}
    database.insert(ACKNOWLEDGED, render("activation/acknowledge", session_id=plan.session_id, now=now, **place))


def _keep_dead(
    database: Database, plan: Plan, batch: int | None, rejected: Mapping[str, Rejection], now: datetime
) -> None:
    """Keep the refused rows of a batch; of all batches where it is None."""
    customers = sorted(rejected)
    place = {"dead": DEAD_LETTERS.path, "destination": plan.destination, "customers": customers}
    known = {row["customer_id"]: row for row in database.rows(render("activation/dead_of", **place))}
    database.execute(render("activation/clear_dead", **place))
    refused = render(
        "activation/refused",
        planned=PLANNED.path,
        destination=plan.destination,
        batch=batch,
        customers=customers,
        codes=[rejected[customer].code for customer in customers],
        reasons=[rejected[customer].reason for customer in customers],
        attempts=[known.get(customer, {}).get("attempts", 0) + 1 for customer in customers],
        firsts=[known.get(customer, {}).get("first_at", now) for customer in customers],
        session_id=plan.session_id,
        now=now,
    )
    database.insert(DEAD_LETTERS, refused)
