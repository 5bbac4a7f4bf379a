"""What customers do next, in columns of ``<workflow>.predictions``.

Elsewhere: the model and its calibration (``engines/next_orders.py``), scores (``scoring.py``).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.declaration.attributes import AttributeSpec
from tdml_assets.declaration.targets import Target
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.at_once import at_once
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.refusals import RefusedError
from tdml_assets.platform.statements import render
from tdml_assets.stages.features.columns import FEATURES_TABLE
from tdml_assets.stages.features.past_rows import replaced_rows
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.training.level import FITTED_CUSTOMERS, read_pauses

if TYPE_CHECKING:
    from tdml_assets.engines.next_orders import Customers, Expected, Months, NextOrders, Past
    from tdml_assets.platform.warehouse import Database

Floats = NDArray[np.float64]

_KINDS = ("net_spend", "purchase", "no_purchase")
_HISTORY = ("repeat_purchase_days", "recency_days", "tenure_days")
_GAPS, _VALUE = ("mean_days_between_orders", "stddev_days_between_orders"), "avg_repeat_day_value"
_ROWS = 100_000
_JOINED = ("scored_histories",)
# An earlier day must have so many days of orders behind it.
_LEAST_HISTORY_DAYS = 30
_ONE_ORDER = "one order so far: the next one is dated by the rhythm of all customers"
# Fits of this process, by what they were fitted to: the workflows of a session share one.
_fits: dict[str, NextOrders | str] = {}
_FITS_KEPT = 4


def foretells_orders(spec: WorkflowSpec) -> bool:
    """Whether a workflow says what customers do next: it predicts spend or purchases, and names horizons."""
    return bool(spec.horizons) and spec.target_kind in _KINDS


def within_days(spec: WorkflowSpec) -> int:
    """The next order is dated given that it comes within so many days."""
    return max(2 * spec.target.horizon_days, *spec.horizons)


def next_order_columns(spec: WorkflowSpec) -> tuple[Column, ...]:
    """Columns of what customers do next; none where a workflow does not say it. An order is a day with an order."""
    if not foretells_orders(spec):
        return ()
    horizon, within = spec.target.horizon_days, within_days(spec)
    # Workflows of one customer differ here: one follows a total, the other its own probability.
    whose = (
        "of a lifetime model that follows the total of the spend"
        if spec.target_kind == "net_spend"
        else "of this workflow"
    )
    columns = [
        Column("probability_active", "DOUBLE", f"Probability of at least one order in {horizon} days, {whose}."),
        Column("expected_orders", "DOUBLE", f"Days with an order expected in {horizon} days."),
        Column("expected_order_value", "DOUBLE", "Expected value of an order, in the reporting currency."),
    ]
    for days in spec.horizons:
        columns += [
            Column(f"buy_probability_{days}d", "DOUBLE", f"Probability of at least one order in {days} days, {whose}."),
            Column(f"expected_orders_{days}d", "DOUBLE", f"Days with an order expected in {days} days."),
        ]
        if spec.target_kind == "net_spend":
            columns.append(Column(f"expected_spend_{days}d", "DOUBLE", f"Spend expected in {days} days."))
    condition = f"given that it comes within {within} days"
    return (
        *columns,
        Column(
            "next_order_date", "DATE", f"Day by which the next order is as likely as not to have come, {condition}."
        ),
        Column("next_order_earliest", "DATE", f"One next order in ten comes before this day, {condition}."),
        Column("next_order_latest", "DATE", f"One next order in ten comes after this day, {condition}."),
        Column("usual_gap_days", "DOUBLE", "Usual days between orders of the customer; NULL after one order."),
        Column("days_overdue", "DOUBLE", "Days since the last order beyond the usual ones; below 0: not due yet."),
        Column("next_order_note", "VARCHAR", "Why values of the next order are missing, or rest on other customers."),
    )


def without_next_orders(spec: WorkflowSpec, attributes: tuple[AttributeSpec, ...]) -> tuple[AttributeSpec, ...]:
    """The attributes a workflow can publish: those of next orders only where it foretells them."""
    if foretells_orders(spec):
        return attributes
    complete = spec.model_copy(update={"target": Target(kind="net_spend"), "horizons": spec.horizons or (1,)})
    named = {column.name for column in next_order_columns(complete)}
    return tuple(one for one in attributes if one.column not in named)


def next_orders_contract(spec: WorkflowSpec) -> TableContract:
    """Contract of the table that batches are written to before they join the predictions."""
    return TableContract(
        spec.name,
        "next_orders",
        "What customers do next, on its way to the predictions.",
        (Column("customer_id", "VARCHAR", "Customer.", False), *next_order_columns(spec)),
    )


def write_next_orders(
    database: Database, spec: WorkflowSpec, scores: Sequence[str], day: date, *, follow_total: bool = True
) -> str | None:
    """Write :func:`next_orders_contract` for the customers in the scores table. Returns why there is nothing to say.

    ``scores``: schema and name of the table with customer_id and predicted_target as they are published. ``follow_total``: whether
    orders follow the total of the predicted spend.
    """
    contract = next_orders_contract(spec)
    database.replace(contract, [])
    fitted = _fitted(database, spec, day)
    if isinstance(fitted, str):
        unknown = {"columns": next_order_columns(spec), "note": f"not known: {fitted}"}
        database.insert(contract, render("predictions/next_orders/unknown", scores=scores, **unknown))
        return fitted
    # Not in batches of the database, whose cursor does not see what this transaction wrote.
    parts = math.ceil(database.count(scores) / _ROWS)
    reads = {"scores": scores, "features_table": FEATURES_TABLE, "day": day, "parts": max(1, parts)}
    database.execute(render("predictions/next_orders/join", table=_JOINED, **reads))
    level = 1.0
    if spec.target_kind == "net_spend" and follow_total:
        seen = database.arrow(render("predictions/next_orders/scored", table=_JOINED, most=FITTED_CUSTOMERS))
        level = fitted.spend_level(_customers(seen), spec.target.horizon_days, _column(seen, "predicted_target"))
    threads = database.row(render("warehouse/threads"))["threads"]
    for first in range(0, parts, threads):
        tables = [
            database.arrow(render("predictions/next_orders/scored", table=_JOINED, most=None, part=part))
            for part in range(first, min(first + threads, parts))
        ]
        calls = [partial(_rows, spec, table, fitted, level, day) for table in tables if len(table)]
        for rows in at_once(calls, threads):
            database.insert(contract, rows)
    database.execute(render("warehouse/drop_table", table=_JOINED))
    return None


def add_next_orders(
    database: Database, spec: WorkflowSpec, scores: Sequence[str], day: date, *, follow_total: bool = True
) -> dict[str, Any]:
    """Write what customers do next, and give what a task's ``publish`` takes of it: nothing where nothing is said."""
    if not foretells_orders(spec):
        return {}
    write_next_orders(database, spec, scores, day, follow_total=follow_total)
    columns = [column.name for column in next_order_columns(spec)]
    return {"beside": {"table": next_orders_contract(spec).path, "columns": columns}}


