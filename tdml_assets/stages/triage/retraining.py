"""Whether an open episode starts a retraining now: decided from what happened, never from the clock alone.

Elsewhere: what an episode is (``episodes.py``), run records (``automation/sensors.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Attempts at one retraining: after that a person should look.
MAX_ATTEMPTS = 2
_CAP_WINDOW = timedelta(days=30)


@dataclass(frozen=True)
class Call:
    """What one session's triage calls for.

    ``session_id``: the session. ``model_version``: champion it measured. ``episode_id``: episode it belongs to; None for none.
    ``retrain``: whether an open episode asks for a retraining, and the data are whole. ``sentence``: why, or what else was
    found.
    """

    session_id: str
    model_version: str
    episode_id: str | None
    retrain: bool
    sentence: str


@dataclass(frozen=True)
class Attempts:
    """Retrainings already started.

    ``running``, ``succeeded``, ``failed``: numbers of runs for this episode and champion. ``started_at``: starts of all of the
    workflow's retrainings for drift, for whatever episode, UTC.
    """

    running: int
    succeeded: int
    failed: int
    started_at: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What holds retrainings back.

    ``cool_down_days``: days after the start of one in which no other episode starts one. ``monthly_cap``: starts in any 30
    days. ``hold``: an operator's words; None for none.
    """

    cool_down_days: int
    monthly_cap: int
    hold: str | None = None


@dataclass(frozen=True)
class Decision:
    """Retrain or not, and why. ``attempt`` counts from 1; ``settled`` means that the call needs no other look."""

    retrain: bool
    reason: str
    call: Call | None = None
    attempt: int = 0
    settled: bool = True


def decide_retrain(call: Call | None, attempts: Attempts, limits: Limits, now: datetime) -> Decision:
    """Decide.

    ``call``: of the latest session; None where there is none since the last look. A stable session does not cancel what one
    before it called for: the episode stays open, and so does the call. ``attempts``: retrainings already started for its
    episode. ``now``: UTC.
    """
    done = _why_settled(call, attempts)
    if call is None or done is not None:
        return Decision(False, done or "", call)
    if attempts.running:
        return Decision(False, f"a retraining for episode {call.episode_id} is running already", call, settled=False)
    if waits := _why_wait(attempts, limits, now):
        return Decision(False, f"{waits} ({call.sentence})", call, settled=False)
    return Decision(True, call.sentence, call, attempts.failed + 1)


def _why_settled(call: Call | None, attempts: Attempts) -> str | None:
    if call is None:
        return "no session since the last look"
    if not call.retrain:
        return f"no retraining called for: {call.sentence}"
    if attempts.succeeded:
        return f"episode {call.episode_id} had its retraining; the gate decided on it, see monitoring.gate"
    if attempts.failed >= MAX_ATTEMPTS:
        return f"{attempts.failed} retrainings for episode {call.episode_id} failed: a person should look"
    return None


def _why_wait(attempts: Attempts, limits: Limits, now: datetime) -> str | None:
    if limits.hold is not None:
        return limits.hold
    lately = [start for start in attempts.started_at if start > now - _CAP_WINDOW]
    if len(lately) >= limits.monthly_cap:
        return f"retrainings in the last 30 days: {len(lately)}, at most {limits.monthly_cap} are allowed"
    # Another attempt at the same retraining is not another retraining.
    if attempts.failed or not attempts.started_at:
        return None
    until = max(attempts.started_at) + timedelta(days=limits.cool_down_days)
    return f"cooling down until {until:%Y-%m-%d %H:%M} UTC" if now < until else None
