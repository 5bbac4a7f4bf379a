"""What every declaration shares: the base class of the models, and objects that a user's own module gives by a fixed name.

Elsewhere: any key (``sources.py``, ``files.py``), what the objects are (``formats.py``, ``target_kinds.py``,
``platform/drift_statistics.py``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TypeVar

from pydantic import BaseModel, ConfigDict


class Declaration(BaseModel):
    """Frozen, and refusing keys it does not know: a misspelt key must not be a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


T = TypeVar("T")


def object_of(path: str, name: str, kind: type[T], key: str = "") -> T:
    """The object called ``name`` in the module at the import path ``path``.

    ``key``: of the settings that gave the path, for errors of which the caller does not name it.

    Raises ``ValueError`` if the module cannot be imported, or has no such object of class ``kind``.
    """
    where = f"{key}: module {path}" if key else f"module {path}"
    try:
        found = getattr(import_module(path), name, None)
    except ImportError as error:
        raise ValueError(f"{where} cannot be imported ({error}): correct it, or put it on PYTHONPATH") from None
    if not isinstance(found, kind):
        raise ValueError(f"{where} has no {name}, an object of class {kind.__name__}")  # noqa: TRY004
    return found
