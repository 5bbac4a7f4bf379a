"""Ways to deform the bytes of a file: any file, JSON, archives and Parquet.

Belongs here: one deformation. Does not: which file of which version (``robustness_bundles.py``).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_HOSTILE = (
    "x" * 3000,
    '"; drop table raw.orders; --',
    "\0",
    "../../etc/passwd",
    "",
    "nan",
    "é\u202e",
    "{{ 1 }}",
    "None",
)
_NUMBERS = (-1, 0, 1, 2, -(2**31), 2**31, 2**32, 2**63, 10**30, -0.5, 1e308, -1e308, 1e-320, float("nan"), float("inf"))


def deformed(data: bytes, name: str, rng: np.random.Generator) -> tuple[str, bytes]:
    """Deform the bytes of a file by its kind. Returns what was done and the bytes."""
    if rng.random() < 0.15:
        return _raw(data, rng)
    if name.endswith(".json"):
        return _json(data, rng)
    return _archive(data, rng) if name.endswith(".skops") else _parquet(data, rng)


def _raw(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    place = int(rng.integers(len(data)))
    ways: list[tuple[str, Callable[[], bytes]]] = [
        ("cut", lambda: data[:place]),
        (
            "a byte changed",
            lambda: data[:place] + bytes([data[place] ^ (1 << int(rng.integers(8)))]) + data[place + 1 :],
        ),
        ("a piece twice", lambda: data[:place] + data[place // 2 : place] + data[place:]),
        ("empty", lambda: b""),
        ("utf-16", lambda: data.decode("latin-1").encode("utf-16")),
        ("deep", lambda: b"[" * 200_000),
    ]
    what, way = ways[int(rng.integers(len(ways)))]
    return what, way()


def _json(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Change one to three places of a JSON file."""
    record = json.loads(data)
    said = []
    for _ in range(int(rng.integers(1, 4))):
        holder, key = _place(record, rng)
        if holder is None:  # what came before left nothing
            break
        way = _WAYS[int(rng.integers(len(_WAYS)))]
        said.append(way(holder, key, rng))
    return ", ".join(said), json.dumps(record).encode()


def _place(record: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    holder, key, value = None, None, record
    while isinstance(value, dict | list) and value and (holder is None or rng.random() < 0.85):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        holder, key = value, keys[int(rng.integers(len(keys)))]
        value = holder[key]
    return holder, key


def _replaced(holder: Any, key: Any, rng: np.random.Generator) -> str:
    values = [None, True, [], {}, [[]], *_HOSTILE, *_NUMBERS]
    holder[key] = values[int(rng.integers(len(values)))]
    return f"{key} replaced"


def _renumbered(holder: Any, key: Any, rng: np.random.Generator) -> str:
    value = holder[key]
    number = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
    if isinstance(value, list) and value:
        value[int(rng.integers(len(value)))] = number
    else:
        holder[key] = str(number) if isinstance(value, str) else number
    return f"{key} another number"


def _removed(holder: Any, key: Any, rng: np.random.Generator) -> str:
    del rng, holder[key]
    return f"{key} removed"


def _resized(holder: Any, key: Any, rng: np.random.Generator) -> str:
    value = holder[key]
    if not isinstance(value, list):
        return _replaced(holder, key, rng)
    count = int(rng.integers(0, 2 * len(value) + 2))
    holder[key] = (value * 3 + [0])[:count]
    return f"{key} of {count}"


def _renamed(holder: Any, key: Any, rng: np.random.Generator) -> str:
    if not isinstance(holder, dict):
        return _replaced(holder, key, rng)
    holder[_HOSTILE[int(rng.integers(len(_HOSTILE)))]] = holder.pop(key)
    return f"{key} renamed"


def _shuffled(holder: Any, key: Any, rng: np.random.Generator) -> str:
    value = holder[key]
    if not isinstance(value, list) or len(value) < 2:
        return _replaced(holder, key, rng)
    holder[key] = [value[place] for place in rng.permutation(len(value))]
    return f"{key} in another order"


_WAYS = (_replaced, _renumbered, _renumbered, _removed, _resized, _resized, _renamed, _shuffled)


def _archive(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Change one entry of a skops archive: numbers of an array, or the description."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {entry: archive.read(entry) for entry in archive.infolist()}
    chosen = list(entries)[int(rng.integers(len(entries)))]
    content = entries[chosen]
    if chosen.filename.endswith(".json"):
        what, entries[chosen] = _json(content, rng)
    else:
        found = np.load(io.BytesIO(content), allow_pickle=False)
        raw = bytearray(found.tobytes())
        for _ in range(int(rng.integers(1, 6))):
            place = int(rng.integers(max(len(raw) // 8, 1))) * 8
            raw[place : place + 8] = np.array([int(rng.integers(-5, 2**31))]).tobytes()[: len(raw) - place]
        buffer = io.BytesIO()
        np.save(buffer, np.frombuffer(bytes(raw[: found.nbytes]), dtype=found.dtype).reshape(found.shape))
        what, entries[chosen] = f"numbers of {chosen.filename}", buffer.getvalue()
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w", zipfile.ZIP_STORED) as archive:
        for entry, kept in entries.items():
            archive.writestr(zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0)), kept)
    return what, plain.getvalue()


def _parquet(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Change numbers, rows or columns of a Parquet file."""
    table = pq.read_table(io.BytesIO(data))
    place = int(rng.integers(table.num_columns))
    name, values = table.column_names[place], table.column(place).to_pylist()
    way = int(rng.integers(5))
    if way == 0:
        what, table = f"{name} left out", table.remove_column(place)
    elif way == 1:
        count = int(rng.integers(0, len(values) + 1))
        what, table = f"{count} rows", table.slice(0, count)
    elif way == 2:
        what, table = f"{name} as text", table.set_column(place, name, pa.array([str(value) for value in values]))
    elif way == 3:
        what, table = (
            f"{name} missing",
            table.set_column(place, name, pa.nulls(len(values), table.schema.field(place).type)),
        )
    else:
        changed = [-1, 10**6, 2**31 - 1, -(2**31)][int(rng.integers(4))]
        row = int(rng.integers(len(values)))
        values[row] = type(values[row])(changed)
        what, table = (
            f"{name} of a row",
            table.set_column(place, name, pa.array(values, table.schema.field(place).type)),
        )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return what, buffer.getvalue()
