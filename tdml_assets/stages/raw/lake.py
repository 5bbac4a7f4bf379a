"""Tables that are more than their files, by the format that a source declares for them.

Elsewhere: reading one (``delta.py``, ``iceberg.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tdml_assets.platform.extras import MissingExtraError, require_extra
from tdml_assets.stages.raw import delta, iceberg
from tdml_assets.stages.raw.rules import SourceError


@dataclass(frozen=True)
class LakeFormat:
    """One format.

    ``article``: its name with the article, for messages.
    ``library``: the module that reads it, in the extra of the format's own name.
    ``table_folder``: what a path names, if that is such a table.
    ``is_table``: whether a folder is one.
    ``is_refused``: whether the library is installed and cannot open a table.
    ``log_sha256``: hash and size of what says which rows the table has.
    ``as_parquet``: its current rows as a Parquet file.
    ``first_rows``: the first of its current rows.
    """

    article: str
    library: str
    table_folder: Callable[[str, Path], list[Path]]
    is_table: Callable[[Path], bool]
    is_refused: Callable[[Path], bool]
    log_sha256: Callable[[str, Path], tuple[str, int]]
    as_parquet: Callable[[str, Path, str, Path], Path]
    first_rows: Callable[[str, Path, int], pa.Table]


LAKE_FORMATS = {
    "delta": LakeFormat(
        *("a Delta", "deltalake", delta.table_folder, delta.is_table, delta.is_refused),
        *(delta.log_sha256, delta.as_parquet, delta.first_rows),
    ),
    "iceberg": LakeFormat(
        *("an Iceberg", "pyiceberg", iceberg.table_folder, iceberg.is_table, iceberg.is_refused),
        *(iceberg.log_sha256, iceberg.as_parquet, iceberg.first_rows),
    ),
}


def table_folder(file_format: str, where: str, place: Path) -> list[Path]:
    """What a path names, as a table of the declared format.

    Raises ``SourceError`` if it is none, with the line to write where it is a table of another format.
    """
    other = next((name for name, known in LAKE_FORMATS.items() if name != file_format and known.is_table(place)), None)
    if other is not None and not LAKE_FORMATS[file_format].is_table(place):
        raise SourceError(
            f"{where} is {LAKE_FORMATS[other].article} table: write format: {other}{install_remedy(other)}"
        )
    return LAKE_FORMATS[file_format].table_folder(where, place)


def log_sha256(name: str, folder: Path) -> tuple[str, int]:
    """Hash and size of what says which rows the table in a folder has."""
    return next(known for known in LAKE_FORMATS.values() if known.is_table(folder)).log_sha256(name, folder)


def install_remedy(file_format: str) -> str:
    """How the library of a format is installed, to be read behind a sentence; empty where it is."""
    found = LAKE_FORMATS[file_format]
    try:
        require_extra(found.library, file_format, f"{found.article} table")
    except MissingExtraError as error:
        return f". {str(error)[:1].upper()}{str(error)[1:]}"
    return ""
