"""The warehouse against real files and real other processes."""

import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.monitoring import MODEL_METRICS, SESSIONS
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse, WarehouseBusyError, forget_runs

TABLE = TableContract("s", "t", "test", (Column("k", "VARCHAR", "", False), Column("v", "DOUBLE", "")), ("k",))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), wait_seconds=0.3)


def content(warehouse: Warehouse) -> list[tuple[str, float | None]]:
    with warehouse.read() as database:
        return sorted((row["k"], row["v"]) for row in database.rows(Statement("select k, v from s.t")))


@contextmanager
def other_process(warehouse: Warehouse, read_only: bool) -> Iterator[subprocess.Popen[str]]:
    code = (
        f"import duckdb, sys, time; c = duckdb.connect({warehouse.database!r}, read_only={read_only}); "
        "print('open', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.communicate()


def test_columns_are_bound_by_name_not_by_position(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        database.replace(TABLE, pa.table({"v": [1.5], "k": ["a"]}))
    assert content(warehouse) == [("a", 1.5)]


def test_a_slice_is_replaced_and_the_others_stay(warehouse: Warehouse) -> None:
    for _ in range(2):
        with warehouse.write() as database:
            database.replace_slice(TABLE, {"k": "a"}, [{"k": "a", "v": 1.0}])
            database.replace_slice(TABLE, {"k": "b"}, Statement("select 'b' as k, $x as v", {"x": 2.0}))
    assert content(warehouse) == [("a", 1.0), ("b", 2.0)]


def test_a_failed_write_leaves_every_table_of_the_block_as_it_was(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        database.replace(TABLE, [{"k": "a", "v": 1.0}])
    with pytest.raises(duckdb.ConstraintException), warehouse.write() as database:
        database.replace_slice(TABLE, {"k": "z"}, [{"k": "z", "v": 9.0}])
        database.replace(TABLE, [{"k": None, "v": 2.0}])
    assert content(warehouse) == [("a", 1.0)]


def test_the_file_is_free_after_an_error_inside_the_block(warehouse: Warehouse) -> None:
    with pytest.raises(RuntimeError, match="mine"), warehouse.write():
        raise RuntimeError("mine")
    check = f"import duckdb; duckdb.connect({warehouse.database!r}).execute('select 1')"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_held_file_is_waited_for_and_then_refused_with_the_remedy(warehouse: Warehouse, read_only: bool) -> None:
    with warehouse.write() as database:
        database.replace(TABLE, [])
    with other_process(warehouse, read_only):
        begin = time.monotonic()
        with (
            pytest.raises(WarehouseBusyError, match="held by another process after 0.3 s.*run again"),
            warehouse.write(),
        ):
            pass
        assert 0.3 <= time.monotonic() - begin < 10
    assert content(warehouse) == []


def test_readers_do_not_shut_each_other_out(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        database.replace(TABLE, [{"k": "a", "v": 1.0}])
    with other_process(warehouse, read_only=True):
        assert content(warehouse) == [("a", 1.0)]


def test_reading_before_anything_was_written_says_what_to_do(warehouse: Warehouse) -> None:
    with pytest.raises(FileNotFoundError, match="there is no warehouse.*tdml-assets run"), warehouse.read():
        pass


def test_rows_of_unknown_columns_are_refused(warehouse: Warehouse) -> None:
    with pytest.raises(ValueError, match=r"s.t has no column \['w'\]"), warehouse.write() as database:
        database.replace(TABLE, [{"k": "a", "w": 1.0}])


def test_a_slice_must_be_named_by_the_contracts_columns(warehouse: Warehouse) -> None:
    with pytest.raises(ValueError, match="is sliced by"), warehouse.write() as database:
        database.replace_slice(TABLE, {"v": 1.0}, [])


def test_batches_stream_while_other_statements_run(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        seen = 0
        for batch in database.batches(Statement("select range as n from range(10000)"), 1000):
            seen += batch.num_rows
            database.insert(TABLE, []) if seen > 10000 else database.replace(TABLE, [{"k": str(seen), "v": 0.0}])
    assert seen == 10000
    assert content(warehouse) == [("10000", 0.0)]


def test_rows_inserted_behind_an_empty_insert_are_there_at_once(warehouse: Warehouse) -> None:
    rows = 130_000
    with warehouse.write() as database:
        database.replace(TABLE, [])
        database.insert(TABLE, pa.table({"k": [str(row) for row in range(rows)], "v": [0.0] * rows}))
        assert database.arrow(Statement("select k from s.t")).num_rows == rows


def test_hostile_names_reach_the_file_as_plain_names(warehouse: Warehouse) -> None:
    hostile = TableContract('s"; drop schema main; --', "t'); --", "test", (Column('c"d', "VARCHAR", ""),))
    with warehouse.write() as database:
        database.replace(hostile, [{'c"d': "x"}])
        assert database.columns(hostile.path) == {'c"d': "VARCHAR"}


def test_figures_of_killed_runs_go_and_their_sessions_stay_as_abandoned(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        for name in ("dead", "alive"):
            key = {"session_id": name, "workflow": "w"}
            database.replace_slice(SESSIONS, key, [{**key, "run_id": f"run-{name}", "status": "trained"}])
            database.replace_slice(
                MODEL_METRICS, key, [{**key, "evaluation_table": "test", "metric": "mae", "value": 1.0}]
            )
        forget_runs(database, ["run-dead"])
        status = {row["session_id"]: row["status"] for row in database.rows(Statement("from monitoring.sessions"))}
        left = [row["session_id"] for row in database.rows(Statement("from monitoring.model_metrics"))]
    assert (status, left) == ({"dead": "abandoned", "alive": "trained"}, ["alive"])


def test_the_environment_of_a_connection_never_fetches_extensions(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        found = database.row(
            Statement("select current_setting('autoinstall_known_extensions') as i, current_setting('TimeZone') as z")
        )
    assert (found["i"], found["z"]) == (False, "UTC")


def test_counting_and_looking_up_tables(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        assert not database.has_table(TABLE.path)
        database.replace(TABLE, [{"k": "a"}, {"k": "b"}])
        assert database.has_table(TABLE.path)
        assert database.count(TABLE.path) == 2
        with pytest.raises(LookupError, match="expected one row, found 2"):
            database.row(Statement("from s.t"))


def test_a_table_of_an_older_version_gets_the_columns_it_lacks_and_keeps_its_rows(warehouse: Warehouse) -> None:
    wider = TableContract("s", "t", "test", (*TABLE.columns, Column("note", "VARCHAR", "")), ("k",))
    with warehouse.write() as database:
        database.replace(TABLE, [{"k": "a", "v": 1.0}])
    with warehouse.write() as database:
        database.replace_slice(wider, {"k": "b"}, [{"k": "b", "v": 2.0, "note": "new"}])
        assert database.rows(Statement("select k, note from s.t order by k")) == [
            {"k": "a", "note": None},
            {"k": "b", "note": "new"},
        ]


def test_a_column_may_have_the_name_of_the_templates_placeholder(warehouse: Warehouse) -> None:
    names = ("__source__", '"__source__"', "__incoming")
    contract = TableContract("raw", "odd", "Odd names.", tuple(Column(name, "VARCHAR", "x") for name in names))
    row = dict(zip(names, "abc", strict=True))
    with warehouse.write() as database:
        database.replace(contract, [row])
        database.insert(contract, Statement("select * from raw.odd"))
        assert database.rows(Statement("select * from raw.odd")) == [row, row]


@pytest.mark.parametrize("name", ["lock", "blocked", "Could not set lock on file"])
def test_only_a_lock_is_said_to_be_one(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "w.duckdb").mkdir()
    held = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(tmp_path), wait_seconds=0)
    with pytest.raises(duckdb.IOException), held.write():
        pass


def test_rows_that_were_inserted_are_let_go_of_before_the_transaction_ends(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"))
    contract = TableContract("s", "wide", "test", (Column("k", "BIGINT", ""),))
    kept: list[weakref.ref[pa.Table]] = []
    with warehouse.write() as database:
        database.replace(contract, [])
        for place in range(3):
            rows = pa.table({"k": pa.array([place])})
            kept.append(weakref.ref(rows))
            database.insert(contract, rows)
            del rows
        assert [one() for one in kept] == [None, None, None]
    with warehouse.read() as database:
        assert [row["k"] for row in database.rows(Statement("select k from s.wide order by k"))] == [0, 1, 2]
