"""The raw assets as Dagster runs them."""

import json
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.declaration.sources import Sources
from tdml_assets.platform.s3 import S3
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import load_settings
from tdml_assets.stages.raw.asset import _metadata, build_raw_assets
from tdml_assets.stages.raw.files import collect_files
from tdml_assets.stages.raw.recorded import FEWEST_GROUPED_KEYS
from tdml_assets.stages.raw.tables import load_table

ORDERS = {
    "path": "orders.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d",
    "currency": "GBP",
    "columns": {"customer_id": "who", "ordered_at": "when", "amount": "total"},
}
CANARY = "canary@example.org"


@dg.asset(deps=[["raw", "orders"]])
def reader() -> None:
    """Stands for everything that reads orders."""


@pytest.fixture
def run(tmp_path):
    def materialize(sources, *, instance=None):
        declared = Sources.model_validate(sources)
        assets = build_raw_assets(declared, base_folder=tmp_path, cache_folder=tmp_path / "cache")
        warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), wait_seconds=1)
        resources = {"warehouse": warehouse, "s3": S3()}
        result = dg.materialize([*assets, reader], resources=resources, instance=instance, raise_on_error=False)
        return result, warehouse

    return materialize


def metadata(result, table):
    return result.asset_materializations_for_node(f"raw__{table}")[0].metadata


def test_orders_are_loaded_described_and_passed_on(run, tmp_path):
    (tmp_path / "orders.csv").write_text(f"who,when,total\n{CANARY},2024-01-01,5\n,2024-02-01,6\n8,2024-03-01,7\n")
    result, warehouse = run({"orders": ORDERS})
    assert result.success
    shown = metadata(result, "orders")
    assert [shown[key].value for key in ("rows read", "rows accepted", "rows rejected", "months")] == [3, 2, 1, 2]
    assert (shown["first day"].value, shown["last day"].value) == ("2024-01-01", "2024-03-01")
    assert [record.data["reason"] for record in shown["reasons"].records] == ["missing_customer"]
    assert [record.data["file"] for record in shown["files"].records] == ["orders.csv"]
    assert metadata(result, "rejected_rows")["dagster/row_count"].value == 1
    with warehouse.read() as database:
        sessions = {row["session_id"] for row in database.rows(Statement("select session_id from raw.loads"))}
        assert database.count(("raw", "pageviews")) == database.count(("raw", "customers")) == 0
        assert tuple(database.columns(("raw", "customers"))) == ("customer_id", "source", "file", "row_number")
    assert sessions == {result.run_id}


