"""One sync of one destination: plan, judge, send, and leave a trail.

Elsewhere: each of them (``planning.py``, ``guards.py``, ``delivery.py``, ``trail.py``), who starts it (an asset,
``commands/activation.py``).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tdml_assets.activation.contracts import SYNC_RUNS
from tdml_assets.activation.delivery import Delivery, Tally, no_failpoint
from tdml_assets.activation.guards import read_published
from tdml_assets.activation.planning import Plan, keep_mapping, make_plan, write_changes
from tdml_assets.activation.protocol import (
    Checks,
    DestinationError,
    Failpoint,
    Opening,
    Opens,
    TransientError,
)
from tdml_assets.activation.trail import close_interrupted, ensure_tables, purge_changelog, record_run, settle
from tdml_assets.declaration.destinations import DestinationSettings
from tdml_assets.platform.retrying import Clock

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database, Warehouse

SUCCEEDED, DEGRADED, REFUSED, FAILED, RUNNING = "succeeded", "degraded", "refused", "failed", "running"


@dataclass(frozen=True)
class Surroundings:
    """What a sync needs besides the warehouse.

    ``environment``: where secrets are. ``scratch``: folder for files on their way. ``s3_client``: makes a boto3 client.
    ``consent``: tables of the declared lists of consent and suppression. ``holds_out``: whether a control group is declared.
    """

    scratch: Path
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    s3_client: Callable[[], Any] = lambda: None
    consent: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    holds_out: bool = False
    clock: Clock = field(default_factory=Clock)
    failpoint: Failpoint = no_failpoint


@dataclass(frozen=True)
class SyncResult:
    """How a sync ended. ``details``: figures and a link of the destination's own. ``codes``: refused rows by code."""

    destination: str
    session_id: str
    status: str
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    skipped: int = 0
    waiting: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    attempts: int = 0
    seconds: float = 0.0
    reason: str | None = None
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    codes: Mapping[str, int] = field(default_factory=dict)

    @property
    def taken(self) -> int:
        """Rows that were acknowledged."""
        return self.added + self.changed + self.removed

    def to_dict(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)


def plan_sync(
    warehouse: Warehouse,
    name: str,
    settings: DestinationSettings,
    around: Surroundings,
    *,
    full: bool = False,
    only_dead: bool = False,
    then: Callable[[Database, Plan], None] | None = None,
) -> Plan:
    """Plan a sync; nothing is sent.

    ``then``: called with the plan in the transaction that made it, where its rows are still known. Raises ``DestinationError`` if
    nothing is published, or the settings name a column that is not there.
    """
    with warehouse.write() as database:
        ensure_tables(database)
        settle(database, name)
        today = around.clock.now().date()
        plan = make_plan(
            database,
            name,
            settings,
            today=today,
            full=full,
            only_dead=only_dead,
            consent=around.consent,
            holds_out=around.holds_out,
        )
        if then is not None:
            then(database, plan)
        return plan


def check_destination(plan: Plan, around: Surroundings) -> Mapping[str, Any] | None:
    """Ask a destination whether the sync could write there; nothing is written.

    Returns what is there; None where the kind cannot be asked. Raises ``DestinationError`` if the sync could not write: says what
    to do.
    """
    if not isinstance(plan.settings, Checks):
        return None
    try:
        return plan.settings.check(_opening(plan, around))
    except TransientError as error:
        raise DestinationError(f"{error.reason}: try again later") from error


