"""An Iceberg table, written as a Parquet file that the warehouse reads.

Elsewhere: refusing the table's files as loose Parquet (``folders.py``), what the columns mean (``plan.py``).

The metadata name every file by an absolute address. A table that was copied or moved is read from the declared folder: addresses
below the table's own location are looked up there, and nothing is read from another machine.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from tdml_assets.platform.extras import MissingExtraError, load_extra
from tdml_assets.stages.raw.rules import SourceError

_METADATA, _HINT = "metadata", "version-hint.text"
#: ``v3.metadata.json`` of a Hadoop catalog, ``00003-<uuid>.metadata.json`` of every other one.
_NUMBERED = re.compile(r"v?(\d+)(-[^/]*)?(\.gz)?\.metadata\.json")
_FORMAT_MARK, _MARK_BYTES, _MARKED_FILES = b'"format-version"', 1 << 16, 5
_LOCAL_SCHEME = re.compile(r"file:/*", re.IGNORECASE)
_EXPORT = "export the current rows as Parquet"


def is_table(folder: Path) -> bool:
    """Whether a folder is an Iceberg table."""
    metadata = folder / _METADATA
    if not metadata.is_dir():
        return False
    if (metadata / _HINT).is_file() or any(metadata.glob("*.metadata.json")):
        return True
    for path in sorted(metadata.glob("*.json"))[:_MARKED_FILES]:
        with path.open("rb") as stream:
            if _FORMAT_MARK in stream.read(_MARK_BYTES):
                return True
    return False


def table_folder(where: str, place: Path) -> list[Path]:
    """The folder of an Iceberg table or one of its metadata files, as what a path names.

    Raises ``SourceError`` if it is neither.
    """
    is_metadata = place.is_file() and place.name.endswith(".json") and place.parent.name == _METADATA
    if is_metadata or is_table(place):
        return [place]
    raise SourceError(
        f"{where} is not the folder of an Iceberg table, which has a folder metadata with .metadata.json files: correct path, or "
        "write format: parquet"
    )


def is_refused(folder: Path) -> bool:
    """Whether Iceberg's library is installed and cannot open a table."""
    try:
        load_extra("pyiceberg", "iceberg", "an Iceberg table")
    except MissingExtraError:
        return False
    try:
        _opened("", folder)
    except SourceError:
        return True
    return False


def log_sha256(name: str, place: Path) -> tuple[str, int]:
    """Hash and size of the latest metadata file: equal metadata, equal rows."""
    content = latest_metadata(name, place).read_bytes()
    return hashlib.sha256(content).hexdigest(), len(content)


def latest_metadata(name: str, place: Path) -> Path:
    """The metadata file that is the table's latest version.

    Without the catalog that keeps the table this is the one of the highest number; a Hadoop table names it in a file. Raises
    ``SourceError`` if there is none, or if two have the highest number.
    """
    if place.is_file():
        return place
    folder = place / _METADATA
    hint = folder / _HINT
    if hint.is_file():
        return _hinted(name, folder, hint.read_text(encoding="utf-8", errors="replace").strip())
    found = [(int(match.group(1)), path) for path in folder.iterdir() if (match := _NUMBERED.fullmatch(path.name))]
    if not found:
        raise SourceError(
            f"{name} has no file metadata/<number>-<id>.metadata.json: write path: {name}/metadata/<the metadata file>"
        )
    highest = max(number for number, _ in found)
    latest = sorted(path for number, path in found if number == highest)
    if len(latest) > 1:
        raise SourceError(
            f"{name} has two metadata files of the highest number, {latest[0].name} and {latest[1].name}, and its catalog is not "
            f"asked: write the one that is current, path: {name}/metadata/{latest[0].name}"
        )
    return latest[0]


def _hinted(name: str, folder: Path, hint: str) -> Path:
    if not hint.isdecimal():
        named = [folder / hint, folder / f"{hint}.metadata.json"]
        found = next((path for path in named if hint and Path(hint).name == hint and path.is_file()), None)
        if found is None:
            raise SourceError(
                f"{name}/metadata/{_HINT} names no file next to it: correct it, or write path: {name}/metadata/<the metadata file>"
            )
        return found
    # The hint is written behind the metadata file, so that it may be one or more behind.
    number = int(hint)
    while _numbered(folder, number + 1) is not None:
        number += 1
    latest = _numbered(folder, number)
    if latest is None:
        raise SourceError(
            f"{name}/metadata/{_HINT} says version {hint}, and v{hint}.metadata.json is not there: copy the whole folder again"
        )
    return latest


