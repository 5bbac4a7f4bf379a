"""Alerts about failed sessions, once per cause.

Belongs here: sending what waits and keeping who took it. Does not: what a cause is (``failures.py``), channels
(``channels.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tdml_assets.declaration.alerts import Alerts
from tdml_assets.stages.triage.alerts.channels import Log, alert_channels, send_alert, warnings_of
from tdml_assets.stages.triage.alerts.failure_ledger import read_ledger, write_ledger
from tdml_assets.stages.triage.alerts.failures import (
    Failure,
    Kind,
    alert_of_failures,
    is_told_elsewhere,
    recovered,
    same_causes,
)


def tell_failures(
    home: Path,
    alerts: Alerts,
    environment: Mapping[str, str],
    failures: Sequence[Failure],
    log: Log,
    *,
    ran: Collection[str] = (),
    kind: Kind = "session",
) -> list[str]:
    """Tell every channel of every cause it does not know yet, and forget those that have recovered.

    Parameters
    ----------
    home : state folder.
    environment : where the variables named in the settings are looked up.
    failures : of one run.
    ran : workflows that ran to the end, or as far as ``failures`` say; with ``all`` where the shared stages did.
    kind : of the causes that ``ran`` is about.

    Returns
    -------
    Keys of the causes that some channel took now.
    """
    before = read_ledger(home)
    ledger = recovered(before, ran, failures, kind)
    channels = alert_channels(alerts, environment, log)
    sent = []
    for alike in same_causes(failures):
        # Channels that got it for every one of the workflows.
        reached = set.intersection(*(set(ledger.get(failure.key, ())) for failure in alike))
        waiting = [channel for channel in channels if channel.name not in reached]
        if not waiting or is_told_elsewhere(alike[0]):
            continue
        alert = alert_of_failures(alike)
        deliveries = send_alert(waiting, alert)
        for sentence in warnings_of(deliveries, alert):
            log.warning(sentence)
        taken = {one.channel for one in deliveries if one.sent}
        for failure in alike:
            ledger[failure.key] = sorted({*ledger.get(failure.key, ()), *taken})
        sent += [failure.key for failure in alike] if taken else []
    if ledger != before:
        try:
            write_ledger(home, ledger)
        except OSError as error:
            log.warning(f"the alert cannot be recorded, the next session sends it again: {error.strerror}")
    return sent
