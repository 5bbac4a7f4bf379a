"""raw/*: the declared files as tables, and what was kept out of them.

Elsewhere: finding files (``files.py``), loading them (``tables.py``), what a declaration means (``declaration/sources.py``).
"""

from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from tdml_assets.declaration.sources import Source, Sources, is_recorded
from tdml_assets.platform.metadata import OWNER, column_schema, table_metadata, table_preview
from tdml_assets.platform.sessions import session_id_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.raw.contracts import ORDERS, REASONS, REJECTED_ROWS, TABLES, recorded_contract
from tdml_assets.stages.raw.rules import BAD_ROW_LIMIT
from tdml_assets.stages.raw.state_folder import StateFolder, load_recognised

if TYPE_CHECKING:
    from tdml_assets.stages.raw.load_report import LoadReport

_SHOWN_FILES = 50


def build_raw_assets(
    sources: Sources,
    *,
    base_folder: Path,
    cache_folder: Path,
    state: StateFolder | None = None,
    bad_row_limit: float = BAD_ROW_LIMIT,
    as_of: date | None = None,
) -> list[dg.AssetsDefinition]:
    """Assets ``raw/orders``, ``raw/pageviews``, ``raw/email_events``, ``raw/customers`` and ``raw/rejected_rows``.

    Parameters
    ----------
    sources : declarations; a table without one is empty.
    base_folder : folder that relative paths start from: the settings file's.
    cache_folder : where fetched and rewritten files are kept.
    state : refuses orders of other data than the state folder's; None compares nothing.
    bad_row_limit, as_of : as of ``load_table``.
    """
    tables = [
        _raw_table(
            table,
            sources.declared(table),
            base_folder=base_folder,
            cache_folder=cache_folder,
            state=state,
            bad_row_limit=bad_row_limit,
            as_of=as_of,
        )
        for table in TABLES
    ]
    return [*tables, _rejected_rows()]


def _raw_table(
    table: str,
    declaration: Source | None,
    *,
    base_folder: Path,
    cache_folder: Path,
    state: StateFolder | None,
    bad_row_limit: float,
    as_of: date | None,
) -> dg.AssetsDefinition:
    contract = recorded_contract(TABLES[table]) if is_recorded(declaration) else TABLES[table]
    checks = [
        dg.AssetCheckSpec(
            "has_customers",
            asset=list(contract.path),
            blocking=True,
            description="There is at least one accepted order line; without one nothing can be learned or scored.",
        )
    ]

    @dg.asset(
        key=list(contract.path),
        # Orders come first: they tell whether the state folder belongs to these data.
        deps=[] if table == "orders" else [list(ORDERS.path)],
        group_name="raw",
        kinds={"duckdb", declaration.format} if declaration else {"duckdb"},
        owners=[OWNER],
        pool="warehouse",
        description=f"{contract.description} Mirrors the files declared in sources.{table}.",
        metadata=table_metadata(contract),
        check_specs=checks if table == "orders" else None,
    )
    def raw_table(
        context: dg.AssetExecutionContext, warehouse: Warehouse, s3: dg.ResourceParam[Any]
    ) -> dg.MaterializeResult:
        # Readers of files are not needed to load the definitions.
        from tdml_assets.stages.raw.files import FoundFiles, collect_files
        from tdml_assets.stages.raw.tables import load_table

        found = FoundFiles((), ())
        cache_folder.mkdir(parents=True, exist_ok=True)
        if declaration is not None:
            found = collect_files(
                table, declaration, base_folder=base_folder, cache_folder=cache_folder, s3_client=s3.get_client
            )
        now = datetime.now(UTC).replace(tzinfo=None)
        load = partial(
            load_table,
            table=table,
            declaration=declaration,
            found=found,
            session_id=session_id_of(context),
            now=now,
            scratch_folder=cache_folder,
            bad_row_limit=bad_row_limit,
            as_of=as_of,
        )
        report = load_recognised(warehouse, state, table, load)
        context.log.info(f"report: {_summary(report)}")
        results = [_has_customers(report)] if table == "orders" else None
        return dg.MaterializeResult(metadata=_metadata(report), check_results=results)

    return raw_table


