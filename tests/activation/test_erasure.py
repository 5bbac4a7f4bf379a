"""A customer who is forgotten is deleted at every destination, in the tables of activation, and stays away."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tests.activation.conftest import Published, people
from tests.activation.receiver import Receiver

HOOK = "{kind: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET, retries: {attempts: 1}}"


@pytest.fixture
def forget(published: Published, monkeypatch: pytest.MonkeyPatch):
    published.publish(people(3))
    published.sync(name="crm")
    published.sync(name="old")
    path = published.folder / "tdml.yaml"
    path.write_text(f"destinations: {{crm: {HOOK}}}", encoding="utf-8")
    for name, value in {
        **published.environment,
        "TDML_HOME": str(published.folder),
        "TDML_CONFIG": str(path),
    }.items():
        monkeypatch.setenv(name, value)

    def run() -> tuple[int, str]:
        result = CliRunner().invoke(app, ["forget", "00002"])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return run


def everywhere(published: Published) -> int:
    names = published.rows(
        "select schema_name, table_name from duckdb_columns() where column_name = 'customer_id' and not internal"
    )
    tables = [f"{row['schema_name']}.{row['table_name']}" for row in names]
    return sum(published.column(f"select count(*) from {table} where customer_id = '00002'")[0] for table in tables)


def test_the_customer_is_deleted_there_and_here_and_stays_away(
    published: Published, receiver: Receiver, forget
) -> None:
    code, said = forget()
    # A destination that is declared no more cannot be asked.
    assert (code, "destination crm: deleted" in said, "destination old: still holds them" in said) == (3, True, True)
    assert sorted(receiver.rows) == ["00001", "00003"]
    assert everywhere(published) == 0
    # The customer comes back with the files.
    published.publish(people(3))
    assert published.sync().excluded == {"forgotten": 1}
    assert sorted(receiver.rows) == ["00001", "00003"]
    assert forget()[0] == 0


def test_a_destination_that_is_down_is_told_by_the_next_sync(published: Published, receiver: Receiver, forget) -> None:
    published.run("delete from activation.sync_state where destination = 'old'")
    receiver.tell(script=[500])
    code, said = forget()
    assert (code, "tdml-assets sync crm, which deletes them" in said) == (3, True)
    assert "00002" in receiver.rows
    assert published.sync().removed == 1
    assert "00002" not in receiver.rows
    assert everywhere(published) == 0
