"""The engines by name, as ``engine`` of a workflow's YAML gives them, and the choice among them by arithmetic.

Elsewhere: what an engine does and needs (a module each, behind ``protocol.py``), counting rows (the stages).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from tdml_assets.engines.protocol import Engine, Estimate, ModelSpec, Tier

#: Module and class by name. Imported when asked for: each brings libraries along.
ENGINES = {
    "python": ("tdml_assets.engines.python", "PythonEngine"),
    "hivemall": ("tdml_assets.engines.hivemall_engine", "HivemallEngine"),
}
#: What ``auto`` takes wherever it fits.
_DEFAULT = "python"


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


@dataclass(frozen=True)
class Choice:
    """An engine and why. ``engine``: its name. ``why``: a sentence with the arithmetic, for metadata and messages."""

    engine: str
    why: str


def choose_engine(declared: str, specs: dict[str, ModelSpec], rows: int, features: int, tier: Tier) -> Choice:
    """Choose the engine that trains ``rows`` x ``features``.

    Raises ``MemoryError`` if ``auto`` finds none that fits, with the arithmetic of all. ``declared``: ``engine`` of the workflow.
    ``specs``: what each possible engine would train, by its name; one is taken as it is.
    """
    found: dict[str, Estimate] = {
        name: engine_named(name).estimate(spec, rows, features, tier) for name, spec in specs.items()
    }
    if len(found) == 1:
        # It says itself, with the rows it is given, where they do not fit.
        ((only, one),) = found.items()
        return Choice(
            only, f"{'the only one for this workflow' if declared == 'auto' else 'declared'}: {one.arithmetic}"
        )
    fitting = [name for name, one in found.items() if one.fits]
    if _DEFAULT in fitting:
        return Choice(_DEFAULT, f"fits {tier.name}: {found[_DEFAULT].arithmetic}")
    if fitting:
        chosen = fitting[0]
        return Choice(
            chosen,
            f"{_DEFAULT} does not fit {tier.name} ({found[_DEFAULT].arithmetic}), {chosen} does ({found[chosen].arithmetic})",
        )
    sums = "; ".join(f"{name}: {one.arithmetic}" for name, one in found.items())
    raise MemoryError(
        f"the training table fits no engine in {tier.name}: {sums}; use a larger tier, a smaller split.max_rows, fewer snapshots "
        "or fewer features"
    )
