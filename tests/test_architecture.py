"""Boundaries that must hold, checked on the code itself."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import yaml

import tdml_assets.core
import tdml_assets.engines

ROOT = Path(__file__).resolve().parent.parent
_LONGEST_FILE = 400
_LONGEST_ASSET = 32


def test_core_and_engines_import_without_dagster() -> None:
    names = [
        found.name
        for package in (tdml_assets.core, tdml_assets.engines)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    assert len(names) > 20
    blocked = (
        "import sys; sys.modules.update(dict.fromkeys(['dagster', 'dagster_duckdb', 'dagster_aws', 'dagster_dbt']))"
    )
    code = f"{blocked}\nimport importlib\nfor name in {names!r}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_importing_the_definitions_reads_no_settings_and_makes_no_state(tmp_path: Path) -> None:
    environment = {"TDML_CONFIG": "there is no such file", "TDML_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    code = "import tdml_assets.definitions, tdml_assets.cli"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []


def test_files_stay_short_enough_to_hold_in_mind() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "tdml_assets").rglob("*.py")
    }
    assert not {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > _LONGEST_FILE}


def test_asset_bodies_stay_short() -> None:
    long = {}
    for path in (ROOT / "tdml_assets" / "assets").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any("asset" in ast.unparse(d) for d in node.decorator_list):
                length = (node.end_lineno or 0) - node.body[0].lineno + 1
                if length > _LONGEST_ASSET:
                    long[f"{path.name}:{node.name}"] = length
    assert not long


def test_no_statement_is_written_in_python() -> None:
    for path in (ROOT / "tdml_assets").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = node.value.strip().lower().split()
                assert not (words[:1] == ["select"] and "from" in words), f"{path}: {node.value[:60]}"


def test_the_code_location_has_one_name() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    (location,) = workspace["load_from"]
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'code_location_name = "{location["python_module"]["location_name"]}"' in pyproject
    assert f'code_location_target_module = "{location["python_module"]["module_name"]}"' in pyproject


def test_the_locks_name_no_address_and_no_gpu_library() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert "nvidia" not in text
        assert "--hash=sha256:" in text
