"""Which assets an audience has: none where nothing is published, no exports where the settings want none."""

from __future__ import annotations

from pathlib import Path

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.settings import Settings, load_settings
from tdml_assets.stages.audience.asset import build_audience

ATTRIBUTE = {"name": "spend", "column": "predicted_target", "description": "Expected spend."}
SILENT = {"name": "cltv", "target": {"horizon_days": 30}}


def settings_of(folder: Path, text: str) -> Settings:
    (folder / "tdml.yaml").write_text(text, encoding="utf-8")
    return load_settings({"TDML_CONFIG": str(folder / "tdml.yaml"), "TDML_HOME": str(folder)})


def keys_of(spec: dict[str, object], settings: Settings) -> set[str]:
    assets = build_audience([WorkflowSpec.model_validate(spec)], settings)
    return {key.to_user_string() for asset in assets for key in asset.keys}


def test_without_an_attribute_there_is_no_audience(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "destinations: {}")
    assert keys_of(SILENT, settings) == set()
    tables = {"audience/parent_segment_attributes", "audience/attribute_catalog"}
    assert keys_of({**SILENT, "attributes": [ATTRIBUTE]}, settings) == {*tables, "audience/files"}


def test_exports_that_the_settings_switch_off_are_no_asset(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "destinations: {files: null}")
    assert "audience/files" not in keys_of({**SILENT, "attributes": [ATTRIBUTE]}, settings)
