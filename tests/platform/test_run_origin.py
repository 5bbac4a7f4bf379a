"""A run of the command line belongs to the code location that the UI shows."""

from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.platform.run_lock import record_origin

WORKSPACE = "load_from: [{python_module: {module_name: somewhere.definitions, location_name: here}}]"


@dg.asset
def one() -> None:
    """An asset."""


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.local_temp(str(tmp_path))


def test_a_run_without_a_code_location_gets_that_of_the_workspace(instance, tmp_path):
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(WORKSPACE)
    job = dg.Definitions(assets=[one]).resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(job, tags={"kept": "yes"})
    assert record_origin(instance, run.run_id, workspace)
    found = instance.get_run_by_id(run.run_id)
    assert found.remote_job_origin.repository_origin.get_label() == "__repository__@here"
    assert found.tags["kept"] == "yes"
    assert not record_origin(instance, run.run_id, workspace), "a run that has a code location keeps it"


def test_runs_of_other_jobs_and_unknown_workspaces_are_left_alone(instance, tmp_path):
    job = dg.Definitions(assets=[one], jobs=[dg.define_asset_job("mine")]).resolve_job_def("mine")
    run = instance.create_run_for_job(job)
    assert not record_origin(instance, run.run_id)
    assert not record_origin(instance, "no-such-run")
    asset_run = instance.create_run_for_job(dg.Definitions(assets=[one]).resolve_implicit_global_asset_job_def())
    assert not record_origin(instance, asset_run.run_id, tmp_path / "none.yaml")
