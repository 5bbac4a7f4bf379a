"""Loading raw tables: every row is accepted or kept with a reason, and a table mirrors its files or stays as it was."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdml_assets.core.raw_contracts import LOADS, ORDERS, REASONS, REJECTED_ROWS
from tdml_assets.core.source_rules import SourceError
from tdml_assets.core.sources import Sources
from tdml_assets.core.statements import Statement
from tdml_assets.resources.raw_tables import ConservationError, fingerprint, last_order_day, load_table
from tdml_assets.resources.source_files import FoundFiles, collect_files
from tdml_assets.resources.warehouse import Warehouse

NOW = datetime(2026, 11, 22, 12)
COLUMNS = {"order_id": "order", "customer_id": "who", "ordered_at": "when", "quantity": "n", "unit_price": "price"}
DECLARED = {
    "path": "*.csv",
    "format": "csv",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "currency": "GBP",
    "columns": COLUMNS,
}
HEADER = "order,who,when,n,price\n"
GOOD = HEADER + "A1,007,2024-03-01 10:00:00,2,1.25\nA2,8,2024-03-02 10:00:00,1,3\n"


class Shop:
    """A folder of files and a warehouse they are loaded into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = Warehouse(
            database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), wait_seconds=1
        )

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def load(self, table="orders", *, session_id="s1", now=NOW, declared=None, **changes):
        declaration = Sources.model_validate({table: {**(declared or DECLARED), **changes}}).declared(table)
        found = collect_files(
            table, declaration, base_folder=self.folder, cache_folder=self.folder / "cache", s3_client=lambda: None
        )
        with self.warehouse.write() as database:
            return load_table(database, table, declaration, found, session_id=session_id, now=now)

    def rows(self, text: str):
        with self.warehouse.read() as database:
            return database.rows(Statement(text))

    def column(self, text: str):
        return [next(iter(row.values())) for row in self.rows(text)]

    def reasons(self):
        return dict(
            (row["row_number"], row["reason"])
            for row in self.rows("select * from raw.rejected_rows order by row_number")
        )


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def test_rows_are_loaded_with_their_lineage_and_their_day(shop):
    shop.write("a.csv", GOOD)
    report = shop.load()
    assert (report.rows_read, report.rows_accepted, report.rows_rejected) == (2, 2, 0)
    first = shop.rows("select * from raw.orders order by row_number")[0]
    assert first["customer_id"] == "007"
    assert first["amount"] == Decimal("2.5000")
    assert first["ordered_on"] == date(2024, 3, 1)
    assert (first["source"], first["file"], first["row_number"]) == ("orders", "a.csv", 1)
    assert first["currency"] == "GBP"
    assert first["product_category"] is None
    load = shop.rows("select * from raw.loads")[0]
    assert (load["rows_read"], load["session_id"], json.loads(load["header"])) == (2, "s1", HEADER.strip().split(","))
    with shop.warehouse.read() as database:
        assert list(database.columns(("raw", "orders")).items()) == [
            (column.name, column.type.replace(", ", ",")) for column in ORDERS.columns
        ]
        assert last_order_day(database) == date(2024, 3, 2)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A1,,2024-03-01 10:00:00,1,1", "missing_customer"),
        ("A1,   ,2024-03-01 10:00:00,1,1", "missing_customer"),
        ("A1,\u00a0,2024-03-01 10:00:00,1,1", "missing_customer"),
        ("A1,a\x00b,2024-03-01 10:00:00,1,1", "nul_character"),
        ("A1,7,,1,1", "bad_timestamp"),
        ("A1,7,01/02/2024,1,1", "bad_timestamp"),
        ("A1,7,2024-02-30 10:00:00,1,1", "bad_timestamp"),
        ("A1,7,2024-03-31 01:30:00,1,1", "nonexistent_local_time"),
        ("A1,7,2026-11-23 12:00:01,1,1", "future_timestamp"),
        ("A1,7,1970-01-01 00:00:00,1,1", "too_old"),
        ("A1,7,0001-01-03 00:00:00,1,1", "too_old"),
        ("A1,7,2024-03-01 10:00:00,one,1", "bad_number"),
        ('A1,7,2024-03-01 10:00:00,1,"1,25"', "bad_number"),
        ("A1,7,2024-03-01 10:00:00,nan,1", "not_finite"),
        ("A1,7,2024-03-01 10:00:00,1,inf", "not_finite"),
        ("A1,7,2024-03-01 10:00:00,1,1e400", "not_finite"),
        ("A1,7,2024-03-01 10:00:00,,1", "missing_amount"),
        ("A1,7,2024-03-01 10:00:00,1,1e12", "out_of_bounds"),
        ("A1,7,2024-03-01 10:00:00,1e6,1e6", "out_of_bounds"),
        ("A1,7,2024-03-01 10:00:00,-1,-0.01", "out_of_bounds"),
    ],
)
def test_a_row_that_cannot_be_used_is_kept_whole_with_its_reason(shop, row, reason):
    shop.write("a.csv", GOOD + row + "\n")
    report = shop.load(timezone="Europe/London", bounds={"unit_price": {"min": 0}})
    assert report.reasons == {reason: 1}
    assert (report.rows_read, report.rows_accepted) == (3, 2)
    rejected = shop.rows("select * from raw.rejected_rows")[0]
    assert (rejected["row_number"], rejected["reason"], rejected["session_id"]) == (3, reason, "s1")
    assert list(json.loads(rejected["content"])) == HEADER.strip().split(",")
    assert reason in REASONS


