"""The process environment that Dagster, dbt and reports run in. Elsewhere: the settings (``settings.py``)."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tdml_assets.platform.files import replacing
from tdml_assets.platform.project_files import project_file, project_root
from tdml_assets.settings import Settings, SettingsError

if TYPE_CHECKING:
    import dagster as dg

__all__ = [
    "child_environment",
    "code_of_stages",
    "code_version",
    "dagster_instance",
    "library_versions",
    "prepare_home",
    "project_root",
    "restrict_new_files",
]

_OWNER_ONLY, _NO_OTHERS = 0o700, 0o077
NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "true",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
}


def child_environment(settings: Settings, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables for a process that works on ``settings.home``."""
    base = os.environ if base is None else base
    # The UI's server runs in the state folder, where a relative settings path would no longer be found.
    beside = settings.base_folder / "tdml.yaml"
    named = Path(base["TDML_CONFIG"]).resolve() if base.get("TDML_CONFIG") else beside if beside.is_file() else None
    config = {"TDML_CONFIG": str(named)} if named is not None else {}
    return {
        **base,
        **config,
        **NO_TELEMETRY,
        # Threads that wait must not spin: the warehouse, dbt and the learner take turns on few cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TDML_HOME": str(settings.home),
        "DAGSTER_HOME": str(settings.home / "dagster"),
    }


@contextmanager
def dagster_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """Open the instance of a state folder; its configuration names its own folder as ``DAGSTER_HOME``."""
    import dagster as dg

    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str((home / "dagster").absolute())
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    finally:
        if before is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = before


def prepare_home(settings: Settings) -> None:
    """Make the state folder, readable by its owner alone, and put the instance's configuration where Dagster looks for it.

    Raises ``SettingsError`` if the home, or a folder above it, is a file.
    """
    dagster_home = settings.home / "dagster"
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        # It holds customers: whoever may not enter the folder can read nothing in it, whatever a library wrote.
        settings.home.chmod(_OWNER_ONLY)
        dagster_home.mkdir(exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise SettingsError(
            f"the state folder {settings.home} cannot be made, a file is in its place: remove the file or set another TDML_HOME"
        ) from None
    source = project_file("dagster.yaml")
    target = dagster_home / "dagster.yaml"
    if _may_be_replaced(target, source):
        # In one step: two commands may start at once.
        with replacing(target) as file:
            file.write(source.read_bytes())
        _record_of(target).write_text(_digest(source), encoding="utf-8")


def _may_be_replaced(target: Path, source: Path) -> bool:
    """Whether the instance's configuration is missing, or is an older one of ours that nobody has edited."""
    if not target.exists():
        return True
    record = _record_of(target)
    is_ours = record.exists() and record.read_text(encoding="utf-8") == _digest(target)
    return is_ours and _digest(target) != _digest(source)


def _record_of(target: Path) -> Path:
    return target.with_name(".dagster-yaml.sha256")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def restrict_new_files() -> None:
    """Let this process and what it starts write files that their owner alone can read; a stricter mask is kept."""
    os.umask(os.umask(_NO_OTHERS) | _NO_OTHERS)


@cache
def code_version() -> str:
    """Version of the package and twelve digits of the hash of all code that decides what a model is."""
    package = Path(__file__).resolve().parent.parent
    code = ("declaration", "engines", "models", "platform", "recommendation", "stages", "tasks")
    places = [*(package / name for name in code), project_file("sql"), project_file("dbt_project")]
    return f"{version('tdml-assets')}+{_hash_of_code(places)[:12]}"


@cache
def code_of_stages() -> str:
    """Hash of all code of the package, its statements and its dbt project: what decides what any stage leaves behind."""
    return _hash_of_code([Path(__file__).resolve().parent.parent, project_file("sql"), project_file("dbt_project")])


def _hash_of_code(places: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*")):
            if path.suffix in {".py", ".sql", ".yml"} and not {"target", "__pycache__"} & set(path.parts):
                digest.update(path.relative_to(place).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that take part in a prediction."""
    xgboost = "xgboost" if sys.platform == "darwin" else "xgboost-cpu"
    others = ("numpy", "pyarrow", "duckdb", "scikit-learn", "scipy", "skops")
    return {"xgboost": version(xgboost), **{name: version(name) for name in others}}
