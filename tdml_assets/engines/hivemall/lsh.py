"""Minhash signatures: minhashes, bbit_minhash and the table function minhash.

Elsewhere: the similarity of signatures (``distances``).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import split_item
from tdml_assets.engines.hivemall.hashing import murmur3
from tdml_assets.engines.hivemall.java_random import JavaRandom
from tdml_assets.engines.hivemall.java_text import signed
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import INT, INTS, STRING, Function, null_pointer, scalar, table_of

_SEED = 31
_HASHES, _KEYS, _BBITS, _MOST_BITS = 5, 2, 128, 512
_LARGEST = 2**31 - 1


def _weighted(features: Sequence[Any], *, plain: bool) -> list[tuple[str, float]]:
    pairs = []
    for item in features:
        if item is None:
            continue
        name, weight = split_item(str(item)) if not plain else (str(item), 1.0)
        if weight < 0:
            raise HivemallError(f"Non-negative value is not accepted for a feature weight: {weight}")
        pairs.append((name, weight))
    return pairs


def _minima(pairs: list[tuple[str, float]], seed: int) -> list[int]:
    """The hash of every item whose hash divided by its weight was the smallest so far, in their order."""
    minimum, found = float("inf"), []
    for name, weight in pairs:
        code = abs(murmur3(name.encode("utf-8", "surrogatepass"), seed & 0xFFFFFFFF))
        value = float(np.float32(np.float32(code) / np.float32(weight))) if weight else float("inf")
        if value < minimum:
            minimum = value
            found.append(code)
    return found


def _signature(pairs: list[tuple[str, float]], seed: int, keys: int) -> int:
    smallest = heapq.nsmallest(keys, _minima(pairs, seed))
    if not smallest:
        return 0
    code = 1
    for part in smallest:
        code = signed(31 * code + part)
    return code & _LARGEST


def _seeds(count: int) -> list[int]:
    source = JavaRandom(_SEED)
    return [source.next_int() for _ in range(count)]


def minhashes(features: Sequence[Any] | None, *settings: Any) -> list[int]:
    """The signatures of a list: ``(features[, hashes, keys][, names without weights])``."""
    if features is None:
        raise null_pointer("the list of features of minhashes")
    numbers = [setting for setting in settings if not isinstance(setting, bool)]
    plain = next((setting for setting in settings if isinstance(setting, bool)), False)
    hashes, keys = (*numbers, *(_HASHES, _KEYS)[len(numbers) :])[:2]
    pairs = _weighted(features, plain=plain)
    return [_signature(pairs, seed, keys) for seed in _seeds(hashes)]


def bbit_minhash(features: Sequence[Any] | None, *settings: Any) -> str:
    """A number whose bit i is the lowest bit of the smallest hash of function i."""
    if features is None:
        raise null_pointer("the list of features of bbit_minhash")
    hashes = next((setting for setting in settings if not isinstance(setting, bool)), _BBITS)
    plain = next((setting for setting in settings if isinstance(setting, bool)), False)
    if not 0 < hashes <= _MOST_BITS:
        raise HivemallError(f"The number of hash function must be in range (0,{_MOST_BITS}]: {hashes}")
    pairs = _weighted(features, plain=plain)
    number = 0
    for place, seed in enumerate(_seeds(hashes)):
        found = _minima(pairs, seed)
        number |= ((found[-1] & 1) if found else 0) << place
    return str(number)


def _minhash(rows: pa.Table, options: Options) -> pa.Table:
    """One row per item and hash function: the signature as cluster id."""
    hashes, keys = options.integer("n", _HASHES), options.integer("k", _KEYS)
    seeds = _seeds(hashes)
    plain = pa.types.is_integer(rows.schema.types[1].value_type)
    clusters, items = [], []
    for item, features in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        if features is None:
            raise null_pointer("the list of features of minhash")
        pairs = _weighted(features, plain=plain)
        clusters += [_signature(pairs, seed, keys) for seed in seeds]
        items += [item] * hashes
    return table_of({"clusterid": clusters, "item": items}, {"clusterid": INT, "item": rows.schema.types[0]})


FUNCTIONS = {
    "minhashes": scalar(minhashes, INTS, (1, 4)),
    "bbit_minhash": scalar(bbit_minhash, STRING, (1, 3)),
    "minhash": Function(_minhash, declare("n,hashes= k,keygroups= help"), 2, 2),
}
