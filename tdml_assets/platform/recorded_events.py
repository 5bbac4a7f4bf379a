"""What Dagster recorded of an asset and its checks in an earlier run, reported once more.

Elsewhere: deciding that nothing has to be computed (``stages/reuse.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dagster as dg

AssetContext = dg.AssetExecutionContext
AssetResult = dg.MaterializeResult
CheckContext = dg.AssetCheckExecutionContext
CheckKey = dg.AssetCheckKey
CheckResult = dg.AssetCheckResult

#: Metadata of a stage that was taken over: the session that computed it.
UNCHANGED = "unchanged since session"
# Evaluations of a check that are looked at, newest first.
_TRIED = 20


@dataclass(frozen=True)
class RecordedAsset:
    """What Dagster recorded of an asset."""

    metadata: dict[str, Any]
    checks: tuple[dg.AssetCheckResult, ...]

    def again(self, since: str) -> dg.MaterializeResult[Any]:
        """The same result, with the session that computed it."""
        return dg.MaterializeResult(metadata={**self.metadata, UNCHANGED: since}, check_results=list(self.checks))


def recorded_of_asset(context: dg.AssetExecutionContext, run_id: str) -> RecordedAsset | None:
    """The asset's result of a run, with its checks; None if a later run materialised it."""
    entry = context.instance.get_latest_materialization_event(context.asset_key)
    if entry is None or entry.run_id != run_id or entry.asset_materialization is None:
        return None
    checks = []
    for key in sorted(context.assets_def.check_keys):
        evaluated = recorded_of_check(context.instance, key, run_id)
        if evaluated is None:
            return None
        checks.append(evaluated)
    metadata = {name: value for name, value in entry.asset_materialization.metadata.items() if name != UNCHANGED}
    return RecordedAsset(metadata, tuple(checks))


def recorded_of_check(instance: dg.DagsterInstance, key: dg.AssetCheckKey, run_id: str) -> dg.AssetCheckResult | None:
    """The check's result of a run; None if it was not evaluated, or long ago."""
    # Of this run it is only planned yet.
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=_TRIED)
    found = next((record.evaluation for record in history if record.run_id == run_id), None)
    if found is None:
        return None
    return dg.AssetCheckResult(
        check_name=key.name,
        passed=found.passed,
        severity=found.severity,
        description=found.description,
        metadata=dict(found.metadata),
    )


def passed_again(recorded: dg.AssetCheckResult, since: str) -> dg.AssetCheckResult:
    """A check that passed, with the session that computed it."""
    return dg.AssetCheckResult(
        passed=True, description=recorded.description, metadata={**(recorded.metadata or {}), UNCHANGED: since}
    )
