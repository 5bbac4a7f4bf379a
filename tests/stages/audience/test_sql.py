"""The publishing statements by themselves: hostile names, which session is taken, and exact ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot

from tdml_assets.declaration.attributes import AttributeSpec
from tdml_assets.platform.statements import Statement, render, sql_directory

HOSTILE = 'a"; drop table x; --'


def workflow(name: str, *attributes: AttributeSpec, session_id: str = "s") -> dict[str, Any]:
    ranked = any(spec.rank is not None for spec in attributes)
    table = [name, "predictions"]
    return {"name": name, "table": table, "session_id": session_id, "attributes": attributes, "ranked": ranked}


SPEND = AttributeSpec(name="spend", column="value", description="x")
DECILE = AttributeSpec(name="decile", column="value", kind="decile", description="x")
FIRST = AttributeSpec(name="first", column="product", rank=1, type="string", description="x")


def rows(connection: duckdb.DuckDBPyConnection, statement: Statement) -> list[tuple[Any, ...]]:
    return connection.execute(statement.text, dict(statement.parameters)).fetchall()


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_publishing_statement_is_one_statement_for_any_number_of_workflows(count: int) -> None:
    context = {
        "workflows": [workflow(f"w{index}", SPEND, DECILE) for index in range(count)],
        "as_of": "2011-12-09",
        "others": [],
        "control_table": None,
    }
    asked = {
        "forgotten_table": None,
        "suppression_table": ["raw", "suppression"],
        "consent_table": ["raw", "consent"],
        "purpose": None,
        "allow_unknown": False,
        "granted": ["yes"],
        "destination": "files",
        "control_column": None,
    }
    contexts: dict[str, dict[str, Any]] = {
        "assign_control": {**context, "groups": ["audience", "c"], "seed": 1, "share": 0.1},
        "keep_bands": {
            **{name: ["w", name] for name in ("predictions", "history", "groups")},
            "has_grade": False,
            "prediction": "p",
            "session_id": "s",
            "target": "{}",
            "seed": 1,
            "horizon_days": 90,
            "as_of": "2011-12-09",
        },
        "eligible": {"tables": {"w": ["features", "customer_features"]}, "day": "2011-12-09"},
        "parent_segment_attributes": context,
        "population": context,
        "judged": {**context, "table": ["judged"]},
        "profile": {"attributes": [SPEND], "table": ["judged"]},
        "sessions": {"table": ["w", "predictions"], "session_id": "s", "as_of": "2011-12-09"},
        "lists": {"table": ["w", "predictions"], "session_id": "s", "never_bought": "discover"},
        "export_permitted": {"table": ["audience", "x"], "columns": ["a"], **asked},
        "left_out": {"table": None, "file": "export.parquet", **asked},
        "gone_customers": {"attributes": "export.parquet", "orders": ["raw", "orders"]},
        "carry": {"table": ["audience", "x"], "workflows": context["workflows"]},
    }
    for path in sorted((sql_directory() / "audience").glob("*.sql")):
        text = render(f"audience/{path.stem}", **contexts.get(path.stem, {"table": ["audience", "x"]})).text
        assert len(sqlglot.parse(text, dialect="duckdb")) == 1, path.stem


def test_names_and_values_that_look_like_sql_stay_names_and_values(connection: duckdb.DuckDBPyConnection) -> None:
    quoted = HOSTILE.replace('"', '""')
    connection.execute(f'create schema "{quoted}"')
    connection.execute(
        f'create table "{quoted}".predictions as select $s as session_id, $s as customer_id, 1.0 as "{quoted}"',
        {"s": HOSTILE},
    )
    spec = AttributeSpec(name="spend", column=HOSTILE, description="x")
    context = {
        "workflows": [workflow(HOSTILE, spec, session_id=HOSTILE)],
        "as_of": "2011-12-09",
        "others": [],
        "control_table": None,
    }
    (row,) = rows(connection, render("audience/parent_segment_attributes", **context))
    assert (row[0], row[2]) == (HOSTILE, 1)


def test_a_profile_counts_what_is_missing_not_finite_and_constant(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema w")
    connection.execute(
        "create table w.predictions as select * from (values ('s', 'a', 1.0::double), ('s', 'b', 'nan'), "
        "('s', 'c', null), ('s', 'd', '-inf'), ('s', 'd', 1.0), ('s', null, 1.0), "
        "('other', 'e', 1.0)) as t (session_id, customer_id, value)"
    )
    context = {"workflows": [workflow("w", SPEND)], "as_of": "2011-12-09", "others": [], "control_table": None}
    judged = render("audience/judged", table=["judged"], **context)
    connection.execute(judged.text, dict(judged.parameters))
    statement = render("audience/profile", attributes=[SPEND], table=["judged"])
    result = connection.execute(statement.text, dict(statement.parameters))
    profile = dict(zip([column[0] for column in result.description or []], result.fetchone() or (), strict=True))
    # The customer who is there twice multiplies on the join, so that the check cannot miss it.
    assert profile == {
        "row_count": 6,
        "customers": 4,
        "null_customers": 1,
        "nulls_0": 2,
        "not_finite_0": 2,
        "constant_0": False,
    }


def test_recommendations_become_one_row_per_customer(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema n")
    connection.execute(
        "create table n.predictions as select * from (values ('s', 'a', 2, 'cup'), ('s', 'a', 1, 'tea'), "
        "('s', 'b', 2, 'jar')) as t (session_id, customer_id, rank, product)"
    )
    statement = render(
        "audience/parent_segment_attributes",
        workflows=[workflow("n", FIRST)],
        others=[],
        as_of="2011-12-09",
        control_table=None,
    )
    assert sorted((row[0], row[2]) for row in rows(connection, statement)) == [("a", "tea"), ("b", None)]


def test_the_session_written_last_is_taken_of_those_on_the_same_day(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema w")
    connection.execute("create table w.predictions (session_id varchar, as_of date)")
    for session, as_of in (("z", "2011-12-01"), ("a", "2011-12-01"), ("m", "2011-11-01"), ("later", "2011-12-20")):
        connection.execute("insert into w.predictions values ($s, $d)", {"s": session, "d": as_of})

    def taken(session_id: str, as_of: str) -> list[str]:
        statement = render("audience/sessions", table=["w", "predictions"], session_id=session_id, as_of=as_of)
        return [row[0] for row in rows(connection, statement)]

    assert taken("none", "2011-12-09") == ["a"]
    assert taken("z", "2011-12-09") == ["z"]
    assert taken("later", "2011-12-09") == ["later"]
    assert taken("none", "2011-10-01") == []


def test_an_export_is_ordered_by_customer_so_that_its_bytes_repeat(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    connection.execute("create schema audience")
    connection.execute(
        "create table audience.x as select printf('%05d', 7919 * i % 10007) as customer_id from range(10007) as t (i)"
    )
    found = [row[0] for row in rows(connection, render("audience/export_attributes", table=["audience", "x"]))]
    assert found == sorted(found)
    assert len(found) == 10007