def test_what_lies_on_a_bound_is_judged_as_documented(shop):
    rows = "".join(f"A,7,2024-03-01 10:00:00,1,{price}\n" for price in ("0", "0.01", "10", "10.01", "1000000000"))
    shop.write("a.csv", HEADER + rows)
    shop.load(bounds={"unit_price": {"above": 0, "max": 10}})
    assert shop.column("select unit_price from raw.orders order by row_number") == [Decimal("0.01"), Decimal("10")]
    shop.load()
    assert len(shop.column("select unit_price from raw.orders")) == 5


def test_zero_amounts_are_sales_unless_bounds_say_otherwise(shop):
    shop.write("a.csv", HEADER + "A,7,2024-03-01 10:00:00,1,0\n")
    assert shop.load().rows_accepted == 1


@pytest.mark.parametrize(
    ("row", "quantity", "amount"),
    [
        ("7,2024-03-01,-2,10,-20,", "-2", "-20"),
        ("7,2024-03-01,2,10,20,refund", "-2", "-20"),
        ("7,2024-03-01,-2,10,20,shipped", "-2", "-20"),
        ("7,2024-03-01,,10,-5,", None, "-5"),
        ("7,2024-03-01,2,10,,Cancelled ", "-2", "-20"),
        ("7,2024-03-01,2,10,19.99,shipped", "2", "19.99"),
    ],
)
def test_a_return_is_a_negative_line_whichever_way_it_is_written(shop, row, quantity, amount):
    shop.write("a.csv", "who,when,n,price,total,state\n" + row + "\n")
    columns = {"customer_id": "who", "ordered_at": "when", "quantity": "n", "unit_price": "price"}
    shop.load(timestamp_format="%Y-%m-%d", columns={**columns, "amount": "total", "order_status": "state"})
    loaded = shop.rows("select quantity, amount from raw.orders")[0]
    assert loaded["quantity"] == (None if quantity is None else Decimal(quantity))
    assert loaded["amount"] == Decimal(amount)


# ---- time ----


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("UTC", "2024-07-01 12:00:00", datetime(2024, 7, 1, 12)),
        ("Europe/London", "2024-07-01 00:30:00", datetime(2024, 6, 30, 23, 30)),
        ("Pacific/Kiritimati", "2024-07-01 13:59:59", datetime(2024, 6, 30, 23, 59, 59)),
        ("Pacific/Pago_Pago", "2024-06-30 23:00:00", datetime(2024, 7, 1, 10)),
        ("Australia/Lord_Howe", "2024-04-07 12:00:00", datetime(2024, 4, 7, 1, 30)),
    ],
)
def test_times_are_stored_in_utc_and_days_are_the_sources(shop, zone, local, utc):
    shop.write("a.csv", f"{HEADER}A,7,{local},1,1\n")
    shop.load(timezone=zone)
    row = shop.rows("select ordered_at, ordered_on from raw.orders")[0]
    assert row == {"ordered_at": utc, "ordered_on": date.fromisoformat(local[:10])}


