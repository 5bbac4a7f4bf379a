"""The warehouse's file written anew, so that it holds nothing but the rows of its tables.

Elsewhere: which rows go (``commands/forget.py``).

DuckDB keeps the blocks of deleted rows and uses them again later: until then their bytes can be read in the file, and a checkpoint
does not change that.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from tdml_assets.platform.files import flush
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse_errors import StorageError, busy, explaining, is_busy

#: Of the copy while it is written, behind the name of the file.
SUFFIX = ".compacting"
_OLD, _NEW = "old_file", "new_file"


def compact(path: Path) -> tuple[int, int]:
    """Write the file anew and put it in the place of the old one, in one step. Returns its bytes before and after.

    The caller holds the state folder. The old file stays locked until the new one is in its place, so that no other process can
    write to it in between; a process that reads it keeps what it reads. Raises ``WarehouseBusyError`` if another process has the
    file open. Raises ``StorageError`` if the disk has no room for a copy.
    """
    before, free = path.stat(), shutil.disk_usage(path.parent).free
    if before.st_size > free:
        raise StorageError(
            f"{path} has {before.st_size:,} bytes and {path.parent} has {free:,} free, too few for a copy: make room, and run "
            "tdml-assets clean --yes, which writes it anew"
        )
    copy = path.with_name(path.name + SUFFIX)
    copy.unlink(missing_ok=True)
    try:
        with explaining(path), duckdb.connect(":memory:") as connection:
            _attach_old(connection, path)
            _run(connection, render("warehouse/attach", path=str(copy), name=_NEW, read_only=False))
            _run(connection, render("warehouse/copy_database", source=_OLD, target=_NEW))
            _run(connection, render("warehouse/detach", name=_NEW))
            copy.chmod(before.st_mode & 0o777)
            flush(copy)
            copy.replace(path)
            _run(connection, render("warehouse/detach", name=_OLD))
        flush(path.parent)
    finally:
        copy.unlink(missing_ok=True)
    return before.st_size, path.stat().st_size


def _attach_old(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        _run(connection, render("warehouse/attach", path=str(path), name=_OLD, read_only=False))
    except duckdb.Error as error:
        if is_busy(error, path):
            raise busy(error, path, 0.0) from error
        raise


def _run(connection: duckdb.DuckDBPyConnection, statement: Statement) -> None:
    connection.execute(statement.text, dict(statement.parameters))
