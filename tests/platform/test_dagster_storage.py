"""Dagster's storage with connections that stay open: durable, watched, bounded, and readable by Dagster's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from tdml_assets.platform.dagster_storage import KeptEventLogStorage, KeptRunStorage
from tdml_assets.platform.project_files import project_file

_KILLED = """
import os, signal
import dagster as dg

@dg.asset
def orders(context):
    context.log.info("before the kill")
    os.kill(os.getpid(), signal.SIGKILL)

with dg.DagsterInstance.get() as instance:
    dg.materialize([orders], instance=instance)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    configured = yaml.safe_load(project_file("dagster.yaml").read_text(encoding="utf-8"))
    (tmp_path / "dagster.yaml").write_text(
        yaml.safe_dump({name: configured[name] for name in ("storage", "telemetry")})
    )
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as found:
        yield found


def _run(instance: dg.DagsterInstance) -> str:
    @dg.asset
    def orders() -> None: ...

    return dg.materialize([orders], instance=instance).run_id


def test_without_a_dagster_home_the_storage_is_temporary(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    with dg.DagsterInstance.from_config(str(home)) as found:
        assert found.get_run_by_id(_run(found)) is not None
    assert not (home / "history").exists()


def test_the_shipped_dagster_yaml_uses_it(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.event_log_storage, KeptEventLogStorage)
    assert isinstance(instance.run_storage, KeptRunStorage)


def test_events_stored_before_a_kill_are_read_by_dagsters_own_storage(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED], env=dict(os.environ), capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
        (run,) = instance.get_runs()
        messages = [entry.user_message for entry in instance.all_logs(run.run_id)]
    assert messages[-1] == "before the kill"
    assert run.status == dg.DagsterRunStatus.STARTED


def test_connections_stay_open_for_the_index_and_the_latest_run_alone(instance: dg.DagsterInstance) -> None:
    first, second = _run(instance), _run(instance)
    storage = instance.event_log_storage
    assert isinstance(storage, KeptEventLogStorage)
    assert set(storage._engines) == {"index", second}
    assert instance.all_logs(first)
    assert set(storage._engines) == {"index", first}


def test_who_watches_a_run_sees_its_events_while_the_connection_is_open(instance: dg.DagsterInstance) -> None:
    run_id = _run(instance)
    said = threading.Event()
    storage = instance.event_log_storage
    storage.watch(run_id, None, lambda entry, _cursor: said.set() if "news" in entry.message else None)
    instance.report_engine_event("news", instance.get_run_by_id(run_id))
    assert said.wait(10)


def test_disposing_of_the_instance_closes_the_connections(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run_id = _run(instance)
        assert list(home.rglob(f"{run_id}.db-wal"))
    assert not list(home.rglob("*.db-wal"))
