"""Order of the suite, the folder of its files, and the manifest of dbt that all state folders share."""

import fcntl
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tdml_assets.stages.features.dbt_manifest import ensure_manifest

# One worker a core, so one thread a library: threads that wait for a core spin, and cost the suite a third of its time. Workers and
# the processes they start inherit it.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _folder_in_memory(folder: str = "/dev/shm", gigabytes: int = 8) -> str | None:
    """A file system in memory with several times the room that the suite needs (1 GB), whose files may be executed; None without.

    Hundreds of tests write to a warehouse a few times each, and every commit waits for the disk.
    """
    if not os.access(folder, os.W_OK):
        return None
    found = os.statvfs(folder)
    usable = found.f_bavail * found.f_frsize >= gigabytes * 1e9 and not found.f_flag & getattr(os, "ST_NOEXEC", 0)
    return folder if usable else None


if (_memory := _folder_in_memory()) is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _memory)

# A busy machine draws examples slowly, which is not a fault of a test.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _settings_of_one_test() -> Iterator[None]:
    """A command writes ``--config`` and ``--home`` into the environment, where the next test would find them."""
    names = ("TDML_CONFIG", "TDML_HOME")
    before = {name: os.environ[name] for name in names if name in os.environ}
    yield
    for name in names:
        os.environ.pop(name, None)
    os.environ.update(before)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A folder that one worker makes and all of them read: who comes second waits for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def give(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                make(folder)
                done.touch()
        return folder

    return give


@pytest.fixture(scope="session")
def give_manifest(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Callable[[Path], None]:
    """Put dbt's manifest into a state folder: compiled once for all workers, since that takes longer than most tests."""

    def give(home: Path) -> None:
        folder = made_once("manifest", lambda folder: ensure_manifest(folder, "warehouse"))
        (home / "dbt").mkdir(parents=True, exist_ok=True)
        for manifest in (folder / "dbt").glob("manifest-*.json"):
            shutil.copy2(manifest, home / "dbt")

    return give


#: End-to-end tests that the first worker begins with.
_WITH_THE_KILLED = ("test_killed_runs.py", "test_properties.py")

#: Those of the second worker that need a finished state: it begins with the others.
_ON_THE_FINISHED = ("test_bad_input.py", "test_ui.py")


def _shuffle(items: list[pytest.Item], seed: str) -> None:
    """Put modules, and the tests within each, in an order that the seed decides.

    Modules stay whole: what one of them sets up for all of its tests is set up once.
    """
    draw = random.Random(seed)
    places: dict[Path, float] = {}
    items.sort(key=lambda item: (places.setdefault(item.path, draw.random()), draw.random()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, on both workers: each begins with one half of what is collected, and steals from the other later.

    The killed runs alone take as long as the other end-to-end tests together.
    """
    if "TEST_ORDER" in os.environ:
        _shuffle(items, os.environ["TEST_ORDER"])
        return
    long = [item for item in items if "e2e" in item.path.parts]
    killed = [item for item in long if item.path.name in _WITH_THE_KILLED]
    others = [item for item in long if item.path.name not in _WITH_THE_KILLED]
    # By then the first worker has made the finished state that these begin with.
    others.sort(key=lambda item: item.path.name in _ON_THE_FINISHED)
    short = [item for item in items if "e2e" not in item.path.parts]
    half = max(0, len(items) // 2 - len(killed))
    # Not inside a module: what it set up for all of its tests would be set up twice.
    while 0 < half < len(short) and short[half].path == short[half - 1].path:
        half += 1
    items[:] = [*killed, *short[:half], *others, *short[half:]]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything that tests need was installed, a skipped test is a failure; and what was measured is written.

    A worker that takes longer than 10 seconds to end is killed, and coverage writes at the end.
    """
    measuring = sys.modules.get("coverage")
    if measuring is not None and (measured := measuring.Coverage.current()) is not None:
        measured.save()
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if "NOTHING_SKIPS" in os.environ and reporter is not None and reporter.stats.get("skipped"):
        names = ", ".join(report.nodeid for report in reporter.stats["skipped"])
        reporter.write_line(f"skipped, and nothing should be: {names}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
