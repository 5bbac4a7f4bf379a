"""raw/consent and raw/suppression: the lists that destinations ask, with what they leave each destination.

Elsewhere: loading (``stages/raw/permission_lists.py``), the figures (``activation/reach.py``).

Each sync loads the lists again, as they are then. A list that cannot be read fails no session: its check fails, and nobody is sent.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from tdml_assets.platform.metadata import OWNER, table_metadata, table_preview
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.raw.contracts import ORDERS, PERMISSION_LISTS, REASONS

if TYPE_CHECKING:
    from tdml_assets.stages.audience.permissions import ListState

CHECK = "can_be_asked"


def build_permission_lists(settings: Settings) -> list[dg.AssetsDefinition]:
    """One asset per declared list; none where none is declared."""
    return [_build(name, settings) for name in PERMISSION_LISTS if settings.sources.declared(name) is not None]


def permission_keys(settings: Settings) -> Sequence[dg.AssetKey]:
    """Keys of the declared lists, which every destination asks."""
    return [
        dg.AssetKey(list(contract.path))
        for name, contract in PERMISSION_LISTS.items()
        if settings.sources.declared(name)
    ]


def _build(name: str, settings: Settings) -> dg.AssetsDefinition:
    contract = PERMISSION_LISTS[name]

    @dg.asset(
        key=list(contract.path),
        deps=[list(ORDERS.path)],
        group_name="audience",
        kinds={"duckdb"},
        owners=[OWNER],
        pool="warehouse",
        description=f"{contract.description} Mirrors the files declared in sources.{name}; every sync loads them again.",
        metadata=table_metadata(contract),
        check_specs=[
            dg.AssetCheckSpec(
                CHECK, asset=list(contract.path), description="The list was read whole. Else nobody is sent anywhere."
            )
        ],
    )
    def permission_list(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        from tdml_assets.stages.audience.permissions import read_list_state

        state = read_list_state(settings, warehouse, name)
        for words in [*state.faults, *state.notes]:
            context.log.warning(f"{name}: {words}")
        context.log.info(f"report: raw.{name}: {state.words}")
        check = dg.AssetCheckResult(
            check_name=CHECK,
            passed=not state.faults,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(state.faults) or state.words,
        )
        return dg.MaterializeResult(metadata=_metadata(state), check_results=[check])

    return permission_list


def _metadata(state: "ListState") -> dict[str, Any]:
    """Show counts alone: what lines name may be a customer's, where a column is mapped wrong."""
    metadata: dict[str, Any] = {}
    if state.report is not None:
        report = state.report
        reasons = [{"reason": code, "rows": count, "meaning": REASONS[code]} for code, count in report.reasons.items()]
        metadata |= {
            "dagster/row_count": report.rows_accepted,
            "rows read": report.rows_read,
            "rows accepted": report.rows_accepted,
            "rows rejected": report.rows_rejected,
            "reasons": table_preview(reasons),
            "unchanged": report.is_unchanged,
        }
    if state.facts is not None:
        facts = state.facts
        metadata |= {"customers": facts.customers, "customers with orders": facts.known_customers}
        if facts.name == "consent":
            metadata |= {
                "lines that give consent": facts.granted_lines,
                "lines that refuse it": facts.line_count - facts.granted_lines,
                "purposes": sum(name is not None for name in facts.purposes),
            }
    if state.loaded_at is not None:
        metadata["loaded at"] = dg.MetadataValue.timestamp(state.loaded_at.replace(tzinfo=UTC))
    if state.written_at is not None:
        metadata["files written at"] = dg.MetadataValue.timestamp(state.written_at.replace(tzinfo=UTC))
        metadata["age in days"] = (datetime.now(UTC).replace(tzinfo=None) - state.written_at).days
    if state.reach:
        metadata["who may be sent"] = table_preview([one.row() for one in state.reach])
    return metadata