def test_customer_values_never_reach_the_event_log(run, tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        (tmp_path / "orders.csv").write_text(f"who,when,total\n{CANARY},2024-01-01,5\n{CANARY},never,6\n")
        result, _ = run({"orders": ORDERS}, instance=instance)
        assert result.success
        (tmp_path / "orders.csv").write_text(f"who,when,total\n{CANARY},2024-01-01\n")
        broken, _ = run({"orders": ORDERS}, instance=instance)
        assert not broken.success
        for run_id in (result.run_id, broken.run_id):
            logged = "".join(dg.serialize_value(record) for record in instance.all_logs(run_id))
            assert "orders.csv" in logged
            assert CANARY not in logged


def test_nothing_downstream_runs_on_orders_without_customers_and_the_check_names_file_and_remedy(run, tmp_path):
    (tmp_path / "orders.csv").write_text("who,when,total\n,2024-01-01,5\n7,01/02/2024,6\n")
    result, _ = run({"orders": ORDERS})
    assert not result.success
    assert not result.asset_materializations_for_node("reader")
    said = result.get_asset_check_evaluations()[0].description
    assert "no customers: none of the 2 rows of orders.csv was accepted" in said
    assert "missing_customer 1" in said
    assert "timestamp_format" in said


def test_orders_that_are_not_declared_are_an_empty_table_and_stop_the_run(run):
    result, warehouse = run({})
    assert not result.success
    assert "sources.orders is not declared" in result.get_asset_check_evaluations()[0].description
    with warehouse.read() as database:
        assert database.count(("raw", "orders")) == 0


def test_a_second_run_on_the_same_files_writes_nothing(run, tmp_path):
    (tmp_path / "orders.csv").write_text("who,when,total\n7,2024-01-01,5\n")
    first, _ = run({"orders": ORDERS})
    second, warehouse = run({"orders": ORDERS})
    assert metadata(first, "orders")["unchanged"].value is False
    assert metadata(second, "orders")["unchanged"].value is True
    with warehouse.read() as database:
        assert [row["session_id"] for row in database.rows(Statement("select session_id from raw.loads"))] == [
            first.run_id
        ]


def test_a_file_that_is_not_there_fails_the_asset_with_the_key(run):
    result, _ = run({"orders": ORDERS})
    failure = next(event for event in result.all_node_events if event.is_step_failure)
    assert "sources.orders.path: 'orders.csv' is not there" in str(failure.step_failure_data.error)


def test_every_asset_says_who_owns_it_and_what_it_holds(tmp_path):
    assets = build_raw_assets(Sources.model_validate({"orders": ORDERS}), base_folder=tmp_path, cache_folder=tmp_path)
    keys = {"orders", "pageviews", "email_events", "customers", "rejected_rows"}
    assert {asset.key.path[-1] for asset in assets} == keys
    for asset in assets:
        spec = asset.get_asset_spec()
        assert spec.group_name == "raw"
        assert spec.owners == ["team:marketing-data"]
        assert spec.description
        assert spec.metadata["dagster/column_schema"].columns
        assert asset.op.pool == "warehouse"
    orders = next(asset for asset in assets if asset.key.path[-1] == "orders")
    assert orders.get_asset_spec().kinds == {"duckdb", "csv"}


@pytest.mark.parametrize(("name", "days"), [("online_retail", 91), ("cdnow", 181)])
def test_the_examples_declare_orders(name, days):
    import yaml

    content = yaml.safe_load((Path(__file__).parents[3] / "examples" / f"{name}.yaml").read_text())
    declared = Sources.model_validate(content["sources"]).orders
    assert declared.line_key == ()
    assert content["workflows"]["cltv"]["target"]["horizon_days"] == days
    assert json.dumps(declared.model_dump(mode="json"))


#: Rows of the log, those without a customer or price, and the columns that say when and how much.
REAL_LOGS = {
    "online_retail": (541_909, 135_120, "InvoiceDate", "Quantity * UnitPrice"),
    "cdnow": (69_659, 0, "date", "dollar_value"),
}


@pytest.mark.parametrize("name", REAL_LOGS)
def test_of_a_real_log_every_row_is_kept_and_every_month_adds_up_to_the_cent(name, tmp_path):
    config = Path(__file__).parents[3] / "examples" / f"{name}.yaml"
    settings = load_settings({"TDML_CONFIG": str(config), "TDML_HOME": str(tmp_path / "home")})
    declared, (rows, rejected, day, money) = settings.sources.orders, REAL_LOGS[name]
    log = settings.base_folder / declared.path[0]
    if not log.is_file():
        pytest.skip(f"needs the log {log.name} next to the project")
    found = collect_files(
        "orders", declared, base_folder=settings.base_folder, cache_folder=tmp_path, s3_client=lambda: None
    )
    warehouse = Warehouse(database=str(tmp_path / "warehouse.duckdb"), temp_directory=str(tmp_path / "spill"))
    with warehouse.write() as database:
        now = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC, as everywhere
        report = load_table(database, "orders", declared, found, session_id="s", now=now, scratch_folder=tmp_path)
        kept = dict(
            pairs(database, "select strftime(ordered_on, '%Y-%m') as month, sum(amount) as total from raw.orders")
        )
        content = (
            f"(select content->>'{day}' as {day}, "
            + ", ".join(f"(content->>'{part}')::decimal(18, 4) as {part}" for part in money.split(" * "))
            + " from raw.rejected_rows)"
        )
        aside = dict(pairs(database, f"select left({day}, 7) as month, sum({money}) as total from {content}"))
        reader = "read_csv" if log.name.endswith("csv.gz") else "read_parquet"
        exact = " * ".join(f"{part}::decimal(18, 4)" for part in money.split(" * "))
        source = f"select strftime({day}::timestamp, '%Y-%m') as month, sum({exact}) as total from {reader}('{log}')"
        wanted = dict(pairs(database, source))
    assert (report.rows_read, report.rows_rejected, report.rows_accepted) == (rows, rejected, rows - rejected)
    assert len(wanted) >= 13
    assert {month: round(kept.get(month, 0) + aside.get(month, 0), 2) for month in wanted} == {
        month: round(total, 2) for month, total in wanted.items()
    }


def pairs(database, query):
    return [(row["month"], row["total"]) for row in database.rows(Statement(f"{query} group by month"))]


def test_what_a_load_noticed_of_its_files_is_in_its_metadata(shop):
    columns = {"order_id": "id", "customer_id": "who", "ordered_at": "on", "product_id": "what", "amount": "sum"}
    declared = {**ORDERS, "path": "*.csv", "columns": columns, "line_key": ["order_id"]}
    head = "id,who,on,what,sum\n"
    lines = [f"{order},ann,2026-01-02,{what}\n" for order in range(FEWEST_GROUPED_KEYS) for what in ("tea,5", "cup,6")]
    shop.write("a.csv", head + "".join(lines))
    first = _metadata(shop.load(declared=declared))
    noticed = {"files skipped as copies", "files without rows", "columns not seen before", "columns that files lack"}
    assert not {*noticed, "line keys that name several lines"} & first.keys()
    shop.write("b.csv", (shop.folder / "a.csv").read_bytes())
    shop.write("c.csv", head)
    shop.write("d.csv", "id,who,on,sum,coupon\nx,bob,2026-01-03,7,yes\n")
    again = _metadata(shop.load(declared=declared))
    assert again["line keys that name several lines"] == FEWEST_GROUPED_KEYS
    assert again["files skipped as copies"].value == ["b.csv"]
    assert again["files without rows"].value == ["c.csv"]
    assert again["columns not seen before"].value == ["coupon"]
    assert again["columns that files lack"].value == ["d.csv: what"]
