"""MurmurHash3 as Hivemall uses it, and the functions made of hashes: mhash, sha1, feature_hashing and the hashes of lists."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import parse_float, signed
from tdml_assets.engines.hivemall.options import Options
from tdml_assets.engines.hivemall.registry import INT, INTS, STRING, TEXTS, Types, scalar

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


def mhash(word: str | Sequence[str], features: int = DEFAULT_FEATURES) -> int:
    """The hash of a text or a list, 1 up to the number of features."""
    return (hashed_list(word, features) if isinstance(word, list) else hashed(str(word), features)) + 1


def sha1(word: str | Sequence[str], features: int | bool = DEFAULT_FEATURES) -> int | None:
    """The first four bytes of SHA-1, little-endian; with True the raw number, otherwise 1 up to the number of features."""
    if isinstance(word, list):
        if not word:
            return 1
        word = "\t".join("null" if part is None else str(part) for part in word)
    digest = hashlib.sha1(str(word).encode("utf-16-be", "surrogatepass"), usedforsecurity=False).digest()
    code = signed(int.from_bytes(digest[:4], "little"))
    return code if features is True else remainder(code, int(features)) + 1


def array_hash_values(
    words: Sequence[str],
    prefix: str | None = None,
    features: int = DEFAULT_FEATURES,
    use_index: bool = False,
) -> list[int | None] | None:
    """Hashes of the items of a list, each behind the prefix, and with ``use_index`` behind its place."""
    if isinstance(features, bool):
        use_index, features = bool(features), DEFAULT_FEATURES
    return [
        None if word is None else mhash(_prefixed(word, prefix, place if use_index else None), features)
        for place, word in enumerate(words)
    ]


def _prefixed(word: str, prefix: str | None, place: int | None) -> str:
    # Hivemall adds the place to the code of the colon, as Java adds an int and a char.
    return f"{prefix or ''}{'' if place is None else place + ord(':')}{word}"


def prefixed_hash_values(
    words: Sequence[str],
    prefix: str | None,
    use_index: bool = False,
) -> list[str | None] | None:
    """Hashes of the items behind the prefix; with ``use_index`` the place of the item is hashed with it."""
    places = [place if use_index else None for place in range(len(words))]
    return [
        None if word is None else f"{prefix or ''}{mhash(_prefixed(word, None, place))}"
        for word, place in zip(words, places, strict=True)
    ]


def feature_hashing(features: str | Sequence[str | None] | None, *, options: Options) -> str | list[str] | None:
    """Names become numbers, values stay; the bias ``0`` stays, and of ``field:index:value`` the index is hashed."""
    count, libsvm = options.integer("features", DEFAULT_FEATURES), options.has("libsvm")
    if features is None:
        return None
    if not isinstance(features, list):
        return _hash_item(str(features), count, libsvm=libsvm)
    items = [_hash_item(str(item), count, libsvm=libsvm) for item in features if item is not None]
    if libsvm and len(items) > 1:
        if "0" in items:
            raise HivemallError("begin 0, end -1, length 1: -libsvm sorts no plain item 0. Write 0:1.0.")
        items.sort(key=lambda item: int(item.split(":")[item.count(":") > 1]))
    return items


def _hash_item(item: str, count: int, *, libsvm: bool) -> str:
    head, colon, rest = item.partition(":")
    if not colon:
        if item == "0":
            return item
        return f"{hashed(item, count) + 1}{':1' if libsvm else ''}"
    middle, second, value = rest.rpartition(":")
    if second:
        return f"{head}:{hashed(middle, count) + 1}:{value}"
    if head == "0" and parse_float(rest) == 1.0:
        return item
    return f"{hashed(head, count) + 1}:{rest}"


def _text_or_list(types: Types) -> pa.DataType:
    return TEXTS if pa.types.is_list(types[0]) else STRING


FUNCTIONS = {
    "mhash": scalar(mhash, INT, (1, 2), strict=True),
    "sha1": scalar(sha1, INT, (1, 2), strict=True),
    "array_hash_values": scalar(array_hash_values, INTS, (1, 4), strict=True),
    "prefixed_hash_values": scalar(prefixed_hash_values, TEXTS, (2, 3), strict=True),
    "feature_hashing": scalar(feature_hashing, _text_or_list, (1, 1), "features,num_features= libsvm help"),
}
