"""The beginning of a file, a folder or a table of raw data: its first rows as texts, and the keys that read it.

Elsewhere: reading one (``beginning.py``), what its columns mean (``guess.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

#: Rows of a file that are looked at.
ROWS = 20_000

SampleFormat = Literal["csv", "parquet", "json", "xlsx", "delta", "iceberg", "database"]


@dataclass(frozen=True)
class Key:
    """A key of the settings that was found out: its value, and what of the file says so."""

    value: Any
    why: str = ""


@dataclass(frozen=True)
class FileSample:
    """The first rows of a file.

    ``path``: as the settings will name it; of a database, what its rows are called.
    ``cells``: texts per column by row, empty where there is no value; columns in the order of the file.
    ``keys``: further keys of the source, such as ``skip_rows`` or ``sheet``.
    ``notes``: what a person should know of the file, in addition to the keys.
    ``delimiter``, ``encoding``, ``has_header``: of a CSV file.
    ``typed_moments``, ``typed_numbers``: columns that hold moments or numbers by their type.
    ``folder_keys``: columns that the names of folders give.
    ``file_rows``: rows per file where several are looked at as one.
    ``nulls``: texts of a CSV file that mean no value, whose cells are empty here.
    ``alike``: how many sheets of the workbook, or files of the archive, have these columns, this one among them.
    """

    path: str
    format: SampleFormat
    cells: Mapping[str, Sequence[str]]
    keys: Mapping[str, Key] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    has_header: bool = True
    typed_moments: frozenset[str] = frozenset()
    typed_numbers: frozenset[str] = frozenset()
    folder_keys: frozenset[str] = frozenset()
    alike: int = 1
    file_rows: tuple[int, ...] = ()
    nulls: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> dict[str, list[str]]:
        """Texts per column, empty ones left out."""
        return {name: [text for text in texts if text] for name, texts in self.cells.items()}

    def by_file(self, column: str) -> list[Sequence[str]]:
        """The cells of a column, per file."""
        cells = self.cells.get(column, ())
        ends = list(accumulate(self.file_rows or (self.row_count,)))
        return [cells[end - count : end] for end, count in zip(ends, self.file_rows or (self.row_count,), strict=True)]

    @property
    def row_count(self) -> int:
        """Rows that were looked at."""
        return len(next(iter(self.cells.values()), ()))

    @property
    def written(self) -> str:
        """How the file is written, in words."""
        if self.format != "csv":
            return self.format
        header = "" if self.has_header else ", no header"
        return f"csv, {self.encoding}, delimiter {self.delimiter!r}{header}"
