"""A customer who asks to be forgotten is in no table afterwards, and no later load brings them back."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdml_assets.commands.common import UnknownNameError
from tdml_assets.commands.forget import drop_query_results, files_with, forget_customer
from tdml_assets.platform.statements import Statement
from tests.stages.raw.conftest import NOW, Shop

HEADER = "order,who,when,n,price\n"
ROWS = (
    "A,ann,2024-03-01 10:00:00,1,1\nA,ann,2024-03-02 10:00:00,1,2\nB,bob,2024-03-01 10:00:00,1,1\nA,ann,someday,1,2\n"
    "B,bob,someday,1,2\n"
)


@pytest.fixture
def loaded(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.write("a.csv", HEADER + ROWS)
    shop.load()
    with shop.warehouse.write() as database:
        database.execute(Statement("create schema cltv"))
        database.execute(
            Statement("create table cltv.predictions as select distinct customer_id, 1 as score from raw.orders")
        )
        database.execute(Statement("create view cltv.best as select * from cltv.predictions"))
    return shop


def test_a_forgotten_customer_is_in_no_table_and_stays_out_of_later_loads(loaded: Shop) -> None:
    with loaded.warehouse.write() as database:
        assert forget_customer(database, "ann", now=NOW) == ["cltv.predictions", "raw.orders"]
    assert loaded.column("select distinct customer_id from raw.orders") == ["bob"]
    assert loaded.column("select customer_id from cltv.best") == ["bob"]
    assert loaded.column("select count(*) from raw.rejected_rows where contains(content, 'ann')") == [0]
    loaded.write("b.csv", HEADER + "A,ann,2024-03-05 10:00:00,1,1\nB,bob,2024-03-06 10:00:00,1,1\n")
    report = loaded.load()
    assert (report.rows_read, report.rows_accepted) == (7, 2)
    assert report.reasons == {"forgotten_customer": 3, "bad_timestamp": 2}
    assert loaded.column("select content from raw.rejected_rows where contains(content, 'ann')") == []
    assert loaded.column("select count(*) from raw.rejected_rows where contains(content, 'bob')") == [1]
    assert loaded.column("select count(*) from raw.forgotten_customers") == [1]


def test_to_forget_twice_is_to_forget_once_and_an_unknown_customer_is_refused(loaded: Shop) -> None:
    with loaded.warehouse.write() as database:
        forget_customer(database, "ann", now=NOW)
        assert forget_customer(database, "ann", now=NOW) == []
    assert loaded.column("select count(*) from raw.forgotten_customers") == [1]
    with loaded.warehouse.write() as database, pytest.raises(UnknownNameError, match="as the files write it"):
        forget_customer(database, "eve", now=NOW)


def test_files_that_still_hold_the_customer_are_named(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("customer_id,score\nann,1\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("customer_id,score\nbob,1\n", encoding="utf-8")
    pq.write_table(pa.table({"customer_id": ["bob", "ann"]}), tmp_path / "old.parquet")
    pq.write_table(
        pa.table({"who": pa.array(["bob", "ann"]).dictionary_encode(), "n": [1, 2]}), tmp_path / "source.parquet"
    )
    held = ["old.csv", "old.parquet", "source.parquet"]
    assert files_with("ann", [tmp_path]) == [tmp_path / name for name in held]
    assert files_with("2", [tmp_path])[-1] == tmp_path / "source.parquet"


def test_rows_that_were_read_from_a_database_are_deleted(tmp_path: Path) -> None:
    for name in ("database-orders.parquet", "other.parquet"):
        pq.write_table(pa.table({"who": ["ann"]}), tmp_path / name)
    drop_query_results(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other.parquet"]
