"""Who is told of an episode, kept per channel: on a DuckDB file, with a webhook on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.declaration.alerts import Alerts
from tdml_assets.declaration.monitor import Monitor
from tdml_assets.platform.monitoring import DRIFT_EPISODES, TRIAGE
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.triage.alerting import send_alerts
from tdml_assets.stages.triage.asset import keep_finding
from tdml_assets.stages.triage.decision import Finding
from tdml_assets.stages.triage.episodes import Episode

DAY = date(2026, 6, 30)
#: As a replay is given them: the log alone.
ONLY_THE_LOG = Alerts()
WITH_WEBHOOK = Alerts.model_validate({"webhook": {"url_env": "HOOK"}})


class Log(list[str]):
    """Warnings of a run."""

    def warning(self, msg: str, /) -> None:
        self.append(msg)

    def alerts(self) -> list[str]:
        return [line for line in self if line.startswith("alert: ")]


class Hook:
    """A receiver on loopback that takes what comes, or refuses it for good."""

    def __init__(self) -> None:
        self.status, self.taken = 200, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if outer.status == 200:
                    outer.taken.append(body)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    hook = Hook()
    thread = threading.Thread(target=hook.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setenv("HOOK", hook.url)
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    thread.join(5)


class House:
    """Sessions, one a day, that decide and tell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "tmp"), threads=1)
        with self.warehouse.write() as database:
            for contract in (TRIAGE, DRIFT_EPISODES):
                database.ensure(contract)

    def session(
        self, alerts: Alerts, *, day: int, finding: str = "retrain", cause: str = "features", workflow: str = "cltv"
    ) -> tuple[Log, list[dict[str, str]]]:
        """What was logged, and what is shown of the deliveries."""
        found = Finding(
            date(2026, 7, day),
            "v1",
            finding,  # type: ignore[arg-type]
            cause,  # type: ignore[arg-type]
            2.0 if finding != "nothing" else 0.0,
            "total_spend moved far.",
            datetime(2026, 7, day, 12),  # noqa: DTZ001
        )
        with self.warehouse.write() as database:
            episodes = keep_finding(database, workflow, f"s{day}", found, Monitor(close_after=1))
        return self.told_of(alerts, episodes)

    def told_of(self, alerts: Alerts, episodes: tuple[Episode, ...]) -> tuple[Log, list[dict[str, str]]]:
        log = Log()
        settings = Settings(home=self.folder, base_folder=self.folder, alerts=alerts)
        return log, send_alerts(self.warehouse, "Lifetime value", settings, episodes, self.folder / "report.html", log)

    def kept(self, column: str = "alerted_channels") -> list[Any]:
        with self.warehouse.read() as database:
            rows = database.rows(
                Statement(f"select {column} as kept from {'.'.join(DRIFT_EPISODES.path)} order by all")
            )
        return [row["kept"] for row in rows]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_every_channel_is_told_once_however_many_sessions_an_episode_has(house: House, hook: Hook) -> None:
    first, rows = house.session(WITH_WEBHOOK, day=1)
    assert [(row["channel"], row["taken"]) for row in rows] == [("log", "yes"), ("webhook", "yes")]
    assert len(first.alerts()) == len(hook.taken) == 1
    assert house.kept() == ["log,webhook"]
    assert house.kept("alerted_at") != [None]
    second, rows = house.session(WITH_WEBHOOK, day=2)
    assert (second, rows, len(hook.taken)) == ([], [], 1)
    assert house.kept() == ["log,webhook"]


def test_where_one_channel_of_two_failed_the_next_session_tells_only_that_one(house: House, hook: Hook) -> None:
    hook.status = 403
    first, rows = house.session(WITH_WEBHOOK, day=1)
    assert len(first.alerts()) == 1
    assert any("was not taken by webhook" in line and "the next session tries again" in line for line in first)
    assert {row["channel"]: row["taken"].startswith("no: ") for row in rows} == {"log": False, "webhook": True}
    assert house.kept() == ["log"]
    hook.status = 200
    second, rows = house.session(WITH_WEBHOOK, day=2)
    assert second.alerts() == [], "the log was told already"
    assert [(row["channel"], row["taken"]) for row in rows] == [("webhook", "yes")]
    assert len(hook.taken) == 1
    assert house.kept() == ["log,webhook"]


