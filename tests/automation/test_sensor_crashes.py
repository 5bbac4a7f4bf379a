"""A daemon that dies, stands still or forgets never starts a second retraining, and never loses the first.

A real instance on disk with the project's own ``dagster.yaml``; Dagster's own daemon code in processes that are really killed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import SensorInstigatorData

ROOT = Path(__file__).parents[2]
MOVED = "total_spend (average 100 -> 125, PSI 0.50) moved far, in 2 sessions in a row."
#: A training that the product's own job and sensor start, with assets that do nothing.
CODE = """
from pathlib import Path

import dagster as dg
from tdml_assets.automation.jobs import build_jobs, training_job_name
from tdml_assets.automation.sensors import build_sensors
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.store import ModelStore

specs = [WorkflowSpec(name="cltv")]
jobs = [job for job in build_jobs(specs) if job.name == training_job_name("cltv")]
places = {"raw/orders": "raw", "cltv/champion_model": "cltv", "cltv/exploration": "cltv"}


def build(path, group):
    @dg.asset(key=path.split("/"), group_name=group)
    def nothing():
        return None

    return nothing


defs = dg.Definitions(
    assets=[build(path, group) for path, group in places.items()],
    jobs=jobs,
    sensors=build_sensors(specs, jobs),
    resources={"models": ModelStore(url=str(Path(__file__).parent / "models"))},
)
"""
#: Steps of a tick at which Dagster lets a test end its daemon, in their order: the sensor has answered, the answer is kept, the
#: run is there, the run is launched.
ANSWERED, KEPT, CREATED, LAUNCHED = "AUTOMATION_EVALUATIONS_ADDED", "RUN_IDS_RESERVED", "RUN_CREATED", "RUN_LAUNCHED"


class Daemons:
    """The process that daemons are forked from."""

    def __init__(self, log: Path) -> None:
        script = Path(__file__).with_name("sensor_daemon.py")
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DAGSTER_DISABLE_TELEMETRY": "true"}
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                cwd=log.parent,
                text=True,
                start_new_session=True,
            )

    def order(self, **order: object) -> dict[str, Any]:
        """Have an order carried out; a daemon that hangs is ended with its parent after a minute."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watchdog = threading.Timer(60, os.killpg, (self._process.pid, signal.SIGKILL))
        watchdog.start()
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, self._log.read_text()[-3000:]
        done: dict[str, Any] = json.loads(line)
        assert done["code"] != 1, self._log.read_text()[-3000:]
        return done

    def close(self) -> None:
        """End it, and whatever of it still runs."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate(timeout=20)


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    daemons = Daemons(tmp_path_factory.mktemp("daemons") / "log.txt")
    yield daemons
    daemons.close()


@pytest.fixture(scope="module")
def switched_on(daemons: Daemons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance whose sensor is on and has looked once, before any session."""
    home = tmp_path_factory.mktemp("platform") / "home"
    home.mkdir()
    shutil.copy(ROOT / "dagster.yaml", home)
    (home.parent / "a_shop.py").write_text(CODE, encoding="utf-8")
    assert daemons.order(code=str(home.parent / "a_shop.py"), home=str(home), minute=0)["code"] == 0
    return home


class Platform:
    """An instance on disk, and what befalls it."""

    def __init__(self, instance: dg.DagsterInstance, code: Path, daemons: Daemons) -> None:
        self.instance, self.code, self.daemons = instance, code, daemons
        self.minute = 0.0

    def session(self) -> None:
        """A session calls for a retraining."""
        metadata = {"session_id": "s", "model_version": "v1", "episode": EPISODE, "retrain": True, "verdict": MOVED}
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(asset_key=["cltv", "triage"], metadata=metadata)
        )

    def daemon(self, *, minutes: float = 2, at: str | None = None, strike: str = "SIGKILL") -> dict[str, Any]:
        """Let a daemon look once, so many minutes later."""
        self.minute += minutes
        where = {"code": str(self.code), "home": self.instance.root_directory, "minute": self.minute}
        return self.daemons.order(**where, **({"at": at, "signal": strike} if at else {}))

    def dies(self, at: str) -> None:
        assert self.daemon(at=at)["code"] == -signal.SIGKILL

    def looks(self, times: int = 1, **when: float) -> None:
        for _ in range(times):
            assert self.daemon(**when)["code"] == 0

    def stands_still(self, at: str) -> int:
        done = self.daemon(at=at, strike="SIGSTOP")
        assert done["code"] is None
        return int(done["pid"])

    def goes_on(self, pid: int) -> None:
        assert self.daemons.order(pid=pid)["code"] == 0

    def runs(self) -> list[tuple[str, str]]:
        """Key and status of every run there is, oldest first."""
        runs = self.instance.get_runs(ascending=True)
        assert all(run.job_name == "train_cltv" for run in runs)
        return [(run.tags["dagster/run_key"].removeprefix("retrain:cltv:"), run.status.value) for run in runs]

    def ends(self, kind: dg.DagsterEventType) -> None:
        """The latest run ends."""
        run = self.instance.get_runs(limit=1)[0]
        event = dg.DagsterEvent(event_type_value=kind.value, job_name=run.job_name)
        self.instance.report_dagster_event(event, run_id=run.run_id)

    def forgets(self) -> None:
        """The sensor's cursor is lost, as a reset in the UI loses it."""
        (state,) = self.instance.all_instigator_state()
        assert isinstance(state.instigator_data, SensorInstigatorData)
        self.instance.update_instigator_state(state.with_data(state.instigator_data._replace(cursor=None)))

    def ticks(self) -> list[tuple[str, str | None]]:
        """Status and reason of every tick, oldest first."""
        (state,) = self.instance.all_instigator_state()
        ticks = self.instance.get_ticks(state.instigator_origin_id, state.selector_id)
        return [(tick.status.value, tick.skip_reason) for tick in reversed(ticks)]


