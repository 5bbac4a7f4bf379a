"""Rows in a file without a name: a table larger than memory, read as often as asked.

The file is Arrow's IPC format, mapped into memory: its pages are the system's to drop, and it is gone with the last reference to
the table or with the process, whatever ends it.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa


def spooled(batches: Iterable[pa.RecordBatch], folder: str | Path) -> pa.Table | None:
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
        # The map outlives the file's handle, which is all there ever was of it: it has no name.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped))).read_all()
