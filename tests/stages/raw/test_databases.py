"""Rows of a database are read in batches with their types, and no error holds the URL."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdml_assets.declaration.sources import Sources
from tdml_assets.stages.raw import arrow_databases, databases
from tdml_assets.stages.raw.arrow_databases import write_batches
from tdml_assets.stages.raw.files import require_local
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.state_identity import declared_orders
from tdml_assets.stages.raw.typed_rows import UnreadableColumnsError, write_typed_rows

VARIABLE = "TEST_SHOP_URL"
SECRET = "hunter2-Zq01"
DECLARED = {
    "format": "database",
    "url_env": VARIABLE,
    "table": "order_lines",
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "currency": "GBP",
    "columns": {"customer_id": "who", "ordered_at": "at", "amount": "total", "order_id": "order_no"},
}
ROWS = [(f"A{n}", f"00{n}", f"2024-03-0{n} 10:00:00", f"{n}.10") for n in range(1, 8)]


def fill(shop, rows, *, photo="null"):
    with closing(sqlite3.connect(shop.folder / "shop.db")) as connection, connection:
        connection.execute("drop table if exists order_lines")
        connection.execute("create table order_lines (order_no text, who text, at text, total text, photo blob)")
        connection.executemany(f"insert into order_lines values (?, ?, ?, ?, {photo})", rows)


@pytest.fixture
def database(shop, monkeypatch):
    fill(shop, ROWS)
    monkeypatch.setenv(VARIABLE, f"sqlite:///{shop.folder / 'shop.db'}")
    return shop


def load(shop, **changes):
    declared = {key: value for key, value in {**DECLARED, **changes}.items() if value is not None}
    return shop.load(declared=declared)


def test_a_table_is_read_over_the_ends_of_batches(database, monkeypatch):
    monkeypatch.setattr(databases, "_BATCH_ROWS", 3)
    report = load(database)
    assert (report.rows_read, report.rows_accepted) == (7, 7)
    assert [file.name for file in report.files] == [f"database:{VARIABLE}/order_lines"]
    assert database.column("select sum(amount) from raw.orders") == [Decimal("28.70")]
    assert database.column("select customer_id from raw.orders order by 1")[0] == "001"


@pytest.mark.parametrize("key", ["query", "query_file"])
def test_a_query_is_read_as_it_is_written(database, key):
    query = "-- lines\nselect *, ':x' as mark from order_lines where order_no like 'A%' and total <> '1.10';\n"
    database.write("orders.sql", query)
    report = load(database, table=None, **{key: query if key == "query" else "orders.sql"})
    assert report.rows_read == 6
    name = report.files[0].name
    assert (
        name == f"database:{VARIABLE}/orders.sql"
        if key == "query_file"
        else name.startswith(f"database:{VARIABLE}/query-")
    )


def test_equal_rows_in_another_order_are_not_loaded_again_and_changed_rows_are(database):
    load(database)
    fill(database, ROWS[::-1])
    assert load(database).is_unchanged
    fill(database, [*ROWS[1:], ("A1", "001", "2024-03-01 10:00:00", "1.11")])
    assert not load(database).is_unchanged
    assert database.column("select sum(amount) from raw.orders") == [Decimal("28.71")]


def test_types_are_kept(tmp_path):
    zone = timezone(timedelta(hours=2))
    rows = [
        (
            Decimal("12.50"),
            1,
            None,
            datetime(2024, 3, 1, 10),
            datetime(2024, 3, 1, 10, tzinfo=zone),
            date(2024, 3, 1),
            1,
        ),
        (None, None, None, None, None, None, "x"),
        (Decimal("1E+3"), 2.5, None, date(2024, 3, 2), datetime(2024, 3, 1, tzinfo=UTC), None, Decimal("1.50")),
        (7, 3, None, None, None, None, 1e22),
    ]
    names = ["price", "n", "none", "at", "instant", "day", "mixed"]
    path = tmp_path / "rows.parquet"
    written = write_typed_rows(path, names, [rows[:2], rows[2:]], ",")
    table = pq.read_table(path)
    types = ["decimal128(6, 2)", "double", "null", "timestamp[us]", "timestamp[us, tz=UTC]", "date32[day]", "string"]
    assert [str(kind) for kind in table.schema.types] == types
    found = table.to_pydict()
    assert found["price"] == [Decimal("12.50"), None, Decimal("1000.00"), Decimal("7.00")]
    assert found["n"] == [1.0, None, 2.5, 3.0]
    assert found["at"] == [datetime(2024, 3, 1, 10), None, datetime(2024, 3, 2), None]
    assert found["instant"][0] == datetime(2024, 3, 1, 8, tzinfo=UTC)
    assert found["mixed"] == ["1", "x", "1,50", "1e+22"]
    assert written == write_typed_rows(path, names, [rows[::-1]], ",")
    assert written.sha256 != write_typed_rows(path, names, [rows, rows[:1]], ",").sha256


def test_numbers_that_no_decimal_holds_become_text_and_bytes_are_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    write_typed_rows(path, ["a", "b"], [[(10**40, Decimal("NaN")), (Decimal("0.5"), Decimal("1.5"))]])
    assert pq.read_table(path).to_pydict() == {"a": [str(10**40), "0.5"], "b": ["NaN", "1.5"]}
    with pytest.raises(UnreadableColumnsError, match=r"a \(bytes\), c \(list\)"):
        write_typed_rows(path, ["a", "b", "c"], [[(b"x", 1, [1])]])


def test_typed_times_of_a_database_need_no_format(database, monkeypatch):
    path = database.folder / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table typed (who text, at timestamp, total numeric)")
        connection.execute("insert into typed values ('1', '2024-07-01 23:30:00', 2.5)")
    monkeypatch.setenv(VARIABLE, f"sqlite:///{path}?detect_types=1")
    load(
        database,
        table="main.typed",
        timestamp_format=None,
        timezone="America/New_York",
        columns={**DECLARED["columns"], "order_id": None},
    )
    assert database.rows("select ordered_at, ordered_on from raw.orders") == [
        {"ordered_at": datetime(2024, 7, 2, 3, 30), "ordered_on": date(2024, 7, 1)}
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": "orders"}, "refused the query .*'orders'.*correct table or query"),
        ({"table": None, "query": "selec 1"}, "refused the query .*'selec'"),
        ({"table": None, "query": "select * from order_lines where 1 = 0"}, "empty input: it gives no row"),
        ({"table": None, "query": "delete from order_lines"}, "gives no rows: write one SELECT"),
        ({"table": None, "query": "select who, at as WHO from order_lines"}, "two columns are named 'WHO'"),
        ({"table": None, "query": " ; "}, "the query is empty"),
        ({"table": None, "query_file": "missing.sql"}, r"'missing\.sql' cannot be read \(No such file"),
        ({"table": None, "query": "select *, x'00' as photo2 from order_lines"}, "column 'photo2' holds bytes"),
    ],
)
def test_what_a_database_does_not_give_is_refused_with_a_remedy(database, changes, message):
    load(database)
    with pytest.raises(SourceError, match=message):
        load(database, **changes)
    assert len(database.column("select 1 from raw.orders")) == 7
    with closing(sqlite3.connect(database.folder / "shop.db")) as connection:
        assert connection.execute("select count(*) from order_lines").fetchone() == (7,)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", f"environment variable {VARIABLE} is not set"),
        (f"postgresql+nodriver://bob:{SECRET}@db/shop", "not installed"),
        (f"nobase://bob:{SECRET}@db/shop", r"dialect that is not installed \(nobase\)"),
        (f"snowflake://bob:{SECRET}@db/shop", "pip install 'snowflake-sqlalchemy'"),
        (f"oracle+cx_oracle://bob:{SECRET}@db/shop", "pip install 'cx_Oracle'"),
        (f"postgres://bob:{SECRET}@db/shop", r"not installed \(postgres\): write postgresql"),
        (f"postgresql+asyncpg://bob:{SECRET}@db/shop", "name another, such as postgresql.psycopg"),
        (f"bob:{SECRET}", "is not a SQLAlchemy URL"),
        (f"postgresql://bob:{SECRET}@db:port/shop", "is not a SQLAlchemy URL"),
        (f"sqlite:////nowhere/{SECRET}.db", "names a SQLite file that is not there"),
        (f"sqlite:///file:/nowhere/{SECRET}.db?uri=true", "there is no connection|does not open the database"),
    ],
)
def test_a_url_that_does_not_connect_is_explained_without_it(database, monkeypatch, url, message):
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(SourceError, match=message) as caught:
        load(database)
    assert SECRET not in str(caught.value)
    assert VARIABLE in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('connection to server at "h", port 1 failed: Connection refused', "refused the connection: start it"),
        ('password authentication failed for user "bob"', "the user or the password: correct them in V"),
        ('database "shop" does not exist', "correct its name in V"),
        (f"something {SECRET}", "there is no connection"),
    ],
)
def test_what_a_server_says_is_told_in_own_words(said, message):
    text = databases._cause("connect", said, "OperationalError", "V")
    assert message in text
    assert "bob" not in text
    assert SECRET not in text


def test_a_column_that_does_not_exist_is_named():
    text = databases._cause("query", 'column "totl" does not exist\nLINE 1: select totl', "ProgrammingError", "V")
    assert "'totl'" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url_env": f"postgresql://bob:{SECRET}@db/shop"}, "takes the name of an environment variable"),
        ({"url_env": None}, "url_env is missing"),
        ({"query": "select 1"}, "found table and query"),
        ({"table": None}, "found none of them"),
        ({"table": "a.b.c"}, "is not the name of a table"),
        ({"path": "a.csv"}, "path is for files"),
        ({"skip_rows": 1}, "skip_rows has no effect with format database"),
        ({"format": "parquet"}, "url_env is for format: database"),
        ({"format": "csv", "url_env": None, "table": None}, "path is missing"),
    ],
)
def test_keys_of_files_and_of_databases_are_not_mixed(changes, message):
    declared = {key: value for key, value in {**DECLARED, **changes}.items() if value is not None}
    with pytest.raises(ValueError, match=message) as caught:
        Sources.model_validate({"orders": declared})
    assert SECRET not in str(caught.value)


def test_a_run_looks_for_the_variable_and_the_state_knows_the_table(database, monkeypatch):
    sources = Sources.model_validate({"orders": DECLARED})
    require_local(sources, database.folder)
    assert declared_orders(sources.orders, ".").locations == (f"database:{VARIABLE}/order_lines",)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SourceError, match="is not set"):
        require_local(sources, database.folder)


# ---- ADBC ----


@pytest.fixture
def arrow_database(database, monkeypatch):
    monkeypatch.setenv(VARIABLE, f"adbc+sqlite:///{database.folder / 'shop.db'}")
    return database


@pytest.mark.parametrize("form", ["adbc+sqlite:///{}", "sqlite+adbc:///{}", "adbc:sqlite:{}"])
@pytest.mark.parametrize("source", [{}, {"table": None, "query": "select * from order_lines;"}])
def test_an_adbc_url_is_read_over_the_ends_of_batches(database, monkeypatch, form, source):
    monkeypatch.setenv(VARIABLE, form.format(database.folder / "shop.db"))
    monkeypatch.setattr(arrow_databases, "_BATCH_ROWS", 3)
    assert load(database, **source).rows_accepted == 7
    assert database.column("select sum(amount) from raw.orders") == [Decimal("28.70")]
    assert database.column("select customer_id from raw.orders order by 1")[0] == "001"
    fill(database, ROWS[::-1])
    assert load(database, **source).is_unchanged
    fill(database, [*ROWS[1:], ("A1", "001", "2024-03-01 10:00:00", "1.11")])
    assert not load(database, **source).is_unchanged
    assert database.column("select sum(amount) from raw.orders") == [Decimal("28.71")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": "orders"}, "refused the query .*'orders'.*correct table or query"),
        ({"table": None, "query": "selec 1"}, "refused the query .*'selec'"),
        ({"table": None, "query": "select * from order_lines where 1 = 0"}, "empty input: it gives no row"),
        ({"table": None, "query": "delete from order_lines"}, "gives no rows: write one SELECT"),
        ({"table": None, "query": "select who, at as WHO from order_lines"}, "two columns are named 'WHO'"),
        ({"table": None, "query": "select *, x'00' as photo2 from order_lines"}, "column 'photo2' holds bytes"),
        (
            {"table": None, "query": "select *, case order_no when 'A5' then 'x' else 1 end as n from order_lines"},
            "the rows could not be read to their end",
        ),
    ],
)
def test_what_a_database_does_not_give_over_adbc_is_refused_alike(arrow_database, monkeypatch, changes, message):
    monkeypatch.setattr(arrow_databases, "_BATCH_ROWS", 3)
    load(arrow_database)
    with pytest.raises(SourceError, match=message):
        load(arrow_database, **changes)
    assert len(arrow_database.column("select 1 from raw.orders")) == 7
    with closing(sqlite3.connect(arrow_database.folder / "shop.db")) as connection:
        assert connection.execute("select count(*) from order_lines").fetchone() == (7,)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"adbc+postgresql://bob:{SECRET}@127.0.0.1:1/shop", "the server refused the connection: start it"),
        (f"adbc+sqlite:////nowhere/{SECRET}.db", "names a sqlite file that is not there"),
        (f"adbc:nobase:bob:{SECRET}@db", "pip install 'adbc-driver-nobase'"),
    ],
)
def test_an_adbc_url_that_does_not_connect_is_explained_without_it(database, monkeypatch, url, message):
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(SourceError, match=message) as caught:
        load(database)
    assert SECRET not in str(caught.value)
    assert VARIABLE in str(caught.value)


def test_without_the_driver_the_message_names_the_extra(database, monkeypatch):
    monkeypatch.setenv(VARIABLE, "adbc+postgresql://bob@db/shop")
    monkeypatch.setattr(arrow_databases.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SourceError, match=r"pip install 'tdml-assets\[adbc-postgresql\]'"):
        load(database)


def test_arrow_types_are_kept_and_numeric_of_postgresql_has_the_declared_mark(tmp_path):
    numeric = pa.opaque(pa.string(), "numeric", "PostgreSQL")
    fields = [
        pa.field("total", numeric, metadata={b"POSTGRESQL:type": b"numeric"}),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("state", pa.dictionary(pa.int8(), pa.string())),
        pa.field("text", pa.string_view()),
        pa.field("id", pa.uuid()),
    ]
    arrays = [
        pa.ExtensionArray.from_storage(numeric, pa.array(["12.50", None])),
        pa.array([datetime(2024, 3, 1, 10, tzinfo=UTC), None]),
        pa.array(["paid", "paid"]).dictionary_encode().cast(fields[2].type),
        pa.array(["x", None], pa.string_view()),
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16))),
    ]
    batch = pa.record_batch(arrays, schema=pa.schema(fields))
    path = tmp_path / "rows.parquet"
    written = write_batches(path, pa.RecordBatchReader.from_batches(batch.schema, [batch]), ",")
    found = pq.read_table(path).to_pydict()
    assert (found["total"], found["state"], found["text"]) == (["12,50", None], ["paid", "paid"], ["x", None])
    assert (written.rows, found["at"][0]) == (2, datetime(2024, 3, 1, 10, tzinfo=UTC))
    parts = [batch.slice(1), batch.slice(0, 1)]
    assert write_batches(path, pa.RecordBatchReader.from_batches(batch.schema, parts), ",") == written
    money = pa.schema([pa.field("total", pa.int64(), metadata={b"POSTGRESQL:type": b"money"})])
    with pytest.raises(UnreadableColumnsError, match=r"total \(money\)"):
        write_batches(path, pa.RecordBatchReader.from_batches(money, []))
    nested = pa.schema({"tags": pa.list_(pa.string()), "photo": pa.binary(), "hour": pa.time64("us")})
    with pytest.raises(UnreadableColumnsError, match=r"tags \(list.*photo \(bytes\), hour \(time64"):
        write_batches(path, pa.RecordBatchReader.from_batches(nested, []))
