"""What goes wrong with the warehouse's file is said in words with a remedy, on real files."""

import logging
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.platform.warehouse_errors import MemoryLimitError, StorageError, WarehouseDamagedError, explained

TABLE = TableContract("s", "t", "test", (Column("k", "VARCHAR", "", False), Column("v", "DOUBLE", "")), ("k",))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), wait_seconds=0)
    with made.write() as database:
        database.replace(TABLE, [{"k": "a", "v": 1.0}])
    return made


def rows(warehouse: Warehouse) -> list[dict[str, object]]:
    with warehouse.read() as database:
        return database.rows(Statement("select k, v from s.t order by k"))


def test_an_error_of_python_inside_a_write_takes_everything_back(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.write() as database:
        database.replace_slice(TABLE, {"k": "b"}, [{"k": "b", "v": 2.0}])
        _ = 1 / 0
    assert rows(warehouse) == [{"k": "a", "v": 1.0}]


def leave_damaged_log(warehouse: Warehouse) -> Path:
    """Commit in a process that dies before it writes the log into the file, then flip a bit of the log."""
    code = (
        f"import duckdb, os; c = duckdb.connect({warehouse.database!r}); "
        "c.execute(\"insert into s.t select 'b' || range, range from range(500)\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    log = Path(f"{warehouse.database}.wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    return log


def test_a_damaged_log_is_set_aside_by_the_next_writer_and_earlier_rows_stay(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    log = leave_damaged_log(warehouse)
    damaged = log.read_bytes()
    with pytest.raises(WarehouseDamagedError, match="Run again: the run sets it aside"):
        rows(warehouse)
    assert log.read_bytes() == damaged, "a reader changes nothing"
    with caplog.at_level(logging.WARNING), warehouse.write() as database:
        database.insert(TABLE, [{"k": "c", "v": 3.0}])
    assert rows(warehouse) == [{"k": "a", "v": 1.0}, {"k": "c", "v": 3.0}]
    (aside,) = log.parent.glob("*.damaged-*")
    assert aside.read_bytes() == damaged
    assert str(aside) in caplog.text


def test_a_full_disk_is_said_so_and_leaves_the_tables_as_they_were(warehouse: Warehouse) -> None:
    code = f"""
import resource, signal
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
with Warehouse(database={warehouse.database!r}, temp_directory={str(warehouse.temp_directory)!r}).write() as database:
    database.execute(Statement("create table s.big as select range, random() as r from range(2_000_000)"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "StorageError: no space is left for" in done.stderr.splitlines()[-1]
    assert "free some, then run again" in done.stderr
    assert rows(warehouse) == [{"k": "a", "v": 1.0}]
    with warehouse.write() as database:
        assert not database.has_table(("s", "big"))


def test_a_file_that_is_not_a_database_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "w.duckdb").write_text("no database", encoding="utf-8")
    other = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path))
    with pytest.raises(WarehouseDamagedError, match="not a DuckDB file .* --fresh"), other.write():
        pass


def test_a_folder_that_may_not_be_written_is_named() -> None:
    place = Path("/home/state/w.duckdb")
    error = duckdb.IOException(f'IO Error: Cannot open file "{place}": Read-only file system')
    found = explained(error, place)
    assert isinstance(found, StorageError)
    assert "/home/state/w.duckdb or its folder may not be written: correct the permissions" in str(found)


def test_the_faults_of_other_files_are_not_the_warehouses() -> None:
    error = duckdb.IOException('IO Error: Cannot open file "/data/orders.parquet": Permission denied')
    assert explained(error, Path("/home/state/w.duckdb")) is None
    assert explained(FileNotFoundError(2, "No such file", "/data/x"), Path("/home/state/w.duckdb")) is None


def test_a_statement_that_needs_more_memory_names_the_key_to_raise(tmp_path: Path) -> None:
    warehouse = Warehouse(
        database=str(tmp_path / "warehouse.duckdb"), temp_directory=str(tmp_path / "spill"), memory_limit_gb=0.05
    )
    with (
        pytest.raises(MemoryLimitError, match=r"raise warehouse\.memory_limit_gb") as caught,
        warehouse.write() as opened,
    ):
        opened.execute(Statement("select list(range || repeat('x', 100)) from range(2_000_000)"))
    assert "threads: 1" in str(caught.value)
