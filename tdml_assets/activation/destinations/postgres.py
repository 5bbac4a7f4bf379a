"""Destination ``postgres``: a table in PostgreSQL, written by COPY.

Elsewhere: trying again (``activation/delivery.py``), SQL (``sql/activation/postgres/``).

A batch is one transaction: COPY into the table itself as long as its keys are all new there, else COPY into a temporary table
and a merge from it. Mode ``replace`` fills a table next to the target and puts its rows into the target in one transaction, so
that views and grants stay, and readers see the rows of before until then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from tdml_assets.activation.ahead import OneAhead
from tdml_assets.activation.destinations._postgres_rows import fits_binary, pieces
from tdml_assets.activation.http import secret
from tdml_assets.activation.protocol import (
    Batch,
    Client,
    DestinationError,
    Opening,
    Receipt,
    RejectedBatchError,
    TransientError,
)
from tdml_assets.declaration.alerts import VariableName
from tdml_assets.declaration.destinations import DestinationSettings, Mode
from tdml_assets.platform.contracts import Column
from tdml_assets.platform.extras import require_extra
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

_LOCAL = {None, "", "localhost", "127.0.0.1", "::1"}
_STAGING = "tdml_staging"
#: Classes of SQLSTATE that waiting may mend: connection, rollback, resources, intervention, system.
_TRANSIENT = ("08", "40", "53", "57", "58", "55")
#: Those about the rows: data and constraints.
_ROWS = ("22", "23")
_REMEDIES = {
    "28": "the login is refused: correct the URL",
    "3D": "there is no such database: correct the URL",
    "42501": "the role may not do this: grant it select, insert, update and delete on the table, and create on the schema",
    "3F": "there is no such schema: create it, or correct table",
    "42P01": "there is no such table: create it, or correct table",
}


class Postgres(DestinationSettings):
    """A table in PostgreSQL."""

    modes: ClassVar[tuple[Mode, ...]] = ("upsert", "update_only", "create_only", "mirror", "replace")

    kind: Literal["postgres"] = "postgres"
    url_env: VariableName = Field(
        description="Environment variable that holds the URL, such as postgresql://user:password@host/database."
    )
    table: str = Field(description="Table, as schema.table; made if it is missing.")
    readers: tuple[str, ...] = Field(default=(), description="Roles that may read the table.")
    batch_rows: int = Field(default=100_000, ge=1, le=1_000_000, description="Rows of one transaction.")

    @field_validator("table")
    @classmethod
    def _two_parts(cls, value: str) -> str:
        if not re.fullmatch(r"[^.\s\"]{1,63}\.[^.\s\"]{1,63}", value):
            raise ValueError("write schema.table, such as marketing.customers")
        return value

    @contextmanager
    def open(self, opening: Opening) -> Iterator[Client]:
        """Connect, and look whether the table has the columns."""
        with self._client(opening) as client:
            client.prepare()
            yield client

    def check(self, opening: Opening) -> Mapping[str, Any]:
        """Look at the table and the role's rights; nothing is written."""
        with self._client(opening) as client:
            return client.look()

    @contextmanager
    def _client(self, opening: Opening) -> Iterator[PostgresClient]:
        try:
            require_extra("psycopg", "postgres", "A destination of kind postgres")
        except RuntimeError as error:
            raise DestinationError(str(error)) from None
        client = PostgresClient(self, secret(opening.environment, self.url_env), opening.columns)
        try:
            yield client
        finally:
            client.close()


