"""Python's garbage collector while a process loads what it keeps for its life.

Elsewhere: what is loaded (``definitions.py``).

Loading makes some hundred thousand objects, nearly all of them modules, classes and functions that stay. The collector looks
through all of them again and again while they come, and once more when the process ends.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Objects made before the youngest are looked through, and how often the older ones are. With Python's own 700, 10 and 10 a session
# of 40 seconds spends one in the collector, most of it on modules and classes that stay. The definitions and what they import make
# 95,000 objects, which a process that only lists them need not look through at all.
_THRESHOLDS = (150_000, 20, 20)


def collect_rarely() -> None:
    """Let the collector work less often, in a process that makes much and keeps little."""
    gc.set_threshold(*_THRESHOLDS)


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


def give_back_at_end() -> None:
    """Let the end of this process collect everything, in one that runs assets.

    DuckDB's bindings print what is left as leaked, and objects that are never looked through keep theirs. It costs a fourth of a
    second, which a process that only loads the definitions need not spend.
    """
    atexit.register(gc.unfreeze)
