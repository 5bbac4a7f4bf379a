"""A Delta table, written as a Parquet file that the warehouse reads.

Elsewhere: refusing its files as loose Parquet (``folders.py``), what the columns mean (``plan.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from tdml_assets.platform.extras import MissingExtraError, load_extra
from tdml_assets.stages.raw.rules import SourceError

_LOG = "_delta_log"


def is_table(folder: Path) -> bool:
    """Whether a folder is a Delta table."""
    return (folder / _LOG).is_dir()


def table_folder(where: str, folder: Path) -> list[Path]:
    """The folder of a Delta table, as what a path names. Raises ``SourceError`` if it is none."""
    if is_table(folder):
        return [folder]
    raise SourceError(
        f"{where} is not the folder of a Delta table, which has a folder {_LOG}: correct path, or write format: parquet"
    )


def is_refused(folder: Path) -> bool:
    """Whether Delta's library is installed and cannot open a table, such as one whose log has no metadata."""
    try:
        library = load_extra("deltalake", "delta", "a Delta table")
    except MissingExtraError:
        return False
    try:
        library.DeltaTable(str(folder))
    except (library.exceptions.DeltaError, OSError, ValueError, RuntimeError):
        return True
    return False


def log_sha256(_: str, folder: Path) -> tuple[str, int]:
    """Hash and size of a table's log: equal logs, equal rows."""
    digest, size = hashlib.sha256(), 0
    for path in sorted((folder / _LOG).iterdir()):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.name}:{len(content)}:".encode() + content)
            size += len(content)
    return digest.hexdigest(), size


def as_parquet(name: str, folder: Path, sha256: str, scratch_folder: Path) -> Path:
    """Write the rows of the latest version as a Parquet file.

    Raises ``SourceError`` if Delta's library is not installed, or cannot read the table.
    """
    path = scratch_folder / f"{sha256[:32]}.delta.parquet"
    scratch_folder.mkdir(parents=True, exist_ok=True)
    import pyarrow.parquet as pq

    with _opened(name, folder) as dataset, pq.ParquetWriter(path, dataset.schema) as writer:
        for batch in dataset.to_batches():
            writer.write_batch(batch)
    return path


def first_rows(name: str, folder: Path, count: int) -> pa.Table:
    """The first ``count`` rows of the latest version.

    Raises ``SourceError`` if Delta's library is not installed, or cannot read the table.
    """
    with _opened(name, folder) as dataset:
        return dataset.head(count)


@contextmanager
def _opened(name: str, folder: Path) -> Iterator[Any]:
    """The rows of the latest version; what Delta's library raises in the block becomes an error of the source."""
    fault = ""
    try:
        library = load_extra("deltalake", "delta", "a Delta table")
    except MissingExtraError as error:
        raise SourceError(f"{name}: {error}") from None
    errors = (library.exceptions.DeltaError, pa.ArrowException, OSError, ValueError, RuntimeError)
    try:
        yield library.DeltaTable(str(folder)).to_pyarrow_dataset()
    except errors as error:
        fault = type(error).__name__
    if fault:
        raise SourceError(
            f"{name} cannot be read as a Delta table ({fault}): files are missing, the log is damaged, or it uses a feature that "
            "its library does not read, such as deletion vectors: export the current rows as Parquet"
        )
