"""A build in parts makes the tables that a build of everybody's rows at once makes."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features import dbt_build, parts
from tdml_assets.stages.features.dbt_manifest import ensure_manifest
from tdml_assets.stages.features.dbt_project import DataTest, Model, data_tests
from tdml_assets.stages.features.snapshots import SNAPSHOTS, snapshot_rows
from tests.stages.features.test_increment import FIRST, HEADER, KEYED, LATER, Shop, a_line, a_new_file, random_lines


@pytest.fixture(scope="module")
def manifest(made_once: Callable[..., Path]) -> Path:
    return next((made_once("manifest", lambda home: ensure_manifest(home, "warehouse")) / "dbt").glob("*.json"))


@pytest.fixture
def shop(manifest: Path, tmp_path: Path) -> Shop:
    (tmp_path / "shop").mkdir()
    shop = Shop(tmp_path / "shop", manifest)
    shop.write("orders-1.csv", random_lines(5, 60, FIRST[-1]))
    shop.write("views-1.csv", "who,when,path\nc000,2026-05-01 10:00:00,/\nc007,2026-05-02 10:00:00,/a\n")
    shop.write("mails-1.csv", "who,when,type,mail\nc001,2026-05-01 10:00:00,send,m\n")
    return shop


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Builds from now on are made in parts of so many rows; how many parts each had is added to the list."""

    def ask(rows_of_a_part: int) -> list[int]:
        made: list[int] = []

        class Counted(parts.Parts):
            def _compute(self, apart: Database, part: int, models: Sequence[Model]) -> None:
                made.append(part)
                super()._compute(apart, part, models)

        monkeypatch.setattr(parts, "ROWS_OF_A_PART", rows_of_a_part)
        monkeypatch.setattr(dbt_build, "MOST_ROWS_AT_ONCE", 0)
        monkeypatch.setattr(dbt_build, "Parts", Counted)
        return made

    return ask


@pytest.mark.parametrize("rows_of_a_part", [100_000, 120, 25])
def test_every_cell_is_that_of_a_build_at_once(
    shop: Shop, in_parts: Callable[[int], list[int]], rows_of_a_part: int
) -> None:
    shop.build(*FIRST, share=0.5)
    expected = shop.tables()
    assert len(expected["features.customer_features"]) > 60
    made = in_parts(rows_of_a_part)
    built = shop.build(*FIRST, share=0.5, version="2")
    (rows,) = shop.column("select sum(row_count)::bigint from features.last_build_customers")
    assert made == list(range(-(-rows // rows_of_a_part)))
    assert all(one.seconds is not None and one.seconds >= 0 for one in built.values())
    for name, rows in shop.tables().items():
        assert rows == expected[name], name
    assert not list((shop.folder / "tmp").glob("*"))


def test_the_session_after_computes_changed_customers_alone_and_what_changes_with_the_day_in_parts(
    shop: Shop, in_parts: Callable[[int], list[int]]
) -> None:
    made = in_parts(120)
    shop.build(FIRST[-1])
    assert made
    made.clear()
    a_new_file(shop)
    built = shop.build(LATER)
    assert len(made) == 4
    of_changed = {name for name, one in built.items() if one.customers is not None}
    assert of_changed == {model.name for model in shop.models if model.by_customer}
    other = shop.again(shop.folder.parent / "whole")
    in_parts(100_000)
    other.build(LATER)
    assert shop.tables() == other.tables()


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("int_order_days", '"warehouse"."staging"."stg_orders"', "staging.stg_orders"),
        (
            "int_order_totals",
            "select\n    snapshot_date,\n    customer_id,",
            "select snapshot_date, customer_id as who,",
        ),
        ("int_product_features", '"warehouse"."staging"."stg_orders"', '"warehouse"."raw"."customers"'),
        ("int_product_features", "as bigint)", "as hugeint)"),
    ],
    ids=["rows of others", "no customer", "a table that dbt does not know of", "a type that files do not keep"],
)
def test_a_statement_that_cannot_be_divided_is_run_on_everybody(
    shop: Shop, in_parts: Callable[[int], list[int]], name: str, before: str, after: str
) -> None:
    shop.build(FIRST[0])
    shop.change("create or replace table raw.customers as from staging.stg_orders")
    wanted = next(model for model in shop.models if model.name == name)
    changed = replace(wanted, sql=wanted.sql.replace(before, after))
    assert changed != wanted
    shop.models = [changed if model.name == name else model for model in shop.models]
    if name == "int_order_totals" or "hugeint" in after:
        shop.models = [model for model in shop.models if model.name != "customer_features"]
    made = in_parts(120)
    shop.build(FIRST[-1])
    expected = shop.tables()
    assert len(made) <= 1
    shop.change("delete from features.last_build")
    in_parts(100_000)
    shop.build(FIRST[-1])
    assert shop.tables() == expected


def test_what_reads_a_model_that_fails_a_test_is_left_as_it_was(
    shop: Shop, in_parts: Callable[[int], list[int]]
) -> None:
    shop.build(FIRST[-1])
    before = shop.tables()
    shop.write("orders-2.csv", HEADER + a_line(9000, "c001", datetime(2026, 9, 2)))
    shop.load_all()
    failing = next(model for model in shop.models if model.name == "int_purchase_days")
    test = DataTest("fails", "", failing.unique_id, "select 1 as wrong", True, "test.fails")
    in_parts(120)

    def build(database: Database) -> list[dbt_build.Built]:
        database.replace(SNAPSHOTS, snapshot_rows(FIRST[-1:], FIRST[-1], 1.0))
        sources = [("raw", "orders"), ("raw", "pageviews"), ("raw", "email_events"), SNAPSHOTS.path]
        tests = [*data_tests(shop.manifest), test]
        return dbt_build.build_models(database, shop.models, tests, sources, version="2", is_whole=True)

    with shop.warehouse.write() as database:
        built = build(database)
    assert "customer_features" not in {one.model.name for one in built}
    after = shop.tables()
    assert after["features.customer_features"] == before["features.customer_features"]
    assert after["features.int_order_days"] != before["features.int_order_days"]


def test_where_rows_are_corrected_later_everybody_is_computed_at_once(
    manifest: Path, tmp_path: Path, in_parts: Callable[[int], list[int]]
) -> None:
    (tmp_path / "shop").mkdir()
    shop = Shop(tmp_path / "shop", manifest)
    shop.declared = {**KEYED, "updated_at": "loaded"}
    shop.write("orders-1.csv", random_lines(3, 40, FIRST[-1]))
    shop.write("views-1.csv", "who,when,path\nc000,2026-05-01 10:00:00,/\n")
    shop.write("mails-1.csv", "who,when,type,mail\nc000,2026-05-01 10:00:00,send,m\n")
    made = in_parts(120)
    shop.build(*FIRST)
    assert len(made) == 3
