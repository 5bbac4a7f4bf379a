"""A sync within this project: what it needs of the settings, and who is told how it ended.

Belongs here: the surroundings of a sync and its alerts, for assets and commands alike. Does not: the sync (``activation/``),
Dagster (``destinations_asset.py``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tdml_assets.activation.syncing import DEGRADED, FAILED, REFUSED, Surroundings, SyncResult
from tdml_assets.settings import Settings
from tdml_assets.stages.triage.alerts.failure_alerts import tell_failures
from tdml_assets.stages.triage.alerts.failures import Failure

if TYPE_CHECKING:
    from tdml_assets.stages.triage.alerts.channels import Log

_CAUSES = {FAILED: "SyncFailed", REFUSED: "SyncRefused", DEGRADED: "SyncDegraded"}


def surroundings(settings: Settings) -> Surroundings:
    """What a sync needs besides the warehouse."""
    from tdml_assets.platform.resources import s3_client

    return Surroundings(settings.home / "scratch", os.environ, lambda: s3_client(settings))


def tell_sync(settings: Settings, result: SyncResult, log: Log) -> list[str]:
    """Tell people of a sync that failed, was refused or is degraded, once per cause until it succeeds."""
    failures = []
    if result.status in _CAUSES:
        stage = f"audience/{result.destination}"
        cause = _CAUSES[result.status]
        failures = [Failure(result.destination, stage, cause, result.session_id, state=result.status, kind="sync")]
    return tell_failures(
        settings.home, settings.alerts, os.environ, failures, log, ran=[result.destination], kind="sync"
    )