@pytest.mark.parametrize(
    ("zone", "local", "earlier", "later"),
    [
        ("Europe/Berlin", "2024-10-27 02:30:00", datetime(2024, 10, 27, 0, 30), datetime(2024, 10, 27, 1, 30)),
        ("Australia/Lord_Howe", "2024-04-07 01:45:00", datetime(2024, 4, 6, 14, 45), datetime(2024, 4, 6, 15, 15)),
        ("Europe/Dublin", "2024-10-27 01:30:00", datetime(2024, 10, 27, 0, 30), datetime(2024, 10, 27, 1, 30)),
    ],
)
def test_a_repeated_local_time_is_read_as_declared(shop, zone, local, earlier, later):
    shop.write("a.csv", f"{HEADER}A,7,{local},1,1\n")
    for policy, expected in (("earlier", earlier), ("later", later)):
        shop.load(timezone=zone, ambiguous_time=policy)
        assert shop.column("select ordered_at from raw.orders") == [expected]
    assert shop.load(timezone=zone, ambiguous_time="reject").reasons == {"ambiguous_local_time": 1}


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("Europe/Berlin", "2024-03-31 02:30:00"),
        ("Australia/Lord_Howe", "2024-10-06 02:10:00"),
        ("Pacific/Apia", "2011-12-30 12:00:00"),
    ],
)
def test_a_skipped_local_time_is_never_moved(shop, zone, local):
    shop.write("a.csv", f"{HEADER}A,7,{local},1,1\n")
    assert shop.load(timezone=zone).reasons == {"nonexistent_local_time": 1}


def test_a_calendar_day_stays_that_day_even_where_midnight_was_skipped(shop):
    shop.write("a.csv", HEADER + "A,7,2018-11-04,1,1\n")
    report = shop.load(timezone="America/Sao_Paulo", timestamp_format="%Y-%m-%d")
    assert report.reasons == {}
    assert shop.rows("select ordered_at, ordered_on from raw.orders") == [
        {"ordered_at": datetime(2018, 11, 4, 3), "ordered_on": date(2018, 11, 4)}
    ]


def test_an_offset_in_the_text_is_obeyed_and_the_day_is_the_declared_zones(shop):
    shop.write("a.csv", HEADER + "A,7,2024-07-01T23:30:00+00:00,1,1\n")
    shop.load(timezone="Europe/Berlin", timestamp_format="%Y-%m-%dT%H:%M:%S%z")
    assert shop.rows("select ordered_at, ordered_on from raw.orders") == [
        {"ordered_at": datetime(2024, 7, 1, 23, 30), "ordered_on": date(2024, 7, 2)}
    ]


@pytest.mark.parametrize(("unit", "text"), [("unix", "1719876600"), ("unix_ms", "1719876600000")])
def test_unix_times_are_read(shop, unit, text):
    shop.write("a.csv", f"{HEADER}A,7,{text},1,1\nA,7,nan,1,1\nA,7,1e300,1,1\n")
    report = shop.load(timestamp_format=unit)
    assert shop.column("select ordered_at from raw.orders") == [datetime(2024, 7, 1, 23, 30)]
    assert report.reasons == {"bad_timestamp": 2}


def test_the_same_text_is_read_by_the_declared_format_whatever_other_rows_hold(shop):
    rows = "A,7,01/02/2024,1,1\nA,7,13/02/2024,1,1\n"
    shop.write("a.csv", HEADER + rows)
    assert shop.load(timestamp_format="%d/%m/%Y").rows_accepted == 2
    assert shop.column("select ordered_on from raw.orders order by 1")[0] == date(2024, 2, 1)
    report = shop.load(timestamp_format="%m/%d/%Y")
    assert report.reasons == {"bad_timestamp": 1}
    assert shop.column("select ordered_on from raw.orders") == [date(2024, 1, 2)]


def test_a_row_of_the_future_is_taken_in_once_it_is_past_though_nothing_else_changed(shop):
    shop.write("a.csv", HEADER + "A,7,2026-11-25 12:00:00,1,1\n")
    assert shop.load().reasons == {"future_timestamp": 1}
    report = shop.load(now=NOW + timedelta(days=5))
    assert (report.rows_accepted, report.reasons) == (1, {})


# ---- currency ----


def test_amounts_are_converted_and_a_currency_without_a_rate_is_never_taken_for_one(shop):
    header = "who,when,n,price,cur\n"
    rows = "1,2024-03-01,2,10,GBP\n2,2024-03-01,2,10,eur\n3,2024-03-01,2,10,USD\n4,2024-03-01,2,10,\n"
    shop.write("a.csv", header + rows)
    columns = {"customer_id": "who", "ordered_at": "when", "quantity": "n", "unit_price": "price", "currency": "cur"}
    report = shop.load(
        timestamp_format="%Y-%m-%d", currency=None, columns=columns, reporting_currency="GBP", rates={"EUR": 0.86}
    )
    assert shop.rows("select customer_id, unit_price, amount, currency from raw.orders order by 1") == [
        {"customer_id": "1", "unit_price": Decimal("10"), "amount": Decimal("20"), "currency": "GBP"},
        {"customer_id": "2", "unit_price": Decimal("8.6"), "amount": Decimal("17.2"), "currency": "GBP"},
    ]
    assert report.reasons == {"unknown_currency": 2}


