"""The settings that README shows are settings, and short."""

from __future__ import annotations

import re
from pathlib import Path

from tdml_assets.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]


def test_the_settings_of_the_readme_declare_two_destinations_in_under_thirty_lines(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "sfmc:" in block]
    assert len(block.splitlines()) < 30
    (tmp_path / "tdml.yaml").write_text(block, encoding="utf-8")
    settings = load_settings({"TDML_CONFIG": str(tmp_path / "tdml.yaml"), "TDML_HOME": str(tmp_path)})
    assert {name: one.purpose for name, one in settings.destinations.others.items()} == {
        "postgres": "analytics",
        "sfmc": "email",
    }
    assert settings.sources.consent is not None
