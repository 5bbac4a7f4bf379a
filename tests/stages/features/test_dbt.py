"""The dbt project inside Dagster, and its own unit tests."""

from __future__ import annotations

import json
import os
import shutil
from datetime import date

import dagster as dg
import pytest

from tdml_assets.declaration.workflow import Features
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.features import dbt_manifest
from tdml_assets.stages.features.columns import FEATURES_TABLE, choose_features
from tdml_assets.stages.features.dbt_build import build_models
from tdml_assets.stages.features.dbt_manifest import DbtProjectError, dbt_project_directory, ensure_manifest
from tdml_assets.stages.features.dbt_project import data_tests, models_in_order, sources_of
from tdml_assets.stages.features.words import words_of
from tests.stages.features.conftest import NOON, Log, write_log


def files_of_the_project():
    return {path: path.stat().st_mtime_ns for path in dbt_project_directory().rglob("*")}


@pytest.fixture(scope="module")
def by_dbt(make_platform, tmp_path_factory, log):
    """The random log built by dbt itself, with its unit tests, on one thread: the platform and the results by name."""
    before, variables = files_of_the_project(), dict(os.environ)
    content = tmp_path_factory.mktemp("log") / "warehouse.duckdb"
    write_log(content, log)
    platform = make_platform(content)
    platform.dbt.environment["WAREHOUSE_THREADS"] = "1"
    invocation = platform.dbt.cli(["build"])
    assert dict(os.environ) == variables, "the environment of dbt is gone once it has started"
    invocation.wait()
    assert files_of_the_project() == before, "dbt must write nothing into its project"
    results = invocation.get_artifact("run_results.json")["results"]
    return platform, {row["unique_id"]: row["status"] for row in results}


def test_every_dbt_unit_test_passes(by_dbt):
    results = by_dbt[1]
    assert sum(name.startswith("unit_test.") for name in results) >= 16
    assert set(results.values()) <= {"success", "pass"}


def test_a_fresh_warehouse_without_a_row_is_built(make_platform):
    platform = make_platform(Log())
    assert platform.materialize().success
    assert platform.rows("select count(*) as customers from features.customer_features") == [{"customers": 0}]


def test_models_are_assets_with_their_row_counts_and_tests_are_blocking_checks(built):
    platform, result = built
    counts = {
        event.materialization.asset_key.to_user_string(): event.materialization.metadata.get("dagster/row_count")
        for event in result.get_asset_materialization_events()
    }
    stored = platform.rows("select count(*) as rows from features.customer_features")[0]["rows"]
    checks = {found.check_name: (found.passed, found.blocking) for found in result.get_asset_check_evaluations()}

    assert result.success
    assert counts["features/customer_features"].value == stored
    assert {"staging/stg_orders", "staging/stg_pageviews", "staging/stg_email_events"} <= set(counts)
    assert len(checks) == 7
    assert set(checks.values()) == {(True, True)}


def test_every_asset_has_an_owner_a_group_a_description_and_its_sources(built):
    assets = built[0].assets
    for spec in assets.specs:
        assert spec.owners == ["team:marketing-data"], spec.key
        assert spec.group_name == spec.key.path[0], spec.key
        assert spec.description, spec.key
    orders = next(spec for spec in assets.specs if spec.key == dg.AssetKey(["staging", "stg_orders"]))
    days = next(spec for spec in assets.specs if spec.key == dg.AssetKey(["features", "int_snapshot_days"]))

    assert [dep.asset_key for dep in orders.deps] == [dg.AssetKey(["raw", "orders"])]
    assert dg.AssetKey(["features", "snapshots"]) in {dep.asset_key for dep in days.deps}


