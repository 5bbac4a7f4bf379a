"""The shift test as an asset check: features computed again without later rows must be the stored ones.

Elsewhere: the verdict (``shift.py``), the models (``dbt_project/``).
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.features.dbt_project import Model, catalog_of, models_in_order, sources_of
from tdml_assets.stages.features.past_rows import contract_of, rows_up_to
from tdml_assets.stages.features.shift import Comparison, judge, read_comparison, snapshots_to_check
from tdml_assets.stages.features.snapshots import SNAPSHOTS as SNAPSHOT_ROWS
from tdml_assets.stages.features.snapshots import snapshot_rows
from tdml_assets.stages.reuse import reused_check

if TYPE_CHECKING:
    import pyarrow as pa

FEATURES = ("features", "customer_features")
SNAPSHOTS = SNAPSHOT_ROWS.path
SAMPLED_CUSTOMERS = 2000


def build_shift_check(manifest: Mapping[str, Any]) -> dg.AssetChecksDefinition:
    """The check, on the features that ``manifest`` builds."""
    key = dg.AssetCheckKey(dg.AssetKey(FEATURES), "features_ignore_later_rows")

    @dg.asset_check(
        asset=list(FEATURES),
        name=key.name,
        blocking=True,
        pool="warehouse",
        description=(
            f"Features of up to {SAMPLED_CUSTOMERS} customers, computed again by the same statements from the rows known "
            "at the snapshot alone, are the stored ones, bit for bit."
        ),
    )
    @reused_check(
        key, [*sources_of(manifest), FEATURES], [(model.unique_id, model.sql) for model in models_in_order(manifest)]
    )
    def features_ignore_later_rows(
        context: dg.AssetCheckExecutionContext,  # noqa: ARG001 - what is taken over is found by it
        warehouse: Warehouse,
    ) -> dg.AssetCheckResult:
        comparisons, customers = compare_without_later_rows(warehouse, manifest, SAMPLED_CUSTOMERS)
        passed, sentence = judge(comparisons)
        return dg.AssetCheckResult(
            passed=passed,
            description=sentence,
            metadata={
                "customers sampled": customers,
                "rows compared": sum(comparison.compared_rows for comparison in comparisons),
                "features compared": max((comparison.features for comparison in comparisons), default=0),
                "snapshots compared": [str(comparison.snapshot_date) for comparison in comparisons],
                "later rows left out": sum(comparison.later_rows for comparison in comparisons),
            },
        )

    return features_ignore_later_rows


def compare_without_later_rows(
    warehouse: Warehouse, manifest: Mapping[str, Any], customers: int
) -> tuple[list[Comparison], int]:
    """Compute the features of a sample again, for some snapshots, from the rows up to each snapshot alone.

    ``manifest``: the compiled one that built them. ``customers``: sample size; the sample is the same for the same customers.
    Returns a comparison per snapshot looked at, and the number of customers in the sample.
    """
    models = models_in_order(manifest)
    with warehouse.read() as database:
        # Those that every snapshot holds: whoever is not drawn is at as_of alone.
        of_orders = {"orders": ("raw", "orders"), "snapshots": SNAPSHOTS}
        rows = database.rows(render("features/sampled_customers", **of_orders, count=customers))
        sampled = [row["customer_id"] for row in rows]
        days = [row["snapshot_date"] for row in database.rows(render("features/snapshot_dates", snapshots=SNAPSHOTS))]
    comparisons = []
    for snapshot_date in snapshots_to_check(days):
        with warehouse.read() as database:
            tables, later_rows = _tables_up_to(database, sampled, snapshot_date)
        # The compiled statements name the database: the throw-away one has the same name.
        with tempfile.TemporaryDirectory(prefix="shift-") as folder:
            database_path = f"{folder}/{catalog_of(manifest)}.duckdb"
            scratch = Warehouse(database=database_path, temp_directory=folder, memory_limit_gb=1)
            counts = _recompute_and_compare(scratch, models, tables, snapshot_date)
        comparisons.append(read_comparison(snapshot_date, later_rows, counts))
    return comparisons, len(sampled)


def _tables_up_to(
    database: Database, customers: Sequence[str], last_day: date
) -> "tuple[dict[TableContract, pa.Table], int]":
    """Read what the models read, as it was known at ``last_day``, with the stored features; and how many rows were cut off."""
    found, later_rows = rows_up_to(database, customers, last_day)
    stored = render("features/stored_features", table=FEATURES, customers=list(customers), snapshot_date=last_day)
    found[contract_of(database, FEATURES, ("stored", FEATURES[1]))] = database.arrow(stored)
    return found, later_rows


def _recompute_and_compare(
    scratch: Warehouse, models: Sequence[Model], tables: "Mapping[TableContract, pa.Table]", snapshot_date: date
) -> dict[str, Any]:
    with scratch.write() as database:
        for contract, rows in tables.items():
            database.replace(contract, rows)
        database.replace(SNAPSHOT_ROWS, snapshot_rows([snapshot_date], snapshot_date, 1.0))
        for model in models:
            database.execute(render("warehouse/create_schema", schema=model.schema))
            statement = render("features/create_model", path=model.path, is_view=model.is_view)
            database.execute(Statement(statement.text.replace("__model__", model.sql)))
        stored = ("stored", FEATURES[1])
        columns = [name for name in database.columns(stored) if name not in ("snapshot_date", "customer_id")]
        sides = {"recomputed": FEATURES, "stored": stored}
        return database.row(render("features/compare", **sides, columns=columns, snapshot_date=snapshot_date))
