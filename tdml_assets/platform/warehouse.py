"""The warehouse: a DuckDB file that is opened for the statements and always closed.

Elsewhere: SQL text (``sql/``), decisions (``stages/``).

Built on dagster-duckdb's resource for its configuration. Its ``get_connection`` keeps the file lock after an exception and
its pandas I/O manager binds columns by position and deletes before it inserts, so both are replaced here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
from dagster_duckdb import DuckDBResource
from pydantic import Field

from tdml_assets.platform.collector import give_back_at_end
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.files import remove_unfinished
from tdml_assets.platform.monitoring import SESSIONS, TABLES
from tdml_assets.platform.pages import remove_left_pages
from tdml_assets.platform.run_lock import exclusive_run
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse_errors import (
    WarehouseBusyError,
    busy,
    damaged_log,
    explaining,
    is_busy,
    is_damaged_log,
    set_log_aside,
)
from tdml_assets.platform.warehouse_file import FileInUseError, attached, connected

__all__ = ["Database", "Warehouse", "WarehouseBusyError", "forget_runs"]

_LOG = logging.getLogger(__name__)


class Database:
    """An open connection: runs rendered statements, reads rows, writes by contract.

    Only :class:`Warehouse` makes one; it is closed when the ``with`` block of the warehouse ends.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        # Columns by table, as this block last looked: stages ask often, and DuckDB looks through all tables for each answer.
        self._known: dict[tuple[str, str], dict[str, str]] | None = None

    def execute(self, statement: Statement) -> None:
        """Run a statement whose result nobody reads."""
        self._known = None
        self._run(statement)

    def _run(self, statement: Statement) -> None:
        """Run a statement that changes no table's columns."""
        self._connection.execute(statement.text, dict(statement.parameters)).fetchall()

    def rows(self, statement: Statement) -> list[dict[str, Any]]:
        """All rows as dictionaries. For small results: tables cross as :meth:`arrow` or :meth:`batches`."""
        result = self._connection.execute(statement.text, dict(statement.parameters))
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def rows_if(self, table: Sequence[str], statement: Statement) -> list[dict[str, Any]]:
        """Rows of a statement over ``table``; none where that table is not there yet."""
        return self.rows(statement) if self.has_table(table) else []

    def row(self, statement: Statement) -> dict[str, Any]:
        """The only row. Raises ``LookupError`` if there is not exactly one."""
        rows = self.rows(statement)
        if len(rows) != 1:
            raise LookupError(f"expected one row, found {len(rows)}: {statement.text[:200]}")
        return rows[0]

    def arrow(self, statement: Statement) -> pa.Table:
        """The whole result as an Arrow table."""
        return self._connection.sql(statement.text, params=dict(statement.parameters)).to_arrow_table()

    def batches(self, statement: Statement, rows: int) -> Iterator[pa.RecordBatch]:
        """The result as Arrow batches of at most ``rows`` rows.

        Streamed on a cursor of its own, so that other statements may run in between and the whole result is never in
        memory. (As a relation: an executed statement would be materialised first.)
        """
        name = self.row(render("warehouse/current"))["name"]
        with connected(self._connection, name) as cursor:
            yield from cursor.sql(statement.text, params=dict(statement.parameters)).to_arrow_reader(rows)

    @contextmanager
    def apart(self) -> Iterator[Database]:
        """A further connection for temporary tables, each statement a transaction: it sees nothing that is not committed."""
        name = self.row(render("warehouse/current"))["name"]
        with connected(self._connection, name) as further:
            yield Database(further)

    def own_batches(self, statement: Statement, rows: int) -> Iterator[pa.RecordBatch]:
        """As :meth:`batches`, of views that this connection alone sees; no other statement may run before the last batch."""
        yield from self._connection.sql(statement.text, params=dict(statement.parameters)).to_arrow_reader(rows)

    def has_table(self, path: Sequence[str]) -> bool:
        """Whether the table ``(schema, name)`` exists."""
        return bool(self.columns(path))

    def columns(self, path: Sequence[str]) -> dict[str, str]:
        """Type per column of the table ``(schema, name)``, in its order; empty if there is no such table."""
        if self._known is None:
            self._known = {}
            for row in self.rows(render("warehouse/columns")):
                self._known.setdefault((row["schema_name"], row["table_name"]), {})[row["column_name"]] = row[
                    "data_type"
                ]
        schema, name = path
        return dict(self._known.get((schema, name), {}))

    def count(self, path: Sequence[str]) -> int:
        """Rows in the table ``(schema, name)``."""
        return int(self.row(render("warehouse/count", table=list(path)))["row_count"])

    def content(
        self, path: Sequence[str], *, without: Collection[str] = (), key: Mapping[str, Any] | None = None
    ) -> list[Any] | None:
        """Columns, number and hash of the rows: equal for equal rows in any order, as values that JSON knows.

        ``path``: schema and name of a table or view; None is returned where there is none. ``without``: columns left out.
        ``key``: values per column that the rows must have; all rows unless given.
        """
        types = {name: kind for name, kind in self.columns(path).items() if name not in without}
        if not types:
            return None
        found = self.row(render("warehouse/content", table=list(path), columns=list(types), key=dict(key or {})))
        return [types, found["row_count"], str(found["content"])]

    def ensure(self, contract: TableContract) -> None:
        """Create the contract's schema and table where they are missing, and columns that an older version had not.

        A column with a ``former_name`` is renamed, and keeps its values.
        """
        known = self.columns(contract.path)
        if not known:
            self.execute(render("warehouse/create_schema", schema=contract.schema))
            self.execute(render("warehouse/create_table", contract=contract, replace=False))
            return
        for column in contract.columns:
            if column.name in known:
                continue
            if column.former_name in known:
                names = {"former_name": column.former_name, "name": column.name}
                self.execute(render("warehouse/rename_column", table=contract.path, **names))
            else:
                self.execute(render("warehouse/add_column", table=contract.path, name=column.name, type=column.type))

    def replace(self, contract: TableContract, rows: Statement | pa.Table | Sequence[Mapping[str, Any]]) -> int:
        """Replace the whole table by ``rows``, inserted by name into the contract's types. Returns the row count."""
        self.execute(render("warehouse/create_schema", schema=contract.schema))
        self.execute(render("warehouse/create_table", contract=contract, replace=True))
        return self.insert(contract, rows)

    def replace_slice(
        self, contract: TableContract, key: Mapping[str, Any], rows: Statement | pa.Table | Sequence[Mapping[str, Any]]
    ) -> int:
        """Replace the rows whose ``contract.slice_key`` columns equal ``key``. Returns the rows inserted.

        Raises ``ValueError`` if ``key`` does not name exactly the contract's slice columns.
        """
        if set(key) != set(contract.slice_key) or not key:
            raise ValueError(
                f"{contract.schema}.{contract.name} is sliced by {contract.slice_key}, not by {tuple(key)}"
            )
        self.ensure(contract)
        self._run(render("warehouse/delete_slice", table=contract.path, key=dict(key)))
        return self.insert(contract, rows)

    def insert(self, contract: TableContract, rows: Statement | pa.Table | Sequence[Mapping[str, Any]]) -> int:
        """Insert ``rows`` by name. Returns the number of rows inserted."""
        if isinstance(rows, Statement):
            wrapped = render("warehouse/insert", contract=contract)
            text = _selecting_from(wrapped, f"(\n{rows.text}\n)")
            result = self._connection.execute(text, dict(rows.parameters)).fetchall()
        else:
            table = rows if isinstance(rows, pa.Table) else _as_arrow(contract, rows)
            if table.num_rows == 0:
                # Not only idle: in DuckDB 2.0.0 an insert of an empty Arrow table hides, until the file is opened again, all
                # the rows that larger ones insert behind it.
                return 0
            # Found by its name in this frame. A registered table is kept until the transaction ends, and with one column of a batch
            # the whole batch, since Arrow hands over its columns together.
            incoming_rows = table  # noqa: F841
            text = _selecting_from(render("warehouse/insert", contract=contract), "incoming_rows")
            result = self._connection.execute(text).fetchall()
        return int(result[0][0])