def test_every_column_of_the_contract_is_described_and_stored_with_its_type(built):
    platform = built[0]
    spec = next(spec for spec in platform.assets.specs if spec.key.path[-1] == "customer_features")
    declared = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
    stored = platform.rows("select column_name, data_type from duckdb_columns() where table_name = 'customer_features'")

    assert [row["column_name"] for row in stored] == list(declared)
    assert {row["data_type"] for row in stored} == {"DATE", "VARCHAR", "DOUBLE", "BIGINT"}
    for row in stored:
        assert declared[row["column_name"]].type.upper() == row["data_type"]
        assert declared[row["column_name"]].description.endswith((".", ")."))


@pytest.mark.parametrize("runner", ["compiled", "dbt"])
def test_a_failing_data_test_fails_the_run_stops_what_follows_and_names_no_customer(runner, make_platform, capfd):
    # A return whose amount is positive: the raw contract forbids it.
    when = NOON
    line = {"ordered_at": when, "ordered_on": when.date(), "customer_id": "secret-customer", "product_id": "tea"}
    line |= {"is_return": False, "is_product": True}
    platform = make_platform(
        Log(
            orders=[
                {**line, "quantity": 5, "amount": 50},
                {**line, "quantity": -1, "amount": 10, "order_id": "x", "is_return": True},
            ]
        ),
        runner,
    )
    ran = []

    @dg.asset(deps=[["features", "customer_features"]])
    def follower():
        ran.append(True)

    result = platform.materialize(follower)
    checks = {found.check_name: found.passed for found in result.get_asset_check_evaluations()}
    counts = [event.materialization.asset_key.path[-1] for event in result.get_asset_materialization_events()]
    failure = str(result.get_step_failure_events()[0].event_specific_data)

    assert not result.success
    assert not ran
    assert checks["customer_features_are_not_negative"] is False
    assert "customer_features" in counts
    assert "customer_features_are_not_negative" in failure
    assert "secret-customer" not in failure
    assert "secret-customer" not in "".join(capfd.readouterr())
    if runner == "dbt":
        assert list((platform.home / "dbt" / "runs").glob("dbt_build-*/dbt.log")), "the log of a failed run is kept"


def test_the_warehouse_is_free_when_dbt_has_ended(built):
    with built[0].warehouse.write() as database:
        assert database.has_table(("features", "customer_features"))


@pytest.fixture(scope="module")
def own_project(tmp_path_factory):
    """A copy of the project with a feature more, and the home it was compiled into for a warehouse called shop."""
    folder = tmp_path_factory.mktemp("own")
    project = folder / "project"
    shutil.copytree(dbt_project_directory(), project)
    features = project / "models" / "features"
    for name, line in {
        "customer_features.sql": "        coalesce(pageviews.views, 0) as total_pageviews,\n",
        "customer_features.yml": "      - name: total_pageviews\n",
    }.items():
        text = (features / name).read_text()
        assert text.count(line) == 1
        (features / name).write_text(text.replace(line, OWN_FEATURE[name] + line))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt_manifest, "dbt_project_directory", lambda: project)
        ensure_manifest(folder, "shop")
    return folder


OWN_FEATURE = {
    "customer_features.sql": "        coalesce(pageviews.views, 0) / 2.0::double as pairs_of_pageviews,\n",
    "customer_features.yml": "      - name: pairs_of_pageviews\n"
    "        data_type: double\n"
    "        description: Half the page views.\n",
}


def test_a_feature_is_a_column_of_the_statement_and_its_line_in_the_yml(own_project, built, make_platform, tmp_path):
    shop = tmp_path / "shop.duckdb"
    shutil.copy(built[0].warehouse.database, shop)
    (path,) = (own_project / "dbt").glob("manifest-*.json")
    manifest = json.loads(path.read_text())
    with Warehouse(database=str(shop), temp_directory=str(tmp_path / "spill")).write() as database:
        models, tests, sources = models_in_order(manifest), data_tests(manifest), sources_of(manifest)
        build_models(database, models, tests, sources, version="own", is_whole=True)
        types = database.columns(FEATURES_TABLE)
        found = database.rows(
            Statement(
                "select pairs_of_pageviews * 2 as twice, total_pageviews as views from features.customer_features"
            )
        )
    assert choose_features(types, Features(include=("pairs_*",))).numeric == ("pairs_of_pageviews",)
    assert words_of("pairs_of_pageviews").phrase("2") == "pairs of pageviews: 2"
    assert [row["twice"] for row in found] == [row["views"] for row in found]
    assert sum(row["views"] for row in found) > 0


