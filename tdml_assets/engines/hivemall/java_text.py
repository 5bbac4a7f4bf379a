"""Java's own rules: numbers as text, the order of its hash tables, and its PriorityQueue.

The order of equal keys in the queue decides which rows Hivemall keeps, and in which order it gives them. Elsewhere: random numbers
(``java_random``).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal
from typing import Any, Generic, TypeVar

import numpy as np

from tdml_assets.engines.hivemall.errors import HivemallError

Key = TypeVar("Key", bound=Hashable)
_DECIMAL = re.compile(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?)")
_INTEGER = re.compile(r"[+-]?\d+")
#: The multiplier of Fibonacci hashing.
_GOLDEN = 0x9E3779B9


def parse_float(text: str) -> float:
    """What Double.parseDouble gives; other text raises HivemallError with Java's message."""
    word = text.strip()
    if not word:
        raise HivemallError("empty String")
    if not _DECIMAL.fullmatch(word):
        raise HivemallError(f'For input string: "{text}"')
    return float(word.rstrip("fFdD") if word[-1] in "fFdD" else word.replace("Infinity", "inf"))


def parse_int(text: str, bits: int = 32) -> int:
    """What Integer.parseInt (or Long.parseLong) gives; other text and larger numbers raise HivemallError with Java's message."""
    if not _INTEGER.fullmatch(text) or not -(2 ** (bits - 1)) <= int(text) < 2 ** (bits - 1):
        raise HivemallError(f'For input string: "{text}"')
    return int(text)


def double_text(value: float) -> str:
    """Double.toString."""
    return _text(float(value), repr(float(value)))


def float_text(value: float) -> str:
    """Float.toString of the value rounded to float32."""
    single = np.float32(value)
    return _text(float(single), str(single))


def number_text(value: object) -> str:
    """The text that Java's string concatenation gives a number, a boolean or a string; a decimal has no zeros at its end."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, np.float32):
        return float_text(float(value))
    return double_text(value) if isinstance(value, float) else str(value)


def _text(value: float, shortest: str) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if value == 0:
        return f"{sign}0.0"
    mantissa, _, exponent = shortest.lower().lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    point = len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0") or "0"
    if -3 < point <= 7:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        return f"{sign}{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{point - 1}"


def string_hash(text: str) -> int:
    """String.hashCode, as a signed 32-bit integer."""
    code = 0
    units = text.encode("utf-16-be")
    for high, low in zip(units[::2], units[1::2], strict=True):
        code = (31 * code + (high << 8 | low)) & 0xFFFFFFFF
    return signed(code)


def signed(code: int) -> int:
    """The low 32 bits as Java's int."""
    code &= 0xFFFFFFFF
    return code - 2**32 if code >= 2**31 else code


def hash_of(key: object) -> int:
    """HashCode of a string, an integer, a long, a double or a boolean."""
    if isinstance(key, bool):
        return 1231 if key else 1237
    if isinstance(key, int):
        return signed(key ^ (key >> 32)) if not -(2**31) <= key < 2**31 else key
    if isinstance(key, float):
        bits = int.from_bytes(struct.pack(">d", key), "big")
        return signed(bits ^ (bits >> 32))
    return string_hash(str(key))


def hive_hash(key: object) -> int:
    """Hive's hash of a value: as Java's, but booleans are 0 or 1, and a text is hashed by its UTF-8 bytes."""
    if isinstance(key, bool):
        return int(key)
    if not isinstance(key, str):
        return hash_of(key)
    code = 0
    for byte in key.encode("utf-8", "surrogatepass"):
        code = (31 * code + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
    return signed(code)


def split_parts(text: str, separator: str = ":") -> list[str]:
    """The parts between separators; empty ones at the end are left out, as by String.split."""
    parts = text.split(separator)
    while parts and not parts[-1]:
        parts.pop()
    return parts or ([] if text else [""])


def hash_order(keys: Iterable[Key], code_of: Callable[[object], int] = hash_of) -> list[Key]:
    """Distinct keys in the order in which a java.util.HashMap filled in this order gives them."""
    distinct = list(dict.fromkeys(keys))
    size = 16
    while len(distinct) > size * 3 // 4:
        size *= 2

    def bucket(key: Key) -> int:
        code = code_of(key) & 0xFFFFFFFF
        return (code ^ (code >> 16)) & (size - 1)

    return sorted(distinct, key=bucket)


def slot_order(keys: Iterable[int], slots: int) -> list[int]:
    """Integers as an open hash table of at least so many slots gives them when walked from its end; 0 comes first."""
    distinct = list(dict.fromkeys(keys))
    while len(distinct) > slots * 3 // 4:
        slots *= 2
    table: dict[int, int] = {}
    for key in distinct:
        if key != 0:
            code = key * _GOLDEN & 0xFFFFFFFF
            place = (code ^ code >> 16) & (slots - 1)
            while place in table:
                place = (place + 1) & (slots - 1)
            table[place] = key
    return [0] * (0 in distinct) + [table[place] for place in sorted(table, reverse=True)]


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
