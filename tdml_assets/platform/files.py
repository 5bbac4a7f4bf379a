"""Files of this machine: replaced in one step, flushed to disk, and locked for as long as a process lives.

Elsewhere: what is in the files, locks of the warehouse (``warehouse_file.py``).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

_UNFINISHED_SECONDS = 5.0


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``path`` when the block ends: a reader sees the old one or the new one, whole.

    ``mode``: who may read it; its owner alone unless given.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False) as file:
        written = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                written.chmod(mode)
            written.replace(path)
        except BaseException:
            written.unlink(missing_ok=True)
            raise


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left of files that they were replacing, in a folder and below it.

    A write takes milliseconds: what is younger than some seconds may be of a process that lives.
    """
    latest = time.time() - _UNFINISHED_SECONDS
    for path in folder.rglob(".*.tmp"):
        # Another process may remove it, too, or give it its name.
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime < latest:
                path.unlink()


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: bool = True, shared: bool = False) -> Iterator[int]:
    """Hold the lock of a file, which is made, or of a folder; the system lets go of it however the process ends.

    Gives the descriptor, which stays that of this file when its folder is moved meanwhile. Raises ``BlockingIOError`` if another
    process holds the lock and ``wait`` is not set. ``shared``: together with others who share it, of a file that is there.
    """
    descriptor = os.open(path, os.O_RDONLY if shared or path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        yield descriptor
    finally:
        os.close(descriptor)
