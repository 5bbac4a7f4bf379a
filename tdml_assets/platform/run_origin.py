"""Tells Dagster which code location a run of the command line belongs to.

Belongs here: the origin in the run's record. Does not: starting runs (``commands/app.py``), the lock (``run_lock.py``).

``dagster asset materialize`` records none: the run is missing from the timeline on the UI's first page, and its own page warns
that it belongs to another code location. The record is completed as ``dagster run migrate-repository`` does it.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.storage.runs import SqlRunStorage
from dagster._core.workspace.load import location_origins_from_yaml_paths

from tdml_assets.platform.environment import project_root

_REPOSITORY = "__repository__"


def record_origin(instance: dg.DagsterInstance, run_id: str, workspace: Path | None = None) -> bool:
    """Record the code location of a run that has none; returns whether it did.

    ``workspace``: file that names the code location; the project's own unless given.
    """
    path = workspace or project_root() / "workspace.yaml"
    run = instance.get_run_by_id(run_id)
    if run is None or run.remote_job_origin is not None or run.job_name != IMPLICIT_ASSET_JOB_NAME:
        return False
    if not path.is_file() or not isinstance(instance.run_storage, SqlRunStorage):
        return False
    location = location_origins_from_yaml_paths([str(path)])[0]
    origin = RemoteRepositoryOrigin(location, _REPOSITORY).get_job_origin(run.job_name)
    instance.run_storage.replace_job_origin(run, origin)
    return True
