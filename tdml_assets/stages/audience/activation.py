"""A sync within this project: what it needs of the settings, and who gets an alert.

Elsewhere: the sync (``activation/``), Dagster (``destinations_asset.py``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tdml_assets.activation.protocol import DestinationError
from tdml_assets.activation.syncing import DEGRADED, FAILED, REFUSED, Surroundings, SyncResult, keep_refusal, run_sync
from tdml_assets.settings import Settings
from tdml_assets.stages.raw.contracts import PERMISSION_LISTS
from tdml_assets.stages.raw.permission_lists import load_lists
from tdml_assets.stages.triage.alerts.failure_alerts import tell_failures
from tdml_assets.stages.triage.alerts.failures import Failure

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Warehouse
    from tdml_assets.stages.raw.load_report import LoadReport
    from tdml_assets.stages.triage.alerts.channels import Log

_CAUSES = {FAILED: "SyncFailed", REFUSED: "SyncRefused", DEGRADED: "SyncDegraded"}


def surroundings(settings: Settings, warehouse: Warehouse) -> Surroundings:
    """What a sync needs besides the warehouse; the lists of consent and suppression are read as they are now.

    Raises ``SourceError`` if a declared list cannot be read: then nobody is sent anything.
    """
    from tdml_assets.platform.resources import s3_client

    def client() -> Any:
        return s3_client(settings)

    return Surroundings(
        settings.home / "scratch",
        os.environ,
        client,
        consent={name: PERMISSION_LISTS[name].path for name in load_permissions(settings, warehouse, client)},
        holds_out=settings.audience.control is not None,
    )


def load_permissions(settings: Settings, warehouse: Warehouse, client: Callable[[], Any]) -> dict[str, LoadReport]:
    """Load the declared lists of consent and suppression as they are now. Raises ``SourceError`` if one cannot be read."""
    return load_lists(
        warehouse,
        settings.sources,
        base_folder=settings.base_folder,
        cache_folder=settings.home / "cache",
        s3_client=client,
    )


def sync_destination(settings: Settings, warehouse: Warehouse, name: str) -> SyncResult:
    """Sync one destination within a session; whatever keeps it from being sent is a result, which fails no session."""
    from tdml_assets.stages.raw.rules import SourceError

    declared = settings.destinations.others[name]
    try:
        return run_sync(warehouse, name, declared, surroundings(settings, warehouse))
    except (DestinationError, SourceError) as error:
        return keep_refusal(warehouse, name, declared.mode, str(error))


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
