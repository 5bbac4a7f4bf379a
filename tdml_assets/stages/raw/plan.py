"""How the rows of a file are read and judged: from a declaration and a file's columns to the context of a statement.

Elsewhere: whether a file may be loaded (``rules.py``), the statements (``sql/raw``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tdml_assets.declaration.records import RecordedRows
from tdml_assets.declaration.sources import CustomersSource, EventSource, OrdersSource, Source
from tdml_assets.stages.raw.contracts import LOADED
from tdml_assets.stages.raw.currencies import all_marks
from tdml_assets.stages.raw.customer_ids import plan_customer
from tdml_assets.stages.raw.figures import Figure, money_units, number_marks, own_marks, plan_figure
from tdml_assets.stages.raw.meanings import Kinds, Meanings, OtherStatus, plan_kinds, plan_meanings, plan_others
from tdml_assets.stages.raw.moments import plan_moment, plan_recorded, plan_updated
from tdml_assets.stages.raw.numbers import FRAME, NumberMarks
from tdml_assets.stages.raw.order_rows import plan_orders
from tdml_assets.stages.raw.rules import NUMBERS, FileLayout, customer_columns, wanted_columns
from tdml_assets.stages.raw.values import Value, find_value, json_pointer

# Taken off both ends of a text; the last is the no-break space of spreadsheets.
_BLANKS = " \t\r\n\u00a0"


def texts_of(table: str, declaration: Source, layout: FileLayout) -> dict[str, str | None]:
    """Source column per text column of the raw table; ``None`` where the source has none. Without ``customer_id``."""
    if isinstance(declaration, CustomersSource):
        return dict(customer_columns(declaration, layout))
    lineage = {"customer_id", "source", "file", "currency"}
    names = [column.name for column in LOADED[table].columns if column.type == "VARCHAR" and column.name not in lineage]
    return {name: declaration.mapped.get(name) for name in names}


@dataclass(frozen=True)
class Money:
    """Rules for the numbers of an order line: ``rates`` holds (currency, rate), the reporting currency first.

    ``figures``, ``own_marks``, ``known_marks``, ``frame`` and ``units`` say how a written number is read (``figures.py``);
    ``is_scaled_by_order`` that the currency of a line, and so its unit, may stand on another line of its order.
    """

    bounds: tuple[tuple[str, float, float, float | None, float | None], ...]
    rates: tuple[tuple[str, Decimal], ...]
    reporting: str
    currency: str | None
    marks: NumberMarks
    figures: tuple[Figure, ...]
    own_marks: tuple[str, ...]
    units: tuple[tuple[str, Decimal], ...]
    is_scaled_by_order: bool
    numbers: tuple[str, ...]
    amount_level: str
    by_order: bool
    meanings: Meanings | None
    others: tuple[OtherStatus, ...]
    kinds: Kinds | None
    known_marks: tuple[str, ...] = tuple(sorted(all_marks()))
    frame: str = FRAME


def plan_money(declaration: OrdersSource, numbers: Sequence[Value]) -> Money:
    """Rules for numbers and currencies of a declaration. ``numbers``: the values ``<name>_given`` of the line's numbers."""
    bounds = []
    for name in NUMBERS:
        bound = getattr(declaration.bounds, name)
        bounds.append((name, bound.min, bound.max, bound.above, bound.below))
    others = [(code, rate) for code, rate in sorted(declaration.rates.items()) if code != declaration.reporting]
    return Money(
        bounds=tuple(bounds),
        rates=((declaration.reporting, Decimal(1)), *others),
        reporting=declaration.reporting,
        currency=declaration.currency,
        marks=number_marks(declaration),
        figures=tuple(plan_figure(value) for value in numbers),
        own_marks=own_marks(declaration),
        units=money_units(declaration),
        is_scaled_by_order="currency" in declaration.carry,
        numbers=tuple(value.column.removesuffix("_given") for value in numbers),
        amount_level=declaration.amount_level,
        by_order=declaration.is_by_order,
        meanings=plan_meanings(declaration),
        others=plan_others(declaration),
        kinds=plan_kinds(declaration),
    )


