"""The beginning of a file of raw data, for guessing how it is to be declared.

Elsewhere: the layout of text and tables (``beginning_*.py``), folders (``beginning_folders.py``), what the columns mean
(``guess.py``), loading (``tables.py``).
"""

from __future__ import annotations

import codecs
import io
import json
import lzma
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

import pyarrow as pa

from tdml_assets.stages.raw.beginning_tables import parquet_sample, sheet_samples
from tdml_assets.stages.raw.beginning_text import csv_sample
from tdml_assets.stages.raw.json_paths import loaded
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.sample import ROWS, FileSample, Key
from tdml_assets.stages.raw.signatures import what_is_wrong, wide_without_mark
from tdml_assets.stages.raw.unpacking import SHEET_NAMES, ZIP, opener_of

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


_BYTES = 4 << 20
_SIGNATURE_BYTES = 4096
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DATA = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
_KANA = re.compile("[\u3041-\u30ff]")
_CJK = re.compile("[\u3041-\u30ff\u4e00-\u9fff]")
_T = TypeVar("_T")
_FAULTS = (zlib.error, lzma.LZMAError, zipfile.BadZipFile, EOFError, pa.ArrowException, OSError, RuntimeError)


def read_samples(path: Path, name: str) -> list[FileSample]:
    """The first rows of a file; one sample per sheet of a workbook and per file of an archive.

    ``name``: how the settings will call it. Raises ``SourceError`` if the file is empty, or is nothing that can be declared.
    """
    if not path.is_file():
        raise SourceError(f"{name}: no such file")
    with path.open("rb") as stream:
        first = stream.read(_SIGNATURE_BYTES)
    if not first:
        raise SourceError(f"{name}: the file is empty")
    if first.startswith(ZIP):
        return _of_zip(path, name)
    kind, opener = opener_of(first)
    if opener is None:
        return [_sample(path, name, lambda: path.open("rb"))]
    return [_faultless(name, kind, lambda: _sample(path, name, partial(opener, path)))]


def _of_zip(path: Path, name: str) -> list[FileSample]:
    def read() -> list[FileSample]:
        with zipfile.ZipFile(path) as archive:
            names = [item.filename for item in archive.infolist() if not item.is_dir()]
            if any(one in SHEET_NAMES for one in names):
                return sheet_samples(path, name)
            members = [one for one in names if not one.startswith("__MACOSX/")]
            data = [one for one in members if PurePosixPath(one).suffix.lower() in _DATA] or members
            found = [_sample(path, name, partial(archive.open, member)) for member in data]
            if len(members) == 1:
                return found
            why = f"of {len(members):,} files in the archive"
            return [
                replace(sample, keys={**sample.keys, "member": Key(member, why)})
                for member, sample in zip(data, found, strict=True)
            ]

    found: list[FileSample] = _faultless(name, "zip", read)
    if not found:
        raise SourceError(f"{name}: nothing is packed in it: deliver it again")
    return found


def _faultless(name: str, kind: str, read: Callable[[], _T]) -> _T:
    fault = ""
    try:
        return read()
    except _FAULTS as error:
        fault = type(error).__name__
    raise SourceError(f"{name}: not a complete {kind} file ({fault}): deliver it again")


def _sample(path: Path, name: str, opened: Callable[[], IO[bytes]]) -> FileSample:
    with opened() as stream:
        first = stream.read(_BYTES)
        is_whole = not stream.read(1)
    if not first:
        raise SourceError(f"{name}: the file is empty")
    if first.startswith(b"PAR1"):
        return _parquet(path, name, opened)
    text, encoding = _decoded(first)
    start = text.lstrip("\ufeff \r\n\t")
    form = "json" if start.startswith(("{", "[")) else "csv"
    wrong = what_is_wrong(first[:_SIGNATURE_BYTES], name="", file_format=form, encoding=encoding)
    if wrong is not None:
        raise SourceError(f"{name} {wrong}")
    text = text.removeprefix("\ufeff")
    if form == "json":
        return json_sample(name, text, is_whole=is_whole)
    # Only line ends of files: other characters that Python takes for one stand inside of fields.
    lines = io.StringIO(text, newline=None).read().split("\n")
    lines = lines[:-1] if lines[-1] == "" or not is_whole else lines
    return csv_sample(name, lines, encoding, is_whole=is_whole)


def _parquet(path: Path, name: str, opened: Callable[[], IO[bytes]]) -> FileSample:
    with path.open("rb") as stream:
        if stream.read(4) == b"PAR1":
            return parquet_sample(path, name)
    # Its directory is at its end, so that a packed one is unpacked as a whole.
    with tempfile.TemporaryDirectory(prefix="tdml-look-") as scratch:
        copy = Path(scratch, "rows.parquet")
        with opened() as packed, copy.open("wb") as target:
            shutil.copyfileobj(packed, target)
        return parquet_sample(copy, name)


def _decoded(first: bytes) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if first.startswith(mark):
            return first.decode(encoding, errors="ignore"), encoding
    wide = wide_without_mark(first[:_SIGNATURE_BYTES])
    if wide is not None:
        return first.decode(wide, errors="ignore"), wide
    try:
        return _cut(first, "utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _of_country(first)


def _of_country(first: bytes) -> tuple[str, str]:
    """Text of before Unicode: Japanese where that reads it and gives kana, else that of western Windows."""
    for encoding in ("cp932", "euc_jp"):
        try:
            text = _cut(first, encoding)
        except UnicodeDecodeError:
            continue
        others = [character for character in text if ord(character) > 127]
        if len(_KANA.findall(text)) > 1 and len(_CJK.findall(text)) * 10 > len(others) * 9:
            return text, encoding
    return first.decode("cp1252", errors="replace"), "cp1252"


def _cut(first: bytes, encoding: str) -> str:
    """The text, whose last character may be cut."""
    found: Any = codecs.getincrementaldecoder(encoding)()
    return str(found.decode(first))
