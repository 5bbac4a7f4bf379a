"""Whether the workflows' own YAML files can be used, before Dagster is started.

Elsewhere: what is wrong with them (``component.py``), whose import takes longer than a run on unchanged files should wait.
"""

from __future__ import annotations

import hashlib
import importlib.util
import tomllib
from pathlib import Path

from tdml_assets.platform.environment import code_version, project_root
from tdml_assets.settings import Settings

#: Below the state folder's cache: hash of the files that were found valid last.
_FOUND_VALID = "workflows.sha256"


def check_workflows(settings: Settings) -> None:
    """Refuse workflows that are declared wrongly, or that the settings name or change wrongly.

    Raises ``SettingsError`` naming file, line, key, value and what is allowed.
    """
    found, kept = _content(), _kept(settings)
    # What the settings change of a workflow is part of no file.
    if settings.workflows is None and kept.is_file() and kept.read_text(encoding="utf-8") == found:
        return
    from tdml_assets.component import declared_workflows

    declared_workflows(settings)


def record_as_valid(settings: Settings) -> None:
    """Remember that the files as they are now can be used; called after :func:`check_workflows`, once there is a state folder."""
    kept = _kept(settings)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(_content(), encoding="utf-8")


def _kept(settings: Settings) -> Path:
    return settings.home / "cache" / _FOUND_VALID


def _content() -> str:
    """Hash of every YAML file below the folder of workflows, and of the version of the code that reads them."""
    project = tomllib.loads((project_root() / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
    spec = importlib.util.find_spec(project["defs_module"])
    digest = hashlib.sha256(code_version().encode())
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        for path in sorted(Path(folder).rglob("*.y*ml")):
            digest.update(f"{path}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
