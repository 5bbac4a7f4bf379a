"""A workflow's own view of the features: eligible customers alone, with columns of the customers source as declared."""

from pathlib import Path

import pytest

from tdml_assets.declaration.workflow import Eligible, Features, WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.features.columns import choose_features, customer_columns, features_table
from tdml_assets.stages.training_table.asset import make_features_view

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
CUSTOMERS = TableContract(
    "raw",
    "customers",
    "test",
    (
        *(Column(name, "VARCHAR", "") for name in ("customer_id", "region", "age", "file")),
        Column("row_number", "BIGINT", ""),
    ),
)
SPEC = WorkflowSpec(name="demo", features=Features(customers={"region": "text", "age": "number"}))


def test_the_view_holds_the_latest_row_of_each_customer_and_nulls_for_who_is_unknown(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "t"))
    with warehouse.write() as database:
        bought = {"total_spend": 1.0, "total_orders": 1, "days_since_last_order": 3}
        days = [{"snapshot_date": "2026-01-01", "customer_id": name, **bought} for name in ("a", "b", "c")]
        database.replace(FEATURES, days)
        known = [("a", "north", "41"), ("a", "south", "42"), ("b", "east", "unknown")]
        rows = [
            {"customer_id": name, "region": region, "age": age, "file": "c.csv", "row_number": place}
            for place, (name, region, age) in enumerate(known, start=1)
        ]
        database.replace(CUSTOMERS, rows)
        for _ in range(2):  # made anew in every session
            make_features_view(database, SPEC)
        found = database.rows(
            Statement("select customer_id, customer_region, customer_age from demo.features order by customer_id")
        )
        chosen = choose_features(database.columns(features_table(SPEC)), SPEC.features)
    assert [tuple(row.values()) for row in found] == [("a", "south", 42.0), ("b", "east", None), ("c", None, None)]
    assert (chosen.numeric, chosen.text) == (
        ("total_spend", "total_orders", "days_since_last_order", "customer_age"),
        ("customer_region",),
    )


def test_a_column_the_source_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(ValueError, match="customers source has no column age; it has customer_id, region"):
        customer_columns(SPEC.features, {"customer_id": "VARCHAR", "region": "VARCHAR"})


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, {"often": 2, "once": 2, "silent": 2}),
        ({"min_orders": 2}, {"often": 2}),
        ({"ordered_within_days": 730}, {"often": 2, "once": 2, "silent": 1}),
        ({"ordered_within_days": 10, "min_orders": 2}, {"often": 1}),
    ],
)
def test_eligible_is_who_was_it_at_each_snapshot(
    tmp_path: Path, rule: dict[str, int], expected: dict[str, int]
) -> None:
    spec = WorkflowSpec(name="demo", eligible=Eligible(**rule))
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "t"))
    facts = [
        ("often", 5, 10),
        ("often", 5, 11),
        ("once", 1, 0),
        ("once", 1, 365),
        ("silent", 1, 730),
        ("silent", 1, 731),
    ]
    rows = [
        {
            "snapshot_date": f"2026-01-0{1 + place % 2}",
            "customer_id": name,
            "total_spend": 1.0,
            "total_orders": orders,
            "days_since_last_order": days,
        }
        for place, (name, orders, days) in enumerate(facts)
    ]
    with warehouse.write() as database:
        database.replace(FEATURES, rows)
        make_features_view(database, spec)
        query = f"select customer_id, count(*) as n from {'.'.join(features_table(spec))} group by all"
        found = {row["customer_id"]: row["n"] for row in database.rows(Statement(query))}
    assert found == expected
    assert (features_table(spec) == FEATURES.path) is (not rule)


def test_who_is_eligible_is_said_in_words() -> None:
    assert Eligible().words is None
    assert Eligible(ordered_within_days=730).words == "ordered in the last 730 days"
    assert (
        Eligible(min_orders=3, ordered_within_days=90).words == "have at least 3 orders and ordered in the last 90 days"
    )
