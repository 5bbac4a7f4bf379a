"""Printing to a terminal, whose reader may go away.

Belongs here: wrapping text, writing lines to a stream. Does not: what is printed (``progress.py``).
"""

import textwrap
from collections.abc import Iterator
from typing import TextIO

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
