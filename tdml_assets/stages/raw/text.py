"""The text of a raw file: is it what it is said to be, can the warehouse take every line, and a copy in UTF-8.

Elsewhere: what the lines mean (``headers.py``).
"""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.rules import SourceError

_CHUNK_BYTES = 1 << 20
#: Characters of one line, per format. The warehouse drops lines of CSV beyond 32 MB without an error, and takes records up to
#: 2 MB and JSON objects up to 16 MB.
LONGEST_LINE = {"csv": 2_000_000, "json": 16_000_000}


def is_gzip(file: SourceFile) -> bool:
    """Whether the file is read as gzip: its name says so."""
    return file.path.name.lower().endswith(".gz")


def open_bytes(file: SourceFile) -> IO[bytes]:
    """The file's bytes, uncompressed."""
    return gzip.open(file.path, "rb") if is_gzip(file) else file.path.open("rb")  # type: ignore[return-value]


@dataclass(frozen=True)
class TextFacts:
    """What was seen while a file was decoded.

    ``has_mark``: whether it begins with a byte order mark. ``line_ends``: kinds of line ends in it: CR LF, LF, CR. ``has_nul``,
    ``has_no_break_blanks``: whether it holds such a character anywhere.
    """

    has_mark: bool
    line_ends: int
    has_nul: bool
    has_no_break_blanks: bool


def check_text(file: SourceFile, encoding: str, longest_line: int) -> TextFacts:
    """Read the whole file.

    Raises ``SourceError`` if it is not in ``encoding``, or a line has more than ``longest_line`` characters.
    """
    line_number, length, has_mark, is_first = 1, 0, False, True
    has_nul = has_no_break_blanks = False
    pairs, returns, feeds, ends_in_return = 0, 0, 0, False
    for text in _decoded(file, encoding):
        if is_first and text:
            has_mark, is_first = text.startswith("\ufeff"), False
        has_nul = has_nul or "\x00" in text
        has_no_break_blanks = has_no_break_blanks or "\xa0" in text
        returned = text.count("\r")
        pairs += (text.count("\r\n") if returned else 0) + int(ends_in_return and text.startswith("\n"))
        returns, feeds, ends_in_return = returns + returned, feeds + text.count("\n"), text.endswith("\r")
        # Of a chunk only its first line goes on from the one before; those inside it are shorter than the chunk.
        end = _line_end(text)
        length += len(text) if end is None else end
        if length > longest_line:
            raise SourceError(
                f"{file.name}, line {line_number:,}: the line is longer than {longest_line:,} characters, so that it cannot be "
                "one row: a line end or a closing quote is probably missing. Correct the file; nothing was loaded"
            )
        if end is not None:
            line_number += text.count("\n") or text.count("\r")
            length = len(text) - 1 - max(text.rfind("\n"), text.rfind("\r"))
    line_ends = sum((pairs > 0, returns > pairs, feeds > pairs))
    return TextFacts(has_mark, line_ends, has_nul, has_no_break_blanks)


def as_utf8(file: SourceFile, encoding: str, scratch_folder: Path) -> Path:
    """Write the file's text as UTF-8, without a byte order mark, into ``scratch_folder``. Returns the copy."""
    scratch_folder.mkdir(parents=True, exist_ok=True)
    path = scratch_folder / f"{file.sha256[:32]}.utf8"
    with path.open("w", encoding="utf-8", newline="") as stream:
        is_first = True
        for text in _decoded(file, encoding):
            stream.write(text.removeprefix("\ufeff") if is_first else text)
            is_first = is_first and not text
    return path


def _line_end(text: str) -> int | None:
    ends = [place for mark in "\r\n" if (place := text.find(mark)) >= 0]
    return min(ends, default=None)


def _decoded(file: SourceFile, encoding: str) -> Iterator[str]:
    """Yield the file's text in chunks."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    place = 0
    with open_bytes(file) as stream:
        while True:
            chunk = stream.read(_CHUNK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                start = error.start if isinstance(error, UnicodeDecodeError) else 0
                fault = f"{file.name} is not {encoding}: byte {place + start:,} or before cannot be read"
            else:
                fault = ""
            if fault:  # raised here, so that no exception in the log carries the bytes
                raise SourceError(f"{fault}. Declare the encoding the file has, for instance csv: {{encoding: cp1252}}")
            yield text
            if not chunk:
                return
            place += len(chunk)