def test_a_constant_currency_is_converted_to_the_reporting_one(shop):
    shop.write("a.csv", GOOD)
    shop.load(currency="EUR", reporting_currency="GBP", rates={"EUR": "0.860001"})
    assert shop.column("select amount from raw.orders order by row_number") == [Decimal("2.1500"), Decimal("2.5800")]


# ---- duplicates ----


KEYED = "order,line,who,when,n,price,note\n"


def test_without_a_line_key_equal_rows_are_all_kept(shop):
    shop.write("a.csv", HEADER + "A,7,2024-03-01 10:00:00,1,1\n" * 3)
    assert shop.load().rows_accepted == 3


def test_rows_of_one_line_key_collapse_to_the_latest_and_conflicts_are_told_from_copies(shop):
    shop.write(
        "a.csv",
        KEYED + "A,1,7,2024-03-01 10:00:00,1,5,x\nA,1,7,2024-03-01 10:00:00,1,5,y\nA,2,7,2024-03-01 10:00:00,1,9,\n",
    )
    shop.write("b.csv", KEYED + "A,2,7,2024-03-01 10:00:00,3,9,\nB,1,7,2024-03-01 10:00:00,1,1,\n")
    report = shop.load(line_key=["order_id", "line"])
    kept = shop.rows("select order_id, file, row_number, quantity from raw.orders order by file, row_number")
    assert [(row["file"], row["row_number"], int(row["quantity"])) for row in kept] == [
        ("a.csv", 2, 1),
        ("b.csv", 1, 3),
        ("b.csv", 2, 1),
    ]
    assert report.reasons == {"duplicate_line": 1, "superseded_line": 1}
    assert report.rows_read == 5
    old = shop.rows("select * from raw.rejected_rows where reason = 'superseded_line'")[0]
    assert (old["file"], old["row_number"]) == ("a.csv", 3)
    assert json.loads(old["content"])["n"] == "1"


def test_the_declared_update_time_decides_before_the_order_of_files(shop):
    header = "order,who,when,n,price,changed\n"
    shop.write("a.csv", header + "A,7,2024-03-01 10:00:00,5,1,2024-05-01\nB,7,2024-03-01 10:00:00,1,1,\n")
    shop.write("b.csv", header + "A,7,2024-03-01 10:00:00,6,1,2024-04-01\nC,7,2024-03-01 10:00:00,1,1,soon\n")
    report = shop.load(line_key=["order_id"], updated_at="changed", updated_at_format="%Y-%m-%d")
    assert shop.column("select quantity from raw.orders where order_id = 'A'") == [5]
    assert report.reasons == {"bad_timestamp": 1, "superseded_line": 1}


def test_a_row_without_its_whole_line_key_is_not_collapsed(shop):
    shop.write("a.csv", HEADER + ",7,2024-03-01 10:00:00,1,1\n" * 2)
    assert shop.load(line_key=["order_id"]).rows_accepted == 2


def test_a_rejected_row_never_replaces_an_accepted_one(shop):
    shop.write("a.csv", HEADER + "A,7,2024-03-01 10:00:00,1,1\nA,7,2024-03-02 10:00:00,1,oops\n")
    assert shop.load(line_key=["order_id"]).reasons == {"bad_number": 1}
    assert shop.column("select ordered_on from raw.orders") == [date(2024, 3, 1)]


# ---- the table mirrors its files ----


def test_the_same_files_again_change_nothing(shop):
    shop.write("a.csv", GOOD + "A,,2024-03-01 10:00:00,1,1\n")
    shop.load()
    with shop.warehouse.read() as database:
        before = fingerprint(database)
    report = shop.load(session_id="s2", now=NOW + timedelta(days=1))
    assert report.is_unchanged
    assert (report.rows_read, report.reasons) == (3, {"missing_customer": 1})
    assert shop.column("select distinct session_id from raw.loads union select session_id from raw.rejected_rows") == [
        "s1"
    ]
    with shop.warehouse.read() as database:
        assert fingerprint(database) == before


def test_the_same_content_under_two_names_counts_once(shop):
    shop.write("a.csv", GOOD)
    shop.write("b.csv", GOOD)
    report = shop.load()
    assert (report.rows_read, report.duplicate_files) == (2, ("b.csv",))


