"""Syncs in processes that kill themselves at a step.

Started once by ``test_kills.py`` and forked per step, so that libraries load once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from tdml_assets.activation.syncing import Surroundings, run_sync
from tdml_assets.declaration.destinations import read_destination
from tdml_assets.platform.retrying import Clock
from tdml_assets.platform.warehouse import Warehouse


def sync(folder: Path, settings: dict[str, object], step: str) -> None:
    """Sync, and die at the step."""
    warehouse = Warehouse(
        database=str(folder / "warehouse.duckdb"), temp_directory=str(folder / "spill"), wait_seconds=5
    )

    def die(done: str) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    around = Surroundings(folder / "scratch", clock=Clock(sleep=lambda seconds: None), failpoint=die)
    run_sync(warehouse, "crm", read_destination("crm", settings), around)


def main(folder: Path, settings: dict[str, object], steps: list[str]) -> None:
    """Fork per step; end with an error unless every child was killed."""
    for step in steps:
        child = os.fork()
        if child == 0:
            sync(folder, settings, step)
            os._exit(0)
        if os.waitpid(child, 0)[1] != signal.SIGKILL:
            sys.exit(f"the sync was not killed at {step}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:])
