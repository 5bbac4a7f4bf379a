"""Runs that end themselves by SIGKILL inside a stage. Started by ``test_killed_runs.py``; no test.

``python killed_run.py SELECTION STAGE ...`` materialises the selection (``data`` or ``workflow``) once per stage, one after
the other, and kills each run's process group at the worst moment: with the stage's work done and its transaction not
committed. The stage ``none`` leaves a run alone; ``again`` executes the last run once more under its own session, as the
UI's re-execution does. The last line printed is the list of exit codes.

Every run is a process of its own, forked from one that has imported everything and opened nothing: importing takes longer
than most stages.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from tdml_assets.dbt import WarehouseDbt
from tdml_assets.definitions import defs
from tdml_assets.resources.bundle_store import BundleStore
from tdml_assets.resources.warehouse import Database, Warehouse

#: Long enough that dbt is writing, short enough that it has not finished.
_DBT_SECONDS = 3.5
_READING_STAGES = ("drift_report", "files", "rejected_rows", "features_ignore_later_rows")


def die() -> None:
    """End this process and what it started, as an out-of-memory killer would."""
    os.killpg(0, signal.SIGKILL)


def arm(stage: str) -> None:
    """Make the first uncommitted transaction, read, promotion or dbt call of ``stage`` the last thing that happens."""

    def is_here() -> bool:
        try:
            return str(dg.OpExecutionContext.get().op.name) == stage
        except dg.DagsterInvariantViolationError:
            return False

    write, read, promote, cli = Warehouse.write, Warehouse.read, BundleStore.promote, WarehouseDbt.cli

    @contextmanager
    def dying_write(self: Warehouse) -> Iterator[Database]:
        with write(self) as database:
            yield database
            if is_here():
                die()

    @contextmanager
    def dying_read(self: Warehouse) -> Iterator[Database]:
        with read(self) as database:
            yield database
            if is_here() and stage.endswith(_READING_STAGES):
                die()

    def dying_promote(self: BundleStore, *args: object, **kwargs: object) -> None:
        promote(self, *args, **kwargs)  # type: ignore[arg-type]
        die()

    def dying_cli(self: WarehouseDbt, *args: object, **kwargs: object) -> object:
        threading.Timer(_DBT_SECONDS, die).start()
        return cli(self, *args, **kwargs)

    Warehouse.write, Warehouse.read = dying_write, dying_read  # type: ignore[method-assign]
    if stage.endswith("champion_model"):
        BundleStore.promote = dying_promote  # type: ignore[assignment, method-assign]
    if stage == "dbt_build":
        WarehouseDbt.cli = dying_cli  # type: ignore[method-assign]


def everything() -> dg.JobDefinition:
    """All assets, as the UI's *Materialize all* starts them, under a name that a run can be found by."""
    jobs = dg.Definitions(jobs=[dg.define_asset_job("everything")])
    return dg.Definitions.merge(defs(), jobs).resolve_job_def("everything")


def run_again() -> int:
    """Re-execute the last run; the exit code says whether all succeeded."""
    with dg.DagsterInstance.get() as instance:
        parent = instance.get_runs(limit=1)[0]
        done = dg.execute_job(
            dg.reconstructable(everything),
            instance,
            reexecution_options=dg.ReexecutionOptions(parent_run_id=parent.run_id),
        )
        assert done.dagster_run.root_run_id == parent.run_id
        return 0 if done.success else 1


def materialise(selection: str, stage: str) -> int:
    """One run; the exit code says whether all succeeded."""
    job = everything()
    data = {"raw", "staging", "features"}
    keys = [key for key in job.asset_layer.executable_asset_keys if (key.path[0] in data) == (selection == "data")]
    if stage == "none":
        # Drawn in a process of its own and the slowest stage by far: only the run that is killed there needs it.
        keys = [key for key in keys if key.path[-1] != "drift_report"]
    else:
        assert stage in {node.name for node in job.nodes}, stage
        arm(stage)
    with dg.DagsterInstance.get() as instance:
        done = dg.execute_job(dg.reconstructable(everything), instance, asset_selection=keys)
        return 0 if done.success else 1


def forked(selection: str, stage: str) -> int:
    """Exit code of a run in a process group of its own; negative for the signal that ended it."""
    assert threading.active_count() == 1, "a fork would lose threads"
    child = os.fork()
    if not child:
        os.setsid()
        code = 1
        try:
            code = run_again() if stage == "again" else materialise(selection, stage)
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.stdout.write(json.dumps([forked(sys.argv[1], stage) for stage in sys.argv[2:]]))
