"""Episodes: what a series of findings adds up to, so that one event gets one alert and at most one retraining.

Elsewhere: the findings (``decision.py``), starting runs (``retraining.py``).

Episodes are folded from the findings of all sessions each time, so a session that runs again, or a ledger that was lost,
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.stages.triage.decision import ALARMS, Finding

Kind = Literal["drift", "data_quality"]


@dataclass(frozen=True)
class Episode:
    """One event: a row of ``monitoring.drift_episodes``; fields are described there."""

    session_id: str
    workflow: str
    episode_id: str
    kind: Kind
    status: Literal["open", "closed", "resolved"]
    model_version: str
    opened_as_of: date
    last_as_of: date
    closed_as_of: date | None
    alarms: int
    stable_sessions: int
    retrain: bool
    cause: str
    severity: float
    sentence: str
    alerted_channels: str = ""
    alerted_at: datetime | None = None

    def row(self) -> dict[str, Any]:
        """Row of ``monitoring.drift_episodes``."""
        return asdict(self)


def fold(workflow: str, findings: Iterable[tuple[str, Finding]], policy: Monitor) -> tuple[Episode, ...]:
    """Every episode of a workflow, oldest first.

    Broken data open an episode at once and the first whole session closes it. Drift opens one when a retraining is called
    for. It stays open through ups and downs until ``close_after`` sessions in a row lie below ``hysteresis`` of the limits,
    or until another champion, which knows the new world, is measured. One that goes on for longer than ``renew_days`` ends, and
    what still calls for a retraining opens the next. ``findings``: session id and finding, one per day, oldest first.
    """
    done: list[Episode] = []
    now: dict[Kind, Episode] = {}
    for session_id, finding in findings:
        for kind in ("data_quality", "drift"):
            before = now.pop(kind, None)
            if before is not None:
                after = _next(before, finding, policy)
                if after.status == "open":
                    now[kind] = after
                else:
                    done.append(after)
            if kind not in now and _opens(kind, finding):
                now[kind] = _opened(workflow, session_id, kind, finding)
    return tuple(sorted([*done, *now.values()], key=lambda episode: (episode.opened_as_of, episode.kind)))


def _opens(kind: Kind, finding: Finding) -> bool:
    return finding.decision == ("data_quality" if kind == "data_quality" else "retrain")


def _opened(workflow: str, session_id: str, kind: Kind, finding: Finding) -> Episode:
    return Episode(
        session_id=session_id,
        workflow=workflow,
        episode_id=f"{workflow}-{finding.as_of:%Y%m%d}-{kind}",
        kind=kind,
        status="open",
        model_version=finding.model_version,
        opened_as_of=finding.as_of,
        last_as_of=finding.as_of,
        closed_as_of=None,
        alarms=1,
        stable_sessions=0,
        retrain=kind == "drift",
        cause=finding.cause,
        severity=finding.severity,
        sentence=finding.sentence,
    )


def _next(episode: Episode, finding: Finding, policy: Monitor) -> Episode:
    alarms = ("data_quality",) if episode.kind == "data_quality" else ALARMS
    ended: Literal["closed", "resolved"] | None = None
    if episode.kind == "drift" and finding.model_version != episode.model_version:
        ended = "resolved"
    elif episode.kind == "drift" and (finding.as_of - episode.opened_as_of).days > policy.renew_days:
        ended = "closed"
    elif finding.decision in alarms:
        return _again(episode, finding)
    elif episode.kind == "data_quality":
        ended = "closed"
    stable_sessions = (
        episode.stable_sessions + 1
        if finding.decision != "data_quality" and finding.severity < policy.hysteresis
        else 0
    )
    if ended is None and stable_sessions >= policy.close_after:
        ended = "closed"
    return replace(
        episode,
        status=ended or "open",
        closed_as_of=finding.as_of if ended else None,
        stable_sessions=0 if ended == "resolved" else stable_sessions,
    )


def _again(episode: Episode, finding: Finding) -> Episode:
    farthest = finding if finding.severity > episode.severity else episode
    return replace(
        episode,
        last_as_of=finding.as_of,
        alarms=episode.alarms + 1,
        stable_sessions=0,
        cause=farthest.cause,
        severity=farthest.severity,
        sentence=farthest.sentence,
    )


def open_episode(episodes: Sequence[Episode], kind: Kind) -> Episode | None:
    """The open episode of a kind; None for none."""
    return next((episode for episode in reversed(episodes) if episode.kind == kind and episode.status == "open"), None)
