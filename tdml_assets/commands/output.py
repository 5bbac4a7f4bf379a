"""Where commands write: a terminal, whose reader may go away, and files for people."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

from tdml_assets.platform.files import replacing

#: Name that stands for standard output.
STANDARD_OUTPUT = "-"


@contextmanager
def written(path: str) -> Iterator[IO[bytes]]:
    """A file that takes its place when it is complete, replacing one of that name; ``-`` is standard output."""
    if path == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # Readable as any file that a person makes.
    with replacing(Path(path), mode=0o644) as file:
        yield file


#: Columns of a report for a terminal.
WIDTH = 100


def wrapped(text: str, indent: int) -> list[str]:
    """Lines of a text; those after the first are indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


class Printer:
    """Prints until the reader goes away (``make run | head``); the command must not die of that."""

    def __init__(self, out: TextIO) -> None:
        self._out: TextIO | None = out

    def lines(self, lines: Iterator[str]) -> None:
        """Print lines; nothing more once the reader is gone."""
        for line in lines:
            if self._out is None:
                continue
            try:
                self._out.write(line + "\n")
                self._out.flush()
            except BrokenPipeError:
                self._out = None
