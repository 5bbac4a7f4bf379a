"""What became of kept predictions is what the training table would have called the target of the same day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.sessions import SNAPSHOTS_TABLE
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.predictions.history import keep_predictions
from tdml_assets.stages.realised.performance import history_contract
from tdml_assets.stages.training_table.table import observation, target_key
from tdml_assets.tasks import realised_performance_of

DAY = date(2026, 1, 31)
HORIZON = 10
CUSTOMERS = ("ann", "bob", "cy", "dee")
FEATURES = TableContract(
    "features",
    "customer_features",
    "test",
    (
        Column("snapshot_date", "DATE", ""),
        Column("customer_id", "VARCHAR", ""),
        Column("total_spend", "DOUBLE", ""),
        Column("total_orders", "BIGINT", ""),
        Column("days_since_last_order", "BIGINT", ""),
    ),
)
_LINE = (
    Column("customer_id", "VARCHAR", ""),
    Column("ordered_on", "DATE", ""),
    Column("amount", "DECIMAL(18,4)", ""),
    Column("units", "DECIMAL(18,4)", ""),
    Column("is_return", "BOOLEAN", ""),
    Column("channel", "VARCHAR", ""),
)
ORDERS = (TableContract("raw", "orders", "test", _LINE), TableContract("staging", "stg_orders", "test", _LINE))
SNAPSHOTS = TableContract(
    *SNAPSHOTS_TABLE, "test", (Column("snapshot_date", "DATE", ""), Column("is_scoring", "BOOLEAN", ""))
)
TARGETS: list[tuple[str, dict[str, Any]]] = [
    ("regression", {"kind": "net_spend"}),
    ("regression", {"kind": "sum", "column": "units", "where": {"channel": "online"}}),
    ("regression", {"kind": "count"}),
    ("classification", {"kind": "no_purchase"}),
    ("classification", {"kind": "purchase"}),
    ("classification", {"kind": "any", "where": {"is_return": True}}),
    ("classification", {"kind": "none", "where": {"channel": ["online", "offline"]}}),
]
line = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from([*CUSTOMERS, "stranger"]),
        "ordered_on": st.integers(-2, HORIZON + 2).map(lambda after: DAY + timedelta(days=after)),
        "amount": st.integers(-5000, 5000).map(lambda cents: cents / 100),
        "channel": st.sampled_from(["online", "offline", None]),
    }
).map(lambda row: {**row, "is_return": row["amount"] < 0, "units": -1 if row["amount"] < 0 else 1})


def spec_of(task: str, target: dict[str, Any], **monitor: Any) -> WorkflowSpec:
    return WorkflowSpec.model_validate(
        {"name": "wf", "task": task, "target": {"horizon_days": HORIZON, **target}, "monitor": monitor}
    )


def predict(database: Database, spec: WorkflowSpec, customers: tuple[str, ...] = CUSTOMERS, day: date = DAY) -> int:
    """A session at a day: snapshots, features and predictions as the stages leave them, and what is kept of them."""
    column = "probability" if spec.task == "classification" else "predicted_target"
    contract = TableContract(
        "wf", "predictions", "test", (Column("customer_id", "VARCHAR", ""), Column(column, "DOUBLE", ""))
    )
    database.replace(SNAPSHOTS, [{"snapshot_date": day, "is_scoring": True}])
    rows = [
        {"snapshot_date": day, "customer_id": name, "total_spend": 9.5, "total_orders": 2, "days_since_last_order": 3}
        for name in customers
    ]
    other = [{**row, "snapshot_date": day - timedelta(days=30), "total_spend": -1.0} for row in rows]
    database.replace(FEATURES, [*rows, *other])
    scores = [{"customer_id": name, column: 0.25 + place / 1000} for place, name in enumerate(customers)]
    database.replace(contract, scores)
    return keep_predictions(database, spec, f"session-{day}", "v1", day)


def warehouse(folder: Path) -> Warehouse:
    return Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "t"))


@pytest.mark.parametrize(("task", "target"), TARGETS, ids=str)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(line, max_size=25))
def test_what_happened_is_the_target_of_the_training_table(
    tmp_path: Path, task: str, target: dict[str, Any], lines: list[dict[str, Any]]
) -> None:
    spec = spec_of(task, target)
    with warehouse(tmp_path).write() as database:
        for contract in ORDERS:
            database.replace(contract, lines)
        predict(database, spec)
        trained = database.rows(
            render(
                "training_table/build",
                features_table=FEATURES.path,
                dates=[DAY],
                roles=["train"],
                columns=[],
                holdout_share=0.2,
                sample_share=1.0,
                **observation(spec),
            )
        )
        history = history_contract("wf").path
        happened = database.rows(render("realised/happened", history=history, as_of=DAY, **observation(spec)))
    assert len(happened) == len(CUSTOMERS)
    assert {row["customer_id"]: row["target"] for row in happened} == {
        row["customer_id"]: row["target"] for row in trained
    }
    assert all(row["total_spend"] == 9.5 and row["predicted_target"] >= 0.25 for row in happened)


def kept(database: Database) -> list[dict[str, Any]]:
    return database.rows(Statement("from wf.prediction_history order by as_of, customer_id"))


def test_the_same_customers_are_kept_in_every_session_and_never_more_than_wanted(tmp_path: Path) -> None:
    many, spec = tuple(f"c{number}" for number in range(200)), spec_of("regression", {}, kept_customers=50)
    later = DAY + timedelta(days=7)
    with warehouse(tmp_path).write() as database:
        assert predict(database, spec, many) == predict(database, spec, many[::-1], later) == 50
        found = kept(database)
    days = {day: [row["customer_id"] for row in found if row["as_of"] == day] for day in (DAY, later)}
    assert days[DAY] == days[later]
    # Not simply the first by name.
    assert days[DAY] != sorted(many)[:50]


def test_a_second_session_at_the_same_day_takes_the_place_of_the_first(tmp_path: Path) -> None:
    spec = spec_of("regression", {})
    with warehouse(tmp_path).write() as database:
        predict(database, spec)
        predict(database, spec, (*CUSTOMERS[:2], "new"))
        assert [row["customer_id"] for row in kept(database)] == ["ann", "bob", "new"]


def test_nothing_is_kept_where_nobody_asked_or_where_the_model_knew_the_future(tmp_path: Path) -> None:
    spec = spec_of("regression", {}, kept_customers=0)
    with warehouse(tmp_path).write() as database:
        assert predict(database, spec) == 0
        assert keep_predictions(database, spec_of("regression", {}), "s", "v1", DAY + timedelta(days=1)) == 0
        assert not database.has_table(history_contract("wf").path)


def test_only_predictions_of_the_same_target_whose_horizon_has_passed_are_ripe(tmp_path: Path) -> None:
    spec, other = spec_of("regression", {}), spec_of("regression", {"horizon_days": HORIZON + 1})
    end = DAY + timedelta(days=HORIZON)

    def matured(database: Database, wanted: WorkflowSpec, until: date) -> int:
        history, horizon = history_contract("wf").path, wanted.target.horizon_days
        found = database.rows(
            render("realised/slices", history=history, target=target_key(wanted), horizon_days=horizon, until=until)
        )
        return len(found)

    with warehouse(tmp_path).write() as database:
        predict(database, spec)
        assert matured(database, spec, end) == 1
        assert matured(database, spec, end - timedelta(days=1)) == 0
        assert matured(database, other, end + timedelta(days=99)) == 0


SHOP = TableContract(
    "raw",
    "orders",
    "test",
    (
        Column("customer_id", "VARCHAR", ""),
        Column("product_id", "VARCHAR", ""),
        Column("ordered_on", "DATE", ""),
        Column("quantity", "DECIMAL(18,4)", ""),
        Column("amount", "DECIMAL(18,4)", ""),
    ),
)
LISTS = TableContract(
    "wf",
    "predictions",
    "test",
    (
        Column("customer_id", "VARCHAR", ""),
        Column("rank", "INTEGER", ""),
        Column("product_id", "VARCHAR", ""),
        Column("slot", "VARCHAR", ""),
    ),
)


def sale(customer: str, after: int, product: str, quantity: int = 1) -> dict[str, Any]:
    day = DAY + timedelta(days=after)
    return {
        "customer_id": customer,
        "product_id": product,
        "ordered_on": day,
        "quantity": quantity,
        "amount": 5 * quantity,
    }


def test_lists_are_measured_by_what_was_bought_of_what_was_known(tmp_path: Path) -> None:
    """Ann buys what she knew, something new to her and something new to the shop; Bob nothing; Cy had never bought."""
    spec = spec_of("recommendation", {})
    sales = [
        sale("ann", -1, "a"),
        sale("bob", -1, "b"),
        sale("bob", 0, "c"),
        sale("ann", 1, "a"),
        sale("ann", HORIZON, "c"),
        sale("ann", 2, "unheard of"),
        sale("ann", HORIZON + 1, "b"),
        sale("bob", 3, "c", -1),
        sale("cy", 4, "a"),
    ]
    lists = [
        {"customer_id": name, "rank": rank, "product_id": product, "slot": slot}
        for name, shown in {"ann": "ab", "bob": "cb", "cy": "ba"}.items()
        for rank, (product, slot) in enumerate(zip(shown, ("repeat", "discover"), strict=True), 1)
    ]
    performance = realised_performance_of(spec)
    assert performance is not None
    with warehouse(tmp_path).write() as database:
        database.replace(SHOP, sales)
        database.replace(SNAPSHOTS, [{"snapshot_date": DAY, "is_scoring": True}])
        database.replace(LISTS, lists)
        assert keep_predictions(database, spec, "s", "v1", DAY) == len(lists)
        found = performance.measure(database, spec, DAY, {})
    assert (found["rows"], found["catalogue"], found["truth_per_customer"]) == (1, 3, 2)
    assert (found["recall_at_10"], found["missed_at_10"], found["hit_rate_at_10"]) == (0.5, 0.5, 1.0)
    assert found["recall_at_10_new"] == 0.0


def test_lists_of_days_after_which_nobody_bought_have_no_measure(tmp_path: Path) -> None:
    spec = spec_of("recommendation", {})
    performance = realised_performance_of(spec)
    assert performance is not None
    with warehouse(tmp_path).write() as database:
        database.replace(SHOP, [sale("ann", -1, "a")])
        database.replace(SNAPSHOTS, [{"snapshot_date": DAY, "is_scoring": True}])
        database.replace(LISTS, [{"customer_id": "ann", "rank": 1, "product_id": "a", "slot": "repeat"}])
        keep_predictions(database, spec, "s", "v1", DAY)
        assert performance.measure(database, spec, DAY, {})["missed_at_10"] is None
