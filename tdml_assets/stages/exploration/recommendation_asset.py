"""<workflow>/exploration of a recommendation: every product as customers bought it.

Belongs here: running and showing it. Does not: the figures (``recommendation/figures.py``).
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.isolation import isolated
from tdml_assets.platform.metadata import OWNER, plot, table_metadata, table_preview
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.recommendation import figures
from tdml_assets.recommendation.tables import products_contract, training_contract
from tdml_assets.stages.reuse import Recall, reused

_SHOWN = 15


def build_recommendation_exploration(spec: WorkflowSpec) -> dg.AssetsDefinition:
    """Build `exploration` of a recommendation workflow."""
    contract = products_contract(spec.name)
    reads = [training_contract(spec.name).path, SNAPSHOTS_TABLE]

    @dg.asset(
        key=[spec.name, "exploration"],
        deps=[[spec.name, "training_table"], ["features", "snapshots"]],
        group_name=spec.name,
        kinds={"duckdb", "sql"},
        owners=[OWNER],
        pool="warehouse",
        description="Every product as customers bought it: how many, how often, how many came back for it.",
        metadata=table_metadata(contract),
    )
    @isolated(spec, "exploration")
    @reused(Recall(spec, "exploration", reads, tables=[contract.path]))
    def exploration(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        table = training_contract(spec.name).path
        with warehouse.write() as database:
            rows = render("recommendation/products", table=table, snapshot_date=as_of(database))
            count = database.replace(contract, rows)
            products = database.arrow(render("recommendation/ordered_products", table=contract.path))
        facts = _facts(products)
        context.log.info(f"report: {count} products, the first tenth holds {facts['share of the first tenth']:.0%}")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "most popular": table_preview(_shown(products)),
                **facts,
                "concentration": plot("concentration", figures.concentration(products["purchases"].to_numpy())),
            }
        )

    return exploration


def _shown(products: pa.Table) -> Sequence[dict[str, Any]]:
    rows: list[dict[str, Any]] = products.slice(0, _SHOWN).drop_columns(["last_on"]).to_pylist()
    return rows


def _facts(products: pa.Table) -> dict[str, float]:
    shares, customers = products["share_of_purchases"].to_numpy(), products["customers"].to_numpy()
    returning = (products["repeat_share"].to_numpy() * customers).sum()
    return {
        "share of the first tenth": float(shares[: max(1, len(shares) // 10)].sum()),
        "bought again": float(returning / customers.sum()),
    }
