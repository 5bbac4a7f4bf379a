"""Raw files: found where a declaration says they are, brought here if they are elsewhere, and hashed.

Elsewhere: the transport from S3 and the web (``transport.py``), what is in the files (``headers.py``).
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from tdml_assets.declaration.addresses import is_printable, redacted, without_query
from tdml_assets.declaration.formats import format_named
from tdml_assets.declaration.sources import Source, Sources
from tdml_assets.stages.raw.databases import fetch_rows, require_database
from tdml_assets.stages.raw.faults import source_faults
from tdml_assets.stages.raw.folders import (
    FolderKeys,
    content_sha256,
    folder_keys,
    natural_order,
    refuse_table_files,
    require_keys,
)
from tdml_assets.stages.raw.lake import LAKE_FORMATS, log_sha256, table_folder
from tdml_assets.stages.raw.rules import SourceError, wanted_columns

_CHUNK_BYTES = 1 << 20
#: Archives without times give their files one of 1970 or 1980.
_FIRST_YEAR = 1990
_PATTERN = set("*?[")
#: Files about the data, which people put into its folder.
_ABOUT = re.compile(r"(readme|licen[cs]e|copying|notice|changelog)\b", re.IGNORECASE)
_SHOWN_ENDINGS = 5
_PACKED = ("", ".gz", ".zip", ".zst", ".bz2", ".xz")


@dataclass(frozen=True)
class SourceFile:
    """A file that is here, complete and hashed.

    ``name``: the file in lineage: a path relative to the settings file's folder, or an address without its query. ``path``:
    where it can be read. ``sha256``: hash of its bytes, and of ``folder_keys`` where there are any; of the rows, for a
    database. ``size_bytes``: its size. ``folder_keys``: values of the columns that its folders are named after
    (``order_date=2024-01-31``). ``written_at``: when it was last written, naive UTC; ``None`` where that is not known: fetched
    files, tables and databases.
    """

    name: str
    path: Path
    sha256: str
    size_bytes: int
    folder_keys: FolderKeys = ()
    written_at: datetime | None = None


@dataclass(frozen=True)
class FoundFiles:
    """Files of one source in the order they are loaded, the names that repeat another file's content, files of identities."""

    files: tuple[SourceFile, ...]
    duplicates: tuple[str, ...]
    identities: tuple[SourceFile, ...] = ()


def collect_files(
    table: str, declaration: Source, *, base_folder: Path, cache_folder: Path, s3_client: Callable[[], Any]
) -> FoundFiles:
    """Find, fetch and hash every file of a source. Raises ``SourceError`` if a path names no file, or a file cannot be had.

    Returns files in the order of the declaration, those of one pattern or folder by name, 2 before 10. Of files of one folder
    with equal content only the first is kept: loading both would count every row twice. Equal files of different folders are
    all kept: a folder may stand for a day or a shop that the rows do not name. ``table``: the source's key in the settings, for
    messages. ``base_folder``: folder that relative paths start from: the settings file's. ``cache_folder``: where fetched files
    are kept. ``s3_client``: makes the S3 client; called only for s3:// addresses.
    """
    seen: dict[tuple[str, str], SourceFile] = {}
    duplicates, names = [], set()
    for name, path in _here(table, declaration, base_folder, cache_folder, s3_client):
        if name in names:
            continue
        names.add(name)
        file = with_folder_keys(hashed(name, path), declaration)
        if seen.setdefault((name.rpartition("/")[0], file.sha256), file) is not file:
            duplicates.append(name)
    if declaration.format == "database":
        rows = fetch_rows(table, declaration, base_folder, cache_folder)
        seen["", rows.sha256] = SourceFile(rows.name, rows.path, rows.sha256, rows.path.stat().st_size)
    identities: tuple[SourceFile, ...] = ()
    if declaration.identities is not None:
        places = {"base_folder": base_folder, "cache_folder": cache_folder}
        identities = collect_files("identities", declaration.identities, **places, s3_client=s3_client).files
    return FoundFiles(tuple(seen.values()), tuple(duplicates), identities)


