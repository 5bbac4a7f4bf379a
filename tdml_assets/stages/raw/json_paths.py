"""JSON whose rows lie inside other objects or lists, written as one object per row.

Elsewhere: reading one object per line (``sql/raw/lines/json.sql``), what the values mean (``plan.py``).
"""

from __future__ import annotations

import io
import json
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from tdml_assets.declaration.sources import Source
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.rules import SourceError, wanted_columns
from tdml_assets.stages.raw.text import LONGEST_LINE, open_bytes

_LONGEST_FIRST_LINE = LONGEST_LINE["json"]


def is_nested(declaration: Source, first: bytes) -> bool:
    """Whether a JSON file is to be rewritten: its rows are in a list, or a column is a path."""
    is_list = first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    return is_list or declaration.records is not None or bool(_paths(declaration))


def _paths(declaration: Source) -> list[str]:
    return sorted(name for name in wanted_columns(declaration) if "." in name or "[]" in name)


def as_rows(file: SourceFile, declaration: Source, scratch_folder: Path) -> SourceFile:
    """A copy with one object per row, which holds the values of the paths under their own names. Returns the copy.

    An object without an item in its list gives one row, so that nothing is lost. Raises ``SourceError`` if the file is not JSON,
    has no such list, or two paths go through different lists.
    """
    paths, wanted = _paths(declaration), wanted_columns(declaration)
    through = sorted({path.rpartition("[]")[0] for path in paths if "[]" in path}, key=len)
    if through and any(not through[-1].startswith(one) for one in through):
        raise SourceError(f"sources: the columns {', '.join(paths)} go through different lists: map those of one list")
    scratch_folder.mkdir(parents=True, exist_ok=True)
    path = scratch_folder / f"{file.sha256[:32]}.rows.json"
    with path.open("w", encoding="utf-8") as copy:
        for found in _objects(file, declaration):
            for row in _rows(found, wanted, paths, through[-1].split("[]") if through else []):
                copy.write(json.dumps(row, ensure_ascii=True) + "\n")
    return SourceFile(file.name, path, file.sha256, path.stat().st_size, file.folder_keys)


def _objects(file: SourceFile, declaration: Source) -> Iterator[dict[str, Any]]:
    """The objects of a file one by one: memory holds one of them, or one line."""
    with io.TextIOWrapper(open_bytes(file), encoding="utf-8-sig") as text:
        first = next((line for line in _short_lines(text) if line.strip()), "")
        whole = None if first.lstrip().startswith("[") else loaded(first)
        if isinstance(whole, dict) and declaration.records is None:
            yield whole
            for number, line in enumerate(text, start=2):
                if line.strip():
                    yield _object(file, loaded(line), f"line {number} behind the first")
            return
    prefix = f"{declaration.records}." if declaration.records is not None else ""
    number = 0
    for number, row in enumerate(_items_of(file, f"{prefix}item"), start=1):
        yield _object(file, row, f"item {number}")
    if not number and not _has_list(file, declaration.records or ""):
        keys = _keys(file)
        found = f"; found the keys {', '.join(map(repr, keys))}" if keys else ""
        raise SourceError(f"{file.name} is not JSON with a list of rows{found}: correct records, or the file")


def _short_lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Lines, of a long one its beginning: a whole file may be one line."""
    while line := text.readline(_LONGEST_FIRST_LINE):
        yield line


def _items_of(file: SourceFile, place: str) -> Iterator[Any]:
    """What a library finds at a place of a file, item by item."""
    import ijson

    fault = ""
    with _as_bytes(file) as stream:
        found = ijson.items(stream, place, use_float=True)
        try:
            yield from found
        except (ijson.JSONError, ValueError, RecursionError) as error:
            if isinstance(error, SourceError):
                raise
            fault = type(error).__name__
    if fault:
        raise SourceError(
            f"{file.name} is not JSON with a list of rows ({fault}): correct the file, or deliver it again"
        )


def _has_list(file: SourceFile, place: str) -> bool:
    import ijson

    with _as_bytes(file) as stream:
        return any(prefix == place and event == "start_array" for prefix, event, _ in ijson.parse(stream))


def _keys(file: SourceFile) -> list[str]:
    """The first keys of an object."""
    import ijson

    with _as_bytes(file) as stream:
        try:
            found = ((prefix, event, value) for prefix, event, value in ijson.parse(stream))
            return list(islice((value for prefix, event, value in found if not prefix and event == "map_key"), 10))
        except ijson.JSONError:
            return []


@contextmanager
def _as_bytes(file: SourceFile) -> Iterator[IO[bytes]]:
    """The text of a file from behind its byte order mark."""
    with open_bytes(file) as stream:
        mark = stream.read(len(BOM_UTF8))
    with open_bytes(file) as stream:
        if mark == BOM_UTF8:
            stream.read(len(BOM_UTF8))
        yield stream


def _object(file: SourceFile, found: Any, place: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise SourceError(f"{file.name}, {place}: not a JSON object: correct the file")
    return found


def loaded(text: str) -> Any:
    """Read JSON; None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # besides what is not JSON: digits or depth beyond Python's limits
        return None


def _rows(
    found: dict[str, Any], wanted: Collection[str], paths: Collection[str], lists: list[str]
) -> Iterator[dict[str, Any]]:
    """The rows of one object: its own keys, and the value of every path."""
    own = {key: value for key, value in found.items() if key in wanted or not isinstance(value, list)}
    for items in _items(found, lists, ""):
        values = {path: found[path] if path in found else _value(found, path, items) for path in paths}
        yield {**own, **values}


def _items(found: Any, lists: list[str], prefix: str) -> Iterator[dict[str, Any]]:
    """For each row, the item of every list that leads to it, by the path of the list."""
    if not lists:
        yield {}
        return
    inner = _at(found, lists[0].strip("."))
    place = f"{prefix}{lists[0]}[]"
    for item in inner if isinstance(inner, list) and inner else [None]:
        for deeper in _items(item, lists[1:], place):
            yield {place: item, **deeper}


def _value(found: dict[str, Any], path: str, items: dict[str, Any]) -> Any:
    through, mark, rest = path.rpartition("[]")
    return _at(items.get(f"{through}{mark}"), rest.strip(".")) if mark else _at(found, path)


def _at(found: Any, path: str) -> Any:
    for key in path.split(".") if path else ():
        found = found.get(key) if isinstance(found, dict) else None
    return found
