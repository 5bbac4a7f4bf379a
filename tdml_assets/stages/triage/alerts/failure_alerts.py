"""Alerts about failed sessions, once per cause.

Elsewhere: what a cause is (``failures.py``), channels (``channels.py``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tdml_assets.declaration.alerts import Alerts
from tdml_assets.platform.files import replacing
from tdml_assets.stages.triage.alerts.channels import Log, alert_channels, send_alert, warnings_of
from tdml_assets.stages.triage.alerts.failures import (
    Failure,
    Kind,
    Ledger,
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

    Returns keys of the causes that some channel took now. ``home``: state folder. ``environment``: where the variables named in
    the settings are looked up. ``failures``: of one run. ``ran``: workflows that ran to the end, or as far as ``failures`` say;
    with ``all`` where the shared stages did. ``kind``: of the causes that ``ran`` is about.
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


LEDGER_FILE = "failures.json"


def read_ledger(home: Path) -> dict[str, list[str]]:
    """Channels per cause; empty if nothing was sent, or the file cannot be read: an alert sent twice is better than none."""
    try:
        content = json.loads((home / LEDGER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: [str(name) for name in sent] for key, sent in content.items() if isinstance(sent, list)}


def write_ledger(home: Path, ledger: Ledger) -> None:
    """Replace the file in one step. Raises ``OSError`` if the folder cannot be written."""
    text = json.dumps({key: sorted(sent) for key, sent in ledger.items()}, indent=1, sort_keys=True)
    with replacing(home / LEDGER_FILE) as file:
        file.write(text.encode())