@pytest.fixture
def platform(
    switched_on: Path, daemons: Daemons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    home = shutil.copytree(switched_on, tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Platform(instance, switched_on.parent / "a_shop.py", daemons)


EPISODE = "cltv-20260630-drift"
FIRST, SECOND = f"v1:{EPISODE}:attempt1", f"v1:{EPISODE}:attempt2"


def test_undisturbed_one_call_starts_one_retraining(platform: Platform) -> None:
    assert platform.runs() == []
    platform.session()
    platform.looks(2)
    assert platform.runs() == [(FIRST, "QUEUED")]
    platform.ends(dg.DagsterEventType.RUN_SUCCESS)
    platform.looks()
    platform.session()
    platform.looks()
    assert platform.runs() == [(FIRST, "SUCCESS")]
    done = f"cltv: episode {EPISODE} had its retraining; the gate decided on it, see monitoring.gate"
    assert platform.ticks() == [
        ("SKIPPED", "cltv: no session since the last look"),
        ("SUCCESS", None),
        ("SKIPPED", f"cltv: a retraining for episode {EPISODE} is running already"),
        ("SKIPPED", done),
        ("SKIPPED", done),
    ]


@pytest.mark.parametrize("step", [ANSWERED, KEPT, CREATED, LAUNCHED])
def test_a_daemon_killed_anywhere_in_a_tick_starts_exactly_one_retraining_after_its_restart(
    platform: Platform, step: str
) -> None:
    platform.session()
    platform.dies(step)
    assert len(platform.runs()) == (step in (CREATED, LAUNCHED)), "the kill came where the test wants it"
    platform.looks(2)
    assert platform.runs() == [(FIRST, "QUEUED")]
    assert not [status for status, _ in platform.ticks() if status in ("STARTED", "FAILURE")]


def test_a_daemon_killed_at_every_step_in_turn_starts_exactly_one_retraining(platform: Platform) -> None:
    platform.session()
    for step in ("TICK_CREATED", "TICK_HELD", ANSWERED, KEPT, CREATED, LAUNCHED):
        platform.dies(step)
    platform.looks(2)
    assert platform.runs() == [(FIRST, "QUEUED")]


@pytest.mark.parametrize(
    "step",
    [KEPT, CREATED],
)
def test_a_daemon_that_comes_back_after_days_still_starts_the_retraining_and_only_once(
    platform: Platform, step: str
) -> None:
    platform.session()
    platform.dies(step)
    platform.looks(2, minutes=3 * 24 * 60)
    assert platform.runs() == [(FIRST, "QUEUED")]


@pytest.mark.parametrize("ended", [None, dg.DagsterEventType.RUN_SUCCESS])
def test_a_lost_cursor_starts_no_second_retraining(platform: Platform, ended: dg.DagsterEventType | None) -> None:
    platform.session()
    platform.looks()
    if ended is not None:
        platform.ends(ended)
    platform.forgets()
    platform.looks(2)
    assert [key for key, _ in platform.runs()] == [FIRST]


def test_a_cursor_lost_while_the_daemon_is_dead_between_tick_and_launch_starts_exactly_one(platform: Platform) -> None:
    platform.session()
    platform.dies(KEPT)
    platform.forgets()
    platform.looks(2)
    assert platform.runs() == [(FIRST, "QUEUED")]


@pytest.mark.parametrize("step", [ANSWERED, KEPT, CREATED])
def test_a_daemon_that_stood_still_while_another_looked_starts_no_second_retraining(
    platform: Platform, step: str
) -> None:
    platform.session()
    first = platform.stands_still(step)
    platform.looks()
    assert platform.runs() == [(FIRST, "QUEUED")]
    platform.goes_on(first)
    platform.looks()
    assert platform.runs() == [(FIRST, "QUEUED")]


def test_a_failed_retraining_is_tried_again_under_a_new_key_and_a_kill_does_not_double_it(platform: Platform) -> None:
    platform.session()
    platform.looks()
    platform.ends(dg.DagsterEventType.RUN_FAILURE)
    platform.dies(CREATED)
    platform.looks(2)
    assert platform.runs() == [(FIRST, "FAILURE"), (SECOND, "QUEUED")]
    platform.ends(dg.DagsterEventType.RUN_FAILURE)
    platform.looks(2)
    assert [key for key, _ in platform.runs()] == [FIRST, SECOND]
    assert platform.ticks()[-2][1] == f"cltv: 2 retrainings for episode {EPISODE} failed: a person should look"


def test_sessions_that_come_while_the_daemon_is_dead_are_one_call(platform: Platform) -> None:
    platform.session()
    platform.dies(ANSWERED)
    platform.session()
    platform.session()
    platform.looks(2)
    assert platform.runs() == [(FIRST, "QUEUED")]
