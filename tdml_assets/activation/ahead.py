"""Making the next item while one is used.

Elsewhere: what is made (``delivery.py`` reads batches, ``destinations/postgres.py`` writes CSV).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class OneAhead(Generic[_Item]):
    """Items of an iterable in their order; a thread makes the next one while one is used. At most two are in memory.

    A context: behind it nothing is being made. An error of the iterable is raised where its item would have come.
    """

    def __init__(self, source: Iterable[_Item]) -> None:
        self._source = iter(source)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="one-ahead")
        self._next: Future[list[_Item]] | None = None

    def __enter__(self) -> OneAhead[_Item]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.shutdown()

    def __iter__(self) -> Iterator[_Item]:
        self._begin()
        while made := self._made():
            self._begin()
            yield made[0]

    def settle(self) -> None:
        """Wait until the thread has made what it is making."""
        if self._next is not None:
            wait([self._next])

    def _begin(self) -> None:
        self._next = self._thread.submit(self._make)

    def _made(self) -> list[_Item]:
        return self._next.result() if self._next is not None else []

    def _make(self) -> list[_Item]:
        # A list, since StopIteration must not end a thread's call.
        for item in self._source:
            return [item]
        return []
