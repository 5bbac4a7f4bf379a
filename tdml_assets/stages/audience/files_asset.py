"""audience/files: the exports, with a check where a list of consent or suppression is declared.

Elsewhere: placing files (``destinations/files.py``), who may be in them (``permitted.py``).

A list that cannot be asked fails no session: the export of before stays, the check fails, an alert is sent, and ``run`` ends with
exit code 3.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from tdml_assets.platform.contracts import Column
from tdml_assets.platform.metadata import OWNER, column_schema
from tdml_assets.platform.resources import s3_client
from tdml_assets.platform.sessions import session_id_of
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.audience.destinations._export_content import ATTRIBUTES_TABLE
from tdml_assets.stages.audience.destinations.files import FilesDestination
from tdml_assets.stages.raw.permission_lists import declared_lists

if TYPE_CHECKING:
    from tdml_assets.stages.audience.permitted import Permission

CHECK = "lists_were_asked"
_KEY = dg.AssetKey(["audience", "files"])


def build_files(settings: Settings, upstream: Sequence[dg.AssetKey], keep: int) -> dg.AssetsDefinition:
    """The exports, as an asset."""
    url = settings.effective_exports_url
    is_asking = bool(declared_lists(settings.sources))

    @dg.asset(
        key=_KEY,
        deps=list(upstream),
        group_name="audience",
        kinds={"parquet", "csv", *(["s3"] if url.startswith("s3://") else [])},
        owners=[OWNER],
        pool="warehouse",
        description="Parquet and CSV under exports_url; what `latest` names is complete at every instant. "
        + ("Who may not be exported, by sources.consent and sources.suppression, is left out." if is_asking else ""),
        check_specs=[_CHECK_SPEC] if is_asking else None,
    )
    def files(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        from tdml_assets.stages.audience.permitted import deliver_permitted

        build = partial(_destination, settings, url, keep)
        delivery, trail = deliver_permitted(settings, warehouse, session_id_of(context), build)
        checks = [] if trail is None else [_checked(settings, trail, context.log)]
        if delivery is None:
            return dg.MaterializeResult(metadata={"status": "refused"}, check_results=checks)
        context.log.info(f"report: {delivery.rows} customers in {delivery.location}{_left_out(delivery.left_out)}")
        return dg.MaterializeResult(metadata=_metadata(warehouse, delivery), check_results=checks)

    return files


_CHECK_SPEC = dg.AssetCheckSpec(
    CHECK, asset=_KEY, description="The declared lists were read whole. Else nobody is exported."
)


def _metadata(warehouse: Warehouse, delivery: Any) -> dict[str, Any]:
    with warehouse.read() as database:
        columns = [Column(name, kind, "") for name, kind in database.columns(ATTRIBUTES_TABLE).items()]
    excluded = {"excluded": dg.MetadataValue.json(dict(delivery.left_out))} if delivery.left_out else {}
    return {
        "dagster/row_count": delivery.rows,
        "dagster/column_schema": column_schema(columns),
        "location": delivery.location,
        "changed": delivery.changed,
        "details": dg.MetadataValue.json(dict(delivery.details)),
        **excluded,
    }


def _left_out(reasons: Mapping[str, int]) -> str:
    if not reasons:
        return ""
    return ", left out: " + ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def _checked(settings: Settings, trail: Any, log: dg.DagsterLogManager) -> dg.AssetCheckResult:
    """Judge what became of an export that asked lists, and tell people where it was refused."""
    from tdml_assets.stages.audience.activation import tell_sync

    tell_sync(settings, trail, log)
    if trail.reason is not None:
        log.warning(f"files: {trail.reason}")
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=trail.status == "succeeded",
        severity=dg.AssetCheckSeverity.ERROR,
        description=trail.reason or f"{sum(trail.excluded.values()):,} customers were left out.",
    )


def _destination(settings: Settings, url: str, keep: int, permission: "Permission | None") -> FilesDestination:
    client = s3_client(settings) if url.startswith("s3://") else None
    return FilesDestination(url, scratch=settings.home / "scratch", keep=keep, s3_client=client, permission=permission)
