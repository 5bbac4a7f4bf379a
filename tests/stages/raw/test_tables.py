"""A raw table mirrors its files or stays as it was; rows of one key collapse; nothing is lost."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

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

from tdml_assets.platform.statements import Statement
from tdml_assets.stages.raw.contracts import LOADS, ORDERS, REASONS, REJECTED_ROWS
from tdml_assets.stages.raw.files import FoundFiles
from tdml_assets.stages.raw.fingerprint import fingerprint
from tdml_assets.stages.raw.row_counts import ConservationError
from tdml_assets.stages.raw.tables import load_table

HEADER = "order,who,when,n,price\n"
GOOD = HEADER + "A1,007,2024-03-01 10:00:00,2,1.25\nA2,8,2024-03-02 10:00:00,1,3\n"


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


def test_the_same_files_again_change_nothing(shop):
    shop.write("a.csv", GOOD + "A,,2024-03-01 10:00:00,1,1\n")
    shop.load()
    with shop.warehouse.read() as database:
        before = fingerprint(database)
    report = shop.load(session_id="s2", now=shop.NOW + timedelta(days=1))
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
            report = load_table(database, "orders", None, FoundFiles((), ()), session_id="s2", now=shop.NOW)
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
    from tdml_assets.stages.raw import tables as raw_tables

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
        import conftest as tests
        shop = tests.Shop(Path(sys.argv[1]))
        declaration = tests.Sources.model_validate({"orders": tests.DECLARED}).orders
        folder = shop.folder
        found = tests.collect_files("orders", declaration, base_folder=folder, cache_folder=folder, s3_client=None)
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
