"""The built wheel, installed where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tdml_assets.platform.environment import project_root

DEFINITIONS = """
from tdml_assets.definitions import defs
import tdml_assets
assert {folder!r} in tdml_assets.__file__, tdml_assets.__file__
keys = {{spec.key.to_user_string() for spec in defs().resolve_all_asset_specs()}}
assert {{"raw/orders", "features/customer_features", "cltv/predictions", "audience/files"}} <= keys, keys
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The wheel, built and unpacked as an installer does."""
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path)], cwd=project_root(), check=True, timeout=120)
    (wheel,) = tmp_path.glob("tdml_assets-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    return tmp_path / "site"


def test_the_wheel_prepares_a_state_and_loads_every_definition(
    installed: Path, tmp_path: Path, give_manifest: Callable[[Path], None]
) -> None:
    assert (installed / "tdml_assets" / "py.typed").is_file()
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "tdml-assets = tdml_assets.commands.app:app" in entry_points.read_text(encoding="utf-8")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("TDML_", "DAGSTER_", "PYTHONPATH"))
    }
    environment = {**kept, "PYTHONPATH": str(installed), "TDML_SAMPLE__CUSTOMERS": "60"}
    home = tmp_path / "elsewhere" / ".tdml" / "sample-state"
    home.mkdir(parents=True)
    give_manifest(home)
    for command in (["-m", "tdml_assets", "prepare"], ["-c", DEFINITIONS.format(folder=str(installed))]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path / "elsewhere",
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (home / "dagster" / "dagster.yaml").is_file()
    assert (home / "sample" / "orders.parquet").is_file()
