"""Java's PriorityQueue, whose order of equal keys decides which rows Hivemall keeps and in which order it gives them.

Belongs here: the queue and the one of a fixed size. Does not: who fills them.
"""

from __future__ import annotations

import math
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


def is_nan(value: object) -> bool:
    """Whether it is the float NaN."""
    return isinstance(value, float) and math.isnan(value)


class Heap(Generic[Item]):
    """A queue of items by key, the smallest first, or the largest with ``falling``; NaN is the largest of all."""

    def __init__(self, *, falling: bool = False) -> None:
        self._falling = falling
        self.items: list[tuple[Any, Item]] = []

    def before(self, key: Any, other: Any) -> bool:
        """Whether the one key leaves the queue before the other."""
        low, high = (other, key) if self._falling else (key, other)
        return bool(low < high) or (is_nan(high) and not is_nan(low))

    def push(self, key: Any, item: Item) -> None:
        """Add an item."""
        items, place = self.items, len(self.items)
        items.append((key, item))
        while place > 0 and self.before(key, items[(place - 1) // 2][0]):
            items[place] = items[(place - 1) // 2]
            place = (place - 1) // 2
        items[place] = (key, item)

    def pop(self) -> tuple[Any, Item]:
        """Take the first."""
        items = self.items
        first, last = items[0], items.pop()
        if not items:
            return first
        place, size = 0, len(items)
        while 2 * place + 1 < size:
            child = 2 * place + 1
            if child + 1 < size and self.before(items[child + 1][0], items[child][0]):
                child += 1
            if not self.before(items[child][0], last[0]):
                break
            items[place] = items[child]
            place = child
        items[place] = last
        return first

    def drain(self) -> list[tuple[Any, Item]]:
        """All keys and items in the order of the queue, which is empty afterwards."""
        return [self.pop() for _ in range(len(self.items))]


class BoundedHeap(Heap[Item]):
    """The ``size`` items that leave last; an item of an equal key replaces the first of the queue."""

    def __init__(self, size: int, *, falling: bool = False) -> None:
        super().__init__(falling=falling)
        self._size = size

    def offer(self, key: Any, item: Item) -> None:
        """Add an item, unless it would leave before all others of a full queue."""
        if len(self.items) >= self._size:
            if self.before(key, self.items[0][0]):
                return
            self.pop()
        self.push(key, item)
