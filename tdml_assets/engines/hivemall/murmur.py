"""MurmurHash3 as Hivemall uses it, so that hashed features have Hivemall's numbers.

Belongs here: the hash of a text and of a list. Does not: the feature functions (``hashing``).
"""

from __future__ import annotations

from collections.abc import Sequence

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import signed

_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF
#: The default number of hashed features.
DEFAULT_FEATURES = 2**24


def murmur3(data: bytes, seed: int = _SEED) -> int:
    """MurmurHash3 x86 32 bit, as a signed integer."""
    code = seed
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        code ^= _mix(int.from_bytes(data[start : start + 4], "little"))
        code = (code << 13 | code >> 19) & _MASK
        code = (code * 5 + 0xE6546B64) & _MASK
    if whole < len(data):
        code ^= _mix(int.from_bytes(data[whole:], "little"))
    code ^= len(data)
    code = (code ^ code >> 16) * 0x85EBCA6B & _MASK
    code = (code ^ code >> 13) * 0xC2B2AE35 & _MASK
    return signed(code ^ code >> 16)


def _mix(word: int) -> int:
    word = word * 0xCC9E2D51 & _MASK
    return (word << 15 | word >> 17) * 0x1B873593 & _MASK


def remainder(code: int, features: int) -> int:
    """The hash modulo the number of features, as Java's remainder made not negative: 0 up to features - 1."""
    if features == 0:
        raise HivemallError("/ by zero: the number of features is 0.")
    rest = abs(code) % features * (1 if code >= 0 else -1)
    return rest + features if rest < 0 else rest


def hashed(text: str, features: int = DEFAULT_FEATURES) -> int:
    """The hash of a text, 0 up to features - 1."""
    return remainder(murmur3(text.encode("utf-8", "surrogatepass")), features)


def hashed_list(words: Sequence[object], features: int = DEFAULT_FEATURES) -> int:
    """The hash of a list joined with tabs; an empty list is 0."""
    if not words:
        return 0
    return hashed("\t".join("null" if word is None else str(word) for word in words), features)
