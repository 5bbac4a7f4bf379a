"""audience/<destination>: one asset per system that attributes are sent to, with a check on failures.

Elsewhere: the sync (``activation/``), the exports (``asset.py``).

A destination that cannot be reached does not fail the session: attributes are published by then. Its check fails, an
alert is sent, and ``run`` ends with exit code 3.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from tdml_assets.declaration.destinations import DestinationSettings
from tdml_assets.platform.metadata import OWNER
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings

CHECK = "everything_was_taken"


def build_destinations(settings: Settings, upstream: Sequence[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """One asset per declared destination but the exports; none where none is declared."""
    return [_build(name, declared, settings, upstream) for name, declared in settings.destinations.others.items()]


def _build(
    name: str, declared: DestinationSettings, settings: Settings, upstream: Sequence[dg.AssetKey]
) -> dg.AssetsDefinition:
    key, policy = dg.AssetKey(["audience", name]), _retry_policy(declared)

    @dg.asset(
        key=key,
        deps=list(upstream),
        group_name="audience",
        kinds={declared.kind.rpartition(".")[2].replace("_", "")[:20]},
        owners=[OWNER],
        pool=f"destination_{name}",
        retry_policy=policy,
        description=f"Attributes in {name} ({declared.kind}, {declared.mode}): what changed since the last sync is sent. "
        "Trail: activation.sync_runs, activation.sync_changelog, activation.dead_letters.",
        check_specs=[dg.AssetCheckSpec(CHECK, asset=key, description="The sync was allowed, and no row was refused.")],
    )
    def destination(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        from tdml_assets.activation.syncing import FAILED
        from tdml_assets.stages.audience.activation import sync_destination, tell_sync

        result = sync_destination(settings, warehouse, name)
        if result.status == FAILED and context.retry_number < policy.max_retries:
            raise dg.RetryRequested(policy.max_retries, policy.calculate_delay(context.retry_number + 1))
        tell_sync(settings, result, context.log)
        for words in filter(None, [*result.warnings, result.reason]):
            context.log.warning(f"{name}: {words}")
        context.log.info(f"report: {result.taken} rows to {name}: {result.status}")
        return dg.MaterializeResult(metadata=_metadata(result), check_results=[_check(result)])

    return destination


def _retry_policy(declared: DestinationSettings) -> dg.RetryPolicy:
    """Of the whole sync, behind the attempts at single batches."""
    given = declared.sync_retries
    return dg.RetryPolicy(
        max_retries=given.most,
        delay=given.first_pause_seconds,
        backoff=dg.Backoff.EXPONENTIAL,
        jitter=dg.Jitter.PLUS_MINUS,
    )


def _metadata(result: Any) -> dict[str, Any]:
    names = (
        "status",
        "added",
        "changed",
        "unchanged",
        "removed",
        "failed",
        "skipped",
        "waiting",
        "attempts",
        "seconds",
    )
    details = {f"{name} there": value for name, value in result.details.items() if isinstance(value, (int, float))}
    links = {
        name: dg.MetadataValue.url(value) if value.startswith("http") else dg.MetadataValue.text(value)
        for name, value in result.details.items()
        if isinstance(value, str)
    }
    excluded = {"excluded": dg.MetadataValue.json(dict(result.excluded))} if result.excluded else {}
    reason = {"reason": result.reason} if result.reason else {}
    if result.warnings:
        reason["warnings"] = dg.MetadataValue.md("\n".join(f"- {words}" for words in result.warnings))
    return {**{name: getattr(result, name) for name in names}, **details, **links, **excluded, **reason}


def _check(result: Any) -> dg.AssetCheckResult:
    passed = result.status == "succeeded" and not result.failed
    # An error even where rows were sent: a person has to look at it.
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN if result.status == "degraded" else dg.AssetCheckSeverity.ERROR,
        description=result.reason or f"{result.taken:,} rows were taken, {result.failed or 'none'} refused.",
        metadata={"failed": result.failed, "waiting": result.waiting},
    )