def test_the_manifest_is_made_once_and_again_when_the_project_changes(own_project, tmp_path, monkeypatch):
    shutil.copytree(own_project, tmp_path, dirs_exist_ok=True)
    project = tmp_path / "project"
    monkeypatch.setattr(dbt_manifest, "dbt_project_directory", lambda: project)
    (first,) = (tmp_path / "dbt").glob("manifest-*.json")
    made_at = first.stat().st_mtime_ns

    assert ensure_manifest(tmp_path, "shop") == first
    assert first.stat().st_mtime_ns == made_at
    assert list(tmp_path.rglob("shop.duckdb")) == [], "compiling leaves no database behind"
    assert '"shop"."raw"."orders"' in json.loads(first.read_text())["nodes"]["model.tdml.stg_orders"]["compiled_code"]

    model = project / "models" / "staging" / "stg_pageviews.sql"
    model.write_text(model.read_text() + "\n-- changed\n")
    # What a compilation makes is shown above; here, that there is another one.
    monkeypatch.setattr(dbt_manifest, "_compile", lambda project, catalog, manifest, _: manifest.write_text(catalog))
    second = ensure_manifest(tmp_path, "shop")

    assert (second != first, second.read_text()) == (True, "shop")
    assert not first.exists()


def test_a_project_that_does_not_compile_says_why(tmp_path, monkeypatch):
    project = tmp_path / "project"
    shutil.copytree(dbt_project_directory(), project)
    (project / "models" / "staging" / "stg_pageviews.sql").write_text("select * from {{ ref('nobody') }}")
    monkeypatch.setattr(dbt_manifest, "dbt_project_directory", lambda: project)

    with pytest.raises(DbtProjectError, match="nobody"):
        ensure_manifest(tmp_path, "shop")


def tables_of(platform):
    """Columns, types, constraints and rows of all that the project builds."""
    columns = platform.rows(
        """
        select schema_name, table_name, column_index, column_name, data_type, is_nullable
        from duckdb_columns()
        where schema_name in ('staging', 'features')
            and table_name not in ('last_build', 'last_build_customers', 'snapshots', 'stage_results')
        order by all
        """
    )
    names = sorted({(row["schema_name"], row["table_name"]) for row in columns})
    return columns, {name: platform.rows(f"from {'.'.join(name)} order by all") for name in names}


def test_the_compiled_statements_and_dbt_itself_make_equal_tables_on_any_number_of_threads(built, by_dbt):
    columns, rows = tables_of(by_dbt[0])

    assert (columns, rows) == tables_of(built[0])
    assert len(rows) == 17
    assert {row["is_nullable"] for row in columns} == {True, False}
    assert max(row["snapshot_date"] for row in rows["features", "customer_features"]) == date(2024, 10, 31)


def test_assets_and_checks_are_the_same_whoever_builds_them(built, make_platform):
    def described(assets):
        specs = {
            spec.key: (
                spec.group_name,
                spec.owners,
                spec.kinds,
                spec.description,
                spec.code_version,
                {dep.asset_key for dep in spec.deps},
                spec.metadata["dagster/table_name"],
                spec.metadata.get("dagster/column_schema") is None,
            )
            for spec in assets.specs
        }
        return specs, {(check.key, check.blocking) for check in assets.check_specs}

    by_dbt = make_platform(Log(), "dbt")

    assert described(built[0].assets) == described(by_dbt.assets)
    assert built[0].assets.op.pool == by_dbt.assets.op.pool == "warehouse"
    assert built[0].assets.can_subset
