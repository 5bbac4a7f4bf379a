"""One step of ``make bench-activation`` in a process of its own: make attributes, COPY them, insert them singly, or sync.

Belongs here: the steps. Does not: the order of steps and the page (``activation.py``).

    python -m benchmarks.activation_steps STEP FOLDER ROWS [URL]
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pyarrow.csv as pa_csv
import yaml

from tdml_assets.activation.syncing import Surroundings, run_sync
from tdml_assets.declaration.destinations import read_destination
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse

ATTRIBUTES = 20
_TABLE = "audience.parent_segment_attributes"
_OFF = {name: {"action": "off"} for name in ("creates", "updates", "deletes", "source_drop", "score_age", "session")}
_NUMBERS = [f"score_{number:02d}" for number in range(14)]
_TEXTS = [f"grade_{number:02d}" for number in range(6)]


def warehouse_of(folder: Path) -> Warehouse:
    """The warehouse of the benchmark."""
    return Warehouse(database=str(folder / "warehouse.duckdb"), temp_directory=str(folder / "spill"))


def make(folder: Path, rows: int) -> int:
    """Write one row of twenty attributes per customer: fourteen numbers and six grades."""
    numbers = ", ".join(f"hash(i, {n}) % 100000 / 1000 as {name}" for n, name in enumerate(_NUMBERS))
    texts = ", ".join(f"chr(65 + (hash(i, {n + 50}) % 5)::int) as {name}" for n, name in enumerate(_TEXTS))
    with warehouse_of(folder).write() as database:
        database.execute(Statement("create schema audience"))
        database.execute(
            Statement(
                f"create table {_TABLE} as select printf('%08d', i) as customer_id, date '2026-06-30' as as_of, {numbers}, {texts} "
                f"from range({rows}) as t(i)"
            )
        )
    return rows


def change(folder: Path, _rows: int) -> int:
    """Change one row in a hundred."""
    with warehouse_of(folder).write() as database:
        database.execute(Statement(f"update {_TABLE} set score_00 = score_00 + 1 where hash(customer_id) % 100 = 0"))
        found = database.row(Statement(f"select count(*) as n from {_TABLE} where hash(customer_id) % 100 = 0"))
    return int(found["n"])


def copy(folder: Path, rows: int, url: str) -> int:
    """What COPY alone takes: Arrow batches as CSV into a table with a primary key."""
    columns = ["customer_id", *_NUMBERS, *_TEXTS]
    with psycopg.connect(url) as connection, warehouse_of(folder).read() as database:
        _make_table(connection, "plain")
        with connection.cursor().copy(f"copy plain ({', '.join(columns)}) from stdin (format csv)") as target:  # type: ignore[arg-type]
            for batch in database.batches(Statement(f"select {', '.join(columns)} from {_TABLE}"), 50_000):
                content = io.BytesIO()
                pa_csv.write_csv(batch, content, pa_csv.WriteOptions(include_header=False))
                target.write(content.getvalue())
    return rows


def reset(folder: Path, _rows: int, url: str) -> int:
    """Forget the syncs to PostgreSQL, here and there, so that the next is a first one."""
    with psycopg.connect(url) as connection, warehouse_of(folder).write() as database:
        connection.execute("drop table if exists public.customers")
        database.execute(Statement("drop schema if exists activation cascade"))
    return 0


def insert(folder: Path, rows: int, url: str) -> int:
    """One INSERT with ON CONFLICT per row, as many tools send them."""
    columns = ["customer_id", *_NUMBERS, *_TEXTS]
    text = (
        f"insert into singly ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))}) "
        f"on conflict (customer_id) do update set {', '.join(f'{name} = excluded.{name}' for name in columns[1:])}"
    )
    with psycopg.connect(url) as connection, warehouse_of(folder).read() as database:
        _make_table(connection, "singly")
        found = database.rows(Statement(f"select {', '.join(columns)} from {_TABLE} limit {rows}"))
        for row in found:
            connection.execute(text, list(row.values()))  # type: ignore[arg-type]
    return rows


def drt(folder: Path, rows: int, url: str) -> int:
    """The first rows by drt: upsert by key, in its own process and project; its command is named by ``TDML_BENCH_DRT``."""
    columns = ["customer_id", *_NUMBERS, *_TEXTS]
    project = folder / "drt"
    for path, content in {
        project / "home" / ".drt" / "profiles.yml": {
            "local": {"type": "duckdb", "database": str(folder / "warehouse.duckdb")}
        },
        project / "drt_project.yml": {"name": "bench", "version": "0.1", "profile": "local"},
        project / "syncs" / "customers.yml": {
            "name": "customers",
            "model": f"select {', '.join(columns)} from {_TABLE} limit {rows}",
            "destination": {
                "type": "postgres",
                "connection_string_env": "BENCH_URL",
                "table": "public.by_drt",
                "upsert_key": ["customer_id"],
            },
            "sync": {"mode": "full", "batch_size": 1000},
        },
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with psycopg.connect(url) as connection:
        _make_table(connection, "by_drt")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "HOME": str(project / "home"),
        "DO_NOT_TRACK": "1",
        "BENCH_URL": url,
    }
    subprocess.run([os.environ["TDML_BENCH_DRT"], "run"], cwd=project, env=environment, check=True)
    with psycopg.connect(url) as connection:
        found = connection.execute("select count(*) from by_drt").fetchone()
    return int(found[0]) if found else 0


def sync(folder: Path, _rows: int, url: str) -> int:
    """A sync; gives the rows that were taken."""
    around = Surroundings(folder / "scratch", {"BENCH_URL": url}, lambda: _bucket_client(url))
    if url.startswith("http"):
        section: dict[str, Any] = {"kind": "s3", "url": "s3://bench/customers", "mode": "upsert"}
    else:
        section = {"kind": "postgres", "url_env": "BENCH_URL", "table": "public.customers"}
    declared = read_destination("bench", {**section, "guards": _OFF})
    result = run_sync(warehouse_of(folder), section["kind"], declared, around)
    if result.status != "succeeded":
        raise RuntimeError(result.reason)
    return result.taken


def _make_table(connection: Any, name: str) -> None:
    numbers = ", ".join(f"{column} double precision" for column in _NUMBERS)
    connection.execute(f"drop table if exists {name}")
    texts = ", ".join(f"{column} varchar" for column in _TEXTS)
    connection.execute(f"create table {name} (customer_id varchar primary key, {numbers}, {texts})")


def _bucket_client(url: str) -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="bench")
    return client


def main(step: str, folder: Path, rows: int, *url: str) -> None:
    """Do the step, and write what it took beside the warehouse."""
    began, cpu_began = time.perf_counter(), time.process_time()
    steps = {"make": make, "change": change, "copy": copy, "reset": reset, "insert": insert, "drt": drt, "sync": sync}
    taken = steps[step](folder, rows, *url)
    found = {"rows": taken, "seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
    (folder / "step.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