class PostgresClient:
    """Writes batches. ``url``: a secret. ``columns``: of the rows, without the key."""

    def __init__(self, settings: Postgres, url: str, columns: Sequence[Column]) -> None:
        self._settings, self._url, self._columns = settings, url, list(columns)
        self._table = settings.table.split(".")
        self._incoming = [self._table[0], f"{self._table[1][:50]}__incoming"]
        self._swaps = settings.mode == "replace"
        self._is_binary = False
        self._may_copy = settings.mode in ("upsert", "mirror", "replace")
        self._open: psycopg.Connection[Any] | None = None
        self._sent = 0

    def prepare(self) -> None:
        """Make the table if it is missing, and check its columns."""
        try:
            with self._explained(), self._connection() as connection:
                if not self._there(connection):
                    connection.execute(self._text("create"))
                there = self._there(connection)
                for role in self._settings.readers:
                    connection.execute(self._text("grant", role=role))
                if self._swaps:
                    connection.execute(self._text("drop_incoming"))
                    connection.execute(self._text("incoming"))
        except (TransientError, RejectedBatchError) as error:
            raise DestinationError(f"{error.reason}: start the server, or correct {self._settings.url_env}") from error
        self._demand_columns(there)
        ours = {self._settings.key: "VARCHAR", **{column.name: column.type for column in self._columns}}
        self._is_binary = fits_binary(ours, {name: kind for name, (_, kind) in there.items()})

    def look(self) -> dict[str, Any]:
        """What is there, and whether the role may write; nothing is written."""
        schema = self._table[0]
        with self._explained(), self._connection() as connection:
            there = self._there(connection)
            rights = {"schema": schema, "table": self._quoted, "is_there": bool(there)}
            wants = "read, write and delete" if there else "create a table"
            found = connection.execute(self._text("rights"), rights).fetchone()
        if not found or not found[0]:
            raise DestinationError(f"{schema}: there is no such schema: create it, or correct table")
        if not found[1]:
            raise DestinationError(
                f"the role of {self._settings.url_env} may not {wants} in {self._settings.table}: grant it"
            )
        if there:
            self._demand_columns(there)
        return {"table": self._settings.table, "is_there": bool(there), "role": found[2]}

    def _demand_columns(self, there: Mapping[str, tuple[bool, str]]) -> None:
        missing = [name for name in (self._settings.key, *(c.name for c in self._columns)) if name not in there]
        if missing:
            raise DestinationError(
                f"{self._settings.table} has no column {', '.join(missing)}: add it, or name the attributes to send"
            )
        if not there[self._settings.key][0]:
            raise DestinationError(
                f"{self._settings.table} has no unique index on {self._settings.key} alone: create one, so that a row is there once"
            )

    def send(self, batch: Batch) -> Receipt:
        """Write one batch in one transaction."""
        keys = batch.rows.column(0).to_pylist() if batch.operation in ("update", "create") else []
        if self._may_copy and batch.operation == "upsert":
            try:
                with self._explained(), self._connection() as connection:
                    self._copy(connection, self._goal, batch.rows, self._columns)
            except RejectedBatchError:
                # Some keys are there already, or a row is refused: the merge tells which.
                self._may_copy = False
            else:
                self._sent += batch.rows.num_rows
                return Receipt()
        with self._explained(), self._connection() as connection:
            done = self._merge(connection, batch)
        self._sent += batch.rows.num_rows
        return Receipt(skipped=[place for place, key in enumerate(keys) if key not in done])

    def finish(self) -> Mapping[str, Any]:
        """Put the rows of a replacement into the table."""
        if self._swaps and self._sent:
            with self._explained(), self._connection() as connection:
                connection.execute(self._text("clear"))
                connection.execute(self._text("swap"))
        if self._swaps:
            with self._explained(), self._connection() as connection:
                connection.execute(self._text("drop_incoming"))
        return {"table": self._settings.table}

    def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            with suppress(Exception):
                self._open.close()
            self._open = None

    @property
    def _goal(self) -> list[str]:
        return self._incoming if self._swaps else self._table

    def _merge(self, connection: psycopg.Connection[Any], batch: Batch) -> set[str]:
        """Gives the keys that were written, where the mode asks for them."""
        columns = [] if batch.operation == "remove" else self._columns
        connection.execute(self._text("staging", columns=columns, table=self._goal))
        self._copy(connection, [_STAGING], batch.rows, columns)
        if batch.operation == "remove":
            connection.execute(self._text("remove"))
            return set()
        if batch.operation == "update":
            return {row[0] for row in connection.execute(self._text("update"))}
        updates = batch.operation == "upsert"
        cursor = connection.execute(self._text("upsert", table=self._goal, updates=updates))
        return set() if updates else {row[0] for row in cursor}

    def _copy(
        self, connection: psycopg.Connection[Any], table: list[str], rows: pa.Table, columns: Sequence[Column]
    ) -> None:
        statement = self._text("copy", table=table, columns=columns, is_binary=self._is_binary)
        with (
            OneAhead(pieces(rows, binary=self._is_binary)) as written,
            connection.cursor() as cursor,
            cursor.copy(statement) as copy,
        ):
            for content in written:
                copy.write(content)

    def _text(self, name: str, **context: Any) -> bytes:
        given = {
            "table": self._table,
            "incoming": self._incoming,
            "staging": [_STAGING],
            "key": self._settings.key,
            "columns": self._columns,
        }
        return render(f"activation/postgres/{name}", **{**given, **context}).text.encode()

    def _there(self, connection: psycopg.Connection[Any]) -> dict[str, tuple[bool, str]]:
        """Whether a unique index is on the column alone, and its type, by column."""
        found = connection.execute(self._text("columns"), {"table": self._quoted}).fetchall()
        return {name: (is_unique, kind) for name, is_unique, kind in found}

    @property
    def _quoted(self) -> str:
        return ".".join('"' + part.replace('"', '""') + '"' for part in self._table)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction: committed at the end of the block, rolled back on any error."""
        if self._open is None or self._open.closed:
            self._open = self._connected()
        with self._open.transaction():
            yield self._open

    def _connected(self) -> psycopg.Connection[Any]:
        import psycopg

        try:
            given = psycopg.conninfo.conninfo_to_dict(self._url)
        except psycopg.ProgrammingError:
            raise DestinationError(
                f"{self._settings.url_env} holds no URL of PostgreSQL: postgresql://user:password@host/database"
            ) from None
        host = given.get("host")
        is_local = host in _LOCAL or str(host).startswith("/")
        seconds = self._settings.timeout_seconds
        options: dict[str, Any] = {
            "connect_timeout": max(2, int(min(seconds, 30))),
            "application_name": "tdml-assets",
            # A row must not travel readable because nobody said otherwise.
            **({} if is_local or "sslmode" in given else {"sslmode": "require"}),
        }
        connection = psycopg.connect(self._url, **options)
        connection.execute(b"set client_encoding to 'UTF8'")
        connection.execute(f"set statement_timeout to {int(seconds * 1000)}".encode())
        connection.commit()
        return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            state = error.sqlstate or ""
            kind = type(error).__name__
            if error.sqlstate is None or state[:2] in _TRANSIENT:
                self.close()
                refused = isinstance(error, psycopg.OperationalError) and "authentication failed" in str(error)
                if refused:
                    raise DestinationError(f"the login is refused: correct {self._settings.url_env}") from None
                raise TransientError(
                    f"no answer from the database in {self._settings.url_env} ({state or kind})"
                ) from None
            if state[:2] in _ROWS:
                raise RejectedBatchError(state, f"PostgreSQL refuses the row ({kind}, {state})") from None
            remedy = _REMEDIES.get(state) or _REMEDIES.get(state[:2]) or "see the server's log"
            raise DestinationError(f"PostgreSQL refuses the statement ({kind}, {state}): {remedy}") from None


DESTINATION = Postgres
