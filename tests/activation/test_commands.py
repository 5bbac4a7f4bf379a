"""The commands plan, apply, sync and retry: files, JSON, exit codes, and alerts once per cause."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tdml_assets.commands.app import app
from tests.activation.conftest import Published, people
from tests.activation.receiver import SECRET, Receiver

CANARIES = ("00001", "canary-grade", SECRET)


class Shell:
    """Commands on the published attributes of a state folder."""

    def __init__(self, published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
        self.published, self._monkeypatch = published, monkeypatch
        for name, value in published.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TDML_HOME", str(published.folder))
        self.declare("webhook: {url_env: HOOK_URL, secret_env: HOOK_SECRET, batch_rows: 2, retries: {attempts: 1}}")
        self.said = ""

    def declare(self, *sections: str) -> None:
        path = self.published.folder / "tdml.yaml"
        path.write_text(f"destinations: {{{', '.join(sections)}}}\nalerts: {{log: true}}", encoding="utf-8")
        self._monkeypatch.setenv("TDML_CONFIG", str(path))

    def __call__(self, *arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        self.said += result.output
        return result


@pytest.fixture
def shell(published: Published, monkeypatch: pytest.MonkeyPatch) -> Shell:
    published.publish(people(5, grade="canary-grade"))
    return Shell(published, monkeypatch)


def test_a_plan_can_ask_the_destination_where_that_writes_nothing(shell: Shell) -> None:
    assert "there: this kind cannot be asked without sending" in shell("plan", "webhook", "--ask-destination").output
    shell.declare("td: {kind: treasure_data, api_key_env: NO_SUCH_KEY, database: marketing, table: predictions}")
    asked = shell("plan", "td", "--ask-destination")
    assert (asked.exit_code, "set NO_SUCH_KEY in the environment" in asked.output) == (1, True)
    assert shell("plan", "td").exit_code == 0


def test_a_plan_is_written_and_applied_and_nothing_is_left_to_send(
    shell: Shell, receiver: Receiver, tmp_path: Path
) -> None:
    plan = tmp_path / "review.json"
    made = shell("plan", "webhook", "--output", str(plan), "--json")
    assert (made.exit_code, json.loads(made.stdout)["added"]) == (0, 5)
    assert receiver.requests == []
    done = shell("apply", str(plan), "--json")
    (sync,) = json.loads(done.stdout)["syncs"]
    assert (done.exit_code, sync["status"], sync["added"]) == (0, "succeeded", 5)
    assert shell("apply", str(plan)).exit_code == 1
    again = shell("sync", "webhook", "--json")
    assert (again.exit_code, json.loads(again.stdout)["syncs"][0]["unchanged"]) == (0, 5)


def test_exit_codes_tell_what_became_of_a_sync(shell: Shell, receiver: Receiver) -> None:
    assert shell("sync", "nowhere").exit_code == 2
    assert shell("apply", "nowhere.json").exit_code == 2
    receiver.tell(script=[500])
    assert shell("sync").exit_code == 1
    receiver.tell(script=["take", 500])
    assert shell("sync").exit_code == 3
    receiver.tell(refuses=["00005"])
    assert shell("sync").exit_code == 3
    assert shell("retry", "webhook").exit_code == 3
    receiver.tell(refuses=[])
    assert shell("retry", "webhook").exit_code == 0
    shell.published.session(2, status="scored", decision="data_quality")
    assert shell("plan", "webhook").exit_code == 3
    assert shell("sync").exit_code == 1
    shell.declare()
    assert shell("sync").exit_code == 2


def test_no_customer_no_value_and_no_secret_is_shown_or_kept_beside_the_rows(shell: Shell, receiver: Receiver) -> None:
    # The receiver repeats the rows in its refusals.
    receiver.tell(refuses=["00001"])
    shell("plan", "webhook")
    shell("sync", "--json")
    receiver.tell(script=[500, 400, 400, 400, 401])
    shell("sync", "webhook", "--full")
    shell("retry", "webhook")
    places = [path for path in shell.published.folder.rglob("*.json") if path.is_file()]
    texts = [shell.said, *(path.read_text(encoding="utf-8") for path in places)]
    texts += [str(row) for row in shell.published.rows("select * exclude (customer_id) from activation.dead_letters")]
    texts += [str(row) for row in shell.published.rows("select * from activation.sync_runs")]
    assert any("dead_letters" in text for text in texts)
    assert not [canary for canary in CANARIES for text in texts if canary in text]
    assert "127.0.0.1" not in "".join(texts)


def test_people_are_told_once_per_cause_until_a_sync_succeeds(shell: Shell, receiver: Receiver) -> None:
    def told() -> list[str]:
        receiver.tell(script=[500])
        return re.findall(r"alert: ([^.]*)\.", shell("sync").stderr)

    assert told() == ["The sync to webhook failed (SyncFailed at audience/webhook)"]
    assert told() == []
    receiver.tell(script=[])
    assert shell("sync").exit_code == 0
    shell.published.publish(people(5, grade="B"))
    assert told() == ["The sync to webhook failed (SyncFailed at audience/webhook)"]
