"""Optional parts: libraries that a session without them does not install.

Belongs here: importing one, and what to do where it is not installed. Does not: which library is in which
extra (``pyproject.toml``).
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


class MissingExtraError(RuntimeError):
    """A library of an optional part is not installed."""


def load_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a library of an optional part.

    Parameters
    ----------
    module : its import path.
    extra : the part, as ``pyproject.toml`` names it.
    purpose : what needs it, to begin the message with.

    Raises
    ------
    MissingExtraError
        If it is not installed: names it, and the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise MissingExtraError(
            f"{purpose} needs {error.name}, which is not installed: {sys.executable} -m pip install 'tdml-assets[{extra}]'"
        ) from None
