"""Runs that end themselves by SIGKILL inside a stage. Started by ``conftest.py``; no test.

``python killed_run.py`` reads a request a line, ``{"environment": {...}, "runs": [...], "output": path}``, makes its
runs one after the other and answers with a line that lists their exit codes. What they print goes to ``output``. It ends with its
input.

A run is the name of a stage: it materialises what stands before that stage, and kills its own process group in it at the worst
moment, with the stage's work done and its transaction not committed. What stands before a stage behind the champion is what a
scoring session runs: the champion is there by then.
``data`` and ``workflows`` leave a run of all their stages alone, ``session`` one of both;
``again`` executes the last run once more under its own session, as the UI's re-execution does. ``FROM>TO`` copies a file or folder
between two runs, both from the folder of the settings.

Every run is a process of its own, forked from one of its request that has loaded the definitions, which is forked from one that has
imported everything and opened nothing: importing takes longer than most stages.
"""

import json
import os
import pkgutil
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.dependency import NodeHandle

import tdml_assets
from tdml_assets.definitions import defs
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.platform.environment import code_of_stages, code_version
from tdml_assets.platform.warehouse import Database, Warehouse
from tests.migrations import read_migrations_once

_READING_STAGES = ("drift_report", "session_report", "files", "rejected_rows", "features_ignore_later_rows")
_DATA = ("raw", "staging", "features")
_TRAINING = (
    "training_table",
    "exploration",
    "preparation_parameters",
    "prepared",
    "candidate_model",
    "evaluation",
    "champion_model",
)


#: Killed behind all the training of workflows that no run has trained before.
_FIRST_AS_A_WHOLE = ("publish_attributes",)


def die() -> None:
    """End this process and what it started, as an out-of-memory killer would."""
    os.killpg(0, signal.SIGKILL)


def arm(stage: str) -> None:
    """Make the first uncommitted transaction, read or promotion of ``stage`` the last thing that happens."""

    def is_here() -> bool:
        try:
            return str(dg.OpExecutionContext.get().op.name) == stage
        except dg.DagsterInvariantViolationError:
            return False

    write, read, promote = Warehouse.write, Warehouse.read, BundleStore.promote

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

    Warehouse.write, Warehouse.read = dying_write, dying_read  # type: ignore[method-assign]
    if stage.endswith("champion_model"):
        BundleStore.promote = dying_promote  # type: ignore[assignment, method-assign]


def everything() -> dg.JobDefinition:
    """All assets, as the UI's *Materialize all* starts them, under a name that a run can be found by."""
    jobs = dg.Definitions(jobs=[dg.define_asset_job("everything")])
    return dg.Definitions.merge(defs(), jobs).resolve_job_def("everything")


#: Made once for all killed runs.
the_job = cache(everything)


def own_keys(stage: str) -> set[dg.AssetKey]:
    """Assets that a stage makes; none where it only checks."""
    assert stage in {node.name for node in the_job().nodes}, stage
    found = the_job().asset_layer.get_selected_entity_keys_for_node(NodeHandle(stage, None))
    return {key for key in found if isinstance(key, dg.AssetKey)}


def keys_of(run: str) -> list[dg.AssetKey]:
    """What a run materialises."""
    graph = the_job().asset_layer.asset_graph
    # Drawn in a process of its own and the slowest stage by far: only the run that is killed there needs it.
    keys = {key for key in graph.executable_asset_keys if key.path[-1] != "drift_report"}
    data = {key for key in keys if key.path[0] in _DATA}
    if run == "session":
        return sorted(keys)
    if run in ("data", "workflows"):
        return sorted(data if run == "data" else keys - data)
    own = own_keys(run)
    if not own:
        return sorted(data)
    before = own | {key for one in own for key in graph.get_ancestor_asset_keys(one) if key in keys}
    if own <= data:
        return sorted(before)
    trains = {key for key in keys if key.path[-1] in _TRAINING}
    return sorted(before - data if own <= trains or run in _FIRST_AS_A_WHOLE else before - data - trains)


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


def materialise(run: str) -> int:
    """One run; the exit code says whether all succeeded."""
    keys = keys_of(run)
    with dg.DagsterInstance.get() as instance:
        if run in ("data", "workflows", "session"):
            done = dg.execute_job(dg.reconstructable(everything), instance, asset_selection=keys)
            return 0 if done.success else 1
        arm(run)
        the_job().execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False)
    return 1


def forked(run: str) -> int:
    """Exit code of a run in a process group of its own; negative for the signal that ended it."""
    assert threading.active_count() == 1, "a fork would lose threads"
    if ">" in run:
        source, target = (Path(os.environ["TDML_CONFIG"]).parent / name for name in run.split(">"))
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copyfile(source, target)
        return 0
    child = os.fork()
    if not child:
        os.setsid()
        code = 1
        try:
            code = run_again() if run == "again" else materialise(run)
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def import_everything() -> None:
    """What stages import when they first need it, such as a learner's library; without what no run here uses."""
    unused = ("tdml_assets.commands.", "tdml_assets.stages.features.dbt_cli_asset", "tdml_assets.engines.trusted_types")
    for found in pkgutil.walk_packages(tdml_assets.__path__, "tdml_assets."):
        if not found.name.startswith((*unused, "tdml_assets.engines.sklearn", "tdml_assets.__main__")):
            import_module(found.name)


def answer(request: dict[str, Any]) -> list[int]:
    """Make the runs of one request in a process that has its environment and its definitions."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.environ.clear()
            os.environ.update(request["environment"])
            with Path(request["output"]).open("w") as output:
                for stream in (1, 2):
                    os.dup2(output.fileno(), stream)
            the_job()
            os.write(writing, json.dumps([forked(run) for run in request["runs"]]).encode())
            code = 0
        finally:
            if code:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        codes = pipe.read()
    os.waitpid(child, 0)
    return list(json.loads(codes or "[]"))


if __name__ == "__main__":
    import_everything()
    # What every run would read again.
    read_migrations_once()
    with dg.DagsterInstance.ephemeral():
        pass
    code_version()
    code_of_stages()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()