def test_a_channel_whose_variable_is_not_set_is_tried_again_until_it_is(
    house: House, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK")
    first, _ = house.session(WITH_WEBHOOK, day=1)
    assert any("set HOOK in the environment" in line for line in first)
    monkeypatch.setenv("HOOK", hook.url)
    house.session(WITH_WEBHOOK, day=2)
    assert (house.kept(), len(hook.taken)) == (["log,webhook"], 1)


def test_a_replay_that_told_the_log_alone_leaves_the_webhook_untold(house: House, hook: Hook) -> None:
    house.session(ONLY_THE_LOG, day=1)
    assert (house.kept(), hook.taken) == (["log"], [])
    log, _ = house.session(WITH_WEBHOOK, day=2)
    assert (log.alerts(), len(hook.taken)) == ([], 1)


def test_who_was_told_survives_a_session_that_runs_again_and_one_of_another_day(house: House, hook: Hook) -> None:
    house.session(WITH_WEBHOOK, day=1)
    house.session(WITH_WEBHOOK, day=1)
    house.session(WITH_WEBHOOK, day=3, finding="nothing")
    assert (len(hook.taken), house.kept(), house.kept("status")) == (1, ["log,webhook"], ["closed"])


def test_alerts_that_an_older_version_sent_are_not_sent_again(house: House, hook: Hook) -> None:
    house.session(WITH_WEBHOOK, day=1)
    table = ".".join(DRIFT_EPISODES.path)
    with house.warehouse.write() as database:
        for column in DRIFT_EPISODES.columns:
            if column.former_name is not None:
                database.execute(Statement(f"alter table {table} rename column {column.name} to {column.former_name}"))
    house = House(house.folder)
    second, rows = house.session(WITH_WEBHOOK, day=2)
    assert (second, rows, len(hook.taken)) == ([], [], 1)
    assert house.kept() == ["log,webhook"]
    with house.warehouse.read() as database:
        assert set(database.columns(DRIFT_EPISODES.path)) == set(DRIFT_EPISODES.column_names)


def test_another_episode_is_told_to_everybody_again(house: House, hook: Hook) -> None:
    house.session(WITH_WEBHOOK, day=1)
    house.session(WITH_WEBHOOK, day=2, finding="nothing")
    log, _ = house.session(WITH_WEBHOOK, day=3)
    assert (len(hook.taken), len(log.alerts())) == (2, 1)
    assert len({json.dumps(body, sort_keys=True) for body in hook.taken}) == 2
    assert house.kept() == ["log,webhook", "log,webhook"]


def test_of_broken_raw_data_people_are_told_by_the_raw_data_alone(house: House, hook: Hook) -> None:
    of_workflow, rows = house.session(WITH_WEBHOOK, day=1, finding="data_quality", cause="source")
    assert (of_workflow, rows, house.kept(), hook.taken) == ([], [], [""], [])
    of_raw, _ = house.session(WITH_WEBHOOK, day=1, finding="data_quality", cause="source", workflow="all")
    assert (len(of_raw.alerts()), len(hook.taken)) == (1, 1)
    # Features that broke behind whole raw data are the workflow's own to tell of.
    of_features, _ = house.session(WITH_WEBHOOK, day=1, finding="data_quality", cause="data", workflow="churn")
    assert (len(of_features.alerts()), len(hook.taken)) == (1, 2)


def test_an_episode_that_has_ended_before_a_channel_was_told_is_not_told_any_more(house: House, hook: Hook) -> None:
    hook.status = 403
    house.session(WITH_WEBHOOK, day=1)
    hook.status = 200
    house.session(WITH_WEBHOOK, day=2, finding="nothing")
    assert (house.kept("status"), house.kept(), hook.taken) == (["closed"], ["log"], [])


def test_telling_keeps_the_episodes_of_other_workflows(house: House, hook: Hook) -> None:
    house.session(ONLY_THE_LOG, day=1, workflow="churn")
    house.session(WITH_WEBHOOK, day=1)
    assert house.kept("workflow || ' ' || alerted_channels") == ["churn log", "cltv log,webhook"]


def test_a_rolled_back_champion_is_judged_afresh_and_its_alarms_of_before_open_nothing(house: House) -> None:
    """A -> B -> A: findings are kept per day and champion, and those in a row must be of one champion."""
    policy = Monitor()

    def session(day: int, version: str, decision: str) -> tuple[Episode, ...]:
        found = Finding(
            date(2026, 7, day),
            version,
            decision,  # type: ignore[arg-type]
            "features",
            2.0 if decision != "nothing" else 0.0,
            "It moved.",
            datetime(2026, 7, day, 12),  # noqa: DTZ001
        )
        with house.warehouse.write() as database:
            return keep_finding(database, "cltv", f"s{day}{version}", found, policy)

    session(1, "a", "confirm")
    assert [one.status for one in session(2, "a", "retrain")] == ["open"]
    assert [one.status for one in session(3, "b", "nothing")] == ["resolved"]
    assert [one.status for one in session(4, "a", "confirm")] == ["resolved"], "it is not open again"
    # Two champions of one day have a finding each.
    assert [one.status for one in session(4, "b", "nothing")] == ["resolved"]
    with house.warehouse.read() as database:
        rows = database.rows(Statement("select count(*) as n from monitoring.triage"))
    assert rows == [{"n": 5}]
    assert [(one.status, one.model_version) for one in session(5, "a", "retrain")] == [("resolved", "a"), ("open", "a")]
