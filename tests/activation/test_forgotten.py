"""Who is forgotten is found nowhere: in no table, no file and at no destination, also after the same files are loaded again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tdml_assets.activation.syncing import Surroundings, run_sync
from tdml_assets.commands.app import app
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.platform.retrying import Clock
from tdml_assets.platform.statements import Statement
from tdml_assets.settings import load_settings
from tdml_assets.stages.audience.destinations.files import FilesDestination
from tdml_assets.stages.raw.files import collect_files
from tdml_assets.stages.raw.tables import load_table
from tests.activation.conftest import NOW
from tests.activation.receiver import Receiver

ANN, BOB, OLD_ANN = "ann-000017", "bob-000018", "web-000417"
SETTINGS = """
sources:
  orders:
    {path: orders.csv, format: csv, timestamp_format: "%Y-%m-%d", currency: EUR,
     columns: {customer_id: who, ordered_at: when, amount: total}}
  identities: {path: identities.csv, format: csv, columns: {old_id: old, person: new}}
destinations:
  crm: {kind: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET, batch_rows: 2, retries: {attempts: 1}}
"""
STEPS = ["listed", "files", "tables", "destinations", "exports", "links", "compacted"]


class Home:
    """A state folder after a session: loaded, scored, published, exported and synced."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.settings = load_settings(environment)
        self.warehouse = build_warehouse(self.settings)

    def load(self) -> None:
        """Load the files, as every session does."""
        cache = self.settings.home / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        source = self.settings.sources.declared("orders")
        places = {"base_folder": self.folder, "cache_folder": cache, "s3_client": lambda: None}
        with self.warehouse.write() as database:
            found = collect_files("orders", source, **places)
            load_table(database, "orders", source, found, session_id="s1", now=NOW)

    def publish(self) -> None:
        """What a session makes of the orders, in tables and files."""
        statements = (
            "create schema if not exists monitoring",
            "create schema if not exists audience",
            "create schema if not exists churn",
            "create or replace table monitoring.sessions as select 's1' as session_id, 'churn' as workflow, date '2026-06-30' "
            "as as_of, 'published' as status, timestamp '2026-06-30 01:00:00' as updated_at",
            "create or replace table churn.prediction_history as select distinct customer_id, 0.5 as predicted from raw.orders",
            "create or replace table audience.parent_segment_attributes as select distinct customer_id, "
            "date '2026-06-30' as as_of, 0.5 as churn_probability from raw.orders",
            "create or replace table audience.attribute_catalog as select * from (values ('churn_probability', 'churn', 'DOUBLE', "
            "'churn', 'Likely to leave', date '2026-06-30', null)) as t"
            '("column", workflow, type, "grouping", description, as_of, note)',
        )
        with self.warehouse.write() as database:
            for text in statements:
                database.execute(Statement(text))
        exports = FilesDestination(self.settings.effective_exports_url, scratch=self.settings.home / "scratch")
        with self.warehouse.read() as database:
            exports.deliver(database, "s1")

    def sync(self):
        """Sync the destination."""
        clock = Clock(now=lambda: NOW, sleep=lambda seconds: None)
        around = Surroundings(self.settings.home / "scratch", environment=self.environment, clock=clock)
        return run_sync(self.warehouse, "crm", self.settings.destinations.others["crm"], around)

    def rows(self, text: str):
        """Rows of a query."""
        with self.warehouse.read() as database:
            return database.rows(Statement(text))

    def found(self, *ids: str) -> list[str]:
        """Tables, files of the state folder and columns of Parquet files that hold one of the ids."""
        places = []
        for table in self.rows("select schema_name as s, table_name as t from duckdb_tables() where not internal"):
            name = f'"{table["s"]}"."{table["t"]}"'
            text = str(self.rows(f"select * from {name}"))
            places += [name for one in ids if one in text]
        for path in self.settings.home.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                if path.suffix == ".parquet":
                    content += str(pq.read_table(path).to_pydict()).encode()
                places += [str(path) for one in ids if one.encode() in content]
        return places


@pytest.fixture
def home(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Home:
    lines = ["who,when,total"]
    lines += [f"{who},2026-0{month}-01,{month}" for month in (1, 2, 3) for who in (ANN, BOB, OLD_ANN)]
    lines += [f"{OLD_ANN},someday,1"]
    (tmp_path / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "identities.csv").write_text(f"old,new\n{OLD_ANN},{ANN}\nweb-000418,{BOB}\n", encoding="utf-8")
    (tmp_path / "tdml.yaml").write_text(SETTINGS, encoding="utf-8")
    environment = {
        "TDML_HOME": str(tmp_path / "home"),
        "TDML_CONFIG": str(tmp_path / "tdml.yaml"),
        "HOOK_URL": receiver.url,
        "HOOK_SECRET": "s3cret-canary",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = Home(tmp_path, environment)
    made.load()
    made.publish()
    assert made.sync().added == 2
    (tmp_path / "home" / "scratch").mkdir(exist_ok=True)
    (tmp_path / "home" / "scratch" / "part.csv").write_text(f"customer_id\n{OLD_ANN}\n", encoding="utf-8")
    return made


def test_whatever_step_an_erasure_is_killed_at_the_next_ends_it(home: Home, receiver: Receiver) -> None:
    before = home.found(ANN, OLD_ANN)
    assert len(before) > 5
    killed = subprocess.run(
        [sys.executable, "-m", "tests.activation.killed_forget", ANN, *STEPS],
        env={**os.environ, **home.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == 0, killed.stderr
    done = CliRunner().invoke(app, ["forget", ANN])
    assert (done.exit_code, "had not ended" in done.output) == (0, True), done.output
    assert home.found(ANN, OLD_ANN) == []
    assert list(receiver.rows) == [BOB]
    [receipt] = (home.settings.home / "erasures").glob("*.json")
    entries = {
        (entry["kind"], entry["place"]): (entry["removed"], entry["status"])
        for entry in json.loads(receipt.read_text(encoding="utf-8"))["entries"]
    }
    assert entries[("table", "raw.orders")] == (6, "removed")
    assert entries[("table", "churn.prediction_history")] == (1, "removed")
    assert entries[("destination", "crm")] == (1, "removed")
    assert entries[("export", "2026-06-30-s1")] == (1, "removed")
    assert entries[("file", "scratch/part.csv")] == (1, "removed")


def test_an_old_id_forgets_the_person_who_stays_away_under_every_id(home: Home, receiver: Receiver) -> None:
    assert CliRunner().invoke(app, ["forget", OLD_ANN]).exit_code == 0
    home.load()
    home.publish()
    assert home.sync().removed == 0
    assert home.found(ANN, OLD_ANN) == []
    assert list(receiver.rows) == [BOB]
    # Who maps to nobody any more is kept out by each of the ids.
    (home.folder / "identities.csv").write_text(f"old,new\nweb-000418,{BOB}\n", encoding="utf-8")
    home.load()
    assert [row["customer_id"] for row in home.rows("select distinct customer_id from raw.orders")] == [BOB]
    assert home.found(ANN, OLD_ANN) == []


def test_the_hashes_of_the_forgotten_are_salted(home: Home) -> None:
    CliRunner().invoke(app, ["forget", ANN])
    plain = home.rows(f"select sha256('{ANN}') as h")[0]["h"]
    listed = home.rows("select customer_sha256, salt from raw.forgotten_customers")
    assert len(listed) == 2
    assert len({row["salt"] for row in listed}) == 1
    assert plain not in str(listed)