def run_sync(
    warehouse: Warehouse,
    name: str,
    settings: DestinationSettings,
    around: Surroundings,
    *,
    full: bool = False,
    only_dead: bool = False,
    check: Callable[[Plan], str | None] | None = None,
) -> SyncResult:
    """Plan, judge and send.

    ``check``: looks at the plan before anything is sent; gives why it must not be, if so. Returns how it ended; ``refused`` and
    ``failed`` are results too, with the reason.
    """
    clock = around.clock
    started, began = clock.now(), clock.monotonic()
    sync_id = uuid.uuid4().hex
    forbidden: list[str] = []

    def begin(database: Database, plan: Plan) -> None:
        close_interrupted(database, name)
        forbidden.extend(plan.refusals or filter(None, [check(plan) if check else None]))
        if not forbidden:
            write_changes(database, plan, now=clock.now())
            record_run(database, _row(_begun(plan), plan, sync_id, started))

    plan = plan_sync(warehouse, name, settings, around, full=full, only_dead=only_dead, then=begin)
    result = _begun(plan)

    def keep(ended: SyncResult) -> SyncResult:
        ended = replace(ended, seconds=round(clock.monotonic() - began, 3))
        with warehouse.write() as database:
            settle(database, name)
            record_run(database, _row(ended, plan, sync_id, started))
            if ended.status in (SUCCEEDED, DEGRADED):
                keep_mapping(database, plan, now=clock.now(), ended=True)
                purge_changelog(database, name, settings.changelog_days, clock.now())
        return ended

    if forbidden:
        return keep(replace(result, status=REFUSED, reason="; ".join(forbidden)))
    around.failpoint("planned")
    tally = Tally()
    try:
        opener = cast("Opens", settings)
        with opener.open(_opening(plan, around)) as client:
            delivery = Delivery(warehouse, plan, client, clock=clock, failpoint=around.failpoint)
            tally = delivery.tally
            delivery.run()
    except DestinationError as error:
        return keep(replace(_with(result, tally), status=FAILED, reason=str(error)))
    except TransientError as error:
        # Of the opening: a batch that is not answered is tried again, and then gives up.
        return keep(replace(_with(result, tally), status=FAILED, reason=f"{error.reason}: sync again later"))
    except BaseException as error:
        # The class alone: what an unforeseen error says may hold a value.
        keep(replace(_with(result, tally), status=FAILED, reason=f"{type(error).__name__}: see the log of the sync"))
        raise
    return keep(_judged(_with(result, tally), settings, clock.monotonic() - began))


def keep_refusal(warehouse: Warehouse, name: str, mode: str, reason: str) -> SyncResult:
    """Leave a trail of a sync that could not even be planned, such as for a list of consents that cannot be read."""
    return keep_unplanned(warehouse, SyncResult(name, "", REFUSED, reason=reason), mode)


def keep_unplanned(warehouse: Warehouse, result: SyncResult, mode: str) -> SyncResult:
    """Leave a trail of what was sent, or refused, without a plan; the session is the one that published."""
    with warehouse.write() as database:
        ensure_tables(database)
        session = read_published(database, ())
        kept = replace(result, session_id=session.session_id if session else "")
        row = {column: getattr(kept, column, None) for column in SYNC_RUNS.column_names}
        excluded, now = sum(kept.excluded.values()), Clock().now()
        record_run(
            database, {**row, "sync_id": uuid.uuid4().hex, "mode": mode, "excluded": excluded, "started_at": now}
        )
    return kept


def _begun(plan: Plan) -> SyncResult:
    return SyncResult(
        plan.destination,
        plan.session_id,
        RUNNING,
        unchanged=plan.count("unchanged"),
        waiting=plan.count("waiting"),
        excluded=dict(plan.excluded),
        warnings=tuple(f"{v.guard}: {v.words}" for v in plan.verdicts if v.status == "warning"),
    )


def _opening(plan: Plan, around: Surroundings) -> Opening:
    return Opening(
        plan.destination,
        around.environment,
        plan.selection.described,
        plan.session_id,
        plan.as_of,
        around.scratch,
        around.s3_client,
    )


def _with(result: SyncResult, tally: Tally) -> SyncResult:
    """The result with every figure of the tally, whose fields it has too."""
    return replace(result, **asdict(tally))


def _judged(result: SyncResult, settings: DestinationSettings, seconds: float) -> SyncResult:
    """Succeeded, or degraded; the latter raises an alert."""
    reasons = []
    tried = result.taken + result.failed
    if result.failed > settings.failed_share * tried:
        codes = ", ".join(f"{code} {count:,} times" for code, count in sorted(result.codes.items()))
        reasons.append(f"{result.failed:,} of {tried:,} rows were refused there ({codes}): see activation.dead_letters")
    if settings.slow_seconds is not None and seconds > settings.slow_seconds:
        reasons.append(f"it took {seconds:.0f} s, at most {settings.slow_seconds:g} s are allowed")
    if any(warning.startswith("empty_source") for warning in result.warnings):
        reasons.append("the source has no rows")
    if result.waiting:
        reasons.append(
            f"{result.waiting:,} rows that were refused before wait for tdml-assets retry {result.destination}"
        )
    return replace(result, status=DEGRADED if reasons else SUCCEEDED, reason="; ".join(reasons) or None)


def _row(result: SyncResult, plan: Plan, sync_id: str, started: Any) -> dict[str, Any]:
    return {
        **{name: getattr(result, name) for name in SYNC_RUNS.column_names if hasattr(result, name)},
        "sync_id": sync_id,
        "mode": plan.settings.mode,
        "source_rows": plan.source_rows,
        "excluded": sum(result.excluded.values()),
        "started_at": started,
    }
