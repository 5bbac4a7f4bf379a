"""The beginning of a JSON file: the list that holds its rows, and the paths of the values in nested objects.

Belongs here: the layout of JSON. Does not: bytes and encodings (``beginning.py``), what columns mean (``guess.py``), reading paths
(``json_paths.py``).
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tdml_assets.stages.raw.json_paths import loaded
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.sample import ROWS, FileSample, Key

_MOST_DEPTH = 4
#: Names of lists whose items are what was bought.
_ITEMS = ("item", "line", "product", "position", "article", "artikel")


def json_sample(name: str, text: str, *, is_whole: bool) -> FileSample:
    """A sample of one object per line, of one list of objects, or of an object that holds such a list.

    Raises ``SourceError`` if it is none of these.
    """
    keys: dict[str, Key] = {}
    objects = _lines(text, is_whole=is_whole)
    if objects is None:
        whole = loaded(text) if is_whole else _cut_list(text)
        if whole is None:
            why = "is not JSON" if is_whole else "is one large object: write one object per line"
            raise SourceError(f"{name}: not one JSON object per line, and {why}")
        path, objects = ("", whole) if isinstance(whole, list) else _longest_list(whole)
        if path:
            keys["records"] = Key(path, "the list that holds the rows")
    elif len(objects) == 1 and is_whole:
        path, found = _longest_list(objects[0])
        if len(found) > 1 and not _is_of_items(path):
            keys["records"], objects = Key(path, "the list that holds the rows"), found
    rows = [row for row in objects if isinstance(row, dict)][:ROWS]
    if not rows:
        raise SourceError(f"{name}: holds no list of JSON objects: format json reads objects")
    lists = _lists_of_items(rows)
    chosen = next((one for one in lists if _is_of_items(one)), lists[0] if len(lists) == 1 else None)
    flat = [line for row in rows for line in _flattened(row, chosen)][:ROWS]
    columns = dict.fromkeys(key for line in flat for key in line)
    numbers = {key for key in columns if all(_is_number(line.get(key)) for line in flat)}
    cells = {key: [_text(line.get(key)) for line in flat] for key in columns}
    notes = tuple(
        f"the list {one} is not read: the rows are those of {chosen}" for one in lists if one != chosen and chosen
    )
    return FileSample(name, "json", cells, keys, notes, typed_numbers=frozenset(numbers))


def _lines(text: str, *, is_whole: bool) -> list[dict[str, Any]] | None:
    """The objects of a file with one per line; ``None`` if it is none. The last line may be cut."""
    lines = [line for line in text.splitlines() if line.strip()]
    lines = lines if is_whole or len(lines) < 2 else lines[:-1]
    found = [loaded(line) for line in lines[:ROWS]]
    return found if found and all(isinstance(one, dict) for one in found) else None


def _cut_list(text: str) -> list[Any] | None:
    """The first objects of a list whose end was cut off."""
    start = text.find("[")
    if not text.lstrip().startswith("[") or start < 0:
        return None
    decoder, place = json.JSONDecoder(), start + 1
    found: list[Any] = []
    while len(found) < ROWS:
        while place < len(text) and text[place] in ", \r\n\t":
            place += 1
        try:
            one, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        found.append(one)
    return found or None


def _longest_list(whole: Any, path: str = "", depth: int = 0) -> tuple[str, list[Any]]:
    """The longest list of objects in an object, and the path to it."""
    best: tuple[str, list[Any]] = ("", [])
    if not isinstance(whole, dict) or depth >= _MOST_DEPTH:
        return best
    for key, value in whole.items():
        place = f"{path}.{key}" if path else key
        is_list = isinstance(value, list) and any(isinstance(one, dict) for one in value)
        found = (place, value) if is_list else _longest_list(value, place, depth + 1)
        best = found if len(found[1]) > len(best[1]) else best
    return best


def _is_of_items(path: str) -> bool:
    return any(word in path.rpartition(".")[2].casefold() for word in _ITEMS)


def _lists_of_items(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Paths of the lists of objects in the rows."""
    return list(dict.fromkeys(path for row in rows[:200] for path in _paths_of_lists(row)))


def _paths_of_lists(found: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    if isinstance(found, dict) and depth < _MOST_DEPTH:
        for key, value in found.items():
            place = f"{path}.{key}" if path else key
            if isinstance(value, list) and any(isinstance(one, dict) for one in value):
                yield place
            else:
                yield from _paths_of_lists(value, place, depth + 1)


def _flattened(row: dict[str, Any], items: str | None) -> Iterator[dict[str, Any]]:
    """One line per item of the list ``items``; values by their paths, as the settings name them."""
    own = dict(_values(row, ""))
    found: Any = row
    for key in items.split(".") if items else ():
        found = found.get(key) if isinstance(found, dict) else None
    for item in [one for one in found if isinstance(one, dict)] if isinstance(found, list) and found else [{}]:
        yield {**own, **dict(_values(item, f"{items}[]."))}


def _values(found: dict[str, Any], prefix: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        if isinstance(value, dict) and depth < _MOST_DEPTH:
            yield from _values(value, f"{prefix}{key}.", depth + 1)
        elif not isinstance(value, (list, dict)):
            yield f"{prefix}{key}", value


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
