"""A packed file, known by its first bytes, and a copy of what is in it.

Elsewhere: what is in the file (``headers.py``). A gzip file of text whose name ends in .gz is read as it is.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from tdml_assets.declaration.formats import format_named
from tdml_assets.declaration.sources import Source
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.signatures import not_a_workbook

_CHUNK_BYTES = 1 << 20
#: Of a sheet's XML, unpacked: a sheet takes about as much memory. A million rows of eight columns have 440 MB.
LARGEST_BOOK_BYTES = 500_000_000
ZIP = b"PK\x03\x04"
SHEET_NAMES = ("xl/workbook.xml", "xl/workbook.bin")


def _zstd(path: Path) -> Any:
    return pa.input_stream(str(path), compression="zstd")


_OPENERS: dict[bytes, tuple[str, Callable[[Path], Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ\x00": ("xz", lzma.open),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
}


def unpacked(file: SourceFile, first: bytes, declaration: Source, scratch_folder: Path) -> SourceFile:
    """The file, or a copy of what is packed in it.

    Raises ``SourceError`` if it is damaged, larger than ``max_file_gb``, or holds several files and none is declared. ``first``:
    its first bytes. ``scratch_folder``: where the copy is written.
    """
    if first.startswith(ZIP):
        return _from_zip(file, declaration, scratch_folder)
    kind, opener = opener_of(first)
    is_read_as_it_is = (
        kind == "gzip" and format_named(declaration.format).reads_gzip and file.path.name.lower().endswith(".gz")
    )
    if declaration.format == "xlsx" and opener is None:
        raise SourceError(f"{file.name} is not a readable .xlsx file: {not_a_workbook(first)}")
    if declaration.member is not None:
        raise SourceError(f"{file.name} is not a zip archive, and member names a file in one: take member out")
    if opener is None or is_read_as_it_is:
        return file
    with _packing_faults(file.name, kind), opener(file.path) as stream:
        return _copied(file, stream, declaration, scratch_folder)


def opener_of(first: bytes) -> tuple[str, Callable[[Path], Any] | None]:
    """What a file is packed with by its first bytes, besides zip, and what opens it; an empty text and ``None`` for nothing."""
    return next((found for mark, found in _OPENERS.items() if first.startswith(mark)), ("", None))


def _from_zip(file: SourceFile, declaration: Source, scratch_folder: Path) -> SourceFile:
    with _packing_faults(file.name, "zip"), zipfile.ZipFile(file.path) as archive:
        names = [
            item.filename
            for item in archive.infolist()
            if not item.is_dir() and not item.filename.startswith("__MACOSX/")
        ]
        is_book = any(name in SHEET_NAMES for name in names)
        if is_book and declaration.format != "xlsx":
            raise SourceError(
                f"{file.name} is a spreadsheet (.xlsx): write format: xlsx, and sheet: with the name of the sheet"
            )
        if is_book:
            # Its reader does not compare the sums, and reads on where a part is damaged.
            damaged = archive.testzip()
            if damaged is not None:
                raise SourceError(f"{file.name} is not a complete .xlsx file ({damaged} is damaged): deliver it again")
            _refuse_large_book(file.name, archive)
            return file
        if declaration.format == "xlsx":
            shown = ", ".join(repr(name) for name in names[:10])
            raise SourceError(
                f"{file.name} is not a readable .xlsx file but a zip archive of {shown}: write the format of that file, such as "
                "format: csv"
            )
        chosen = [name for name in names if declaration.member in (None, name)]
        if len(chosen) != 1:
            shown = ", ".join(repr(name) for name in names[:10])
            raise SourceError(
                f"{file.name} is a zip archive of {len(names):,} files ({shown}): write member: with the name of the one to read"
            )
        with archive.open(chosen[0]) as stream:
            return _copied(file, stream, declaration, scratch_folder)


def _refuse_large_book(name: str, archive: zipfile.ZipFile) -> None:
    sizes = {item.filename: item.file_size for item in archive.infolist()}
    sheets = [size for path, size in sizes.items() if path.startswith("xl/worksheets/")]
    size = max(sheets, default=0) + sizes.get("xl/sharedStrings.xml", 0)
    if size > LARGEST_BOOK_BYTES:
        raise SourceError(
            f"{name} has a sheet of {size / 1e6:,.0f} MB unpacked, and sheets are read up to {LARGEST_BOOK_BYTES / 1e6:,.0f} MB, "
            "since they are held in memory: save the sheet as CSV UTF-8 and write format: csv, or split it"
        )


def _copied(file: SourceFile, stream: IO[bytes], declaration: Source, scratch_folder: Path) -> SourceFile:
    limit, size = int(declaration.max_file_gb * 1e9), 0
    scratch_folder.mkdir(parents=True, exist_ok=True)
    path = scratch_folder / f"{file.sha256[:32]}.unpacked"
    with path.open("wb") as copy:
        while chunk := stream.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > limit:
                raise SourceError(
                    f"{file.name} unpacks to more than {limit / 1e9:.3g} GB: raise max_file_gb, or split the file"
                )
            copy.write(chunk)
    if not size:
        raise SourceError(
            f"{file.name}: empty input: nothing is packed in it. Deliver it again, or take it out of path"
        )
    return replace(file, path=path, size_bytes=size)


@contextmanager
def _packing_faults(name: str, kind: str) -> Iterator[None]:
    fault = ""
    try:
        yield
    except (zlib.error, lzma.LZMAError, zipfile.BadZipFile, EOFError, pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        fault = type(error).__name__
    except (
        RuntimeError,
        NotImplementedError,
    ) as error:  # zipfile's words for a password, and for a method that it lacks
        fault = f"{type(error).__name__}, perhaps a password"
    if fault:
        raise SourceError(f"{name} is not a complete {kind} file ({fault}): deliver it again")
