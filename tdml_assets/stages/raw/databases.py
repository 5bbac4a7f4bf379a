"""The rows of a table or query of a database, written as a Parquet file that the warehouse reads.

Elsewhere: the types of columns (``typed_rows.py``), what the columns mean (``plan.py``).

Neither the URL nor a message of a driver is passed on: they may hold a password, or quote a row.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tdml_assets.declaration.sources import Source
from tdml_assets.stages.raw.arrow_databases import (
    AdbcUrl,
    AdbcUrlError,
    adbc_url,
    connected,
    database_errors,
    first_batches,
    reader_of,
    write_batches,
)
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.typed_rows import UnreadableColumnsError, WrittenRows, write_typed_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine, Select

_BATCH_ROWS = 50_000
_NO_ROWS = "the query gives no rows: write one SELECT"
#: What to install, per module that a dialect imports, and per dialect that is in no package of SQLAlchemy's own.
_PACKAGES = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "pymysql": "pymysql",
    "mysql": "mysql-connector-python",
    "pyodbc": "pyodbc",
    "pymssql": "pymssql",
    "oracledb": "oracledb",
    "cx_Oracle": "cx_Oracle",
    "snowflake": "snowflake-sqlalchemy",
    "bigquery": "sqlalchemy-bigquery",
    "redshift": "sqlalchemy-redshift",
    "databricks": "databricks-sqlalchemy",
    "duckdb": "duckdb-engine",
    "clickhouse": "clickhouse-sqlalchemy",
}
_OTHER_DIALECT = {"postgres": "write postgresql"}
_NO_DIALECT = "correct its beginning, or install the package of the dialect"
#: Cause and remedy per mark in what a driver says while it connects; ``{env}`` is the variable.
_CONNECTION = {
    "refused": "the server refused the connection: start it, or correct host and port in {env}",
    "authentication": "the server refused the user or the password: correct them in {env}",
    "access denied": "the server refused the user or the password: correct them in {env}",
    "login failed": "the server refused the user or the password: correct them in {env}",
    "no password supplied": "the server asks for a password: write it into {env}",
    "translate host name": "the host is not known: correct it in {env}",
    "resolve host": "the host is not known: correct it in {env}",
    "name or service not known": "the host is not known: correct it in {env}",
    "timeout": "the server did not answer in time: correct host and port in {env}, or let this machine through its firewall",
    "timed out": "the server did not answer in time: correct host and port in {env}, or let this machine through its firewall",
    "role": "the server has no such user: correct it in {env}",
    "database": "the server does not open the database: correct its name in {env}, or the user's rights",
}
#: What a name or a token stands in, in the words of PostgreSQL, SQLite and MySQL.
_NAMED = (
    re.compile(r"no such (?:table|column|function): (?P<name>[\w.]+)"),
    re.compile(r'(?:relation|column|schema|function) "?(?P<name>[\w.]+)"?(?:\([^)]*\))? does not exist'),
    re.compile(r"(?:Table|Unknown column) '(?P<name>[\w.]+)'"),
    re.compile(r'near "(?P<name>\w+)"'),
)


@dataclass(frozen=True)
class FetchedRows:
    """Rows of a database in a file: ``name`` is theirs in lineage, ``sha256`` the hash of the rows in any order."""

    name: str
    path: Path
    sha256: str


def require_database(table: str, declaration: Source, base_folder: Path) -> tuple[str, str]:
    """URL and query of a source, without connecting; the query is empty where a table is declared.

    Raises ``SourceError`` if the variable is not set, or the file of the query cannot be read.
    """
    where, variable = f"sources.{table}", declaration.url_env or ""
    url = os.environ.get(variable, "").strip()
    if not url:
        raise SourceError(
            f"{where}.url_env: the environment variable {variable} is not set: set it to the database's SQLAlchemy or ADBC URL, as "
            "docs/sources.md shows"
        )
    query, fault = declaration.query or "", ""
    if declaration.query_file is not None:
        try:
            query = Path(base_folder, Path(declaration.query_file).expanduser()).read_text(encoding="utf-8-sig")
        except OSError as error:
            fault = f"cannot be read ({error.strerror})"
        except UnicodeDecodeError:
            fault = "is not UTF-8"
        if fault:
            raise SourceError(
                f"{where}.query_file: {declaration.query_file!r} {fault}: correct the path, which starts from the settings' "
                "folder, or save the file as UTF-8"
            )
    query = query.strip().rstrip(";").strip()
    if not query and declaration.table is None:
        raise SourceError(f"{where}: the query is empty: write a SELECT")
    return url, query


def fetch_rows(
    table: str, declaration: Source, base_folder: Path, scratch_folder: Path, *, most_rows: int | None = None
) -> FetchedRows:
    """Read the rows of a source from its database into a Parquet file.

    Nothing is ever committed to the database. Rows come through a cursor of the server where its driver has one, so that memory
    holds one batch. ``most_rows``: rows after which reading ends; all unless given. Raises ``SourceError`` if there is no
    connection, no driver, no such table or no row, or if a column holds no single value.
    """
    url, query = require_database(table, declaration, base_folder)
    where, variable = f"sources.{table}: {declaration.database_name}", declaration.url_env or ""
    path = scratch_folder / f"database-{table}.parquet"
    adbc = adbc_url(url)
    if adbc is not None:
        written = _fetched_by_adbc(adbc, where, declaration, query, path, most_rows)
    else:
        engine = _engine(where, variable, url)
        try:
            written = _fetched(engine, where, declaration, query, path, most_rows)
        finally:
            engine.dispose()
    if not written.rows:
        path.unlink()
        raise SourceError(
            f"{where}: empty input: it gives no row. Correct the query, or the database that {variable} names"
        )
    return FetchedRows(declaration.database_name, path, written.sha256)


def _engine(where: str, variable: str, url: str) -> Engine:
    # The code location loads this module, and few loads read a database.
    import sqlalchemy as sa

    fault = ""
    try:
        parsed = sa.make_url(url)
        # Asked of the dialect, so that a driver that is of no use is not asked for.
        if getattr(parsed.get_dialect(), "is_async", False):
            fault = "has a driver that only asynchronous programs use: name another, such as postgresql+psycopg"
        elif parsed.get_backend_name() == "sqlite" and _lacks_file(parsed.database):
            # SQLite would make an empty database of that name.
            fault = "names a SQLite file that is not there: correct its path, with four slashes before an absolute one"
        else:
            return sa.create_engine(parsed, poolclass=sa.pool.NullPool, hide_parameters=True)
    except sa.exc.NoSuchModuleError as error:
        dialect = str(error).rpartition(":")[2].split(".")[0]
        package = _PACKAGES.get(dialect)
        remedy = f"pip install {package!r}" if package else _OTHER_DIALECT.get(dialect, _NO_DIALECT)
        fault = f"begins with a dialect that is not installed ({dialect}): {remedy}"
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        package = _PACKAGES.get(module, module)
        fault = f"needs the driver {module}, which is not installed: pip install {package!r}, or name another driver"
    except (sa.exc.SQLAlchemyError, ValueError, TypeError) as error:
        fault = (
            f"is not a SQLAlchemy URL ({type(error).__name__}): write dialect+driver, user, password, host and database, with "
            "special characters of the password as percent codes"
        )
    raise SourceError(f"{where}: the URL in {variable} {fault}")


def _fetched_by_adbc(
    url: AdbcUrl, where: str, declaration: Source, query: str, path: Path, most_rows: int | None
) -> WrittenRows:
    variable, phase, fault = declaration.url_env or "", "connect", ""
    numbers = getattr(declaration, "numbers", None)
    try:
        with connected(url) as connection:
            phase = "query"
            with reader_of(connection, url, query or str(_selected(declaration))) as reader:
                if not reader.schema.names:
                    raise SourceError(f"{where}: {_NO_ROWS}")
                _refuse_repeated(where, reader.schema.names)
                phase = "read"
                batches = reader if most_rows is None else first_batches(reader, most_rows)
                return write_batches(path, batches, numbers.decimal if numbers is not None else ".")
    except AdbcUrlError as error:
        fault = f"the URL in {variable} {error}"
    except UnreadableColumnsError as error:
        fault = _unreadable(error)
    except database_errors() as error:
        fault = _cause(phase, str(error), type(error).__name__, variable)
    raise SourceError(f"{where}: {fault}")


def _lacks_file(database: str | None) -> bool:
    is_file = bool(database) and database != ":memory:" and not str(database).startswith("file:")
    return is_file and not Path(str(database)).is_file()


def _fetched(
    engine: Engine, where: str, declaration: Source, query: str, path: Path, most_rows: int | None
) -> WrittenRows:
    import sqlalchemy as sa

    variable, phase, fault = declaration.url_env or "", "connect", ""
    numbers = getattr(declaration, "numbers", None)
    try:
        with engine.connect() as connection:
            phase = "query"
            result = _executed(connection, declaration, query)
            if not result.returns_rows:
                raise SourceError(f"{where}: {_NO_ROWS}")
            names = list(result.keys())
            _refuse_repeated(where, names)
            phase = "read"
            batches = result.partitions() if most_rows is None else filter(None, [result.fetchmany(most_rows)])
            return write_typed_rows(path, names, batches, numbers.decimal if numbers is not None else ".")
    except UnreadableColumnsError as error:
        fault = _unreadable(error)
    except (sa.exc.SQLAlchemyError, pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        fault = _cause(phase, str(getattr(error, "orig", None) or error), type(error).__name__, variable)
    raise SourceError(f"{where}: {fault}")


def _executed(connection: Connection, declaration: Source, query: str) -> CursorResult[Any]:
    streamed = connection.execution_options(yield_per=_BATCH_ROWS)
    if declaration.table is not None:
        return streamed.execute(_selected(declaration))
    # As it is written: neither a colon nor a percent sign in it is a parameter.
    return streamed.execution_options(no_parameters=True).exec_driver_sql(query)


def _selected(declaration: Source) -> Select[Any]:
    """All rows of the declared table."""
    import sqlalchemy as sa

    schema, _, name = (declaration.table or "").rpartition(".")
    return sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None))


def _unreadable(error: UnreadableColumnsError) -> str:
    name, kind = next(iter(error.columns.items()))
    cast = "numeric" if kind == "money" else "text"
    return f"column {name!r} holds {kind}, which is not read: name the other columns in a query, or cast it to {cast} ({error})"


def _refuse_repeated(where: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise SourceError(f"{where}: two columns are named {name!r}: name one of them with AS in the query")
        seen.add(name.lower())


def _cause(phase: str, message: str, kind: str, variable: str) -> str:
    if phase == "connect":
        known = (text for mark, text in _CONNECTION.items() if mark in message.lower())
        text = next(known, "there is no connection: correct the URL in {env}")
        return f"{text.format(env=variable)} ({kind})"
    if phase == "read":
        return f"the rows could not be read to their end ({kind}): run it again, or cast the columns that the driver does not read"
    if "permission denied" in message.lower() or "denied to user" in message.lower():
        return f"the user may not read it ({kind}): give the user the right to SELECT"
    found = next((match.group("name") for match in (one.search(message) for one in _NAMED) if match), "")
    near = f", at {found!r}" if found else ""
    return (
        f"the database refused the query ({kind}{near}): correct table or query, or the database that {variable} names"
    )
