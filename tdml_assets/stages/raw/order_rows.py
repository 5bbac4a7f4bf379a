"""Rows of a source that can be judged only with the other rows of their orders: carried columns, totals of orders, refunds.

Elsewhere: the statements (``sql/raw``), what is declared (``declaration/order_rules.py``), reading one file (``plan.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.sources import OrdersSource, Source
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.reading import FileReading, Stage
from tdml_assets.stages.raw.rules import LONGEST_AHEAD, FileLayout

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

_MOMENT = ("moment_given", "local_time", "is_skipped", "twin", "moment_utc", "moment_on")


@dataclass(frozen=True)
class Together:
    """Columns of a row that come from one row: those of ``given`` wherever it has a value."""

    given: str
    columns: tuple[str, ...]
    pack: str


@dataclass(frozen=True)
class OrderPlan:
    """How rows find the others of their order.

    ``order_column``: column of the statement that holds the order. ``carried``: columns that an order's lines share.
    ``totals``: the same for money that an order has once. ``has_parents``: whether refunds name the order that they belong to.
    ``carries_orders``: whether a row without an order belongs to that of the row above it in its file. ``carries_records``:
    whether a line without ``recorded_at`` was recorded with the line of its order that has it.
    """

    order_column: str
    carried: tuple[Together, ...]
    totals: tuple[Together, ...]
    has_parents: bool
    carries_orders: bool
    carries_records: bool


def is_by_order(declaration: Source) -> bool:
    """Whether rows are judged with the other rows of their orders."""
    return isinstance(declaration, OrdersSource) and declaration.is_by_order


def plan_orders(declaration: OrdersSource, texts: Sequence[str]) -> OrderPlan:
    """Which columns are carried; ``texts`` are the names of the text columns in the order of the statement."""
    columns_of = {name: (f"text_{place}",) for place, name in enumerate(texts)}
    moment = _MOMENT if declaration.updated_at is not None else (*_MOMENT, "updated_at")
    columns = {
        "customer_id": ("customer_id",),
        "ordered_at": moment,
        "order_status": ("status_given", *columns_of["order_status"]),
        "order_type": columns_of["order_type"],
        "coupon_used": ("coupon_given", "coupon_used"),
        "currency": ("currency_given", "line_currency", "rate"),
    }
    carried = [
        Together(columns[name][0], columns[name], f"pack_{name}") for name in declaration.carry if name in columns
    ]
    if declaration.carry:
        # A mark of the order, which its other lines lack as they lack its status.
        others = (f"other_{place}_given" for place in range(len(declaration.other_statuses)))
        carried += [Together(name, (name,), f"pack_{name}") for name in others]
    totals = []
    if declaration.amount_level == "order":
        names: tuple[str, ...] = ("amount_given", "amount_double", "amount_read", "total_double", "total_read")
        totals.append(Together(names[0], names, "pack_amount"))
    if declaration.columns.refunded_amount is not None and declaration.effective_refund_level == "order":
        names = tuple(f"refunded_amount_{ending}" for ending in ("given", "double", "read"))
        totals.append(Together(names[0], names, "pack_refund"))
    return OrderPlan(
        order_column=columns_of["order_id"][0],
        carried=tuple(carried),
        totals=tuple(totals),
        has_parents=declaration.columns.parent_order_id is not None,
        carries_orders="order_id" in declaration.carry,
        carries_records=declaration.recorded_at is not None and "ordered_at" in declaration.carry,
    )


def stage_by_order(
    database: Database, layouts: Sequence[FileLayout], reading: FileReading, *, now: datetime, is_large: bool
) -> list[Stage]:
    """Fill ``staged_rows`` from all files together. Returns the context that each file was read with.

    ``is_large``: whether the rows before they are judged are kept in the warehouse too.
    """

    def run(stage: Stage, is_again: bool) -> None:
        position = stage["layout"].position
        if is_again:
            database.execute(render("raw/forget_staged", table="order_rows", column="file_position", position=position))
        is_first = position == layouts[0].position and not is_again
        database.execute(
            render("raw/read_order_rows", **stage, **_columns(stage), is_first=is_first, is_large=is_large)
        )

    stages = [reading.read(database, layout, run) for layout in layouts]
    database.execute(render("raw/stage_orders", **stages[0], latest_allowed=now + LONGEST_AHEAD))
    return stages


def reject_by_order(database: Database) -> None:
    """Note the rejected rows, whose content is read again, among those that are dropped."""
    database.execute(render("raw/find_rejected"))


def share_amounts(database: Database, declaration: Source) -> bool:
    """Put an order's total and refund on its accepted lines; whether there is anything to share."""
    if not isinstance(declaration, OrdersSource) or not declaration.is_by_order:
        return False
    has_refunds = declaration.columns.refunded_amount is not None
    if declaration.amount_level == "line" and not has_refunds:
        return False
    levels = {"amount_level": declaration.amount_level, "refund_level": declaration.effective_refund_level}
    database.execute(render("raw/order_amounts", **levels, has_refunds=has_refunds))
    return True


def _columns(stage: Mapping[str, Any]) -> dict[str, list[str]]:
    """Columns of one file's statement that are kept as text, and those of the file itself, which are not kept."""
    given = [value.column for value in stage["values"] if value.column.endswith("_given")]
    is_json = stage["source_format"] == "json"
    fields = [
        f"field_{place}" for place, field in enumerate(stage["layout"].fields) if field.is_of_folder or not is_json
    ]
    others = {"json": ["document"], "records": ["raw"]}.get(stage["source_format"], [])
    return {"given_columns": given, "left_out": [*given, *fields, *others]}
