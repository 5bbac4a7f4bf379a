"""Dagster's SQLite storage with connections that stay open.

Dagster opens a connection for each event and closes it again. Closing the last connection of a database copies its log
back into the file, and each new engine compiles its statements anew: in a session of some 500 events that was a fifth
of the CPU time. The files and tables are Dagster's own, so a ``dagster.yaml`` without this class reads and writes them too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from dagster import Field, StringSource
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import (
    DagsterSqliteStorage,
    _event_logs_directory,
    _runs_directory,
    _schedule_directory,
)
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

if TYPE_CHECKING:
    from dagster._core.events.log import EventLogEntry
    from dagster._serdes import ConfigurableClassData
    from sqlalchemy.engine import Connection, Engine

__all__ = ["KeptEventLogStorage", "KeptRunStorage", "KeptStorage"]


def _engine(conn_string: str) -> Engine:
    engine: Engine = create_engine(
        conn_string,
        poolclass=QueuePool,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _commit_without_waiting)
    return engine


def _commit_without_waiting(connection: Any, _record: object) -> None:
    # In WAL mode a commit then is a write without fsync: it outlives a killed process, and a power cut may take the last
    # events but leaves the database whole.
    connection.execute("PRAGMA synchronous=NORMAL")


class KeptEventLogStorage(SqliteEventLogStorage):
    """Event log whose connections to the index and to the run in hand stay open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # The lock is the base class's: watchers of events ask from threads of their own.
        with self._db_lock, self._engine_of(shard).begin() as connection:
            yield connection

    def _engine_of(self, shard: str) -> Engine:
        found = self._engines.get(shard)
        if found is None:
            # Every run is a database of its own: a server that reads hundreds must not keep them all open.
            for other in [name for name in self._engines if INDEX_SHARD_NAME not in (name, shard)]:
                self._engines.pop(other).dispose()
            found = self._engines[shard] = _engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(found)
                self._initialized_dbs.add(shard)
        return found

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and tell processes that watch the run."""
        super().store_event(event)
        # They watch the file of the run, which SQLite itself changes only now and then while a connection stays open.
        with suppress(FileNotFoundError):
            os.utime(self.path_for_shard(event.run_id))

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        while self._engines:
            self._engines.popitem()[1].dispose()


class KeptRunStorage(SqliteRunStorage):
    """Run storage whose connections stay open."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine = _engine(conn_string)
        super().__init__(conn_string, inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection within a transaction."""
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        self._engine.dispose()


class KeptStorage(DagsterSqliteStorage):
    """What ``dagster.yaml`` names; the folders are those of Dagster's default."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # Not by the base class, which would first make, and set up, the storages that these take the place of.
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]
        self.base_dir = base_dir
        self._inst_data = inst_data
        self._run_storage = KeptRunStorage.from_local(_runs_directory(base_dir))
        self._event_log_storage = KeptEventLogStorage(_event_logs_directory(base_dir))
        self._schedule_storage = SqliteScheduleStorage.from_local(_schedule_directory(base_dir))

    @classmethod
    def config_type(cls) -> dict[str, Any]:  # noqa: D102
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Storage in ``base_dir``, or else in ``$DAGSTER_HOME``.

        Without either, as with ``dg list defs`` in a checkout, Dagster's instance is a temporary one, and so is this storage.
        """
        place = config_value.get("base_dir") or os.environ.get("DAGSTER_HOME") or _temporary_folder().name
        return cls.from_local(place, inst_data)


@cache
def _temporary_folder() -> TemporaryDirectory[str]:
    # Kept, and removed with the process: Dagster lets go of this class and keeps the parts of it.
    return TemporaryDirectory(prefix="dagster-")
