"""Causes of failed sessions: told once per workflow, stage and class of error, without a word of the message."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tdml_assets.automation.failure_alerts import build_failure_alerts
from tdml_assets.commands.outcomes import send_run_alerts
from tdml_assets.declaration.alerts import Alerts
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.outcome import OUTCOMES, Outcome, State
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import Settings
from tdml_assets.stages.triage.alerting import alert_outcomes
from tdml_assets.stages.triage.alerts.failure_alerts import LEDGER_FILE, read_ledger, tell_failures
from tdml_assets.stages.triage.alerts.failures import (
    Failure,
    alert_of_failures,
    failure_of_step,
    failures_of_outcomes,
)

SECRET = "anna@example.org"
SPECS = [WorkflowSpec(name="churn"), WorkflowSpec(name="cltv")]
ALERTS = Alerts.model_validate({"log": False, "webhook": {"url_env": "HOOK"}})
TOO_FEW = Failure("churn", "churn/training_table", "TooFewRowsError")
FULL = Failure("all", "raw/orders", "IOException")


class Log(list[str]):
    def warning(self, msg: str, /) -> None:
        self.append(msg)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What a receiver on loopback took."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{server.server_port}/hook")
    yield bodies
    server.shutdown()
    server.server_close()
    thread.join(5)


def settings(folder: Path) -> Settings:
    return Settings(home=folder, base_folder=folder, alerts=ALERTS)


def tell(folder: Path, *failures: Failure, **more: Any) -> list[str]:
    import os

    return tell_failures(folder, ALERTS, os.environ, failures, Log(), **more)


def test_a_cause_is_told_once_until_its_workflow_has_run_to_the_end(tmp_path: Path, taken: list[Any]) -> None:
    assert tell(tmp_path, TOO_FEW) == [TOO_FEW.key]
    assert tell(tmp_path, TOO_FEW) == []
    assert tell(tmp_path, TOO_FEW, FULL) == [FULL.key]
    assert tell(tmp_path, ran={"cltv"}) == []
    assert tell(tmp_path, TOO_FEW) == [], "another workflow's success is not its own"
    tell(tmp_path, ran={"churn"})
    assert tell(tmp_path, TOO_FEW, FULL) == [TOO_FEW.key]
    assert len(taken) == 3


def test_a_workflow_that_is_off_recovers_by_its_own_success_and_not_by_that_of_the_run(
    tmp_path: Path, taken: list[Any]
) -> None:
    outcomes = [
        Outcome("s1", "churn", state="off", stopped_at="training_table", error="TooFewRowsError"),
        Outcome("s1", "cltv", state="published", method="champion"),
    ]
    (failure,) = failures_of_outcomes(outcomes)
    assert "churn is off (TooFewRowsError at training_table)" in alert_of_failures([failure]).subject
    assert tell(tmp_path, failure, kind="workflow", ran={"churn", "cltv"}) == [failure.key]
    tell(tmp_path, ran={"churn", "cltv", "all"})
    assert tell(tmp_path, failure, kind="workflow", ran={"churn", "cltv"}) == []
    tell(tmp_path, kind="workflow", ran={"churn", "cltv"})
    assert (read_ledger(tmp_path), len(taken)) == ({}, 1)


def test_workflows_that_end_early_for_one_cause_share_an_alert(tmp_path: Path, taken: list[Any]) -> None:
    both = [replace(TOO_FEW, workflow=name, kind="workflow", stage="training_table") for name in ("churn", "cltv")]
    ran = {"churn", "cltv", "segments"}
    assert tell(tmp_path, *both, kind="workflow", ran=ran) == [failure.key for failure in both]
    assert [body["subject"] for body in taken] == ["churn, cltv failed (TooFewRowsError at training_table)"]
    assert tell(tmp_path, *both, kind="workflow", ran=ran) == []
    more = replace(both[0], workflow="segments")
    assert tell(tmp_path, *both, more, kind="workflow", ran=ran) == [failure.key for failure in (*both, more)]
    assert "segments" in taken[1]["subject"]


def test_a_channel_that_refused_is_told_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    log = Log()
    assert tell_failures(tmp_path, ALERTS, {}, [FULL], log) == []
    assert "set HOOK in the environment" in log[0]


def test_what_is_told_as_broken_data_is_not_told_again_as_a_failure(tmp_path: Path, taken: list[Any]) -> None:
    broken = failure_of_step("cltv__training_table", "BrokenDataError: nothing is trained", {"cltv"}, "s", None)
    blocked = failure_of_step(
        "cltv__session_report",
        "stopped by a blocking check: cltv/session_report: may_be_published",
        {"cltv"},
        "s",
        None,
    )
    assert tell(tmp_path, broken, blocked) == []
    assert taken == []


def test_a_damaged_ledger_tells_again(tmp_path: Path, taken: list[Any]) -> None:
    (tmp_path / LEDGER_FILE).write_text("[broken")
    assert tell(tmp_path, FULL) == [FULL.key]
    assert json.loads((tmp_path / LEDGER_FILE).read_text()) == {FULL.key: ["webhook"]}


def test_a_run_of_the_command_line_tells_what_failed_and_forgets_it_after_a_whole_one(
    tmp_path: Path, taken: list[Any]
) -> None:
    log = tmp_path / "run.log"
    failed = [("churn__training_table", f"TooFewRowsError: {SECRET}")]
    assert len(send_run_alerts(settings(tmp_path), failed, log, ran=None)) == 1
    assert send_run_alerts(settings(tmp_path), failed, log, ran=None) == []
    assert SECRET not in json.dumps(taken)
    assert "TooFewRowsError at churn/training_table" in json.dumps(taken)
    assert send_run_alerts(settings(tmp_path), [], log, ran=()) == []
    assert read_ledger(tmp_path) == {}
    (key,) = send_run_alerts(settings(tmp_path), [], log, ran=None)
    assert key == "session:all:run:unknown error"


def test_the_sensors_tell_of_a_failed_run_once_and_forget_it_when_it_succeeds(tmp_path: Path, taken: list[Any]) -> None:
    fails = [True]

    @dg.asset(key=["churn", "training_table"])
    def table() -> None:
        if fails:
            raise ValueError(SECRET)

    instance = dg.DagsterInstance.ephemeral()
    on_failure, on_success = build_failure_alerts(SPECS, settings(tmp_path))

    def session() -> None:
        result = dg.materialize([table], instance=instance, raise_on_error=False)
        kind = dg.DagsterEventType.RUN_SUCCESS if result.success else dg.DagsterEventType.RUN_FAILURE
        (event,) = [one for one in result.all_events if one.event_type is kind] or [None]
        run = instance.get_run_by_id(result.run_id)
        context = dg.build_run_status_sensor_context(
            "test", dagster_event=event, dagster_instance=instance, dagster_run=run
        )
        if result.success:
            on_success(context)
        else:
            on_failure(context.for_run_failure())

    session()
    session()
    assert [body["subject"] for body in taken] == ["churn failed (ValueError at churn/training_table)"]
    assert SECRET not in json.dumps(taken)
    fails.clear()
    session()
    assert read_ledger(tmp_path) == {}


def test_a_workflow_that_published_nothing_new_is_told_of_by_the_publication(tmp_path: Path, taken: list[Any]) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "t"))

    def session(number: int, state: State) -> list[str]:
        stopped = {"stopped_at": "training_table", "error": "TooFewRowsError"} if state != "published" else {}
        with warehouse.write() as database:
            database.replace(OUTCOMES, [Outcome(f"s{number}", "churn", state=state, **stopped).row()])
        return alert_outcomes(warehouse, settings(tmp_path), f"s{number}", Log())

    with warehouse.write():
        pass
    assert alert_outcomes(warehouse, settings(tmp_path), "s0", Log()) == []
    assert [len(session(number, "off")) for number in (1, 2)] == [1, 0]
    assert [len(session(number, state)) for number, state in ((3, "published"), (4, "off"))] == [0, 1]
    assert [body["subject"] for body in taken] == ["churn is off (TooFewRowsError at training_table)"] * 2
