"""What the folders of a source's files say: the order of its files, keys in folder names, tables that are more than their files.

Elsewhere: finding files (``files.py``), what is in them (``headers.py``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from tdml_assets.stages.raw.lake import LAKE_FORMATS, install_remedy
from tdml_assets.stages.raw.rules import SourceError

FolderKeys = tuple[tuple[str, str | None], ...]

_DIGITS = re.compile(r"(\d+)", re.ASCII)
#: What Hive and Spark write for a missing value.
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_DELTA_LOG, _ICEBERG_METADATA, _HUDI = "_delta_log", "metadata", ".hoodie"


def natural_order(name: str) -> tuple[tuple[str | int, ...], ...]:
    """Sort key of a path: numbers in it count as numbers, so that ``export_9`` comes before ``export_10``."""
    return tuple(
        tuple(int(piece) if place % 2 else piece for place, piece in enumerate(_DIGITS.split(part)))
        for part in PurePosixPath(name).parts
    )


def folder_keys(name: str, wanted: Iterable[str]) -> FolderKeys:
    """Keys and values of the ``key=value`` folders of a path, for the keys in ``wanted``; the innermost folder wins."""
    found: dict[str, str | None] = {}
    for part in PurePosixPath(name).parts[:-1]:
        key, mark, value = part.partition("=")
        if mark and key:
            text = unquote(value)
            found[unquote(key)] = None if text in ("", _NO_VALUE) else text
    return tuple((key, found[key]) for key in sorted(set(wanted) & set(found)))


def require_keys(name: str, found: FolderKeys, declared: Sequence[str]) -> None:
    """Refuse a file that is in no folder of a declared key. Raises ``SourceError`` naming the file and the key."""
    missing = next((key for key in declared if key not in dict(found)), None)
    if missing is not None:
        raise SourceError(
            f"{name} is in no folder named {missing}=...: correct hive_keys, or path so that it names only files in such folders"
        )


def content_sha256(sha256: str, keys: FolderKeys) -> str:
    """Hash of a file's rows: of its bytes, and of the values that its folders give them."""
    return hashlib.sha256(json.dumps([sha256, keys]).encode()).hexdigest() if keys else sha256


def refuse_table_files(table: str, paths: Iterable[Path], top: Path) -> None:
    """Refuse files that belong to a Delta, Iceberg or Hudi table: such a folder holds removed and replaced files too.

    Raises ``SourceError`` naming the folder and the lines to write. ``table``: the source's key in the settings. ``top``: folder up
    to which the folders above a file are looked at, if it is above the file.
    """
    seen: set[Path] = set()
    for path in paths:
        for folder in path.parents:
            if folder in seen:
                break
            seen.add(folder)
            kind = table_format(folder)
            if kind is not None:
                _refuse(table, folder, kind, top)
            if folder == top:
                break


def _refuse(table: str, folder: Path, kind: str, top: Path) -> None:
    shown = folder.relative_to(top).as_posix() if folder.is_relative_to(top) else folder.as_posix()
    known = LAKE_FORMATS.get(kind)
    article = known.article if known else "a Hudi"
    what = f"sources.{table}: the folder {shown!r} holds {article} table, whose files include removed and replaced ones"
    if known is None:
        raise SourceError(f"{what}, and is not read: export its current rows, and name those files in path")
    if known.is_refused(folder):
        raise SourceError(
            f"{what}, and its log cannot be read: export its current rows as Parquet into another folder, and name that in path"
        )
    raise SourceError(f"{what}: write format: {kind} and path: {shown!r} under sources.{table}{install_remedy(kind)}")


def refuse_table_keys(bucket: str, chosen: Iterable[str], keys: Sequence[str]) -> None:
    """As :func:`refuse_table_files`, for objects: ``keys`` are all that were listed. Raises ``SourceError`` naming the table."""
    tables = {key.partition(f"{_DELTA_LOG}/")[0]: "a Delta" for key in keys if f"/{_DELTA_LOG}/" in f"/{key}"}
    tables |= {
        key.rpartition(f"{_ICEBERG_METADATA}/")[0]: "an Iceberg" for key in keys if key.endswith(".metadata.json")
    }
    remedy = {
        "a Delta": "copy the whole folder to this machine and write format: delta",
        "an Iceberg": "copy the whole folder to this machine and write format: iceberg",
    }
    for key in chosen:
        found = next((prefix for prefix in tables if key.startswith(prefix)), None)
        if found is not None:
            raise SourceError(
                f"{bucket}/{found} holds {tables[found]} table, whose files include removed and replaced ones: "
                f"{remedy[tables[found]]}"
            )


def table_format(folder: Path) -> str | None:
    """``delta``, ``iceberg`` or ``hudi`` where a folder is such a table; else ``None``."""
    found = next((name for name, known in LAKE_FORMATS.items() if known.is_table(folder)), None)
    return found or ("hudi" if (folder / _HUDI).is_dir() else None)
