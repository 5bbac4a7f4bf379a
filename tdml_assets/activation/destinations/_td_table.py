"""A table in Treasure Data: a staging table filled by bulk imports, verified, and swapped with it.

Elsewhere: the parent segment (``_td_audience.py``).

The imports are made with the session objects of pytd's own client and not by ``load_table_from_dataframe``: that one deletes the
table before it loads, goes through pandas, only logs refused records, and leaves its session behind where a job fails.
"""

from __future__ import annotations

import gzip
import io
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from tdml_assets.activation.protocol import (
    Batch,
    DestinationError,
    Opening,
    RejectedBatchError,
    TransientError,
)
from tdml_assets.platform.contracts import Column
from tdml_assets.platform.remote_errors import HTTP_CAUSES, TRANSIENT_STATUS
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    import pyarrow as pa
    import tdclient

#: Columns that every row has besides its own: which session published it, and which sync wrote it.
SESSION, SYNC = "session_id", "sync_id"
_TAKEN = ("time", SESSION, SYNC)
_PART_ROWS = 50_000
_COLUMN = re.compile(r"[a-z_][a-z0-9_]{0,127}")


class TableSettings(Protocol):
    """The keys that the table is read from."""

    @property
    def key(self) -> str: ...
    @property
    def database(self) -> str: ...
    @property
    def table(self) -> str: ...
    @property
    def poll_seconds(self) -> float: ...
    @property
    def most_job_seconds(self) -> float: ...


def checked_columns(key: str, columns: Sequence[Column]) -> list[Column]:
    """The columns, if Treasure Data takes their names. Raises ``DestinationError`` if not: names those to rename."""
    names = [key, *(column.name for column in columns)]
    wrong = [name for name in names if name in _TAKEN or not _COLUMN.fullmatch(name)]
    if wrong:
        raise DestinationError(
            f"{', '.join(wrong)}: Treasure Data takes names of small letters, digits and underscores that do not begin with a "
            f"digit, and {', '.join(_TAKEN)} are written by the sync: give another name under attributes"
        )
    return list(columns)


@contextmanager
def connected(endpoint: str, api_key: str, database: str, timeout_seconds: float) -> Iterator[tdclient.Client]:
    """Client of the REST API, which asks once: trying again is the sync's part. ``api_key``: a secret."""
    import pytd

    client = pytd.Client(
        apikey=api_key,
        endpoint=endpoint,
        database=database,
        timeout=timeout_seconds,
        max_cumul_retry_delay=-1,
        retries=_raising_policy(),
    )
    try:
        yield client.api_client
    finally:
        client.close()


def _raising_policy() -> Any:
    """A policy of urllib3 that hands 429 and 5xx to the sync, with what ``Retry-After`` asks for, instead of waiting itself."""
    import urllib3

    class Raising(urllib3.Retry):
        def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:  # noqa: ARG002
            return status_code in TRANSIENT_STATUS or status_code >= 500

        def sleep(self, response: urllib3.BaseHTTPResponse | None = None) -> None:
            wait = None if response is None else self.get_retry_after(response)
            raise TransientError(f"Treasure Data answers {0 if response is None else response.status}", wait)

    return Raising(total=1, connect=0, read=0, other=0, redirect=False, status=1)


@contextmanager
def explained() -> Iterator[None]:
    """Give the client's errors as the core's. Their texts repeat answers, and are left out."""
    import urllib3
    from tdclient import errors

    try:
        yield
    except errors.NotFoundError:
        raise DestinationError(
            "Treasure Data does not know the database, table or job: correct database and table"
        ) from None
    except (errors.AuthError, errors.ForbiddenError) as error:
        status = 401 if isinstance(error, errors.AuthError) else 403
        raise DestinationError(
            f"Treasure Data: {HTTP_CAUSES[status]} (answer {status}): correct the key in api_key_env"
        ) from None
    except errors.APIError as error:
        found = re.match(r"(\d{3}): ", str(error))
        if found is None or isinstance(error, errors.AlreadyExistsError):
            raise TransientError(f"no answer from Treasure Data ({type(error).__name__})") from None
        raise DestinationError(f"Treasure Data refuses the request (answer {found[1]})") from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise TransientError(f"no answer from Treasure Data ({type(error).__name__})") from None


