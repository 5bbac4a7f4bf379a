"""DuckDB's file, attached for a block and detached behind it, by one DuckDB instance per process.

Elsewhere: waiting for the file, transactions (``warehouse.py``).

``duckdb.connect`` makes an instance each time, which takes 15 ms of CPU time whatever the file holds; a session opens the file a
hundred times. Attaching takes 2 ms, and behind the block the file is as free as after a closed connection.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from tdml_assets.platform.statements import Statement, render


class FileInUseError(RuntimeError):
    """The file is read by another block of the process that is to write it."""


@dataclass
class _Instance:
    """A DuckDB instance without a file of its own.

    ``connection``: attaches and detaches, and is used for nothing else. ``blocks``: number of blocks that use a file, by path, and
    whether it is attached for reading only.
    """

    connection: duckdb.DuckDBPyConnection
    config: Mapping[str, Any]
    blocks: dict[Path, tuple[int, bool]] = field(default_factory=dict)


_lock = threading.RLock()
#: The instance that the latest block used. One is kept: another configuration takes its place.
_kept: list[_Instance] = []


def _leave() -> None:
    # A forked process has none of the threads of its copy, so that it can be neither used nor closed: it is never collected.
    for instance in _kept:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(instance.connection))
    _kept.clear()


os.register_at_fork(after_in_child=_leave)


@contextmanager
def attached(path: Path, config: Mapping[str, Any], *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose default database is the file at ``path``.

    Blocks of one process share the file, each with a connection of its own; the last one lets go of it. ``config``: settings of the
    instance, as ``duckdb.connect`` takes them. Raises ``FileInUseError`` if another block of this process reads the file and this
    one is to write. Raises ``duckdb.Error``: what DuckDB says of a file that it cannot open.
    """
    with _lock:
        instance = _instance(config)
        count, is_read_only = instance.blocks.get(path, (0, read_only))
        if count and is_read_only and not read_only:
            raise FileInUseError(f"{path} is being read by this process")
        if not count:
            _run(instance.connection, render("warehouse/attach", path=str(path), name=path.stem, read_only=read_only))
        instance.blocks[path] = (count + 1, is_read_only)
    try:
        with connected(instance.connection, path.stem) as connection:
            # A file that another block writes is attached for both.
            if read_only and not is_read_only:
                _run(connection, render("warehouse/begin_reading"))
            yield connection
    except (duckdb.FatalException, duckdb.InternalException):
        # An instance answers nothing any more after such an error.
        _kept.clear()
        raise
    finally:
        with _lock:
            count = instance.blocks.pop(path)[0] - 1
            if count:
                instance.blocks[path] = (count, is_read_only)
            else:
                _run(instance.connection, render("warehouse/detach", name=path.stem))


@contextmanager
def connected(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A further connection whose default database is ``name``, which a cursor of DuckDB's own would not keep."""
    with connection.cursor() as further:
        _run(further, render("warehouse/use", name=name))
        _run(further, render("warehouse/utc"))
        yield further


def _instance(config: Mapping[str, Any]) -> _Instance:
    if not _kept or _kept[0].config != config:
        _kept[:] = [_Instance(duckdb.connect(":memory:", config=dict(config)), dict(config))]
    return _kept[0]


def _run(connection: duckdb.DuckDBPyConnection, statement: Statement) -> None:
    connection.execute(statement.text, dict(statement.parameters))