def _rejected_rows() -> dg.AssetsDefinition:
    @dg.asset(
        key=list(REJECTED_ROWS.path),
        deps=[list(contract.path) for contract in TABLES.values()],
        group_name="raw",
        kinds={"duckdb"},
        owners=[OWNER],
        pool="warehouse",
        description=f"{REJECTED_ROWS.description} Written by the raw tables, each in the transaction of its own rows.",
        metadata=table_metadata(REJECTED_ROWS),
    )
    def rejected_rows(warehouse: Warehouse) -> dg.MaterializeResult:
        with warehouse.read() as database:
            reasons = database.rows(render("raw/reasons", rejected=REJECTED_ROWS.path))
        described = [{**row, "meaning": REASONS.get(row["reason"], "")} for row in reasons]
        count = sum(row["row_count"] for row in reasons)
        return dg.MaterializeResult(metadata={"dagster/row_count": count, "reasons": table_preview(described)})

    return rejected_rows


def _summary(report: "LoadReport") -> str:
    table = f"raw.{report.contract.name}"
    if not report.is_declared:
        return f"{table} is empty: no source is declared"
    state = "unchanged" if report.is_unchanged else "loaded"
    return (
        f"{table} {state}: {report.rows_read:,} rows in {len(report.files)} files, {report.rows_accepted:,} accepted, "
        f"{report.rows_rejected:,} rejected"
    )


def _metadata(report: "LoadReport") -> dict[str, Any]:
    """Show counts, names and hashes of files, never a value of a row."""
    reasons = [{"reason": code, "rows": count, "meaning": REASONS[code]} for code, count in report.reasons.items()]
    files = [
        {
            "file": file.name,
            "rows": file.rows_read,
            "accepted": file.rows_accepted,
            "rejected": file.rows_rejected,
            "sha256": file.sha256,
        }
        for file in report.files[:_SHOWN_FILES]
    ]
    metadata: dict[str, Any] = {
        "dagster/row_count": report.rows_accepted,
        "dagster/column_schema": column_schema(report.contract),
        "rows read": report.rows_read,
        "rows accepted": report.rows_accepted,
        "rows rejected": report.rows_rejected,
        "reasons": table_preview(reasons),
        "files": table_preview(files),
        "number of files": len(report.files),
        "unchanged": report.is_unchanged,
    }
    if report.first_day is not None:
        metadata |= {"first day": str(report.first_day), "last day": str(report.last_day), "months": report.months}
    if report.statuses:
        metadata["statuses"] = table_preview([{**vars(item), "amount": float(item.amount)} for item in report.statuses])
    if report.duplicate_files:
        metadata["files skipped as copies"] = dg.MetadataValue.json(list(report.duplicate_files))
    if report.files_without_rows:
        metadata["files without rows"] = dg.MetadataValue.json(list(report.files_without_rows[:_SHOWN_FILES]))
    if report.grouped_keys:
        metadata["line keys that name several lines"] = report.grouped_keys
    if report.new_columns:
        metadata["columns not seen before"] = dg.MetadataValue.json(list(report.new_columns))
    if report.lacking_columns:
        metadata["columns that files lack"] = dg.MetadataValue.json(list(report.lacking_columns[:_SHOWN_FILES]))
    return metadata


def _has_customers(report: "LoadReport") -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="has_customers",
        passed=report.rows_accepted > 0,
        severity=dg.AssetCheckSeverity.ERROR,
        description=_why_empty(report),
    )


def _why_empty(report: "LoadReport") -> str:
    if report.rows_accepted:
        return f"{report.rows_accepted:,} order lines"
    if not report.is_declared:
        return "no customers: sources.orders is not declared; name the order files there in the settings"
    reasons = ", ".join(f"{code} {count:,}" for code, count in report.reasons.items())
    names = ", ".join(file.name for file in report.files[:3])
    return (
        f"no customers: none of the {report.rows_read:,} rows of {names} was accepted ({reasons}). Compare columns, "
        "timestamp_format, currency and bounds in sources.orders with the files; raw.rejected_rows holds every row"
    )