def _here(
    table: str, declaration: Source, base_folder: Path, cache_folder: Path, s3_client: Callable[[], Any]
) -> Iterable[tuple[str, Path]]:
    max_bytes = int(declaration.max_file_gb * 1e9)
    client = None
    for location in declaration.path:
        scheme = urlsplit(location).scheme if "://" in location else ""
        if scheme in {"http", "https", "s3"} and declaration.format in LAKE_FORMATS:
            article = LAKE_FORMATS[declaration.format].article
            raise SourceError(
                f"sources.{table}.path: {article} table is read from a folder of this machine: copy it here"
            )
        if scheme in {"http", "https"}:
            from tdml_assets.stages.raw.transport import fetch_http

            seconds = declaration.max_fetch_seconds
            path = fetch_http(location, cache_folder, max_bytes=max_bytes, max_seconds=seconds)
            yield without_query(location), path
        elif scheme == "s3":
            client = client or s3_client()
            from tdml_assets.stages.raw.transport import fetch_s3, list_s3

            for bucket, key in list_s3(
                client, location, endings_of(declaration.format), recursive=declaration.recursive
            ):
                yield f"s3://{bucket}/{key}", fetch_s3(client, bucket, key, cache_folder, max_bytes=max_bytes)
        else:
            text = url2pathname(unquote(urlsplit(location).path)) if scheme == "file" else location
            for path in _local(table, declaration, text, base_folder):
                yield _relative(path, base_folder), path


def endings_of(file_format: str) -> tuple[str, ...]:
    """Endings of the names of files of a format, packed or not."""
    return tuple(f"{ending}{packed}" for packed in _PACKED for ending in format_named(file_format).endings)


def with_folder_keys(file: SourceFile, declaration: Source) -> SourceFile:
    """The file with the values that the names of its folders give to wanted columns.

    Raises ``SourceError`` if it is in no folder of a declared key.
    """
    keys = folder_keys(file.name, {*wanted_columns(declaration), *declaration.hive_keys})
    require_keys(file.name, keys, declaration.hive_keys)
    return replace(file, sha256=content_sha256(file.sha256, keys), folder_keys=keys)


def _local(table: str, declaration: Source, text: str, base_folder: Path) -> list[Path]:
    endings = endings_of(declaration.format)
    if declaration.format in LAKE_FORMATS:
        where = f"sources.{table}.path: {redacted(text)!r}"
        return table_folder(declaration.format, where, Path(base_folder, Path(text).expanduser()))
    return find_local(table, text, base_folder, endings, recursive=declaration.recursive)


def hashed(name: str, path: Path) -> SourceFile:
    """Read a file that is here. Raises ``SourceError`` if it cannot be read, or its name cannot be written."""
    if not is_printable(name):
        raise SourceError(f"{name!a}: the name of the file is not text: rename the file")
    with source_faults(name):
        sha256, size = log_sha256(name, path) if path.is_dir() else (sha256_of(path), path.stat().st_size)
        return SourceFile(name, path, sha256, size, written_at=written_at(name, path))


def written_at(name: str, path: Path) -> datetime | None:
    """When a file of this machine was last written, naive UTC; ``None`` for others, and for times that archives make up."""
    if "://" in name or path.is_dir():
        return None
    moment = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)
    return moment if moment.year >= _FIRST_YEAR else None


def require_local(sources: Sources, base_folder: Path) -> None:
    """Look for every declared file that should be on this machine, and for what a database needs; read none of them.

    Raises ``SourceError`` naming the first that is not there.
    """
    for table in Sources.model_fields:
        declaration = getattr(sources, table)
        if declaration is not None and declaration.format == "database":
            require_database(table, declaration, base_folder)
        for location in declaration.path if declaration is not None else ():
            if "://" not in location:
                _local(table, declaration, location, base_folder)


