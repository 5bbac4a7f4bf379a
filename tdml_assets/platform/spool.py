"""Rows in a file without a name: a table larger than memory, read as often as asked.

The file is Arrow's IPC format, mapped into memory: its pages are the system's to drop, and it is gone with the last reference to
the table or with the process, whatever ends it.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa


@dataclass(frozen=True)
class Spooled:
    """A table in a file without a name. ``descriptor``: of the file, for a child that maps it too; closed with this object."""

    table: pa.Table
    descriptor: int

    def __post_init__(self) -> None:
        weakref.finalize(self, os.close, self.descriptor)


class Tables(dict[str, pa.Table]):
    """Tables by name. ``spooled``: those that lie in files without a name, for a child that maps them too."""

    def __init__(self) -> None:
        super().__init__()
        self.spooled: dict[str, Spooled] = {}

    def keep(self, name: str, found: Spooled) -> None:
        """Add a table that lies in a file."""
        self[name], self.spooled[name] = found.table, found


def spooled(batches: Iterable[pa.RecordBatch], folder: str | Path) -> Spooled | None:
    """Keep batches in a file and give them as one table; None where there are none.

    ``folder``: of the file; on a disk, not in memory.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    writer: pa.ipc.RecordBatchFileWriter | None = None
    with tempfile.TemporaryFile(dir=folder) as file:
        for batch in batches:
            if writer is None:
                writer = pa.ipc.new_file(file, batch.schema)
            writer.write_batch(batch)
        if writer is None:
            return None
        writer.close()
        file.flush()
        return Spooled(mapped_table(file.fileno()), os.dup(file.fileno()))


def mapped_table(descriptor: int) -> pa.Table:
    """The table of a file in Arrow's IPC format, mapped into memory. The map outlives the descriptor."""
    mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    return pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped))).read_all()
