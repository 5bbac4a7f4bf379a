"""The engines by name, as ``engine`` of a workflow's YAML gives them.

Belongs here: one line per engine of this package; an engine of another package is named by the import path of its class.
Does not: what an engine does (a module each, behind ``protocol.py``).
"""

from collections.abc import Sequence
from importlib import import_module

from tdml_assets.engines.protocol import Engine, ModelSpec

#: Module and class by name. Imported when asked for: each brings libraries along.
ENGINES = {
    "python": ("tdml_assets.engines.python", "PythonEngine"),
    "hivemall": ("tdml_assets.engines.hivemall_engine", "HivemallEngine"),
}


def engine_named(name: str, trusted_types: Sequence[str] = ()) -> Engine:
    """Give an engine. Raises ``ValueError`` if there is none of that name.

    ``name``: of :data:`ENGINES`, or the import path of a class that implements ``Engine``; it is called with ``trusted_types``.
    ``trusted_types``: types of a user's own that a stored model may hold.
    """
    if name not in ENGINES and "." not in name:
        raise ValueError(
            f"there is no engine {name!r}: use one of {', '.join(ENGINES)}, or the import path of a class of your own"
        )
    module, attribute = ENGINES[name] if name in ENGINES else name.rsplit(".", 1)
    try:
        make = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"engine: {name} cannot be imported ({error}): write package.module.Class") from error
    engine: Engine = make(trusted_types)
    return engine


def require_declared(name: str, spec: ModelSpec) -> None:
    """Refuse what an engine can refuse by the declaration alone, before anything runs.

    Raises ``ValueError``: an estimator, option or value that the engine does not know; an engine without such a check refuses
    nothing here. Raises ``MissingExtraError`` if the engine needs a library that is not installed.
    """
    check = getattr(engine_named(name), "require_declared", None)
    if check is not None:
        check(spec)
