"""Threads of fits: how many one fit is worth, and small fits that run at the same time.

One small fit gains nothing from a second thread, two of them do. Each gives the same bytes as by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

# Below this the threads of a round wait for one another longer than they work: on a busy machine a fit of 1,000 rows took
# ten times as long with two threads as with one.
_CELLS_WORTH_THREADS = 2_000_000


def threads_worth(rows: int, features: int, threads: int) -> int:
    """Threads that one fit of ``rows`` x ``features`` should use, of those it may."""
    return threads if rows * features >= _CELLS_WORTH_THREADS else 1


def at_once(calls: Sequence[Callable[[], T]], threads: int) -> list[T]:
    """Results of ``calls``, in their order, of which at most ``threads`` run at the same time.

    Raises what the first of them raises, after all have ended.
    """
    if threads < 2 or len(calls) < 2:
        return [call() for call in calls]
    with ThreadPoolExecutor(min(threads, len(calls)), thread_name_prefix="fit") as pool:
        running = [pool.submit(copy_context().run, call) for call in calls]
    return [one.result() for one in running]
