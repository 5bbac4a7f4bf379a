"""Customers who buy, spend, lapse, browse and answer e-mail, with the truth about each of them.

The default input of the project and the ground truth of its tests: a Pareto/NBD purchase and dropout process with a
yearly season, in which every customer's rates are known. From a seed alone; equal settings give equal bytes with the
same release of numpy, which may change a distribution's stream between releases.

Belongs here: `settings` (what is asked for), `season` (when people buy), `process` (who buys what), `events` (page
views and e-mail), `feed` (faults of delivery), `simulator` (tables), `oracle` (what the truth says about the future).
Does not belong here: files (`tdml_assets.simulation.sample`, declared in `sample_sources`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tdml_assets.simulation.settings import BrokenFeed, PopulationChange, PriceChange, SimulationSettings

if TYPE_CHECKING:
    from tdml_assets.simulation.oracle import expected_spend
    from tdml_assets.simulation.simulator import BLOCK_CUSTOMERS, Simulation, simulate, simulate_blocks

__all__ = [
    "BLOCK_CUSTOMERS",
    "BrokenFeed",
    "PopulationChange",
    "PriceChange",
    "Simulation",
    "SimulationSettings",
    "expected_spend",
    "simulate",
    "simulate_blocks",
]

#: Imported when asked for: every command reads the settings, and few simulate, which takes numpy and pyarrow.
_MODULES = {
    "expected_spend": "oracle",
    **dict.fromkeys(("BLOCK_CUSTOMERS", "Simulation", "simulate", "simulate_blocks"), "simulator"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
