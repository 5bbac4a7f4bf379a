"""The beginning of a file of raw data, for guessing how it is to be declared.

Belongs here: what a file is by its first bytes, how it is packed, the encoding of its text. Does not: the layout of text, JSON and
tables (``beginning_*.py``), folders (``beginning_folders.py``), what the columns mean (``guess.py``), loading (``tables.py``).
"""

import codecs
import io
import lzma
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

import pyarrow as pa

from tdml_assets.stages.raw.beginning_json import json_sample
from tdml_assets.stages.raw.beginning_tables import parquet_sample, sheet_samples
from tdml_assets.stages.raw.beginning_text import csv_sample
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.sample import FileSample, Key
from tdml_assets.stages.raw.signatures import what_is_wrong, wide_without_mark
from tdml_assets.stages.raw.unpacking import SHEET_NAMES, ZIP, opener_of

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