def local_files(table: str, declaration: Source, base_folder: Path) -> list[tuple[str, Path]]:
    """Name in lineage and path of every file of a source that is on this machine; remote addresses are left out.

    Raises ``SourceError`` if a path names no file.
    """
    found: dict[str, Path] = {}
    for location in declaration.path:
        scheme = urlsplit(location).scheme if "://" in location else ""
        if scheme in {"", "file"}:
            text = url2pathname(unquote(urlsplit(location).path)) if scheme else location
            for path in _local(table, declaration, text, base_folder):
                found.setdefault(_relative(path, base_folder), path)
    return list(found.items())


def find_local(
    table: str, text: str, base_folder: Path, endings: tuple[str, ...], *, recursive: bool = False
) -> list[Path]:
    """Files that a path, a folder or a pattern names, by name. ``**`` in a pattern means any depth.

    Raises ``SourceError`` if there is none, or if they are files of a table that is more than its files. ``endings``: of the names
    of files that count in a folder. ``recursive``: whether the folders of a folder are searched too.
    """
    where = f"sources.{table}.path: {redacted(text)!r}"
    try:
        found = _found(where, text, base_folder, endings, recursive)
        refuse_table_files(table, found, base_folder)
        return sorted(found, key=lambda path: natural_order(path.as_posix()))
    except (OSError, RuntimeError) as error:  # a name too long, a folder without permission, a home nobody has
        cause = getattr(error, "strerror", None) or "its ~ names no home"
    raise SourceError(f"{where} cannot be looked up ({cause}): correct the path or its permissions")


def _found(where: str, text: str, base_folder: Path, endings: tuple[str, ...], recursive: bool) -> list[Path]:
    path = Path(base_folder, Path(text).expanduser())
    # A file may have a bracket in its name: what exists is not a pattern.
    if path.is_file():
        return [path]
    if path.is_dir():
        return _of_folder(where, text, path, endings, recursive)
    if _PATTERN & set(text):
        # Unlike Path.glob, this takes patterns that are absolute or climb with "..".
        matches = [Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file()]  # noqa: PTH207
        if not matches:
            raise SourceError(f"{where} matches no file below {base_folder}: add files, or correct the pattern")
        return matches
    raise SourceError(
        f"{where} is not there (looked at {redacted(str(path))}): correct the path, which starts from the settings' folder"
    )


def _of_folder(where: str, text: str, folder: Path, endings: tuple[str, ...], recursive: bool) -> list[Path]:
    files = [item for item in folder.iterdir() if item.is_file() and _is_data(item, folder)]
    below = data_files(folder)
    found = [item for item in (below if recursive else files) if item.name.lower().endswith(endings)]
    if found:
        return found
    deeper = next((item for item in below if item.name.lower().endswith(endings)), None)
    if deeper is not None:
        ending = next(one for one in sorted(endings, key=len, reverse=True) if deeper.name.lower().endswith(one))
        pattern = f"{text.rstrip('/')}/**/*{ending}"
        raise SourceError(
            f"{where} is a folder whose files are in folders of its own: write path: '{pattern}', or recursive: true to search "
            "it at any depth"
        )
    others = sorted({item.suffix or item.name for item in files})[:_SHOWN_ENDINGS]
    there = f"; it holds files that end in {' '.join(others)}" if others else "; it holds no file"
    plain = " ".join(one for one in endings if one.count(".") == 1)
    raise SourceError(f"{where} is a folder without a file that ends in {plain}{there}. Correct path, or format")


def data_files(folder: Path) -> list[Path]:
    """Files below a folder that may be data, at any depth."""
    return [item for item in sorted(folder.rglob("*")) if item.is_file() and _is_data(item, folder)]


def _is_data(path: Path, folder: Path) -> bool:
    """Whether a file may be data: neither hidden, nor about the data, nor left behind by what wrote it."""
    above = path.relative_to(folder).parts[:-1]
    # Spark and Hive begin the names of folders that hold no rows with "_".
    return not (path.name.startswith(".") or _ABOUT.match(path.name) or any(part[0] in "._" for part in above))


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _relative(path: Path, base_folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.absolute(), base_folder.absolute())).as_posix()
    except ValueError:  # another drive has no relative path
        return path.as_posix()