def drop_scores(database: Database, spec: WorkflowSpec, scores: Sequence[str]) -> None:
    """Drop the tables on their way, behind the predictions."""
    database.execute(render("warehouse/drop_table", table=scores))
    if foretells_orders(spec):
        database.execute(render("warehouse/drop_table", table=next_orders_contract(spec).path))


def _fitted(database: Database, spec: WorkflowSpec, day: date) -> NextOrders | str:
    """The model of today's histories, or why there is none."""
    from tdml_assets.engines.next_orders import fit_next_orders

    there = database.columns(FEATURES_TABLE)
    missing = [name for name in (*_HISTORY, *_GAPS, _VALUE) if name not in there]
    if missing:
        return f"{'.'.join(FEATURES_TABLE)} has no column {', '.join(missing)}"
    reads = {"features_table": FEATURES_TABLE, "day": day, "most": FITTED_CUSTOMERS}
    today = _customers(database.arrow(render("predictions/next_orders/histories", **reads)))
    horizons = sorted({*spec.horizons, spec.target.horizon_days})
    orders = database.row(render("predictions/next_orders/orders", table=ORDERS_TABLE, as_of=day))
    key = _key(today, day, horizons, orders)
    if key not in _fits:
        while len(_fits) >= _FITS_KEPT:
            del _fits[next(iter(_fits))]
        pasts, months = _read_pasts(database, reads, horizons, orders["first_order_on"])
        try:
            _fits[key] = fit_next_orders(today, pasts, months, horizons)
        except RefusedError as error:
            _fits[key] = error.reason
    return _fits[key]


