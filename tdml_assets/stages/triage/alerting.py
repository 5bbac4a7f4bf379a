"""Alerts about an episode, sent once per channel.

Elsewhere: words (``alerts/messages.py``), channels (``alerts/channels.py``).
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tdml_assets.platform.monitoring import DRIFT_EPISODES
from tdml_assets.platform.outcome import outcomes_of
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.data_quality.measures import WORKFLOW as RAW_DATA
from tdml_assets.stages.triage.alerts.channels import Log, alert_channels, send_alert, warnings_of
from tdml_assets.stages.triage.alerts.failure_alerts import tell_failures
from tdml_assets.stages.triage.alerts.failures import failures_of_outcomes
from tdml_assets.stages.triage.alerts.messages import alert_of, pending
from tdml_assets.stages.triage.episodes import Episode


def send_alerts(
    warehouse: Warehouse,
    label: str,
    settings: Settings,
    episodes: Sequence[Episode],
    report: Path | None,
    log: Log,
    *,
    retrains_itself: bool = False,
) -> list[dict[str, str]]:
    """Send the alerts that wait, outside of any transaction, and keep which channels took them.

    A kill between sending and keeping sends again in the next session: an alert sent twice is better than none. Returns one row
    per episode and channel, for people. ``label``: name of the workflow that people read. ``episodes``: of one workflow.
    ``report``: of this session; written behind this. ``retrains_itself``: whether the sensor that starts retrainings is on.
    """
    channels = alert_channels(settings.alerts, os.environ, log)
    rows: list[dict[str, str]] = []
    kept: list[Episode] = []
    for episode in episodes:
        reached = set(filter(None, episode.alerted_channels.split(",")))
        waiting = [channel for channel in channels if channel.name not in reached] if _is_worth_it(episode) else []
        deliveries = []
        if waiting:
            alert = alert_of(episode.row(), label, str(report) if report else None, retrains_itself=retrains_itself)
            deliveries = send_alert(waiting, alert)
            for sentence in warnings_of(deliveries, alert):
                log.warning(sentence)
        reached |= {one.channel for one in deliveries if one.sent}
        sent = any(one.sent for one in deliveries)
        when = datetime.now(UTC).replace(tzinfo=None) if sent else episode.alerted_at
        kept.append(replace(episode, alerted_channels=",".join(sorted(reached)), alerted_at=when))
        rows += [
            {"episode": episode.episode_id, "channel": one.channel, "taken": "yes" if one.sent else f"no: {one.detail}"}
            for one in deliveries
        ]
    if kept != list(episodes):
        with warehouse.write() as database:
            database.replace_slice(DRIFT_EPISODES, {"workflow": kept[0].workflow}, [one.row() for one in kept])
    return rows


def alert_outcomes(warehouse: Warehouse, settings: Settings, session_id: str, log: Log) -> list[str]:
    """Tell of the workflows of a session that published nothing new, each cause once until the workflow publishes again.

    Returns keys of the causes that some channel took.
    """
    with warehouse.read() as database:
        outcomes = outcomes_of(database, session_id)
    ran = {outcome.workflow for outcome in outcomes}
    failures = failures_of_outcomes(outcomes)
    return tell_failures(settings.home, settings.alerts, os.environ, failures, log, ran=ran, kind="workflow")


def _is_worth_it(episode: Episode) -> bool:
    """Whether it is worth an alert. Broken raw data raise one alert, and not another for every workflow that reads them."""
    if episode.cause == "source" and episode.workflow != RAW_DATA:
        return False
    return bool(pending([{**episode.row(), "alerted_at": None}]))
