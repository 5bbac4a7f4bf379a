"""One run at a time on a state folder, and what is recorded of runs.

Elsewhere: the warehouse's own file lock (``warehouse.py``), which lasts for a statement.

A session's stages hand tables to one another, so two sessions must not interleave. The kernel lets go of the lock when its
process ends, however it ends: nothing stale is left to clean up by hand.

``dagster asset materialize`` records no code location: the run is missing from the timeline on the UI's first page, and its own
page warns that it belongs to another code location. The record is completed as ``dagster run migrate-repository`` does it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths

from tdml_assets.platform.environment import project_root
from tdml_assets.platform.files import locked

# Dagster shows no tag that begins with ".dagster/": this one is of no use to a person.
_TAG = ".dagster/tdml-lock"
_UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


class StateBusyError(RuntimeError):
    """Another run uses the state folder."""


@contextmanager
def hold_state(path: Path, run_id: str, wait_seconds: float, log: object = None) -> Iterator[None]:
    """Hold the lock file ``path`` for the block.

    Raises ``StateBusyError`` if another process still holds it after ``wait_seconds``: names that run and its process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    said = False
    with ExitStack() as held:
        while True:
            try:
                descriptor = held.enter_context(locked(path, wait=False))
                break
            except BlockingIOError:
                holder = _read_holder(path)
            if time.monotonic() >= deadline:
                raise StateBusyError(
                    f"{holder} is using {path.parent}; waited {wait_seconds:g} s (session_wait_seconds). "
                    "Let it finish, or end it, and run again; nothing was changed"
                )
            if log is not None and not said:
                log.info(f"waiting up to {wait_seconds:g} s: {holder} is using {path.parent}")  # type: ignore[attr-defined]
                said = True
            time.sleep(0.2)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps({"pid": os.getpid(), "run_id": run_id}).encode())
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)


def _read_holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        # Read between the other process's truncate and write.
        return "another run"
    return f"run {found['run_id'][:8]} (process {found['pid']})"


def fail_dead_runs(instance: dg.DagsterInstance, own_run_id: str) -> list[str]:
    """Free the pool slots of every run that held the lock and never finished, and mark the run as failed.

    Only the holder of the lock may call this: whoever else is tagged as holding it is dead. Without it such a run would stay
    STARTED for ever and keep its slot, and every later run would wait for the slot without end. Returns ids of those runs.
    """
    filters = dg.RunsFilter(statuses=_UNFINISHED, tags={_TAG: "held"})
    dead = [run for run in instance.get_runs(filters) if run.run_id != own_run_id]
    storage = instance.event_log_storage
    for run in dead:
        # The slots first: if this process is killed in between, the next run finds the dead run again.
        storage.free_concurrency_slots_for_run(run.run_id)
        instance.report_run_failed(run, "its process ended without finishing the run; found by the next run")
    for run_id in _finished_runs_with_slots(instance):
        storage.free_concurrency_slots_for_run(run_id)
    return [run.run_id for run in dead]


def _finished_runs_with_slots(instance: dg.DagsterInstance) -> list[str]:
    """Ids of runs that are over or deleted, and still hold a pool slot or wait for one.

    Such a slot is left when the process is killed between the last event of a run and the release of its slots.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return []
    found: set[str] = set()
    for pool in storage.get_concurrency_infos(sorted(storage.get_concurrency_keys())).values():
        found |= {slot.run_id for slot in pool.claimed_slots} | {step.run_id for step in pool.pending_steps}
    records = {run_id: instance.get_run_by_id(run_id) for run_id in sorted(found)}
    return [run_id for run_id, run in records.items() if run is None or run.is_finished]


@contextmanager
def exclusive_run(
    instance: dg.DagsterInstance, run_id: str, path: Path, wait_seconds: float, log: object = None
) -> Iterator[list[str]]:
    """Hold the state folder for a run; yields the ids of runs found dead."""
    # Half of what the code location takes to load: Dagster's storage, which only a run needs.
    from tdml_assets.platform.run_lock import record_origin

    with hold_state(path, run_id, wait_seconds, log):
        dead = fail_dead_runs(instance, run_id)
        instance.add_run_tags(run_id, {_TAG: "held"})
        record_origin(instance, run_id)
        try:
            yield dead
        finally:
            # Said before the lock is let go, so that the next run does not take this one for dead.
            instance.add_run_tags(run_id, {_TAG: "released"})


_REPOSITORY = "__repository__"


def record_origin(instance: dg.DagsterInstance, run_id: str, workspace: Path | None = None) -> bool:
    """Record the code location of a run that has none; returns whether it did.

    ``workspace``: file that names the code location; the project's own unless given.
    """
    path = workspace or project_root() / "workspace.yaml"
    # SQLAlchemy comes with it, which processes that only load the definitions do without.
    from dagster._core.storage.runs import SqlRunStorage

    run = instance.get_run_by_id(run_id)
    if run is None or run.remote_job_origin is not None or run.job_name != IMPLICIT_ASSET_JOB_NAME:
        return False
    if not path.is_file() or not isinstance(instance.run_storage, SqlRunStorage):
        return False
    location = location_origins_from_yaml_paths([str(path)])[0]
    origin = RemoteRepositoryOrigin(location, _REPOSITORY).get_job_origin(run.job_name)
    instance.run_storage.replace_job_origin(run, origin)
    return True
