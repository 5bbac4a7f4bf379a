"""Random numbers of java.util.Random, so that a seed gives Hivemall's own start."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

_MULTIPLIER = 0x5DEECE66D
_MASK = (1 << 48) - 1


class JavaRandom:
    """A 48-bit linear congruential generator with Java's constants."""

    def __init__(self, seed: int) -> None:
        self._state = (seed ^ _MULTIPLIER) & _MASK
        self._gaussian: float | None = None

    def next(self, bits: int) -> int:
        """The next ``bits`` bits as a signed number when bits is 32, otherwise not negative."""
        self._state = (self._state * _MULTIPLIER + 11) & _MASK
        value = self._state >> (48 - bits)
        return value - 2**32 if bits == 32 and value >= 2**31 else value

    def next_int(self, bound: int | None = None) -> int:
        """A 32-bit integer, or one from 0 up to the bound, without it."""
        if bound is None:
            return self.next(32)
        if bound & (bound - 1) == 0:
            return (bound * self.next(31)) >> 31
        while True:
            drawn = self.next(31)
            value = drawn % bound
            if drawn - value + bound - 1 < 2**31:
                return value

    def next_float(self) -> np.float32:
        """A float32 in [0, 1)."""
        return np.float32(self.next(24) / 2**24)

    def next_double(self) -> float:
        """A double in [0, 1)."""
        return ((self.next(26) << 27) + self.next(27)) / 2**53

    def next_gaussian(self) -> float:
        """A standard normal number, by the polar method."""
        if self._gaussian is not None:
            value, self._gaussian = self._gaussian, None
            return value
        while True:
            first = 2 * self.next_double() - 1
            second = 2 * self.next_double() - 1
            square = first * first + second * second
            if 0 < square < 1:
                break
        factor = math.sqrt(-2 * math.log(square) / square)
        self._gaussian = second * factor
        return first * factor

    def shuffle(self, items: list[Item]) -> None:
        """Reorder the list in place."""
        for size in range(len(items), 1, -1):
            other = self.next_int(size)
            items[size - 1], items[other] = items[other], items[size - 1]
