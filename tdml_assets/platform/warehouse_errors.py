"""What DuckDB's errors about its file mean to a person.

Elsewhere: opening the file and waiting for it (``warehouse.py``).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

# DuckDB's own words, looked for outside of the path that the message holds as well: a folder may be called anything.
_BUSY = re.compile(r"Could not set lock on file|Conflicting lock is held")
_HOLDER = re.compile(r"PID \d+")
_WAL = "Failure while replaying WAL"
_FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large", re.IGNORECASE)
_SPILL = "max_temp_directory_size"
_FORBIDDEN = re.compile(r"Read-only file system|Permission denied|Operation not permitted", re.IGNORECASE)
_NOT_OURS = "not a valid DuckDB database file"


class WarehouseError(RuntimeError):
    """The warehouse file cannot be used; the message says what to do."""


class WarehouseBusyError(WarehouseError):
    """Another process holds the warehouse file."""


class WarehouseDamagedError(WarehouseError):
    """The warehouse file, or the log of its last transaction, cannot be read."""


class StorageError(WarehouseError):
    """The disk is full, or the folder may not be written."""


class MemoryLimitError(WarehouseError):
    """A statement needs more memory than the warehouse may take."""


def is_busy(error: duckdb.Error, path: Path) -> bool:
    """Whether another process holds the file at ``path``."""
    return _BUSY.search(str(error).replace(str(path), "")) is not None


def busy(error: Exception, path: Path, waited_seconds: float) -> WarehouseBusyError:
    """The error for a file that another process kept for too long."""
    holder = _HOLDER.search(str(error))
    return WarehouseBusyError(
        f"the warehouse {path} is held by another process after {waited_seconds:g} s "
        f"({holder.group() if holder else 'holder unknown'}): let it finish or end it, then run again"
    )


def is_damaged_log(error: duckdb.Error) -> bool:
    """Whether the log of the last transaction, which a killed process left, cannot be replayed."""
    return _WAL in str(error)


def set_log_aside(path: Path) -> Path:
    """Rename the log of ``path`` so that the file opens without it. Returns the new name."""
    log = path.with_name(f"{path.name}.wal")
    aside = log.with_name(f"{log.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    log.rename(aside)
    return aside


def damaged_log(path: Path) -> WarehouseDamagedError:
    """The error for a reader, which must not change anything."""
    return WarehouseDamagedError(
        f"{path.name}.wal next to {path} is damaged: it holds the last transaction of a process that was killed. Run again: "
        "the run sets it aside and makes that transaction anew"
    )


def explained(error: duckdb.Error | OSError, path: Path) -> WarehouseError | None:
    """What an error about the warehouse's place means; None where the error is another."""
    text = str(error).replace(str(path), "")
    place = getattr(error, "filename", None) or path
    code = error.errno if isinstance(error, OSError) else None
    # A statement may read other files, whose faults are not the warehouse's.
    own = str(path) in str(error)
    if _SPILL in text:
        return StorageError(f"the folder for spilled data is full ({_first_line(text)}): raise warehouse.max_temp_gb")
    if isinstance(error, duckdb.OutOfMemoryException):
        return MemoryLimitError(
            f"a statement needs more memory than the warehouse may take ({_first_line(text)}): raise warehouse.memory_limit_gb, or "
            "write warehouse: {threads: 1}, with which a statement takes less and more time. Nothing of this step was kept; tables "
            "of earlier steps are as they were"
        )
    if _FULL.search(text) or code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageError(
            f"no space is left for {place}: free some, then run again. Nothing of this step was kept; tables of earlier steps are "
            "as they were"
        )
    if own and _FORBIDDEN.search(text):
        return StorageError(
            f"{path} or its folder may not be written: correct the permissions, or set another TDML_HOME"
        )
    if own and (_NOT_OURS in text or isinstance(error, duckdb.SerializationException)):
        return WarehouseDamagedError(
            f"{path} is not a DuckDB file that this version can read ({_first_line(text)}): restore a copy, or start anew with "
            "tdml-assets run --fresh"
        )
    return None


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Raise errors of the block that are about the file's place as :class:`WarehouseError`."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        known = explained(error, path)
        if known is None:
            raise
        raise known from error


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:200]
