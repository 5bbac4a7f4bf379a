"""Python's garbage collector while a process loads what it keeps for its life.

Belongs here: when the collector rests. Does not: what is loaded (``definitions.py``).

Loading makes some hundred thousand objects, nearly all of them modules, classes and functions that stay. The collector looks
through all of them again and again while they come, and once more when the process ends.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading_what_stays() -> Iterator[None]:
    """Collect nothing in the block, and never look again through what was loaded before it."""
    was_on = gc.isenabled()
    # DuckDB's bindings would report what is never collected as leaked, so it is left to the collector.
    if "duckdb" not in sys.modules:
        gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