def test_a_changed_file_or_declaration_rebuilds_the_table_and_a_removed_file_leaves_it(shop):
    shop.write("a.csv", GOOD)
    shop.write("b.csv", HEADER + "B1,9,2024-04-01 10:00:00,1,1\n")
    assert shop.load().rows_accepted == 3
    (shop.folder / "b.csv").unlink()
    assert shop.load(session_id="s2").rows_accepted == 2
    assert shop.load(session_id="s3", timezone="Asia/Tokyo").is_unchanged is False
    assert shop.column("select distinct file from raw.orders") == ["a.csv"]
    assert shop.column("select session_id from raw.loads") == ["s3"]


def test_a_table_that_lost_rows_is_built_again(shop):
    shop.write("a.csv", GOOD)
    shop.load()
    with shop.warehouse.write() as database:
        database.execute(Statement("delete from raw.orders where order_id = 'A1'"))
    assert shop.load().is_unchanged is False
    assert len(shop.column("select 1 from raw.orders")) == 2


def test_a_source_that_is_not_declared_is_an_empty_table_with_its_columns(shop):
    shop.write("a.csv", GOOD + "A,,2024-03-01 10:00:00,1,1\n")
    shop.load()
    for is_unchanged in (False, True):
        with shop.warehouse.write() as database:
            report = load_table(database, "orders", None, FoundFiles((), ()), session_id="s2", now=NOW)
        assert report.is_unchanged is is_unchanged
    with shop.warehouse.read() as database:
        assert tuple(database.columns(ORDERS.path)) == ORDERS.column_names
        assert [database.count(contract.path) for contract in (ORDERS, REJECTED_ROWS, LOADS)] == [0, 0, 0]


def test_tables_do_not_touch_each_others_rejected_rows(shop):
    shop.write("a.csv", GOOD + "A,,2024-03-01 10:00:00,1,1\n")
    shop.load()
    shop.write("views.txt", "id,at,url\n1,2024-01-01,/\n,2024-01-01,/x\n")
    views = {
        "path": "views.txt",
        "format": "csv",
        "timestamp_format": "%Y-%m-%d",
        "columns": {"customer_id": "id", "viewed_at": "at", "path": "url"},
    }
    report = shop.load("pageviews", declared=views)
    assert (report.rows_accepted, report.reasons, report.first_day) == (1, {"missing_customer": 1}, date(2024, 1, 1))
    assert shop.rows("select path, viewed_on from raw.pageviews") == [{"path": "/", "viewed_on": date(2024, 1, 1)}]
    assert shop.column("select source from raw.rejected_rows order by 1") == ["orders", "pageviews"]


def test_email_events_and_customers_are_loaded(shop):
    shop.write(
        "mail.jsonl",
        '{"u": 7, "t": "2024-01-01T10:00:00Z", "kind": "click", "c": {"n": 1}}\n{"u": 8.0, "t": "x", "kind": null}\n',
    )
    mail = {
        "path": "mail.jsonl",
        "format": "json",
        "timestamp_format": "%Y-%m-%dT%H:%M:%SZ",
        "columns": {"customer_id": "u", "sent_at": "t", "event_type": "kind"},
    }
    report = shop.load("email_events", declared=mail)
    assert report.reasons == {"bad_timestamp": 1}
    assert shop.rows("select customer_id, event_type from raw.email_events") == [
        {"customer_id": "7", "event_type": "click"}
    ]
    assert json.loads(shop.column("select content from raw.rejected_rows")[0]) == {"u": 8.0, "t": "x", "kind": None}
    shop.write("people.txt", "id,field_0,reason\n007,DE,a\n8,FR,b\n007,AT,c\n,XX,d\n")
    people = {"path": "people.txt", "format": "csv", "columns": {"customer_id": "id", "country": "field_0"}}
    report = shop.load("customers", declared=people)
    assert shop.rows("select customer_id, country, reason, row_number from raw.customers order by 1") == [
        {"customer_id": "007", "country": "AT", "reason": "c", "row_number": 3},
        {"customer_id": "8", "country": "FR", "reason": "b", "row_number": 2},
    ]
    assert report.reasons == {"missing_customer": 1, "superseded_line": 1}
    assert report.contract.column_names[:3] == ("customer_id", "country", "reason")


