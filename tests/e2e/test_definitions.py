"""The code location as a newcomer finds it. What Dagster's own commands see of it: ``test_fifth_workflow.py``."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from tdml_assets.definitions import defs
from tests.e2e.conftest import Home

WORKFLOWS = ("cltv", "churn", "segments", "next_best_product")


@pytest.fixture
def environment(prepared_home: Home, tmp_path: Path) -> dict[str, str]:
    """Settings as a newcomer has them: none, so every workflow runs. The manifest is there."""
    (tmp_path / "tdml.yaml").write_text("{}", encoding="utf-8")
    return {**prepared_home.environment, "TDML_CONFIG": str(tmp_path / "tdml.yaml")}


@pytest.fixture
def loaded(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return defs()


def test_every_asset_says_what_it_is_who_owns_it_and_where_it_belongs(loaded: dg.Definitions) -> None:
    specs = [spec for spec in loaded.resolve_all_asset_specs() if spec.group_name != "default"]
    assert {"raw", "staging", "features", *WORKFLOWS, "audience"} == {spec.group_name for spec in specs}
    for spec in specs:
        assert spec.description, spec.key
        assert list(spec.owners) == ["team:marketing-data"], spec.key
        assert spec.kinds, spec.key


def test_published_attributes_are_late_after_eight_days_and_expired_when_they_begin_to_be_emptied(
    loaded: dg.Definitions,
) -> None:
    found = {spec.key.to_user_string(): spec.freshness_policy for spec in loaded.resolve_all_asset_specs()}
    policy = found["audience/parent_segment_attributes"]
    assert policy == dg.FreshnessPolicy.time_window(timedelta(days=31), timedelta(days=8))


def test_the_graph_holds_every_stage_of_the_deck(loaded: dg.Definitions) -> None:
    keys = {spec.key.to_user_string() for spec in loaded.resolve_all_asset_specs()}
    assert {
        "raw/orders",
        "raw/pageviews",
        "raw/email_events",
        "raw/customers",
        "raw/rejected_rows",
        "features/snapshots",
        "features/customer_features",
        "cltv/training_table",
        "cltv/exploration",
        "cltv/prepared",
        "cltv/candidate_model",
        "cltv/evaluation",
        "cltv/champion_model",
        "cltv/predictions",
        "cltv/drift",
        "cltv/drift_report",
        "audience/parent_segment_attributes",
        "audience/attribute_catalog",
        "audience/files",
        "churn/predictions",
        "segments/predictions",
        "next_best_product/predictions",
    } <= keys


def test_jobs_schedules_and_the_sensor_are_there(loaded: dg.Definitions) -> None:
    repository = loaded.get_repository_def()
    assert {*(f"train_{name}" for name in WORKFLOWS), "score_and_publish"} <= set(repository.job_names)
    assert {schedule.name for schedule in repository.schedule_defs} == {
        *(f"train_{name}_schedule" for name in WORKFLOWS),
        "score_and_publish_schedule",
    }
    scored = {key.to_user_string() for key in repository.get_job("score_and_publish").asset_layer.executable_asset_keys}
    assert {f"{name}/predictions" for name in WORKFLOWS} <= scored
    assert not any(key.endswith("candidate_model") for key in scored), "scoring trains nothing"
    assert [
        sensor.name for sensor in repository.sensor_defs if sensor.name != "default_automation_condition_sensor"
    ] == ["alert_on_failure", "forget_recovered", "retrain_on_drift"]


def test_definitions_load_without_the_libraries_that_only_a_stage_needs(environment: dict[str, str]) -> None:
    costly = [
        "sklearn",
        "scipy",
        "xgboost",
        "pandas",
        "matplotlib",
        "boto3",
        "sqlalchemy",
        "dagster_dbt",
        "evidently",
        "jinja2",
        "pyarrow.compute",
        "pyarrow.csv",
        "pyarrow.parquet",
        # Ours that only a stage needs: readers of files, checks of raw data, what draws a page, the simulation.
        "tdml_assets.stages.raw.tables",
        "tdml_assets.stages.raw.files",
        "tdml_assets.stages.data_quality.quality_report",
        "tdml_assets.stages.session_report.page",
        "tdml_assets.stages.session_report.overview",
        "tdml_assets.simulation.sample",
    ]
    code = f"""
import sys
from tdml_assets.definitions import defs
defs()
print(sorted(set(sys.modules) & set({costly})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
