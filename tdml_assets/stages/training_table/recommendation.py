"""The training table of a recommendation: who bought what by when.

Elsewhere: windows (``recommendation/``), the asset (``asset.py``).
"""

from datetime import date
from typing import Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.metadata import table_metadata, table_preview
from tdml_assets.platform.per_task import Done
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE, as_of
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database
from tdml_assets.recommendation.eligibility import NoProductsError
from tdml_assets.recommendation.tables import check_sizes, training_contract
from tdml_assets.recommendation.windows import Windows, plan_windows
from tdml_assets.stages.features.past_rows import replaced_rows
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.training_table.table import TrainingTable, sample_share


def plan_training(database: Database, spec: WorkflowSpec, day: date) -> tuple[Windows, int]:
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


def training_statement(
    spec: WorkflowSpec, windows: Windows, share: float, replaced_orders: tuple[str, str] | None = None
) -> Statement:
    """The rows of the table, of a share of the customers; ``replaced_orders`` are earlier states of the orders' rows."""
    return render(
        "recommendation/build",
        orders_table=ORDERS_TABLE,
        replaced_orders=replaced_orders,
        as_of=windows.as_of,
        days=[windows.validation.day, windows.test.day, windows.as_of],
        untils=[windows.validation.until, windows.test.until, windows.as_of],
        include=spec.recommendation.include,
        exclude=spec.recommendation.exclude,
        sample_share=share,
    )


def purchases_by_customer(spec: WorkflowSpec) -> TrainingTable:
    """What every customer bought up to three days, and in the windows between them."""
    contract = training_contract(spec.name)
    return TrainingTable(
        description="What every customer had bought by three days: one where the model is chosen, one where it is measured on "
        f"the {spec.target.horizon_days} days after it, and as_of, from which the stored model learns.",
        metadata=table_metadata(contract),
        deps=[ORDERS_TABLE, SNAPSHOTS_TABLE, ["monitoring", "data_quality"]],
        reads=[ORDERS_TABLE, SNAPSHOTS_TABLE],
        tables=[contract.path],
        write=lambda database: _write(database, spec),
    )


def _write(database: Database, spec: WorkflowSpec) -> Done:
    windows, lines = plan_training(database, spec, as_of(database))
    share = sample_share(lines, spec.split.most_rows)
    statement = training_statement(spec, windows, share, replaced_rows(database))
    count = database.replace(training_contract(spec.name), statement)
    sizes, note = _checked_sizes(database, spec, windows), _note(windows)
    shown = {
        "parts": table_preview(sizes),
        "order lines": lines,
        "share of customers": share,
        "note": note or "chosen and tested on whole windows, one after the other",
    }
    return Done(count, f"{count} rows from {lines} order lines, tested after {windows.test.day}", shown, note)


def _checked_sizes(database: Database, spec: WorkflowSpec, windows: Windows) -> list[dict[str, Any]]:
    sizes = database.rows(render("recommendation/sizes", table=training_contract(spec.name).path))
    days = {"validation": windows.validation.day, "test": windows.test.day}
    check_sizes(sizes, days, spec.split.min_rows)
    return sizes


def _note(windows: Windows) -> str:
    """What a reader of the metrics should know about the windows; empty where they are the ordinary ones."""
    if windows.validation.days == windows.test.days:
        return ""
    return (
        f"history before {windows.test.day} is short: the model was chosen on {windows.validation.days} days "
        f"instead of {windows.test.days}"
    )