def plan_stage(
    table: str,
    declaration: Source,
    layout: FileLayout,
    first: FileLayout,
    *,
    now: datetime,
    known_on: date | None = None,
) -> dict[str, Any]:
    """Context of ``raw/stage`` and ``raw/dropped_content`` for one file.

    ``layout``: the file. ``first``: the first file of the source, with the columns of all; it decides those of
    ``raw.customers``. ``now``: naive UTC. ``known_on``: rows recorded after this day are set aside; ``None`` sets none aside.
    """
    source_format = layout.source_format or declaration.format

    def value(column: str, source_column: str | None, *, plain: bool = True) -> Value:
        return find_value(column, source_column, layout, source_format, plain=plain)

    mapped = declaration.mapped
    texts = texts_of(table, declaration, first)
    rule = declaration.customer
    ids = [value(f"customer_{place}_given", column) for place, column in enumerate(rule.column)]
    customer = plan_customer(rule, ids, layout)
    if customer is None:
        ids = [value("customer_id", mapped["customer_id"])]
    values = [replace(one, is_trimmed=False) for one in ids]
    values += [value(f"text_{place}", source_column) for place, source_column in enumerate(texts.values())]
    context: dict[str, Any] = {"moment": None, "money": None, "updated": None, "recorded": None, "earliest": None}
    outputs = [(name, f"text_{place}") for place, name in enumerate(texts)]
    if isinstance(declaration, EventSource) and declaration.moment is not None:
        moment = value("moment_given", mapped[declaration.moment], plain=False)
        values.append(moment)
        outputs += [(declaration.moment, "moment_utc"), (declaration.moment.replace("_at", "_on"), "moment_on")]
        context |= {"moment": plan_moment(declaration, moment.family, now), "earliest": declaration.earliest}
    if isinstance(declaration, OrdersSource):
        others = [name for name in ("refunded_amount", "amount_reversed") if mapped.get(name) is not None]
        names = (*NUMBERS, *others)
        numbers = [value(f"{name}_given", mapped.get(name), plain=False) for name in names]
        money = plan_money(declaration, numbers)
        values += numbers
        values += [value("coupon_given", mapped.get("coupon_used")), value("currency_given", mapped.get("currency"))]
        values.append(value("status_given", mapped.get("order_status")))
        values += [
            value(other.column, mapped.get(column, column))
            for other, column in zip(money.others, declaration.other_statuses, strict=True)
        ]
        if money.kinds is not None:
            column = declaration.line_kinds.column
            values.append(value("kind_given", mapped.get(column, column)))
        if declaration.columns.parent_order_id is not None:
            values.append(value("parent_given", declaration.columns.parent_order_id))
        context |= {"money": money, "orders": plan_orders(declaration, list(texts)) if money.by_order else None}
    content_columns = [item.column for item in values if item.is_mapped]
    keys = [
        value(f"key_{place}", mapped.get(name, name))
        for place, name in enumerate(declaration.line_key)
        if mapped.get(name, name) != mapped["customer_id"]
    ]
    if declaration.updated_at is not None:
        updated = value("updated_given", mapped.get(declaration.updated_at, declaration.updated_at), plain=False)
        values.append(updated)
        context["updated"] = plan_updated(declaration, updated.family)
    if isinstance(declaration, RecordedRows) and declaration.recorded_at is not None:
        recorded = value("recorded_given", mapped.get(declaration.recorded_at, declaration.recorded_at), plain=False)
        values.append(recorded)
        outputs += [("recorded_at", "recorded_at"), ("recorded_on", "recorded_on")]
        formats = declaration.recorded_at_format or declaration.timestamp_format or ()
        context["recorded"] = plan_recorded(declaration, formats, recorded.family, known_on)
    return (
        context
        | reading_of(declaration, layout)
        | {
            "table": table,
            "values": [*values, *keys],
            "text_columns": ["customer_id", *(f"text_{place}" for place in range(len(texts)))],
            "outputs": outputs,
            "customer": customer,
            "old_customer": None,
            # A key that names the customer names the id as it is read.
            "key_columns": [
                *(["customer_id"] if len(keys) < len(declaration.line_key) else []),
                *(item.column for item in keys),
            ],
            "content_columns": content_columns,
        }
    )


def reading_of(declaration: Source, layout: FileLayout) -> dict[str, Any]:
    """Context of every statement that reads the rows of a file."""
    source_format = layout.source_format or declaration.format
    scalars = _scalar_fields(declaration, layout) if source_format == "json" else []
    return {
        "source_format": source_format,
        "scalar_fields": scalars,
        "has_faults": bool(scalars) or source_format == "records" or layout.footer_rows > 0,
        "csv": declaration.csv,
        # An empty field has no value either way.
        "null_values": list(declaration.csv.null_values) or [""],
        "csv_columns": {f"field_{n}": "VARCHAR" for n, item in enumerate(layout.fields) if not item.is_of_folder},
        "layout": layout,
        "blanks": _BLANKS,
    }


def _scalar_fields(declaration: Source, layout: FileLayout) -> list[str]:
    """JSON pointers to what must be neither an object nor a list."""
    of_folder = {item.name for item in layout.fields if item.is_of_folder}
    return [json_pointer(name) for name in sorted(wanted_columns(declaration) - of_folder)]
