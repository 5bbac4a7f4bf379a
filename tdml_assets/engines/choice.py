"""Which engine trains, by arithmetic before anything is read.

Belongs here: the choice between engines by what each needs. Does not: what an engine needs (the engines), counting rows (the
stages).
"""

from dataclasses import dataclass

from tdml_assets.engines.protocol import Estimate, ModelSpec, Tier
from tdml_assets.engines.registry import engine_named


@dataclass(frozen=True)
class Choice:
    """An engine and why. ``engine``: its name. ``why``: a sentence with the arithmetic, for metadata and messages."""

    engine: str
    why: str


def choose_engine(
    declared: str, specs: dict[str, ModelSpec], rows: int, features: int, tier: Tier, default: str = "python"
) -> Choice:
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
    if default in fitting:
        return Choice(default, f"fits {tier.name}: {found[default].arithmetic}")
    if fitting:
        chosen = fitting[0]
        return Choice(
            chosen,
            f"{default} does not fit {tier.name} ({found[default].arithmetic}), {chosen} does ({found[chosen].arithmetic})",
        )
    sums = "; ".join(f"{name}: {one.arithmetic}" for name, one in found.items())
    raise MemoryError(
        f"the training table fits no engine in {tier.name}: {sums}; use a larger tier, a smaller split.max_rows, fewer snapshots "
        "or fewer features"
    )
