"""One DuckDB instance per process that attaches the warehouse's file: what blocks share, and when the file is free."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse, WarehouseBusyError

TABLE = TableContract("s", "t", "test", (Column("k", "VARCHAR", "", False),), ("k",))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), wait_seconds=0.1)
    with made.write() as database:
        database.replace(TABLE, [{"k": "a"}])
    return made


def is_free(warehouse: Warehouse) -> bool:
    code = f"import duckdb; duckdb.connect({warehouse.database!r})"
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60).returncode == 0


def test_the_file_is_held_until_the_last_of_several_blocks_ends(warehouse: Warehouse) -> None:
    with warehouse.read() as outer:
        with warehouse.read() as inner:
            assert inner.count(TABLE.path) == 1
        assert outer.count(TABLE.path) == 1
        assert not is_free(warehouse)
    assert is_free(warehouse)


def test_a_block_that_reads_while_another_writes_sees_what_is_committed_and_cannot_write(warehouse: Warehouse) -> None:
    with warehouse.write() as writer:
        writer.insert(TABLE, [{"k": "b"}])
        with pytest.raises(duckdb.Error, match="read-only"), warehouse.read() as reader:
            assert reader.count(TABLE.path) == 1
            reader.execute(Statement("delete from s.t"))
    with warehouse.read() as reader:
        assert reader.count(TABLE.path) == 2


def test_a_block_that_writes_waits_for_those_that_read(warehouse: Warehouse) -> None:
    with warehouse.read(), pytest.raises(WarehouseBusyError, match="after 0.1 s"), warehouse.write():
        pass
    with warehouse.write() as database:
        assert database.count(TABLE.path) == 1


def test_an_abandoned_stream_of_batches_does_not_keep_the_next_block_out(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        stream = database.batches(Statement("select k from s.t"), 1)
        assert next(stream).num_rows == 1
        del stream
    with warehouse.write() as database:
        assert database.count(TABLE.path) == 1


def test_a_forked_process_opens_the_file_by_itself(warehouse: Warehouse) -> None:
    code = f"""
import os
from tdml_assets.platform.warehouse import Warehouse
warehouse = Warehouse(database={warehouse.database!r}, temp_directory={warehouse.temp_directory!r}, wait_seconds=5)
with warehouse.read() as database:
    database.count(("s", "t"))
child = os.fork()
with warehouse.read() as database:
    found = database.count(("s", "t"))
if child:
    assert os.waitpid(child, 0)[1] == 0
    print(found)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (ran.stdout.strip(), ran.returncode) == ("1", 0), ran.stderr


def test_tables_made_in_a_block_are_known_in_it_at_once(warehouse: Warehouse) -> None:
    with warehouse.write() as database:
        assert not database.has_table(("s", "u"))
        database.execute(Statement("create view s.u as select k, 1 as one from s.t"))
        assert database.columns(("s", "u")) == {"k": "VARCHAR", "one": "INTEGER"}
        database.execute(Statement("drop view s.u"))
        assert database.columns(("s", "u")) == {}