def _numbered(folder: Path, number: int) -> Path | None:
    names = (f"v{number}.metadata.json", f"v{number}.gz.metadata.json")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def as_parquet(name: str, place: Path, sha256: str, scratch_folder: Path) -> Path:
    """Write the rows of the current snapshot, with the columns of the current schema, as a Parquet file.

    Memory holds the rows of one data file. Raises ``SourceError`` if Iceberg's library is not installed, or cannot read the table.
    """
    import pyarrow.parquet as pq

    path = scratch_folder / f"{sha256[:32]}.iceberg.parquet"
    scratch_folder.mkdir(parents=True, exist_ok=True)
    with _rows(name, place) as (schema, batches), pq.ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path


def first_rows(name: str, place: Path, count: int) -> pa.Table:
    """The first rows of the current snapshot, ``count`` of them or a few more.

    Raises ``SourceError`` if Iceberg's library is not installed, or cannot read the table.
    """
    found: list[pa.RecordBatch] = []
    with _rows(name, place) as (schema, batches):
        for batch in batches:
            found.append(batch)
            if sum(one.num_rows for one in found) >= count:
                break
        return pa.Table.from_batches(found, schema)


@contextmanager
def _rows(name: str, place: Path) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Schema and rows of the current snapshot; what Iceberg's library raises in the block becomes an error of the source."""
    try:
        load_extra("pyiceberg", "iceberg", "an Iceberg table")
    except MissingExtraError as error:
        raise SourceError(f"{name}: {error}") from None
    table, fault = _opened(name, place), ""
    try:
        schema = table.schema().as_arrow()
        yield schema, _batches(table, schema)
    except SourceError:
        raise
    except _errors() as error:
        fault = _cause(error)
    if fault:
        raise SourceError(f"{name} cannot be read as an Iceberg table: {fault}")


def _batches(table: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan

    for task in table.scan().plan_files():
        # One file a scan: the library reads all files of a scan at once, and holds their rows.
        scan = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue())
        yield from pa.RecordBatchReader.from_batches(schema, scan.to_record_batches([task])).cast(schema)


def _opened(name: str, place: Path) -> Any:
    from pyiceberg.catalog.noop import NoopCatalog
    from pyiceberg.serializers import FromInputFile
    from pyiceberg.table import StaticTable

    path, fault = latest_metadata(name, place), ""
    folder = path.parent.parent
    try:
        reads = _reader(name, folder)
        metadata = FromInputFile.table_metadata(reads("").new_input(str(path.absolute())))
        # Properties of the table are not used: they may name a class to import.
        return StaticTable(("table",), metadata, str(path), reads(metadata.location), NoopCatalog("files"))
    except _errors() as error:
        fault = type(error).__name__
    raise SourceError(f"{name}: {path.name} cannot be read as the metadata of an Iceberg table ({fault}): {_EXPORT}")


def _reader(name: str, folder: Path) -> Any:
    """A function from the table's own location to what opens its files, below ``folder``."""
    from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

    class FolderIO(PyArrowFileIO):
        """Opens files of the table in the declared folder, and other files of this machine."""

        def __init__(self, location: str) -> None:
            super().__init__()
            self._location = _plain(location).rstrip("/")

        def new_input(self, location: str) -> PyArrowFile:
            """Open one file."""
            plain = _plain(location)
            if self._location and plain.startswith(f"{self._location}/"):
                plain = str(folder.absolute() / plain[len(self._location) + 1 :])
            if "://" in plain:
                scheme = plain.partition("://")[0]
                raise SourceError(
                    f"{name} has files outside of its folder, at {scheme}://: {_EXPORT}, and name those files in path"
                )
            return super().new_input(plain)

    return FolderIO


def _plain(location: str) -> str:
    """An address without ``file:``, and with one name for S3."""
    if _LOCAL_SCHEME.match(location):
        return _LOCAL_SCHEME.sub("/", location)
    return re.sub(r"^s3[an]://", "s3://", location)


def _errors() -> tuple[type[Exception], ...]:
    """What the library raises on files that are missing, damaged or beyond it; it has no base class of its own."""
    from pyiceberg import exceptions

    own = (exceptions.ValidationError, exceptions.ResolveError, exceptions.NotInstalledError)
    return (
        *(*own, exceptions.NoSuchPropertyException, pa.ArrowException, zlib.error, EOFError),
        *(OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, AssertionError),
    )


def _cause(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "one of its files is missing: copy the whole folder again, or " + _EXPORT
    if "equality delete" in str(error):
        return (
            "it has rows deleted by equality, which its library does not read: rewrite the data files where the table is kept, "
            "or " + _EXPORT
        )
    return f"its files are damaged, or it uses a feature that its library does not read ({type(error).__name__}): {_EXPORT}"
