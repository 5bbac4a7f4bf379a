"""All four workflows on one state: three sessions on the same orders, then the next day's file, then two more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tdml_assets.commands.app import make_ready
from tdml_assets.settings import load_settings
from tdml_assets.simulation import SimulationSettings
from tdml_assets.simulation.sample import write_sample
from tdml_assets.simulation.sample_sources import FILES
from tests.e2e.conftest import SETTINGS, WAREHOUSE, Home

SOURCES = """
sources:
  orders:
    path: orders-*.csv
    format: csv
    currency: GBP
    timezone: UTC
    timestamp_format: "%Y-%m-%d %H:%M:%S"
    columns: {customer_id: customer_id, ordered_at: ordered_at, amount: amount, order_id: order_id, product_id: product_id}
"""
WORKFLOWS = 4


def write_orders(folder: Path) -> tuple[int, int]:
    """The log up to the day before its last, and the last day as a file of its own. Returns the lines of each."""
    write_sample(folder / "sample", SimulationSettings(customers=300))
    source = str(folder / "sample" / FILES["orders"])
    columns = "customer_id, ordered_at, quantity * unit_price as amount, order_id, product_id"
    with duckdb.connect() as connection:
        connection.execute(f"create view lines as select {columns} from '{source}' where customer_id is not null")
        connection.execute("create view days as select *, ordered_at::timestamp::date as day from lines")
        (last,) = connection.execute("select max(day) from days where day <= date '2026-06-30'").fetchall()[0]
        counts = []
        for name, condition in (("a", "<"), ("b", "=")):
            chosen = f"select * exclude day from days where day {condition} date '{last}'"
            path = folder / f"{name}.csv"
            connection.execute(f"copy ({chosen}) to '{path}' (header, timestampformat '%Y-%m-%d %H:%M:%S')")
            counts.append(connection.execute(f"select count(*) from ({chosen})").fetchall()[0][0])
    return counts[0], counts[1]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path)
    (tmp_path / "tdml.yaml").write_text(
        SETTINGS.replace("sample: {customers: 300, pageviews_per_order: 0.5, emails_per_month: 0.3}", SOURCES.strip())
    )
    return found


def rows(home: Home, text: str, warehouse: str = WAREHOUSE) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home.folder / warehouse), read_only=True) as connection:
        return connection.execute(text).fetchall()


def rows_per_session(home: Home) -> dict[str, list[int]]:
    """Rows of each monitoring table per session, in the order of the sessions."""
    tables = rows(home, "select table_name from information_schema.tables where table_schema = 'monitoring'")
    order = "select session_id, min(updated_at) as first from monitoring.sessions group by session_id"
    found = {}
    for (name,) in tables:
        columns = {
            row[0] for row in rows(home, f"select column_name from duckdb_columns() where table_name = '{name}'")
        }
        if "session_id" in columns:
            counted = f"select count(t.session_id) from ({order}) o left join monitoring.{name} t using (session_id)"
            found[name] = [row[0] for row in rows(home, f"{counted} group by o.session_id, o.first order by o.first")]
    return found


def data_of(home: Home, warehouse: str) -> dict[str, Any]:
    return {name: content for name, content in home.tables(warehouse).items() if not name.startswith("monitoring.")}


def test_equal_orders_give_equal_tables_and_nothing_is_doubled(home: Home, give_manifest: Any) -> None:
    before, added = write_orders(home.folder)
    (home.folder / "a.csv").rename(home.folder / "orders-a.csv")
    give_manifest(home.folder / "home")
    make_ready(load_settings(home.environment))
    kept = [f"{WAREHOUSE}>after-{number}.duckdb" for number in range(1, 6)]
    home.must_run(
        "session", kept[0], "session", kept[1], "session", kept[2], "b.csv>orders-b.csv", "session", kept[3], "session"
    )
    first, second = data_of(home, "after-1.duckdb"), data_of(home, "after-4.duckdb")
    assert len(first["raw.orders"]) + len(first["raw.rejected_rows"]) == before
    assert data_of(home, "after-2.duckdb") == first
    assert data_of(home, "after-3.duckdb") == first
    assert len(second["raw.orders"]) + len(second["raw.rejected_rows"]) == before + added
    assert second["cltv.predictions"] != first["cltv.predictions"]
    assert data_of(home, WAREHOUSE) == second
    trained = rows(home, "select distinct model_version from monitoring.model_versions", "after-3.duckdb")
    assert len(trained) == WORKFLOWS, "three sessions on equal orders leave one model each"
    states = rows(home, "select distinct state, needs_person from monitoring.workflow_outcomes")
    assert states == [("published", False)]
    counted = rows_per_session(home)
    assert counted["workflow_outcomes"] == [WORKFLOWS] * 5
    assert counted["sessions"] == [WORKFLOWS + 1] * 5
    for name in ("model_metrics", "model_params", "label_stats", "target_histogram", "drift"):
        assert counted[name][1] == counted[name][2], f"monitoring.{name}: equal sessions keep equal rows"
        # The first session on the new day promotes new models, whose predictions have nothing to be compared with.
        assert name == "drift" or counted[name][3] == counted[name][4], f"monitoring.{name}: as above"
