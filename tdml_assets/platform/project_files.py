"""Where the files are that are not Python: ``sql/``, ``dbt_project/``, ``dagster.yaml``, ``workspace.yaml``, ``pyproject.toml``."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
#: Folder inside the package where the wheel puts them.
_PACKED = "_files"


def project_root() -> Path:
    """Folder that holds the project's files: the checkout's, or inside the package where a wheel is installed."""
    packed = _PACKAGE / _PACKED
    return packed if packed.is_dir() else _PACKAGE.parent


def project_file(name: str) -> Path:
    """A file or folder of the project. Raises ``FileNotFoundError`` if it is not there: the installation is incomplete."""
    path = project_root() / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: install tdml-assets again")
    return path
