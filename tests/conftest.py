"""Order of the suite, and the manifest of dbt that all state folders share."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def give_manifest(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], None]:
    """Put dbt's manifest into a state folder: compiled once for all workers, since that takes longer than most tests."""
    # Imported here, since it takes seconds.
    from tdml_assets.dbt import ensure_manifest

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    manifest = ensure_manifest(shared / "manifest", {"TDML_WAREHOUSE": "warehouse.duckdb"})

    def give(home: Path) -> None:
        (home / "dbt").mkdir(parents=True, exist_ok=True)
        shutil.copy2(manifest, home / "dbt")

    return give


#: End-to-end tests that the first worker begins with.
_WITH_THE_KILLED = ("test_killed_runs.py", "test_properties.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, on both workers: each begins with one half of what is collected, and steals from the other later.

    The killed runs alone take as long as the other end-to-end tests together.
    """
    long = [item for item in items if "e2e" in item.path.parts]
    killed = [item for item in long if item.path.name in _WITH_THE_KILLED]
    others = [item for item in long if item.path.name not in _WITH_THE_KILLED]
    short = [item for item in items if "e2e" not in item.path.parts]
    half = max(0, len(items) // 2 - len(killed))
    # Not inside a module: what it set up for all of its tests would be set up twice.
    while 0 < half < len(short) and short[half].path == short[half - 1].path:
        half += 1
    items[:] = [*killed, *short[:half], *others, *short[half:]]
