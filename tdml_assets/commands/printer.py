"""Printing to a reader that may go away.

Belongs here: writing lines to a stream. Does not: what is printed (``progress.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO


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
