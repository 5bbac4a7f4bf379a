"""Optional parts that are not installed, the instance's configuration, and what the installer says."""

import importlib.util
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from tdml_assets.engines.recommender import fit_scorer
from tdml_assets.platform.environment import child_environment, prepare_home, project_root
from tdml_assets.platform.extras import MissingExtraError, load_extra
from tdml_assets.platform.s3 import S3
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import load_settings
from tdml_assets.stages.drift.evidently_report import draw_report
from tdml_assets.stages.features.asset import build_dbt_assets, dbt_environment
from tdml_assets.stages.features.dbt_manifest import ensure_manifest


@pytest.fixture
def without(monkeypatch):
    """Make packages look as if they were not installed."""
    found = importlib.util.find_spec

    def hide(*names):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in names else found(name))

    return hide


def test_a_missing_part_is_named_with_the_command_that_installs_it(without):
    without("dagster_aws")

    with pytest.raises(MissingExtraError, match=r"s3:// address needs dagster_aws.*pip install 'tdml-assets\[s3\]'"):
        S3().get_client()


def test_a_part_that_is_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import nowhere_at_all")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        load_extra("half_there", "s3", "It")


def test_a_page_of_drift_without_evidently_says_so_and_fails_nothing(without, tmp_path):
    without("evidently")
    result = draw_report(tmp_path / "a", tmp_path / "b", ["x"], tmp_path / "page.html", as_of=date(2024, 1, 1))

    assert result.status == "not_installed"
    assert "tdml-assets[evidently]" in result.detail


def test_dbt_itself_is_asked_for_only_where_it_runs(without, tmp_path, give_manifest):
    without("dagster_dbt")
    give_manifest(tmp_path)
    warehouse = Warehouse(database=str(tmp_path / "warehouse.duckdb"), temp_directory=str(tmp_path))
    environment = dbt_environment(tmp_path, warehouse)

    assert ensure_manifest(tmp_path, "warehouse").exists()
    build_dbt_assets(tmp_path, environment)
    with pytest.raises(MissingExtraError, match=r"dbt_runner: dbt needs dagster_dbt"):
        build_dbt_assets(tmp_path, environment, "dbt")


def test_an_edited_instance_configuration_is_kept_and_an_old_one_of_ours_is_replaced(tmp_path):
    settings = load_settings({"TDML_HOME": str(tmp_path)}, working_folder=tmp_path)
    prepare_home(settings)
    target = tmp_path / "dagster" / "dagster.yaml"
    shipped = (project_root() / "dagster.yaml").read_text()
    assert target.read_text() == shipped

    target.write_text(shipped + "\n# storage in Postgres\n")
    prepare_home(settings)
    assert "Postgres" in target.read_text()

    target.unlink()
    prepare_home(settings)
    assert target.read_text() == shipped


def test_a_settings_file_in_the_current_folder_is_named_to_processes_that_start_elsewhere(tmp_path):
    (tmp_path / "tdml.yaml").write_text("as_of: latest\n")
    settings = load_settings({}, working_folder=tmp_path)

    assert child_environment(settings, {})["TDML_CONFIG"] == str(tmp_path / "tdml.yaml")


def test_the_installer_says_how_far_pip_is_and_counts_what_a_lock_names():
    path = str(Path(project_root()) / "tools")
    sys.path.insert(0, path)
    try:
        import install
    finally:
        sys.path.remove(path)

    assert install.packages_in(project_root() / "requirements.lock") > 100
    assert install.how_far("Collecting a\n  Using cached a\nCollecting b\n", 9, 0) == "2 of 9 packages fetched"
    assert install.how_far("Collecting a\nInstalling collected packages: a\n", 9, 4) == "4 of 9 packages unpacked"


def test_only_training_a_recommendation_by_factors_needs_its_part(without):
    without("implicit")
    baskets = sparse.csr_matrix(np.eye(6))
    parameters = {"factors": 2, "iterations": 1, "regularization": 0.1, "alpha": 2.0}

    with pytest.raises(MissingExtraError, match=r"pip install 'tdml-assets\[recommend\]'"):
        fit_scorer("als", baskets, parameters, 7)


def test_a_core_installation_is_smaller_than_one_of_everything():
    locks = {path.name: path.read_text() for path in project_root().glob("requirements*.lock")}
    for name in ("evidently", "plotly", "pandas", "dagster-webserver", "dagster-dbt"):
        assert f"\n{name}==" not in f"\n{locks['requirements.lock']}", name
        assert f"\n{name}==" in f"\n{locks['requirements-full.lock']}", name
