"""A table in a real PostgreSQL: one row per key with the latest value, whatever fails on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tdml_assets.activation.destinations import postgres
from tdml_assets.activation.destinations.postgres import PostgresClient
from tdml_assets.activation.protocol import DestinationError
from tdml_assets.declaration.destinations import DestinationSettings, read_destination
from tests.activation.conftest import Published, people
from tests.activation.postgres_server import PACKAGE, Server, binaries

pytestmark = pytest.mark.skipif(binaries() is None, reason=f"apt-get install {PACKAGE}")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # The path of a socket is limited to some hundred characters.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        running = Server(Path(folder))
        running.start()
        yield running
        running.stop()


class Database:
    """A fresh schema, and syncs into it."""

    def __init__(self, published: Published, server: Server, schema: str) -> None:
        self.published, self.server, self.schema = published, server, schema
        published.environment["PG_URL"] = server.url
        self.run(f"drop schema if exists {schema} cascade", f"create schema {schema}")

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.server.url) as connection:
            for text in statements:
                connection.execute(text)

    def rows(self, columns: str = "customer_id, churn_probability, churn_grade") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.server.url) as connection:
            return connection.execute(f"select {columns} from {self.schema}.customers order by 1").fetchall()

    def role(self, name: str) -> bool:
        with psycopg.connect(self.server.url) as connection:
            return connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone() is not None

    def settings(self, **keys: Any) -> DestinationSettings:
        section = {"kind": "postgres", "url_env": "PG_URL", "table": f"{self.schema}.customers", "batch_rows": 2}
        return read_destination("crm", {**section, **keys})

    def sync(self, **keys: Any):
        options = {name: keys.pop(name) for name in ("full", "only_dead", "failpoint") if name in keys}
        return self.published.sync(self.settings(**keys), **options)


@pytest.fixture
def database(tmp_path: Path, server: Server) -> Database:
    return Database(Published(tmp_path), server, "marketing")


def expected(rows: dict[str, tuple[float, str]]) -> list[tuple[str, float, str]]:
    return [(key, *values) for key, values in sorted(rows.items())]


def test_a_table_is_made_and_rows_are_upserted(database: Database) -> None:
    odd = {**people(3), '"00;4\\': (1e-300, 'a "quoted", text\nof two lines'), "00005": (0.1, "")}
    database.published.publish(odd)
    result = database.sync()
    assert (result.status, result.added, result.details["table"]) == ("succeeded", 5, "marketing.customers")
    assert database.rows() == sorted(expected(odd))
    latest = {**odd, "00002": (0.7, "C"), "00009": (0.3, "D")}
    database.published.publish(latest)
    again = database.sync()
    assert (again.added, again.changed, again.unchanged) == (1, 1, 4)
    assert database.rows() == sorted(expected(latest))


@pytest.mark.parametrize(
    ("types", "is_binary"),
    [
        ({}, True),
        ({"customer_id": "text", "truth": "boolean", "small": "smallint"}, True),
        ({"churn_probability": "numeric"}, False),
        ({"day": "timestamp"}, False),
        ({"large": "integer"}, False),
    ],
    ids=["our own table", "the same types", "numeric", "timestamp", "a smaller integer"],
)
def test_every_type_and_null_arrive_in_binary_and_as_csv_alike(
    database: Database, types: dict[str, str], is_binary: bool
) -> None:
    database.published.publish({**people(2), 'ä";\n': (-1e-300, "")})
    database.published.run(
        "create or replace table audience.parent_segment_attributes as select *, customer_id <> '00001' as truth, "
        "7::smallint as small, -8::integer as middle, 2000000000::bigint as large, 0.5::float as single, "
        "date '1999-12-31' as day from audience.parent_segment_attributes",
        "insert into audience.parent_segment_attributes by name select 'empty' as customer_id, date '2026-06-30' as as_of, "
        "7::smallint as small",
    )
    if types:
        columns = {
            "customer_id": "varchar", "churn_probability": "double precision", "churn_grade": "text", "truth": "boolean",
            "small": "smallint", "middle": "integer", "large": "bigint", "single": "real", "day": "date", **types,
        }  # fmt: skip
        body = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        database.run(f"create table marketing.customers ({body}, primary key (customer_id))")
    forms = []
    original = postgres.pieces

    def seen(rows: Any, *, binary: bool) -> Any:
        forms.append(binary)
        return original(rows, binary=binary)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "pieces", seen)
        assert database.sync(batch_rows=50).added == 4
    assert set(forms) == {is_binary}
    texts = "churn_probability::float, truth, small, middle, large, single::text, day::date::text"
    same = (7, -8, 2_000_000_000, "0.5", "1999-12-31")
    assert database.rows(f"customer_id, churn_grade, {texts}") == sorted(
        [
            ("00001", "A", 0.5, False, *same),
            ("00002", "A", 0.5, True, *same),
            ('ä";\n', "", -1e-300, True, *same),
            ("empty", None, None, None, 7, None, None, None, None),
        ]
    )


def test_rows_that_are_there_already_are_updated_by_the_first_sync(database: Database) -> None:
    database.run(
        "create table marketing.customers (customer_id varchar primary key, churn_probability double precision, churn_grade text, "
        "note text default 'theirs')",
        "insert into marketing.customers values ('00001', 1, 'Z', 'ours'), ('other', 1, 'Z', 'theirs')",
    )
    database.published.publish(people(2))
    assert database.sync().added == 2
    assert database.rows("customer_id, churn_grade, note") == [
        ("00001", "A", "ours"),
        ("00002", "A", "theirs"),
        ("other", "Z", "theirs"),
    ]


def test_update_only_and_create_only_leave_alone_what_they_must(database: Database) -> None:
    database.published.publish(people(2))
    database.run(
        "create table marketing.customers (customer_id text primary key, churn_probability double precision, churn_grade text)",
        "insert into marketing.customers values ('00001', 1, 'Z')",
    )
    update = database.sync(mode="update_only")
    assert (update.added, update.skipped) == (1, 1)
    assert database.rows("customer_id, churn_grade") == [("00001", "A")]
    database.published.run("delete from activation.sync_state", "delete from activation.sync_mappings")
    database.published.publish(people(2, grade="B"))
    create = database.sync(mode="create_only")
    assert (create.added, create.skipped) == (1, 1)
    assert database.rows("customer_id, churn_grade") == [("00001", "A"), ("00002", "B")]


def test_a_mirror_removes_its_own_rows_and_a_replacement_all_others(database: Database) -> None:
    database.published.publish(people(4))
    database.sync(mode="mirror")
    database.run("insert into marketing.customers (customer_id) values ('theirs')")
    database.published.publish(people(3))
    assert database.sync(mode="mirror").removed == 1
    assert [row[0] for row in database.rows()] == ["00001", "00002", "00003", "theirs"]
    database.run("create view marketing.grades as select churn_grade from marketing.customers")
    database.published.publish(people(2, grade="B"))
    replaced = database.sync(mode="replace")
    assert (replaced.status, replaced.changed, replaced.removed) == ("succeeded", 2, 1)
    assert database.rows() == expected(people(2, grade="B"))
    assert database.sync(mode="replace").taken == 0
    with psycopg.connect(database.server.url) as connection:
        assert connection.execute("select count(*) from marketing.grades").fetchone() == (2,)
        assert connection.execute("select to_regclass('marketing.customers__incoming')").fetchone() == (None,)


def test_a_row_that_breaks_a_constraint_is_a_dead_letter_without_its_value(database: Database) -> None:
    database.run(
        "create table marketing.customers (customer_id text primary key, churn_probability double precision, "
        "churn_grade text check (churn_grade <> 'canary'))"
    )
    database.published.publish({**people(5), "00003": (0.5, "canary")})
    result = database.sync(batch_rows=50)
    assert (result.status, result.added, result.failed) == ("degraded", 4, 1)
    (letter,) = database.published.rows("select code, reason from activation.dead_letters")
    assert letter == {"code": "23514", "reason": "PostgreSQL refuses the row (CheckViolation, 23514)"}
    assert len(database.rows()) == 4


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("(id text)", "has no column customer_id, churn_probability, churn_grade"),
        ("(customer_id text, churn_probability float, churn_grade text)", "no unique index on customer_id alone"),
    ],
    ids=["other columns", "no unique index"],
)
def test_a_table_that_does_not_fit_is_named_before_anything_is_sent(database: Database, table: str, words: str) -> None:
    database.run(f"create table marketing.customers {table}")
    database.published.publish(people(2))
    reason = database.sync().reason
    assert reason is not None
    assert words in reason


def test_a_connection_that_is_ended_between_batches_and_inside_one_is_made_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.published.publish(people(6))
    end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tdml-assets'"
    inside = iter([False, True, False, False, False])
    copy = PostgresClient._copy

    def copied(self: PostgresClient, *arguments: Any) -> None:
        copy(self, *arguments)
        if next(inside, False):
            database.run(end)

    monkeypatch.setattr(PostgresClient, "_copy", copied)
    result = database.sync(failpoint=lambda step: database.run(end) if step == "marked 2" else None)
    assert (result.status, result.added) == ("succeeded", 6)
    assert result.attempts > 4
    assert database.rows() == expected(people(6))


def test_a_batch_that_was_written_and_not_marked_is_written_again_once(database: Database) -> None:
    database.published.publish(people(4))

    def stop(step: str) -> None:
        if step == "sent 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.sync(failpoint=stop)
    result = database.sync()
    assert (result.added, result.unchanged) == (2, 2)
    assert database.rows() == expected(people(4))


def test_no_secret_of_the_url_is_in_an_error(database: Database) -> None:
    database.published.publish(people(1))
    for url in ("postgresql://ann:p4ss@127.0.0.1:1/shop", "mysql://ann:p4ss@h/shop", "p4ss"):
        database.published.environment["PG_URL"] = url
        result = database.sync(retries={"attempts": 1})
        assert result.status == "failed"
        assert "PG_URL" in (result.reason or "")
        assert "p4ss" not in (result.reason or "")


def test_a_dry_run_names_what_a_sync_could_not_do_and_writes_nothing(database: Database) -> None:
    database.published.publish(people(2))
    settings = database.settings()
    assert database.published.check(settings) == {"table": "marketing.customers", "is_there": False, "role": "postgres"}
    with psycopg.connect(database.server.url) as connection:
        assert connection.execute("select to_regclass('marketing.customers')").fetchone() == (None,)
    assert database.sync().status == "succeeded"
    if not database.role("bi_guest"):
        database.run("create role bi_guest login")
    database.run("grant usage on schema marketing to bi_guest")
    database.published.environment["PG_URL"] = database.server.url.replace("user=postgres", "user=bi_guest")
    with pytest.raises(DestinationError, match="may not read, write and delete in marketing.customers"):
        database.published.check(settings)
    with pytest.raises(DestinationError, match="there is no such schema"):
        database.published.check(database.settings(table="nowhere.customers"))