def test_ids_in_parquet_become_plain_text_and_json_numbers_too(shop):
    table = pa.table(
        {
            "who": pa.array([17850.0, None, float("nan"), 3.0]),
            "when": pa.array([datetime(2024, 3, 1)] * 4, pa.timestamp("us")),
            "total": pa.array([1.0, 2.0, float("nan"), float("nan")]),
            "order": pa.array([1, 2, 3, 4], pa.int64()),
        }
    )
    pq.write_table(table, shop.folder / "a.parquet")
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total", "order_id": "order"}
    report = shop.load(path="a.parquet", format="parquet", timestamp_format=None, columns=columns)
    assert shop.rows("select customer_id, order_id from raw.orders") == [{"customer_id": "17850", "order_id": "1"}]
    assert report.reasons == {"missing_customer": 2, "not_finite": 1}
    contents = shop.column("select content from raw.rejected_rows order by row_number")
    assert [json.loads(content, parse_constant=pytest.fail)["total"] for content in contents] == [2.0, "nan", "nan"]


def test_parquet_times_with_a_zone_are_instants_and_dates_are_days(shop):
    instant = pa.timestamp("us", tz="America/New_York")
    for name, kind, value in (("a", instant, datetime(2024, 7, 1, 3)), ("b", pa.date32(), date(2024, 7, 1))):
        rows = pa.table({"who": ["1"], "when": pa.array([value], kind), "total": [1.0]})
        pq.write_table(rows, shop.folder / f"{name}.parquet")
        columns = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
        shop.load(
            path=f"{name}.parquet",
            format="parquet",
            timestamp_format=None,
            timezone="America/New_York",
            columns=columns,
        )
        day = date(2024, 6, 30) if name == "a" else date(2024, 7, 1)
        assert shop.column("select ordered_on from raw.orders") == [day]


# ---- how files are written ----


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"\xef\xbb\xbf" + GOOD.encode(), {}),
        (GOOD.replace("\n", "\r\n").encode(), {}),
        (GOOD.replace("\n", "\r").encode(), {}),
        (GOOD.replace(",", ";").encode(), {"delimiter": ";"}),
        (GOOD.replace(",", "\t").replace(".", ",").encode(), {"delimiter": "\t", "decimal": ","}),
        (GOOD.encode("utf-16"), {"encoding": "utf-16"}),
        (GOOD.encode("cp1252"), {"encoding": "cp1252"}),
        (GOOD.replace("A1", "'A,1'").encode(), {"quote": "'"}),
        (GOOD.replace("\n", "\n\n").encode(), {}),
    ],
)
def test_files_are_read_as_they_are_declared_to_be_written(shop, content, options):
    shop.write("a.csv", content)
    report = shop.load(csv=options)
    assert (report.rows_read, report.reasons) == (2, {})
    assert shop.column("select amount from raw.orders order by row_number") == [Decimal("2.5"), Decimal("3")]
    assert shop.column("select customer_id from raw.orders order by row_number") == ["007", "8"]


def test_embedded_line_ends_quotes_and_delimiters_stay_in_their_field(shop):
    shop.write(
        "a.csv",
        HEADER + '"A\n1, ""x""",7,2024-03-01 10:00:00,1,1\r\n'.replace("\r\n", "\n") + "B,8,2024-03-01 10:00:00,1,1\n",
    )
    shop.load()
    assert shop.column("select order_id from raw.orders order by row_number") == ['A\n1, "x"', "B"]


def test_a_file_without_header_is_mapped_by_position_and_null_texts_are_declared(shop):
    shop.write("a.csv", "NULL,7,2024-03-01 10:00:00,1,1\n")
    columns = {"order_id": "column_1", "customer_id": "column_2", "ordered_at": "column_3", "amount": "column_5"}
    shop.load(columns=columns, csv={"header": False, "null_values": ["", "NULL"]})
    assert shop.rows("select order_id, customer_id from raw.orders") == [{"order_id": None, "customer_id": "7"}]


def test_accents_survive_every_encoding(shop):
    for encoding in ("utf-8", "cp1252", "utf-16"):
        shop.write("a.csv", GOOD.replace("A1", "Ä€é").encode(encoding))
        shop.load(csv={"encoding": encoding})
        assert shop.column("select order_id from raw.orders order by row_number") == ["Ä€é", "A2"]


def test_a_gzip_file_and_a_name_full_of_pattern_characters_are_read(shop):
    shop.write("a[1]*?.csv.gz", gzip.compress(GOOD.encode()))
    shop.write("a1x.csv.gz", gzip.compress(GOOD.replace("A1", "Z9").encode()))
    shop.load(path="a[1]*?.csv.gz")
    assert shop.column("select order_id from raw.orders order by row_number") == ["A1", "A2"]


