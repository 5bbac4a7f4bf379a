"""The engines by name, as ``engine`` of a workflow's YAML gives them.

Belongs here: one line per engine. Does not: what an engine does (a module each, behind ``protocol.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from tdml_assets.engines.protocol import Engine, ModelSpec

#: Module and class by name. Imported when asked for: each brings libraries along.
ENGINES = {
    "python": ("tdml_assets.engines.python", "PythonEngine"),
    "hivemall": ("tdml_assets.engines.hivemall_engine", "HivemallEngine"),
}


def engine_named(name: str, trusted_types: Sequence[str] = ()) -> Engine:
    """Give an engine.

    Parameters
    ----------
    trusted_types : types of a user's own that a stored model may hold.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in ENGINES:
        raise ValueError(f"there is no engine {name!r}: use one of {', '.join(ENGINES)}")
    module, attribute = ENGINES[name]
    engine: Engine = getattr(import_module(module), attribute)(trusted_types)
    return engine


def require_declared(name: str, spec: ModelSpec) -> None:
    """Refuse what an engine can refuse by the declaration alone, before anything runs.

    Raises
    ------
    ValueError
        An estimator, option or value that the engine does not know; an engine without such a check refuses nothing here.
    MissingExtraError
        If the engine needs a library that is not installed.
    """
    check = getattr(engine_named(name), "require_declared", None)
    if check is not None:
        check(spec)
