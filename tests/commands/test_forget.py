"""A customer who asks to be forgotten is in no table afterwards, and no later load brings them back."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdml_assets.commands.common import UnknownNameError
from tdml_assets.commands.erased_files import files_with, remade_files
from tdml_assets.commands.forgetting import delete_rows, ids_of, list_as_forgotten
from tdml_assets.platform.statements import Statement
from tests.stages.raw.conftest import COLUMNS, NOW, Shop

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


def forget_customer(shop: Shop, customer: str) -> list[str]:
    with shop.warehouse.write() as database:
        ids = ids_of(database, customer)
        list_as_forgotten(database, ids, now=NOW)
        return [table for table, _ in delete_rows(database, ids)]


def test_a_forgotten_customer_is_in_no_table_and_stays_out_of_later_loads(loaded: Shop) -> None:
    assert forget_customer(loaded, "ann") == ["cltv.predictions", "raw.orders"]
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


def test_the_lines_of_who_was_forgotten_are_not_taken_for_lost_history(loaded: Shop) -> None:
    with loaded.warehouse.write() as database:
        for text in (
            "create schema if not exists monitoring",
            "create table monitoring.sessions as select 's1' as session_id, 'all' as workflow, date '2024-03-01' as as_of",
            "create table monitoring.data_quality as select 's1' as session_id, 'all' as workflow, 'lost_rows' as check_name, "
            "unnest(['raw.orders (to as_of)', 'raw.orders']) as source, 2.0 as value",
        ):
            database.execute(Statement(text))
    # Of ann's two lines one is of the session's day.
    forget_customer(loaded, "ann")
    forget_customer(loaded, "ann")
    found = loaded.rows("select source, value from monitoring.data_quality order by source")
    assert [(row["source"], row["value"]) for row in found] == [("raw.orders", 2), ("raw.orders (to as_of)", 1)]


def test_to_forget_twice_is_to_forget_once_and_an_unknown_customer_is_refused(loaded: Shop) -> None:
    forget_customer(loaded, "ann")
    assert forget_customer(loaded, "ann") == []
    assert loaded.column("select count(*) from raw.forgotten_customers") == [1]
    with pytest.raises(UnknownNameError, match="as the files write it"):
        forget_customer(loaded, "eve")


def test_a_list_of_an_older_version_still_keeps_its_customers_out(loaded: Shop) -> None:
    with loaded.warehouse.write() as database:
        database.execute(
            Statement(
                "create table raw.forgotten_customers as select sha256('ann') as customer_sha256, timestamp '2026-01-01' as "
                "forgotten_at"
            )
        )
    loaded.write("b.csv", HEADER + "B,bob,2024-03-06 10:00:00,1,1\n")
    loaded.load()
    assert loaded.column("select distinct customer_id from raw.orders") == ["bob"]
    with pytest.raises(UnknownNameError, match="as the files write it"):
        forget_customer(loaded, "eve")
    assert forget_customer(loaded, "ann") == ["cltv.predictions"]


def test_rows_set_aside_lose_their_content_also_where_the_file_writes_the_id_in_another_way(loaded: Shop) -> None:
    rule = {"column": "who", "normalise": ["trim", "casefold"]}
    columns = {**COLUMNS, "customer_id": rule}
    loaded.write(
        "a.csv", HEADER + "A, ANN ,someday,1,1\nA,ann,2024-03-02 10:00:00,1,2\nB,bob,2024-03-01 10:00:00,1,1\n"
    )
    loaded.load(columns=columns, bad_row_limit=0.9)
    forget_customer(loaded, "ann")
    loaded.load(columns=columns, bad_row_limit=0.9)
    assert loaded.column("select content from raw.rejected_rows") == ["{}", "{}"]


def test_files_that_still_hold_the_customer_are_named(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("customer_id,score\nann,1\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("customer_id,score\nbob,1\njoann,1\n", encoding="utf-8")
    pq.write_table(pa.table({"customer_id": ["bob", "ann"]}), tmp_path / "old.parquet")
    pq.write_table(
        pa.table({"who": pa.array(["bob", "ann"]).dictionary_encode(), "n": [1, 2]}), tmp_path / "source.parquet"
    )
    held = ["old.csv", "old.parquet", "source.parquet"]
    assert files_with(["ann"], [tmp_path]) == [tmp_path / name for name in held]
    assert files_with(["2"], [tmp_path])[-1] == tmp_path / "source.parquet"


def test_what_was_read_from_a_database_is_deleted_whoever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    for name in ("database-orders.parquet", "other.parquet"):
        pq.write_table(pa.table({"who": ["bob"]}), tmp_path / "cache" / name)
    assert [entry.place for entry in remade_files(tmp_path, ["ann"])] == ["cache/database-orders.parquet"]
