"""The rows of a database read as Arrow batches by an ADBC driver, written as a Parquet file that the warehouse reads.

Elsewhere: which source is read and what a database's answer means (``databases.py``), drivers of SQLAlchemy.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.typed_rows import UnreadableColumnsError, WrittenRows

_BATCH_ROWS = 50_000
#: ``adbc+postgresql://user@host/shop``, ``postgresql+adbc://...``, or ``adbc:<driver>:<address as the driver takes it>``.
_URL = re.compile(
    r"(?:adbc\+(?P<first>[a-z][a-z0-9_]*)|(?P<last>[a-z][a-z0-9_]*)\+adbc)://(?P<rest>.*)|adbc:(?P<driver>[a-z][a-z0-9_]*):(?P<uri>.+)",
    re.DOTALL,
)
_EXTRAS = {"sqlite": "tdml-assets[adbc-sqlite]", "postgresql": "tdml-assets[adbc-postgresql]"}
_OTHER_NAMES = {"postgres": "postgresql"}
#: Drivers that name a file after the slashes, as SQLAlchemy's URLs do.
_OF_FILES = {"sqlite", "duckdb"}
_TYPE_NAME = b"POSTGRESQL:type"


class AdbcUrlError(ValueError):
    """An ADBC URL that cannot be used: the message is what is wrong and what to do, without the URL."""


@dataclass(frozen=True)
class AdbcUrl:
    """Driver, and the address that it takes."""

    driver: str
    uri: str


def adbc_url(url: str) -> AdbcUrl | None:
    """The driver and address of an ADBC URL; ``None`` for any other URL."""
    found = _URL.fullmatch(url)
    if found is None:
        return None
    name = found.group("first") or found.group("last") or found.group("driver")
    driver = _OTHER_NAMES.get(name, name)
    if found.group("driver"):
        return AdbcUrl(driver, found.group("uri"))
    rest = found.group("rest")
    return AdbcUrl(driver, rest.removeprefix("/") if driver in _OF_FILES else f"{driver}://{rest}")


@contextmanager
def connected(url: AdbcUrl) -> Iterator[Any]:
    """A connection that is rolled back behind the block.

    Raises ``AdbcUrlError`` if the driver is not installed, or names a file that is not there.
    """
    module = f"adbc_driver_{url.driver}"
    if importlib.util.find_spec(module) is None:
        package = _EXTRAS.get(url.driver, module.replace("_", "-"))
        raise AdbcUrlError(f"needs {module}, which is not installed: {sys.executable} -m pip install '{package}'")
    is_file = url.driver in _OF_FILES and url.uri != ":memory:" and not url.uri.startswith("file:")
    if is_file and not Path(url.uri).is_file():
        # The driver would make an empty database of that name.
        raise AdbcUrlError(
            f"names a {url.driver} file that is not there: correct its path, with four slashes before an absolute one"
        )
    with importlib.import_module(f"{module}.dbapi").connect(url.uri) as connection:
        yield connection


@contextmanager
def reader_of(connection: Any, url: AdbcUrl, query: str) -> Iterator[pa.RecordBatchReader]:
    """The rows of a query in batches."""
    with connection.cursor() as cursor:
        if url.driver == "sqlite":
            # The driver decides the type of a column by the rows of its first batch.
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_BATCH_ROWS)})
        cursor.execute(query)
        yield cursor.fetch_record_batch()


def database_errors() -> tuple[type[Exception], ...]:
    """What the driver raises."""
    try:
        manager = importlib.import_module("adbc_driver_manager")
    except ImportError:
        return ()
    return (manager.Error, pa.ArrowException, OSError)


def first_batches(reader: pa.RecordBatchReader, most_rows: int) -> pa.RecordBatchReader:
    """The batches up to the one that holds the last of ``most_rows`` rows."""

    def limited() -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in reader:
            yield batch
            rows += batch.num_rows
            if rows >= most_rows:
                return

    return pa.RecordBatchReader.from_batches(reader.schema, limited())


def write_batches(path: Path, reader: pa.RecordBatchReader, decimal_mark: str = ".") -> WrittenRows:
    """Write the batches of a reader; memory holds one.

    ``decimal_mark``: of numbers in text, which PostgreSQL's numeric becomes. Raises ``UnreadableColumnsError`` if a column holds
    bytes, lists, objects or times without a day, or money whose unit is not known.
    """
    import pyarrow.parquet as pq

    columns = {field.name: _column(field, decimal_mark) for field in reader.schema}
    unreadable = {name: column for name, column in columns.items() if isinstance(column, str)}
    if unreadable:
        raise UnreadableColumnsError(unreadable)
    readings = [column for column in columns.values() if not isinstance(column, str)]
    schema = pa.schema([pa.field(name, kind) for name, (kind, _) in zip(columns, readings, strict=True)])
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema) as writer:
        for batch in reader:
            arrays = [read(values) for values, (_, read) in zip(batch.columns, readings, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return _summary(path, schema)


_Reading = tuple[pa.DataType, Callable[[pa.Array], pa.Array]]


def _column(field: pa.Field, decimal_mark: str) -> _Reading | str:
    """Type of a column in the file and how its values become it, or what it holds that is not read."""
    kind = field.type
    declared = (field.metadata or {}).get(_TYPE_NAME, b"").decode("ascii", "replace")
    if declared == "money":
        # Given as a number of cents, or whatever the server's locale divides its currency into.
        return "money"
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name != "arrow.uuid":
        if declared == "numeric":
            return pa.string(), lambda values: _with_mark(values.storage, decimal_mark)
        return declared or str(kind.extension_name)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_read = any(
        test(kind)
        for test in (
            *(pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null),
            *(pa.types.is_timestamp, pa.types.is_date, pa.types.is_string, pa.types.is_large_string),
            *(pa.types.is_string_view, lambda other: isinstance(other, pa.BaseExtensionType)),
        )
    )
    if not is_read:
        return "bytes" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else str(kind)
    if pa.types.is_string_view(kind):
        kind = pa.string()
    return kind, lambda values: values if values.type == kind else values.cast(kind)


def _with_mark(values: pa.Array, decimal_mark: str) -> pa.Array:
    import pyarrow.compute as pc

    return values if decimal_mark == "." else pc.replace_substring(values, ".", decimal_mark)


def _summary(path: Path, schema: pa.Schema) -> WrittenRows:
    """Number of rows, and a hash that equal rows have in any order."""
    import duckdb

    statement = render("raw/rows_in_any_order", path=str(path))
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(statement.text, dict(statement.parameters)).fetchone()
    rows, *hashes = found or (0,)
    head = [(field.name, str(field.type)) for field in schema]
    content = json.dumps([head, rows, *map(str, hashes)])
    return WrittenRows(int(rows), hashlib.sha256(content.encode()).hexdigest())