@pytest.mark.parametrize(
    ("name", "content", "changes", "said"),
    [
        ("b.csv", b"", {}, "b.csv: empty input: the file has 0 bytes"),
        ("b.csv", HEADER.encode(), {}, "b.csv: empty input: the file has only a header"),
        ("b.csv", b"\n\n", {}, "b.csv: empty input: the file has no line"),
        ("b.csv", (GOOD + "caf\xe9,7,2024-03-01 10:00:00,1,1\n").encode("latin-1"), {}, "b.csv is not utf-8"),
        ("b.csv", gzip.compress(GOOD.encode()), {}, "b.csv is not utf-8"),
        (
            "b.csv",
            (HEADER + "A,SECRET,2024-03-01 10:00:00,1\n").encode(),
            {},
            "b.csv, near line 2: the line has more or fewer fields",
        ),
        (
            "b.csv",
            (HEADER + 'A,"SECRET,2024-03-01 10:00:00,1,1\n').encode(),
            {},
            "b.csv, near line 2: a quoted field does not end",
        ),
        ("b.csv", (GOOD + "A,7,SECRET,1,1\r\n").encode(), {}, "b.csv"),
        ("b.csv", (HEADER.replace("who", "id") + "A,7,x,1,1\n").encode(), {}, "has no column 'who'"),
        (
            "b.csv",
            (",".join(f"c{i}" for i in range(10_000)) + "\n" + "," * 9_999 + "\n").encode(),
            {},
            "10,000 columns",
        ),
        ("b.csv.gz", gzip.compress(GOOD.encode())[:-9], {"path": ["a.csv", "b.csv.gz"]}, "not a complete gzip file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name_and_the_table_stays(shop, name, content, changes, said):
    shop.write("a.csv", GOOD)
    shop.load()
    shop.write(name, content)
    with pytest.raises(SourceError) as caught:
        shop.load(session_id="s2", **changes)
    assert said in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert len(shop.column("select 1 from raw.orders")) == 2
    assert shop.column("select session_id from raw.loads") == ["s1"]


def test_parquet_that_is_empty_or_broken_is_refused(shop):
    pq.write_table(pa.table({"who": pa.array([], pa.string())}), shop.folder / "a.parquet")
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
    with pytest.raises(SourceError, match="empty input: the file has no row"):
        shop.load(path="a.parquet", format="parquet", columns=columns)
    shop.write("a.parquet", b"PAR1 and then nothing of the kind")
    with pytest.raises(SourceError, match="not a readable Parquet file"):
        shop.load(path="a.parquet", format="parquet", columns=columns)


def test_json_that_is_not_an_object_per_line_is_refused_without_its_content(shop):
    for content, line in (('[{"who": "SECRET"}]\n', "1: "), ('{"who": "1"}\n' * 1_200 + '{"who": SECRET}\n', "120")):
        shop.write("a.json", content)
        with pytest.raises(SourceError, match=f"line {line}") as caught:
            shop.load(
                path="a.json", format="json", columns={"customer_id": "who", "ordered_at": "who", "amount": "who"}
            )
        assert "SECRET" not in str(caught.value)


def test_columns_may_be_reordered_and_new_ones_are_recorded_and_ignored(shop):
    shop.write("a.csv", GOOD)
    shop.load()
    shop.write("b.csv", "colour,price,n,when,who,order\nred,4,1,2024-03-03 10:00:00,9,B1\n")
    report = shop.load()
    assert report.new_columns == ("colour",)
    assert shop.rows("select customer_id, amount from raw.orders where file = 'b.csv'") == [
        {"customer_id": "9", "amount": Decimal("4")}
    ]
    assert sorted(len(json.loads(header)) for header in shop.column("select header from raw.loads")) == [5, 6]


def test_hostile_column_names_are_only_names(shop):
    hostile = 'x"; drop table raw.orders; --'
    header = f'"{hostile.replace(chr(34), chr(34) * 2)}",when,"a/b~c.$",field_0\n'
    shop.write("a.csv", header + "7,2024-03-01,3,z\n,2024-03-01,3,z\n")
    columns = {"customer_id": hostile, "ordered_at": "when", "amount": "a/b~c.$"}
    shop.load(columns=columns, timestamp_format="%Y-%m-%d")
    assert shop.column("select customer_id from raw.orders") == ["7"]
    assert json.loads(shop.column("select content from raw.rejected_rows")[0])[hostile] is None
    shop.write("a.json", json.dumps({hostile: "8", "when": "2024-03-01", "a/b~c.$": 3}) + "\n")
    shop.load(path="a.json", format="json", columns=columns, timestamp_format="%Y-%m-%d")
    assert shop.column("select customer_id from raw.orders") == ["8"]


# ---- conservation, and what happens when the process dies ----


def test_every_row_of_a_file_of_rubbish_is_accepted_or_kept(shop):
    random.seed(3)
    pieces = [
        "",
        " ",
        "7",
        "007",
        "nan",
        "-1",
        "1e9",
        "1e30",
        "x",
        "2024-03-01 10:00:00",
        "2024-03-31 01:30:00",
        "1,5",
        '"',
        "\x00",
        "é",
    ]
    rows = [[random.choice(pieces) for _ in range(5)] for _ in range(3_000)]
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    shop.write("a.csv", HEADER + "\n".join(lines) + "\n")
    report = shop.load(timezone="Europe/London", line_key=["order_id"])
    assert report.rows_read == 3_000 == report.rows_accepted + report.rows_rejected
    assert report.rows_accepted == len(shop.column("select 1 from raw.orders"))
    assert sum(report.reasons.values()) == len(shop.column("select 1 from raw.rejected_rows"))
    kept = shop.rows("select row_number, content from raw.rejected_rows")
    assert all(
        list(json.loads(row["content"]).values()) == [cell or None for cell in rows[row["row_number"] - 1]]
        for row in kept
    )
    assert set(report.reasons) <= set(REASONS)


def test_revenue_by_month_reconciles_with_the_rejected_content(shop):
    rows = [
        ("A", who, f"2024-0{1 + i % 3}-15 10:00:00", n, price)
        for i, (who, n, price) in enumerate(
            [("1", 2, "1.25"), ("", 3, "9.99"), ("2", -1, "1.25"), ("", -2, "0.10"), ("3", 7, "3.33"), ("4", 1, "0")]
            * 40
        )
    ]
    shop.write("a.csv", HEADER + "".join(",".join(map(str, row)) + "\n" for row in rows))
    shop.load(bounds={"unit_price": {"above": 0}})
    expected: dict[str, Decimal] = {}
    for row in rows:
        expected[row[2][:7]] = expected.get(row[2][:7], Decimal(0)) + row[3] * Decimal(row[4])
    found = {month: Decimal(0) for month in expected}
    for row in shop.rows(
        "select strftime(ordered_on, '%Y-%m') as month, sum(amount) as revenue from raw.orders group by 1"
    ):
        found[row["month"]] += row["revenue"]
    for content in shop.column("select content from raw.rejected_rows"):
        row = json.loads(content)
        found[row["when"][:7]] += int(row["n"]) * Decimal(row["price"])
    assert found == expected


def test_a_load_that_does_not_add_up_is_not_committed(shop, monkeypatch):
    shop.write("a.csv", GOOD)
    shop.load()
    shop.write("a.csv", GOOD + "A3,,2024-03-01 10:00:00,1,1\n")
    from tdml_assets.resources import raw_tables

    real = raw_tables.render

    def losing(name, **context):
        rendered = real(name, **context)
        return Statement(f"{rendered.text} and false", rendered.parameters) if name == "raw/rejected" else rendered

    monkeypatch.setattr(raw_tables, "render", losing)
    with pytest.raises(ConservationError, match="2 rows accepted and 0 rejected are not the 3 rows read"):
        shop.load(session_id="s2")
    assert shop.column("select session_id from raw.loads") == ["s1"]


@contextmanager
def killed_while_loading(shop):
    code = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        import test_raw_tables as tests
        shop = tests.Shop(Path(sys.argv[1]))
        declaration = tests.Sources.model_validate({"orders": tests.DECLARED}).orders
        found = tests.collect_files("orders", declaration, base_folder=shop.folder, cache_folder=shop.folder, s3_client=None)
        with shop.warehouse.write() as database:
            tests.load_table(database, "orders", declaration, found, session_id="dead", now=tests.NOW)
            print("loaded", flush=True)
            time.sleep(60)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(shop.folder), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "loaded\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        yield
    finally:
        process.kill()
        process.stdout.close()


def test_a_killed_load_leaves_the_table_of_before_and_the_next_one_succeeds(shop):
    shop.write("a.csv", GOOD)
    shop.load()
    shop.write("a.csv", GOOD + "A3,9,2024-03-01 10:00:00,1,1\n")
    with killed_while_loading(shop):
        assert len(shop.column("select 1 from raw.orders")) == 2
        assert shop.column("select session_id from raw.loads") == ["s1"]
    assert shop.load(session_id="s2").rows_accepted == 3
