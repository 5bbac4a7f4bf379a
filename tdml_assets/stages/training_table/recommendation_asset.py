"""<workflow>/training_table and exploration of a recommendation, and all its assets together.

Belongs here: what customers bought, as a table and as figures. Does not: windows and settings (``core/recommendation/``), the
model (``recommendation_model.py``), scoring (``recommendation_scoring.py``).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg
import pyarrow as pa

from tdml_assets.assets.guards import require_whole_data
from tdml_assets.assets.isolation import isolated
from tdml_assets.assets.recommendation_model import build_recommendation_model
from tdml_assets.assets.recommendation_scoring import build_recommendation_scoring
from tdml_assets.assets.reuse import Recall, reused
from tdml_assets.assets.sessions import SNAPSHOTS_TABLE, as_of, record_session, session_id_of
from tdml_assets.assets.snapshots import ORDERS_TABLE
from tdml_assets.core.recommendation import figures
from tdml_assets.core.recommendation.settings import NoProductsError
from tdml_assets.core.recommendation.tables import check_sizes, products_contract, training_contract
from tdml_assets.core.recommendation.windows import Windows, plan_windows
from tdml_assets.core.statements import Statement, render
from tdml_assets.core.training_table import sample_share
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.metadata import OWNER, plot, table_metadata, table_preview
from tdml_assets.resources.warehouse import Database, Warehouse
from tdml_assets.settings import Settings

_SHOWN = 15


def build_recommendation_definitions(spec: WorkflowSpec, settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of one recommendation workflow, in order."""
    return [
        _build_training_table(spec),
        _build_exploration(spec),
        *build_recommendation_model(spec, settings),
        *build_recommendation_scoring(spec, settings),
    ]


def _plan(database: Database, spec: WorkflowSpec, day: date) -> tuple[Windows, int]:
    """The session's windows, and the order lines there are to learn from."""
    wanted = {"include": spec.recommendation.include, "exclude": spec.recommendation.exclude}
    found = database.row(render("recommendation/usable", orders_table=ORDERS_TABLE, as_of=day, **wanted))
    if not found["line_count"]:
        raise NoProductsError(
            f"no order line up to {day} names a product to recommend (recommendation.include {list(wanted['include'])}, "
            f"exclude {list(wanted['exclude'])})",
            "map product_id under sources.orders.columns, correct the patterns, or "
            f"leave {spec.name} out under workflows",
        )
    return plan_windows(day, found["first_ordered_on"], spec.target.horizon_days), found["line_count"]


def _statement(spec: WorkflowSpec, windows: Windows, share: float) -> Statement:
    return render(
        "recommendation/build",
        orders_table=ORDERS_TABLE,
        as_of=windows.as_of,
        days=[windows.validation.day, windows.test.day, windows.as_of],
        untils=[windows.validation.until, windows.test.until, windows.as_of],
        include=spec.recommendation.include,
        exclude=spec.recommendation.exclude,
        sample_share=share,
    )


def _build_training_table(spec: WorkflowSpec) -> dg.AssetsDefinition:
    contract = training_contract(spec.name)
    recall = Recall(
        spec,
        "training_table",
        [ORDERS_TABLE, SNAPSHOTS_TABLE],
        tables=[contract.path],
        recorded=["status", "note"],
        # The data are looked at in every session.
        again=lambda context, database, _: require_whole_data(database, session_id_of(context)),
    )

    @dg.asset(
        key=[spec.name, "training_table"],
        deps=[["raw", "orders"], ["features", "snapshots"], ["monitoring", "data_quality"]],
        group_name=spec.name,
        kinds={"duckdb", "sql"},
        owners=[OWNER],
        pool="warehouse",
        description="What every customer had bought by three days: one where the model is chosen, one where it is measured on "
        f"the {spec.target.horizon_days} days after it, and as_of, from which the stored model learns.",
        metadata=table_metadata(contract),
    )
    @isolated(spec, "training_table")
    @reused(recall)
    def training_table(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        with warehouse.write() as database:
            require_whole_data(database, session_id_of(context))
            windows, lines = _plan(database, spec, as_of(database))
            share = sample_share(lines, spec.split.max_rows)
            count = database.replace(contract, _statement(spec, windows, share))
            sizes = database.rows(render("recommendation/sizes", table=contract.path))
            days = {"validation": windows.validation.day, "test": windows.test.day}
            check_sizes(sizes, days, spec.split.min_rows)
            note = _note(windows)
            record_session(database, context, spec.name, status="started", note=note)
        context.log.info(f"report: {count} rows from {lines} order lines, tested after {windows.test.day}")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "parts": table_preview(sizes),
                "order lines": lines,
                "share of customers": share,
                "note": note or "chosen and tested on whole windows, one after the other",
            }
        )

    return training_table


def _note(windows: Windows) -> str:
    """What a reader of the metrics should know about the windows; empty where they are the ordinary ones."""
    if windows.validation.days == windows.test.days:
        return ""
    return (
        f"history before {windows.test.day} is short: the model was chosen on {windows.validation.days} days "
        f"instead of {windows.test.days}"
    )


def _build_exploration(spec: WorkflowSpec) -> dg.AssetsDefinition:
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
            count = database.replace(
                contract, render("recommendation/products", table=table, snapshot_date=as_of(database))
            )
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
