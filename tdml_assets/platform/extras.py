"""Optional parts: libraries that a session without them does not install.

Elsewhere: which library is in which extra (``pyproject.toml``).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType


class MissingExtraError(RuntimeError):
    """A library of an optional part is not installed."""


def require_extra(module: str, extra: str, purpose: str) -> None:
    """Look whether a library of an optional part is installed, without importing it.

    Raises ``MissingExtraError`` if it is not installed: names it, and the command that installs it. ``module``: its top-level
    package. ``extra``: the part, as ``pyproject.toml`` names it. ``purpose``: what needs it, to begin the message with.
    """
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(
            f"{purpose} needs {module}, which is not installed: {sys.executable} -m pip install 'tdml-assets[{extra}]' "
            "(make full, in a checkout)"
        )


def load_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a library of an optional part; arguments and errors as of :func:`require_extra`."""
    require_extra(module.partition(".")[0], extra, purpose)
    return importlib.import_module(module)
