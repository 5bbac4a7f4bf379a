"""Reading one file by a statement, and once more by record where the warehouse could not read one of its lines.

Elsewhere: cutting it into records (``csv_records.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.faults import source_faults
from tdml_assets.stages.raw.rules import LONGEST_AHEAD, FileLayout

if TYPE_CHECKING:
    from tdml_assets.declaration.sources import Source
    from tdml_assets.platform.warehouse import Database
    from tdml_assets.stages.raw.files import SourceFile

Stage = dict[str, Any]

#: Bytes of staged rows from which they are kept in the warehouse, compressed, and not as a temporary table, which spills as it is:
#: a load of 100 million lines took 27 GB of disk at the most, and 9 GB in this way, for a quarter more processor time.
LARGE_BYTES = 4 << 30
#: Bytes of staged rows per byte of a file of text, and per byte of one that is compressed, as measured on orders.
_TEXT_FORMATS = ("csv", "json")
_BYTES_PER_TEXT, _BYTES_PER_COMPRESSED = 4, 19


def is_large(declaration: Source, files: Iterable[SourceFile]) -> bool:
    """Whether the rows of these files are too many for a temporary table."""
    is_text = declaration.format in _TEXT_FORMATS
    estimated = 0
    for file in files:
        is_packed = not is_text or file.path.suffix.lower() == ".gz"
        estimated += file.size_bytes * (_BYTES_PER_COMPRESSED if is_packed else _BYTES_PER_TEXT)
    return estimated > LARGE_BYTES


def forget_staged(database: Database) -> None:
    """Drop the staged rows of a load, wherever they are."""
    for place in ("temp", "main"):
        for table in ("staged_rows", "order_rows"):
            database.execute(render("warehouse/drop_table", table=(place, table)))


@dataclass(frozen=True)
class FileReading:
    """How files become statements.

    ``plan``: context of the statements of one file. ``by_record``: the file as rows that were cut apart outside of the warehouse.
    """

    plan: Callable[[FileLayout], Stage]
    by_record: Callable[[FileLayout], FileLayout]

    def read(self, database: Database, layout: FileLayout, run: Callable[[Stage, bool], None]) -> Stage:
        """Run a statement over one file. Returns the context of the statement that read it.

        ``run``: executes the statement with a context; the second argument says that rows of a first attempt must go. Raises
        ``SourceError`` if the file cannot be read.
        """
        with source_faults(layout.name):
            stage = self.plan(layout)
            for statement in ("raw/drop_csv_faults", "raw/drop_csv_scans"):
                database.execute(render(statement))
            run(stage, False)
            if stage["source_format"] == "csv" and database.row(render("raw/csv_fault_count"))["row_count"]:
                stage = self.plan(self.by_record(layout))
                run(stage, True)
        return stage


def stage_rows(
    database: Database, layouts: Sequence[FileLayout], reading: FileReading, *, now: datetime
) -> list[Stage]:
    """Fill ``staged_rows`` file by file. Returns the context that each file was read with. ``now`` is naive UTC."""

    def run(stage: Stage, is_again: bool) -> None:
        if is_again:
            places = {"column": "staged_file_position", "position": stage["layout"].position}
            database.execute(render("raw/forget_staged", table="staged_rows", **places))
        database.execute(render("raw/stage", **stage, latest_allowed=now + LONGEST_AHEAD))

    return [reading.read(database, layout, run) for layout in layouts]
