"""The dbt project as files: where it is, and its compiled manifest.

Elsewhere: assets (``asset.py``), whose import takes seconds.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tdml_assets.platform.files import locked
from tdml_assets.platform.project_files import project_file

if TYPE_CHECKING:
    from tdml_assets.settings import Settings

#: What keeps dbt from reporting home.
QUIET = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
_PACKAGES = ("dbt-core", "dbt-adapters", "dbt-duckdb")
#: Environment variable that names the tables whose sources tell when rows were recorded, separated by commas.
RECORDED_SOURCES = "RECORDED_SOURCES"
#: Nodes whose statements a session runs.
_COMPILED = ("resource_type:model", "resource_type:test")


class DbtProjectError(RuntimeError):
    """The dbt project cannot be compiled."""


def dbt_project_directory() -> Path:
    """Folder of the dbt project."""
    return project_file("dbt_project")


def dbt_executable() -> str:
    """Find the ``dbt`` next to this Python, whatever the search path says."""
    beside = Path(sys.executable).parent / "dbt"
    found = str(beside) if beside.exists() else shutil.which("dbt")
    if found is None:
        raise FileNotFoundError(f"no dbt next to {sys.executable} or on PATH: install the package's requirements")
    return found


def _fingerprint(project: Path, catalog: str, recorded: Sequence[str]) -> str:
    digest = hashlib.sha256("\n".join([catalog, *recorded, *_COMPILED, ""]).encode())
    for package in _PACKAGES:
        digest.update(f"{package}=={importlib.metadata.version(package)}\n".encode())
    for path in sorted(project.rglob("*")):
        if path.suffix in {".sql", ".yml", ".yaml"}:
            digest.update(f"{path.relative_to(project).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def ensure_manifest(home: Path, catalog: str, recorded: Sequence[str] = ()) -> Path:
    """Keep a compiled manifest under ``<home>/dbt``, made anew when the project or dbt changed since.

    Compiled against an empty throw-away database of the same name: nothing is read, and the warehouse is not touched.
    Safe to call from several processes at once; costs milliseconds when fresh. Raises ``DbtProjectError`` if the project does not
    compile; says what dbt said.

    ``home``: folder of all state. ``catalog``: how DuckDB calls the warehouse, which compiled statements name: its file without
    the ending. ``recorded``: tables whose sources tell when rows were recorded; without them the statements know nothing of it.
    """
    project, folder = dbt_project_directory(), home / "dbt"
    fingerprint = _fingerprint(project, catalog, recorded)
    manifest = folder / f"manifest-{fingerprint[:16]}.json"
    if manifest.exists():
        return manifest
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "manifest.lock"):
        if not manifest.exists():
            _compile(project, catalog, manifest, recorded)
            for stale in set(folder.glob("manifest-*.json")) - {manifest}:
                stale.unlink()
    return manifest


def manifest_of(settings: Settings) -> Path:
    """The manifest of some settings: :func:`ensure_manifest`."""
    return ensure_manifest(settings.home, settings.warehouse_path.stem, settings.effective_sources.recorded)


def _compile(project: Path, catalog: str, manifest: Path, recorded: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="compile-", dir=manifest.parent) as scratch:
        command = [dbt_executable(), "--quiet", "--no-populate-cache", "compile", "--no-introspect"]
        command += ["--select", *_COMPILED, "--project-dir", str(project), "--profiles-dir", str(project)]
        environment = {
            **os.environ,
            **QUIET,
            "WAREHOUSE_DATABASE": f"{scratch}/{catalog}.duckdb",
            RECORDED_SOURCES: ",".join(recorded),
            "DBT_TARGET_PATH": scratch,
            "DBT_LOG_PATH": scratch,
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise DbtProjectError(f"{project} does not compile: {(done.stdout + done.stderr).strip()[-2000:]}")
        (Path(scratch) / "manifest.json").replace(manifest)
