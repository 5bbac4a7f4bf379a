"""Columns of the customers source beside the features: the latest row of a customer, typed as declared."""

from pathlib import Path

import pytest

from tdml_assets.core.contracts import Column, TableContract
from tdml_assets.core.features import choose_features, customer_columns, features_table
from tdml_assets.core.statements import Statement, render
from tdml_assets.core.workflow import Features, WorkflowSpec
from tdml_assets.resources.warehouse import Warehouse

FEATURES = TableContract(
    "features",
    "customer_features",
    "test",
    (Column("snapshot_date", "DATE", ""), Column("customer_id", "VARCHAR", ""), Column("total_spend", "DOUBLE", "")),
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
        days = [{"snapshot_date": "2026-01-01", "customer_id": name, "total_spend": 1.0} for name in ("a", "b", "c")]
        database.replace(FEATURES, days)
        known = [("a", "north", "41"), ("a", "south", "42"), ("b", "east", "unknown")]
        rows = [
            {"customer_id": name, "region": region, "age": age, "file": "c.csv", "row_number": place}
            for place, (name, region, age) in enumerate(known, start=1)
        ]
        database.replace(CUSTOMERS, rows)
        columns = customer_columns(SPEC.features, database.columns(CUSTOMERS.path))
        database.execute(render("warehouse/create_schema", schema=SPEC.name))
        tables = {"features_table": FEATURES.path, "customers_table": CUSTOMERS.path}
        for _ in range(2):  # made anew in every session
            database.execute(render("features/with_customers", view=features_table(SPEC), columns=columns, **tables))
        found = database.rows(
            Statement("select customer_id, customer_region, customer_age from demo.features order by customer_id")
        )
        chosen = choose_features(database.columns(features_table(SPEC)), SPEC.features)
    assert [tuple(row.values()) for row in found] == [("a", "south", 42.0), ("b", "east", None), ("c", None, None)]
    assert (chosen.numeric, chosen.text) == (("total_spend", "customer_age"), ("customer_region",))


def test_a_column_the_source_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(ValueError, match="customers source has no column age; it has customer_id, region"):
        customer_columns(SPEC.features, {"customer_id": "VARCHAR", "region": "VARCHAR"})
