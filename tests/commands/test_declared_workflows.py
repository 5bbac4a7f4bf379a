"""A workflow's own YAML is looked at before Dagster is started, and once per content."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tdml_assets.commands.declared_workflows as looked_at
import tdml_assets.component as component
from tdml_assets.commands.app import app
from tdml_assets.settings import Settings, SettingsError

WORKFLOW = """
type: tdml_assets.component.WorkflowComponent
attributes:
  name: spend
  target: {horizon_days: 90}
"""


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with one workflow; gives its YAML file."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.dg]\ndirectory_type = 'project'\n[tool.dg.project]\nroot_module = 'own_flows'\n"
        "defs_module = 'own_flows'\ncode_location_name = 'own'\n"
    )
    path = tmp_path / "own_flows" / "spend" / "defs.yaml"
    path.parent.mkdir(parents=True)
    (tmp_path / "own_flows" / "__init__.py").touch()
    path.write_text(WORKFLOW)
    monkeypatch.syspath_prepend(tmp_path)
    for module in (looked_at, component):
        monkeypatch.setattr(module, "project_root", lambda: tmp_path)
    yield path
    sys.modules.pop("own_flows", None)


def test_a_fault_in_a_workflows_file_ends_the_command_before_anything_runs(
    declared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared.write_text(WORKFLOW.replace("horizon_days", "horizon_dayz"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TDML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TDML_CONFIG", raising=False)
    done = CliRunner().invoke(app, ["run"])
    assert done.exit_code == 2, done.output
    assert "defs.yaml:5" in done.stderr
    assert "horizon_dayz: unknown key; did you mean 'horizon_days'" in done.stderr
    assert not (tmp_path / "home").exists()


def test_files_that_were_found_right_are_read_again_only_when_they_changed(
    declared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home", base_folder=tmp_path)
    asked = []
    monkeypatch.setattr(component, "declared_workflows", asked.append)
    looked_at.check_workflows(settings)
    looked_at.record_as_valid(settings)
    looked_at.check_workflows(settings)
    assert len(asked) == 1
    declared.write_text(WORKFLOW + "  label: Spend\n")
    looked_at.check_workflows(settings)
    looked_at.check_workflows(settings.model_copy(update={"workflows": {"spend": {}}}))
    assert len(asked) == 3
    monkeypatch.undo()
    with pytest.raises(SettingsError, match="workflows: none is not declared"):
        looked_at.check_workflows(settings.model_copy(update={"workflows": {"none": {}}}))
