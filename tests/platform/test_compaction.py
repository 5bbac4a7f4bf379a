"""The warehouse's file written anew: the same tables, and no byte of what was deleted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tdml_assets.platform.compaction import SUFFIX, compact
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.platform.warehouse_errors import StorageError, WarehouseBusyError


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), wait_seconds=1)
    with made.write() as database:
        for text in (
            "create schema raw",
            "create table raw.orders as select 'customer-' || line as customer_id, line * 1.5::decimal(9, 2) as amount, "
            "date '2024-01-01' + line::integer as day from range(20000) as lines(line)",
            "create table raw.people (customer_id varchar, city varchar)",
            "insert into raw.people values ('zz-forgotten-person', 'Oslo'), ('other', 'Bergen')",
            "create view raw.large as select * from raw.orders where amount > 100",
            "create table raw.keyed (id varchar primary key, day timestamp not null)",
            "insert into raw.keyed values ('a', '2024-01-01')",
        ):
            database.execute(Statement(text))
    return made


def test_no_byte_of_a_deleted_row_is_left_and_every_table_and_view_is(tmp_path: Path, warehouse: Warehouse) -> None:
    path = tmp_path / "w.duckdb"
    with warehouse.write() as database:
        database.execute(Statement("delete from raw.people where customer_id = 'zz-forgotten-person'"))
    assert b"zz-forgotten-person" in path.read_bytes(), "the fault that is mended"
    path.chmod(0o600)
    with warehouse.read() as database:
        before = database.content(("raw", "orders"))
    _, after = compact(path)
    assert b"zz-forgotten-person" not in path.read_bytes()
    assert path.stat().st_size == after
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir() if SUFFIX in one.name] == []
    with warehouse.write() as database:
        assert database.content(("raw", "orders")) == before
        assert database.row(Statement("select count(*) as n from raw.large"))["n"] == 19933
        with pytest.raises(Exception, match="onstraint"):
            database.execute(Statement("insert into raw.keyed values ('a', '2024-01-02')"))


def test_a_file_that_another_process_has_open_is_left_alone(tmp_path: Path, warehouse: Warehouse) -> None:
    path = Path(warehouse.database)
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        with pytest.raises(WarehouseBusyError):
            compact(path)
        holder.stdin.write("\n")
        holder.stdin.close()
        holder.wait()
    assert {one.name for one in tmp_path.iterdir()} <= {"w.duckdb", "tmp"}


def test_a_disk_without_room_for_a_copy_is_named(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tdml_assets.platform.compaction.shutil.disk_usage", lambda _: type("U", (), {"free": 10}))
    with pytest.raises(StorageError, match="10 free, too few for a copy: make room"):
        compact(Path(warehouse.database))