def _selecting_from(insert: Statement, source: str) -> str:
    # The last one is the template's own: a column may have the same name.
    before, _, behind = insert.text.rpartition("__source__")
    return before + source + behind


def _as_arrow(contract: TableContract, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    names = contract.column_names
    unknown = sorted({key for row in rows for key in row} - set(names))
    if unknown:
        raise ValueError(f"{contract.schema}.{contract.name} has no column {unknown}")
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})


class Warehouse(DuckDBResource):
    """A DuckDB file with one writer at a time.

    ``read`` and ``write`` open the file, and close it whatever happens inside the block. ``write`` is one transaction.
    """

    memory_limit_gb: float = Field(
        default=2.0, gt=0, description="Memory DuckDB may use before it spills to disk, in GB."
    )
    threads: int = Field(default=2, ge=1, description="Threads DuckDB may use.")
    temp_directory: str = Field(description="Folder for spilled data.")
    max_temp_gb: float = Field(default=50.0, gt=0, description="Disk that spilled data may use, in GB.")
    wait_seconds: float = Field(
        default=30.0, ge=0, description="How long to wait for another process to let go of the file."
    )
    session_wait_seconds: float = Field(default=600.0, ge=0, description="How long a run waits for another run to end.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Warehouse]:
        """For the length of a run, hold the state folder; first clear up after runs that were killed."""
        if context.run is None or context.instance is None:
            yield self
            return
        give_back_at_end()
        home = Path(self.database).parent
        lock, run_id = home / "run.lock", context.run.run_id
        with exclusive_run(context.instance, run_id, lock, self.session_wait_seconds, context.log) as dead:
            remove_unfinished(home)
            remove_left_pages(self.temp_directory)
            if dead and Path(self.database).exists():
                with self.write() as database:
                    forget_runs(database, dead)
            yield self

    @contextmanager
    def read(self) -> Iterator[Database]:
        """Open the warehouse for reading. Other readers may be open; a writer may not."""
        with explaining(Path(self.database)), self._open(read_only=True) as connection:
            yield Database(connection)

    @contextmanager
    def write(self) -> Iterator[Database]:
        """Open the warehouse for one transaction: committed at the end of the block, rolled back on any error."""
        with explaining(Path(self.database)), self._open(read_only=False) as connection:
            connection.begin()
            try:
                yield Database(connection)
            except BaseException as error:
                # A full disk may have ended the transaction already; the error that did must be the one that is seen.
                with suppress(duckdb.Error) if isinstance(error, duckdb.Error) else nullcontext():
                    connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A plain read-write connection, for code written for dagster-duckdb's resource; closed whatever happens."""
        with explaining(Path(self.database)), self._open(read_only=False) as connection:
            yield connection

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        path = Path(self.database)
        if read_only and not path.exists():
            raise FileNotFoundError(f"there is no warehouse at {path} yet: tdml-assets run makes it (make run)")
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:
            yield self._attach(opened, path, read_only=read_only)

    def _attach(self, opened: ExitStack, path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        # Extensions are never fetched: the ones used are part of the wheel, and a run must not depend on a network.
        config: dict[str, Any] = {
            "memory_limit": f"{self.memory_limit_gb}GB",
            "threads": self.threads,
            "temp_directory": self.temp_directory,
            "max_temp_directory_size": f"{self.max_temp_gb}GB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            **self.connection_config,
        }
        deadline = time.monotonic() + self.wait_seconds
        pause = 0.05
        while True:
            try:
                return opened.enter_context(attached(path, config, read_only=read_only))
            except (duckdb.Error, FileInUseError) as error:
                if isinstance(error, duckdb.Error) and is_damaged_log(error):
                    if read_only:
                        raise damaged_log(path) from error
                    aside = set_log_aside(path)
                    _LOG.warning("%s", f"the last transaction of a killed process was damaged and is now {aside}")
                    continue
                if isinstance(error, duckdb.Error) and not is_busy(error, path):
                    raise
                if time.monotonic() >= deadline:
                    raise busy(error, path, self.wait_seconds) from error
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 2, 1.0)


def forget_runs(database: Database, run_ids: Sequence[str]) -> None:
    """Take back what killed runs had begun to record: their sessions stay as ``abandoned``, their figures go."""
    for contract in TABLES:
        if contract is not SESSIONS and database.has_table(contract.path) and database.has_table(SESSIONS.path):
            database.execute(
                render("sessions/forget", table=contract.path, sessions_table=SESSIONS.path, run_ids=list(run_ids))
            )
    if database.has_table(SESSIONS.path):
        database.execute(render("sessions/abandon", sessions_table=SESSIONS.path, run_ids=list(run_ids)))
