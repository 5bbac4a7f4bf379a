"""Customers who buy, spend, lapse, browse and answer e-mail, with the truth about each of them.

The default input of the project and the ground truth of its tests: a Pareto/NBD purchase and dropout process with a
yearly season, in which every customer's rates are known. From a seed alone; equal settings give equal bytes with the
same release of numpy, which may change a distribution's stream between releases.

`settings` says what is asked for, `season` when people buy, `process` who buys what, `events` has page views and e-mail, `feed`
faults of delivery, `simulator` makes tables and `sample` files, which `sample_sources` declares.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tdml_assets.simulation.settings import BrokenFeed, PopulationChange, PriceChange, SimulationSettings

if TYPE_CHECKING:
    from tdml_assets.simulation.simulator import BLOCK_CUSTOMERS, Simulation, simulate, simulate_blocks

__all__ = [
    "BLOCK_CUSTOMERS",
    "BrokenFeed",
    "PopulationChange",
    "PriceChange",
    "Simulation",
    "SimulationSettings",
    "simulate",
    "simulate_blocks",
]

#: Imported when asked for: every command reads the settings, and few simulate, which takes numpy and pyarrow.
_OF_SIMULATOR = ("BLOCK_CUSTOMERS", "Simulation", "simulate", "simulate_blocks")


def __getattr__(name: str) -> Any:
    if name not in _OF_SIMULATOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.simulator"), name)