def _read_pasts(
    database: Database, reads: Mapping[str, Any], horizons: Sequence[int], first: date | None
) -> tuple[list[Past], Months | None]:
    """What followed the days one horizon ago, and the first days of past months."""
    from tdml_assets.engines.next_orders import MONTH_DAYS, Months, Past, month_begins

    if first is None:
        return [], None
    reach = (reads["day"] - first).days - _LEAST_HISTORY_DAYS
    ages = [days for days in horizons if days <= reach]
    begins = month_begins(reach)
    if not begins:
        return [], None
    day, pauses = reads["day"], read_pauses(database, reads["day"])
    begins = [ago for ago in begins if not any(one.meets(day - timedelta(days=ago), MONTH_DAYS) for one in pauses)]
    every = {"days_ago": sorted({*ages, *begins}), "horizons": sorted({*ages, MONTH_DAYS})}
    orders = {"orders_table": ORDERS_TABLE, "replaced_orders": replaced_rows(database)}
    table = database.arrow(render("predictions/next_orders/past", **reads, **orders, **every))
    ago, counted = _column(table, "days_ago"), {days: _column(table, f"orders_{days}") for days in every["horizons"]}
    history = np.column_stack([_column(table, name) for name in ("repeats", "recency", "age")])
    of_day = {days: ago == days for days in every["days_ago"]}
    pasts = [
        Past(history[of_day[days]], {ended: counted[ended][of_day[days]] for ended in ages if ended <= days})
        for days in ages
        if of_day[days].any()
    ]
    months = {days: (history[of_day[days]], counted[MONTH_DAYS][of_day[days]]) for days in begins if of_day[days].any()}
    return pasts, Months(reads["day"], first, months)


def _key(today: Customers, day: date, horizons: Sequence[int], orders: Mapping[str, Any]) -> str:
    """What a fit depends on: the histories of today, and all orders up to it."""
    digest = hashlib.sha256(repr((day, list(horizons), sorted(orders.items()))).encode())
    for array in (today.history, today.mean_gap, today.stddev_gap, today.mean_value):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _customers(table: pa.Table) -> Customers:
    from tdml_assets.engines.next_orders import Customers

    return Customers(
        history=np.column_stack([_column(table, name) for name in _HISTORY]),
        mean_gap=_column(table, _GAPS[0]),
        stddev_gap=_column(table, _GAPS[1]),
        mean_value=_column(table, _VALUE),
    )


def _rows(spec: WorkflowSpec, table: pa.Table, fitted: NextOrders, level: float, day: date) -> pa.Table:
    """Rows of :func:`next_orders_contract`."""
    horizon, customers, predicted = spec.target.horizon_days, _customers(table), _column(table, "predicted_target")
    expected = fitted.expect(
        customers,
        sorted({*spec.horizons, horizon}),
        horizon=horizon,
        within_days=within_days(spec),
        buys={"purchase": predicted, "no_purchase": 1 - predicted}.get(spec.target_kind),
        level=level,
    )
    columns: dict[str, Any] = {
        "customer_id": table["customer_id"],
        "probability_active": expected.buys[horizon],
        "expected_orders": expected.orders[horizon],
        "expected_order_value": pa.nulls(len(table), pa.float64()) if expected.value is None else expected.value,
    }
    for days in spec.horizons:
        columns[f"buy_probability_{days}d"] = expected.buys[days]
        columns[f"expected_orders_{days}d"] = expected.orders[days]
        if spec.target_kind == "net_spend":
            share = expected.orders[days] / np.maximum(expected.orders[horizon], 1e-12)
            columns[f"expected_spend_{days}d"] = predicted * share
    return pa.table({**columns, **_dates(expected, customers, day)})


def _dates(expected: Expected, customers: Customers, day: date) -> dict[str, Any]:
    names = ("next_order_earliest", "next_order_date", "next_order_latest")
    days = np.maximum(np.ceil(expected.days), 1).astype("timedelta64[D]") + np.datetime64(day, "D")
    once = customers.history[:, 0] == 0
    return {
        **{name: pa.array(days[:, place]) for place, name in enumerate(names)},
        "usual_gap_days": pa.array(expected.usual_gap, mask=once),
        "days_overdue": pa.array(expected.overdue, mask=once),
        "next_order_note": pa.array([_ONE_ORDER if one else None for one in once], pa.string()),
    }


def _column(table: pa.Table, name: str) -> Floats:
    found: Floats = table[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found