class StagedTable:
    """A table, and the staging table that is swapped with it. ``columns``: of the rows, without the key."""

    def __init__(
        self,
        api: tdclient.Client,
        settings: TableSettings,
        columns: Sequence[Column],
        opening: Opening,
    ) -> None:
        self._api, self._settings, self._columns, self._opening = api, settings, list(columns), opening
        self._staging = f"{settings.table}__incoming"
        #: Identifies this sync: imports and rows of an earlier one have another.
        self._sync_id = uuid.uuid4().hex
        self._loaded: dict[str, int] = {}
        self._is_prepared = self._is_verified = self._swap_was_asked = self._is_in_place = False

    @property
    def has_rows(self) -> bool:
        """Whether a batch was loaded."""
        return bool(self._loaded)

    @property
    def attribute_types(self) -> dict[str, str]:
        """Type of a parent segment's attribute per column."""
        return {column.name: _attribute_type(column.type) for column in self._columns}

    def look(self) -> dict[str, Any]:
        """Whether the database is there, and what the table is now."""
        with explained():
            found = self._tables().get(self._settings.table)
        return {"table": f"{self._settings.database}.{self._settings.table}", "rows_there": found.count if found else 0}

    def load(self, batch: Batch) -> None:
        """Load a batch by one bulk import, whose name is the same when it is tried again.

        Raises ``RejectedBatchError`` if records were refused; then none of the batch is in the table.
        """
        import tdclient

        with explained():
            if not self._is_prepared:
                self._prepare()
            name = f"{self._prefix}{self._sync_id[:12]}_{batch.idempotency_key[:20]}"
            try:
                session = self._create(name)
            except tdclient.errors.AlreadyExistsError:
                session = self._api.bulk_import(name)
                if session.status in ("committing", "committed"):
                    self._wait_for(lambda: self._is_committed(session), "a commit")
                    self._loaded[name] = batch.rows.num_rows
                    return
                session.delete()
                session = self._create(name)
            for number, start in enumerate(range(0, batch.rows.num_rows, _PART_ROWS)):
                part = self._part(batch, start)
                session.upload_part(f"part-{number}", part, len(part))
            session.freeze()
            job = session.perform()
            self._wait_for(job.finished, "an import")
            session.update()
            if not job.success() or session.error_records or session.valid_records != batch.rows.num_rows:
                session.delete()
                raise RejectedBatchError("import", "Treasure Data refuses the row (bulk import)")
            session.commit()
            self._wait_for(lambda: self._is_committed(session), "a commit")
        self._loaded[name] = batch.rows.num_rows

    def put_in_place(self) -> int:
        """Verify the staging table and swap it with the table; gives the rows. Called again, it goes on where it ended."""
        rows = sum(self._loaded.values())
        with explained():
            if not self._is_verified:
                self._verify_columns()
                self._verify_rows(self._staging, rows)
                self._is_verified = True
            if not self._is_in_place:
                if self._settings.table not in self._tables():
                    self._api.create_log_table(self._settings.database, self._settings.table)
                    self._set_schema(self._settings.table)
                # Swapping twice puts the rows of before back: an answer that was lost is looked up first.
                if not self._swap_was_asked or self._counts(self._settings.table).get(self._sync_id) is None:
                    self._swap_was_asked = True
                    self._api.swap_table(self._settings.database, self._settings.table, self._staging)
                self._verify_rows(self._settings.table, rows)
                self._is_in_place = True
            # Rows of before, of customers among them who may be sent no more.
            self._clear()
        return rows

    @property
    def _prefix(self) -> str:
        return f"tdml_{self._settings.table}_"

    def _prepare(self) -> None:
        self._clear()
        self._api.create_log_table(self._settings.database, self._staging)
        self._set_schema(self._staging)
        self._is_prepared = True

    def _clear(self) -> None:
        """Delete the staging table, and imports into it, of this sync and of any that was killed."""
        for session in self._api.bulk_imports():
            if session.name.startswith(self._prefix) and session.table == self._staging:
                session.delete()
        if self._staging in self._tables():
            self._api.delete_table(self._settings.database, self._staging)

    def _create(self, name: str) -> Any:
        return self._api.create_bulk_import(name, self._settings.database, self._staging, {"mode": "append"})  # type: ignore[arg-type]

    def _tables(self) -> dict[str, Any]:
        return {table.table_name: table for table in self._api.tables(self._settings.database)}

    def _schema(self) -> list[list[str]]:
        own = [[column.name, _column_type(column.type)] for column in self._columns]
        return [[self._settings.key, "string"], *own, [SESSION, "string"], [SYNC, "string"]]

    def _set_schema(self, table: str) -> None:
        """Declare every column: types guessed from values would make 12 of "00012"."""
        self._api.update_schema(self._settings.database, table, [[name, kind, name] for name, kind in self._schema()])

    def _verify_columns(self) -> None:
        there = {column[0]: column[1] for column in self._tables()[self._staging].schema}
        wrong = [name for name, kind in self._schema() if there.get(name) != kind]
        if wrong:
            raise DestinationError(
                f"{self._staging} has other columns than were declared ({', '.join(wrong)}); nothing was swapped: sync again"
            )

    def _verify_rows(self, table: str, rows: int) -> None:
        found = self._counts(table)
        if found != {self._sync_id: (rows, rows)}:
            there = (
                ", ".join(f"{count:,} rows of {customers:,} customers" for count, customers in found.values())
                or "no rows"
            )
            raise DestinationError(f"{self._settings.database}.{table} has {there} and {rows:,} were sent: sync again")

    def _counts(self, table: str) -> dict[str | None, tuple[int, int]]:
        statement = render(
            "activation/treasure_data/counts", key=self._settings.key, table=[self._settings.database, table]
        )
        job = self._api.query(self._settings.database, statement.text, type="presto")
        self._wait_for(job.finished, "a query")
        if not job.success():
            raise TransientError("a query in Treasure Data failed")
        return {row[0]: (row[1], row[2]) for row in map(tuple, self._api.job_result(job.id))}

    def _wait_for(self, is_done: Callable[[], bool], what: str) -> None:
        ends = time.monotonic() + self._settings.most_job_seconds
        while not is_done():
            if time.monotonic() >= ends:
                raise TransientError(
                    f"{what} in Treasure Data was not done after {self._settings.most_job_seconds:g} s"
                )
            time.sleep(self._settings.poll_seconds)

    @staticmethod
    def _is_committed(session: Any) -> bool:
        session.update()
        return bool(session.status == "committed")

    def _part(self, batch: Batch, start: int) -> bytes:
        import msgpack

        rows: pa.Table = batch.rows.slice(start, _PART_ROWS)
        added = {
            "time": _seconds(batch.as_of) if batch.as_of else int(time.time()),
            SESSION: batch.session_id,
            SYNC: self._sync_id,
        }
        packer, target = msgpack.Packer(), io.BytesIO()
        with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=1) as packed:
            for row in rows.to_pylist():
                packed.write(packer.pack({**{name: _value(value) for name, value in row.items()}, **added}))
        return target.getvalue()


def _column_type(duckdb_type: str) -> str:
    if duckdb_type.startswith(("VARCHAR", "JSON")):
        return "string"
    return "double" if duckdb_type.startswith(("DOUBLE", "FLOAT", "DECIMAL")) else "long"


def _attribute_type(duckdb_type: str) -> str:
    if duckdb_type.startswith(("DATE", "TIMESTAMP")):
        return "timestamp"
    return "string" if _column_type(duckdb_type) == "string" else "number"


def _value(value: Any) -> Any:
    """A value as a table there holds it: truth as 1 and 0, days and times as seconds since 1970 in UTC."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return float(value)
    return _seconds(value) if isinstance(value, date) else value


def _seconds(value: date) -> int:
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
