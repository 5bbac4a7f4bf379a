"""Compiled models built in the warehouse: what is rebuilt, what is left, and what only dbt can run."""

from __future__ import annotations

import copy
import json
import os
import sys
from dataclasses import replace

import dagster as dg
import pytest

from tdml_assets.stages.features import dbt_cli_asset
from tdml_assets.stages.features.dbt_build import build_models
from tdml_assets.stages.features.dbt_manifest import dbt_executable, ensure_manifest
from tdml_assets.stages.features.dbt_project import data_tests, models_in_order, only_dbt_can_run, sources_of
from tdml_assets.stages.features.model_tables import ModelContractError


@pytest.fixture(scope="module")
def manifest(built):
    return json.loads(ensure_manifest(built[0].home, "warehouse").read_text())


@pytest.fixture
def build(manifest):
    models, tests, sources = models_in_order(manifest), data_tests(manifest), sources_of(manifest)

    def run(platform, models=models, tests=tests, version="1", is_whole=True):
        with platform.warehouse.write() as database:
            return build_models(database, models, tests, sources, version=version, is_whole=is_whole)

    return run


def is_rebuilt(built):
    (found,) = {one.seconds is not None for one in built}
    return found


def test_nothing_is_built_again_from_equal_rows_and_every_test_is_run_all_the_same(copied, build):
    first, second = build(copied), build(copied)

    assert (is_rebuilt(first), is_rebuilt(second)) == (True, False)
    assert [one.row_count for one in second] == [one.row_count for one in first]
    assert [one.failures for one in second] == [one.failures for one in first]
    assert sum(len(one.failures) for one in second) == 6


@pytest.mark.parametrize(
    "change",
    [
        "update raw.orders set amount = amount + 1 where row_number = 1",
        "insert into raw.pageviews select * from raw.pageviews limit 1",
        "delete from raw.email_events where row_number = 1",
        "delete from features.snapshots where snapshot_date = '2024-04-30'",
        "update features.customer_features set total_spend = 0 where customer_id = 'customer-000'",
        "drop view staging.stg_pageviews",
        "drop table features.int_order_days",
        "alter table raw.customers_of_nobody add column x int",
    ],
)
def test_any_change_of_what_is_read_or_was_built_builds_again(change, copied, build):
    build(copied)
    if "customers_of_nobody" in change:
        copied.change("create table raw.customers_of_nobody (y int)", change)
        assert not is_rebuilt(build(copied)), "a table that no model reads"
        return
    copied.change(change)

    assert is_rebuilt(build(copied))
    assert not is_rebuilt(build(copied))


def test_other_statements_and_a_partial_build_are_built_again(copied, build, manifest):
    build(copied)
    assert is_rebuilt(build(copied, version="2"))
    assert is_rebuilt(build(copied, models=models_in_order(manifest)[-1:], version="2", is_whole=False))
    assert is_rebuilt(build(copied, version="2"))


def test_what_reads_a_model_that_fails_a_test_stays_and_the_failed_build_is_not_kept(copied, build, manifest):
    build(copied)
    before = copied.rows("from features.customer_features order by all")
    copied.change("delete from raw.orders where customer_id = 'customer-001'")
    tests = [
        replace(test, sql="select 1") if test.name.startswith("int_netted_lines") else test
        for test in data_tests(manifest)
    ]
    names = {one.model.name for one in build(copied, tests=tests)}

    assert "int_netted_lines" in names
    assert not {"customer_features", "int_product_features"} & names
    assert copied.rows("from features.customer_features order by all") == before
    assert is_rebuilt(build(copied))


def test_a_model_that_breaks_its_contract_is_named_with_its_columns_and_changes_nothing(copied, build, manifest):
    build(copied)
    before = copied.rows("from features.customer_features order by all")
    *others, last = models_in_order(manifest)
    wrong = replace(last, sql=f"select * exclude (total_orders), 1 as more from ({last.sql})")

    with pytest.raises(ModelContractError, match=r"more is INTEGER, declared as nothing; total_orders is missing"):
        build(copied, models=[*others, wrong], version="2")
    assert copied.rows("from features.customer_features order by all") == before


