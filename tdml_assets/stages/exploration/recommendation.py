"""The exploration of a recommendation: every product as customers bought it.

Elsewhere: the figures (``recommendation/figures.py``).
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.metadata import plot, table_metadata, table_preview
from tdml_assets.platform.per_task import Done
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.recommendation import figures
from tdml_assets.recommendation.tables import products_contract, training_contract
from tdml_assets.stages.exploration.split import Exploration

_SHOWN = 15


def products_bought(spec: WorkflowSpec) -> Exploration:
    """Every product, as customers bought it."""
    contract = products_contract(spec.name)
    return Exploration(
        description="Every product as customers bought it: how many, how often, how many came back for it.",
        metadata=table_metadata(contract),
        deps=[(spec.name, "training_table"), SNAPSHOTS_TABLE],
        reads=[training_contract(spec.name).path, SNAPSHOTS_TABLE],
        tables=[contract.path],
        explore=lambda warehouse, _: _explore(warehouse, spec.name),
    )


def _explore(warehouse: Warehouse, workflow: str) -> tuple[Done, None]:
    contract, table = products_contract(workflow), training_contract(workflow).path
    with warehouse.write() as database:
        count = database.replace(
            contract, render("recommendation/products", table=table, snapshot_date=as_of(database))
        )
        products = database.arrow(render("recommendation/ordered_products", table=contract.path))
    facts = _facts(products)
    drawn = plot("concentration", figures.concentration(products["purchases"].to_numpy()))
    shown = {"most popular": table_preview(_shown(products)), **facts, "concentration": drawn}
    sentence = f"{count} products, the first tenth holds {facts['share of the first tenth']:.0%}"
    return Done(count, sentence, shown), None


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
