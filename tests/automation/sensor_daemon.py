"""Daemons that are killed, or stand still, in the middle of a sensor's tick. Started by ``test_sensor_crashes.py``; no test.

Reads one JSON order per line and answers each with one JSON line. ``{"code": file, "home": folder, "minute": 3}`` runs one
iteration of Dagster's sensor daemon over the code location in ``file``, with the instance in ``home``, three minutes after the
test began; the answer is ``{"pid": ..., "code": exit code, negative for the signal that ended it}``. ``"at"`` and ``"signal"``
send that signal to the daemon where Dagster itself has marked a tick's steps for tests of crashes. A daemon that stands still
answers with ``"code": null`` and goes on at ``{"pid": ...}``.

Every daemon is a process of its own, forked from one that has imported everything and holds nothing open.
"""
# ruff: noqa: F401 (imported once for all daemons)

import gc
import json
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg
import dagster._grpc.server
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon import sensor as sensors

import tdml_assets.automation.sensors
from tests.migrations import read_migrations_once

BEGAN = datetime.now(UTC)


def open_an_instance_once() -> None:
    """Read what every opening of an instance reads."""
    read_migrations_once()
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder):
        pass


def iterate(code: str, home: str, minute: float, at: str | None, number: int) -> None:
    """One iteration: every sensor that is due is evaluated, and what it asks for is submitted."""

    def strike(_: object, step: str) -> None:
        if step == at:
            os.kill(os.getpid(), number)

    sensors.check_for_debug_crash = strike
    # Of this process alone, which was forked for one iteration.
    os.environ["DAGSTER_HOME"] = home
    origin = LoadableTargetOrigin(executable_path=sys.executable, python_file=code, working_directory=home)
    target = InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(origin))
    with (
        freeze_time(BEGAN + timedelta(minutes=minute)),
        dg.DagsterInstance.from_config(home) as instance,
        WorkspaceProcessContext(instance, target) as workspace,
    ):
        _switch_on(instance, workspace)
        for error in sensors.execute_sensor_iteration(workspace, logging.getLogger("daemon"), None, None):
            if error is not None:
                raise RuntimeError(error.to_string())


def _switch_on(instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
    """As the UI does it, once."""
    if not instance.all_instigator_state():
        (location,) = workspace.create_request_context().code_locations
        for repository in location.get_repositories().values():
            for one in repository.get_sensors():
                instance.start_sensor(one)


def start(order: Mapping[str, object]) -> int:
    """Fork a daemon; gives its process id."""
    assert threading.active_count() == 1, "a fork would lose threads"
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        number = signal.Signals[str(order.get("signal", "SIGKILL"))]
        iterate(str(order["code"]), str(order["home"]), float(str(order["minute"])), order.get("at"), number)  # type: ignore[arg-type]
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def answer(order: Mapping[str, object]) -> dict[str, int | None]:
    """Carry out one order, until the daemon has ended or does not move."""
    if "code" in order:
        pid = start(order)
    else:
        pid = int(str(order["pid"]))
        os.kill(pid, signal.SIGCONT)
    status = os.waitpid(pid, os.WUNTRACED)[1]
    return {"pid": pid, "code": None if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)}


if __name__ == "__main__":
    open_an_instance_once()
    gc.freeze()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()
