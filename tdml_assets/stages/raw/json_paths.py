"""JSON whose rows lie inside other objects or lists, written as one object per row.

Belongs here: paths such as ``customer.id`` and ``items[].sku``, and the list that holds the rows. Does not: reading one object per
line (``sql/raw/parts/lines.sql``), what the values mean (``plan.py``).
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tdml_assets.declaration.sources import Source
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.rules import SourceError, wanted_columns
from tdml_assets.stages.raw.text import open_bytes


def is_nested(declaration: Source, first: bytes) -> bool:
    """Whether a JSON file is to be rewritten: its rows are in a list, or a column is a path."""
    is_list = first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    return is_list or declaration.records is not None or bool(_paths(declaration))


def _paths(declaration: Source) -> list[str]:
    return sorted(name for name in wanted_columns(declaration) if "." in name or "[]" in name)


def as_rows(file: SourceFile, declaration: Source, scratch_folder: Path) -> SourceFile:
    """A copy with one object per row, which holds the values of the paths under their own names. Returns the copy.

    An object without an item in its list gives one row, so that nothing is lost.

    Raises
    ------
    SourceError
        If the file is not JSON, has no such list, or two paths go through different lists.
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
    with io.TextIOWrapper(open_bytes(file), encoding="utf-8-sig") as text:
        first = next((line for line in text if line.strip()), "")
        whole = _loaded(first)
        if isinstance(whole, dict) and declaration.records is None:
            yield whole
            for number, line in enumerate(text, start=2):
                if line.strip():
                    yield _object(file, _loaded(line), f"line {number} behind the first")
            return
        whole = whole if whole is not None and not text.read(1).strip() else None
    if whole is None:
        with io.TextIOWrapper(open_bytes(file), encoding="utf-8-sig") as text:
            whole = _loaded(text.read())
    rows = whole
    if declaration.records is not None:
        for key in declaration.records.split("."):
            rows = rows.get(key) if isinstance(rows, dict) else None
    if not isinstance(rows, list):
        found = f"; found the keys {', '.join(map(repr, list(whole)[:10]))}" if isinstance(whole, dict) else ""
        raise SourceError(f"{file.name} is no JSON with a list of rows{found}: correct records, or the file")
    for number, row in enumerate(rows, start=1):
        yield _object(file, row, f"item {number}")


def _object(file: SourceFile, found: Any, place: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise SourceError(f"{file.name}, {place}: not a JSON object: correct the file")
    return found


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # besides what is no JSON: digits or depth beyond Python's limits
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