def test_a_table_that_becomes_a_view_and_back_is_replaced(copied, build, manifest):
    models = models_in_order(manifest)
    build(copied, models=[replace(one, is_view=not one.is_view, contract=None) for one in models], version="2")
    build(copied)

    kinds = "select table_type from information_schema.tables where table_name = 'stg_orders'"
    assert copied.rows(kinds) == [{"table_type": "VIEW"}]


def test_a_part_of_the_models_can_be_materialised_alone(copied):
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [copied.assets],
            resources={"warehouse": copied.warehouse},
            instance=instance,
            selection=[dg.AssetKey(["features", "int_order_days"])],
        )

    keys = [event.materialization.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
    assert keys == ["features/int_order_days"]


def test_the_shipped_project_needs_nothing_but_its_statements(manifest):
    assert only_dbt_can_run(manifest) == ()


@pytest.mark.parametrize(
    ("node", "key", "value", "said"),
    [
        ("model.tdml.stg_orders", "materialized", "incremental", "sql model, materialized as incremental"),
        ("model.tdml.stg_orders", "post-hook", [{"sql": "select 1"}], "post-hook"),
        ("test.tdml.customer_features_are_finite.ed5fdc9288", "error_if", "> 10", "error_if > 10"),
        ("test.tdml.customer_features_are_finite.ed5fdc9288", "where", "1 = 1", "where 1 = 1"),
    ],
)
def test_what_has_rules_of_its_own_is_left_to_dbt(node, key, value, said, manifest):
    changed = copy.deepcopy(manifest)
    changed["nodes"][node]["config"][key] = value

    assert only_dbt_can_run(changed) == (f"{node}: {said}",)


def test_seeds_and_types_with_other_names_are_left_to_dbt(manifest):
    changed = copy.deepcopy(manifest)
    changed["nodes"]["seed.tdml.rates"] = {"resource_type": "seed", "config": {}}
    changed["nodes"]["model.tdml.customer_features"]["columns"]["total_spend"]["data_type"] = "number"

    assert only_dbt_can_run(changed) == (
        "model.tdml.customer_features: column total_spend of type number",
        "seed.tdml.rates: seed",
    )


def test_what_dbt_would_keep_or_enforce_is_left_to_dbt(manifest):
    changed = copy.deepcopy(manifest)
    changed["nodes"]["model.tdml.stg_orders"]["config"]["contract"]["enforced"] = True
    changed["nodes"]["model.tdml.stg_orders"]["columns"] = {}
    test = "test.tdml.customer_features_are_finite.ed5fdc9288"
    changed["nodes"][test]["config"]["store_failures"] = True
    changed["nodes"][test]["attached_node"] = None

    assert set(only_dbt_can_run(changed)) == {
        "model.tdml.stg_orders: contract of a view",
        f"{test}: data test of no model",
        f"{test}: store_failures",
    }


def test_a_machine_without_dbt_is_answered_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no dbt next to .*: install the package's requirements"):
        dbt_executable()
    (tmp_path / "dbt").touch()
    assert dbt_executable() == str(tmp_path / "dbt")


def test_of_runs_of_dbt_that_failed_the_last_five_are_kept_and_none_that_did_well(tmp_path):
    runs = [tmp_path / f"dbt_build-{number}" for number in range(8)]
    for number, run in enumerate(runs):
        run.mkdir()
        os.utime(run, (number, number))
    dbt_cli_asset._tidy(runs[-1], failed=True)
    assert sorted(tmp_path.iterdir()) == runs[3:]
    dbt_cli_asset._tidy(runs[-1], failed=False)
    assert sorted(tmp_path.iterdir()) == runs[3:-1]


def test_what_dbt_reads_of_the_environment_is_there_for_its_start_alone(monkeypatch):
    monkeypatch.setenv("TDML_TEST_SET", "before")
    with dbt_cli_asset._environment({"TDML_TEST_SET": "within", "TDML_TEST_NEW": "within"}):
        assert (os.environ["TDML_TEST_SET"], os.environ["TDML_TEST_NEW"]) == ("within", "within")
    assert (os.environ["TDML_TEST_SET"], "TDML_TEST_NEW" in os.environ) == ("before", False)
