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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: one worker takes them, with the state folders they share, while the other does the rest."""
    items.sort(key=lambda item: ("e2e" not in item.path.parts, item.path.name != "test_killed_runs.py"))
