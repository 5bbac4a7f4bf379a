"""Where bytes are kept: a folder or an S3 bucket, behind one protocol.

Elsewhere: what the bytes are (``bundles.py``), Dagster.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from tdml_assets.platform.files import flush, locked

#: Of an object that is replaced in place, such as the champion pointer.
_SWAPPED_LIMIT_BYTES = 64_000


class BlobMissingError(LookupError):
    """There is no object of that name."""


class BlobConflictError(RuntimeError):
    """Another writer was faster, or another content is already there."""


class BlobStoreError(RuntimeError):
    """The store cannot be used as configured; the message says what to change."""


class NotAFileError(BlobStoreError):
    """Something else than a file is in the place of one, such as a pipe or a device."""


@dataclass(frozen=True)
class Blob:
    """Content of one object, and the tag that changes with it."""

    data: bytes
    tag: str


class BlobStore(Protocol):
    """Keys are paths with forward slashes below the store's root."""

    @property
    def url(self) -> str:
        """The root, without credentials."""

    def read(self, key: str, limit_bytes: int) -> Blob:
        """Read an object of at most ``limit_bytes``; a larger one is a ``BlobStoreError``, a missing one is named."""

    def create_set(self, folder: str, files: Mapping[str, bytes], last: str) -> bool:
        """Write ``files`` into ``folder``; the set exists once ``last`` does, whose loss leaves orphans nobody reads.

        Returns False, and changes nothing, if the set exists already.
        """

    def remove_set(self, folder: str, last: str) -> None:
        """Remove a folder of files, ``last`` before the others: what a killed removal leaves is not a set any more."""

    def swap(self, key: str, data: bytes, expected_tag: str | None) -> str:
        """Replace the object whose tag is ``expected_tag`` (None: there is none). Returns the new tag.

        Raises ``BlobConflictError`` if the object is another one by now.
        """

    def replace(self, key: str, data: bytes) -> None:
        """Write an object at once for readers, whatever is in its place."""

    def folders(self, prefix: str) -> list[str]:
        """Names of the folders directly below ``prefix``, in order; hidden ones left out."""

    def files(self, prefix: str) -> list[str]:
        """Names of the objects directly below ``prefix``, in order; hidden ones left out."""


class FolderStore:
    """A :class:`BlobStore` in a folder of a local file system with atomic rename."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """The folder."""
        return str(self.root)

    def read(self, key: str, limit_bytes: int) -> Blob:
        """Read an object; see :class:`BlobStore`."""
        try:
            with _open_file(self.root / key) as file:
                data = file.read(limit_bytes + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BlobMissingError(f"there is no {key} in {self.url}") from error
        if len(data) > limit_bytes:
            raise BlobStoreError(f"{key} in {self.url} is larger than {limit_bytes} bytes: it is not what was stored")
        return Blob(data, _tag(data))

    def create_set(self, folder: str, files: Mapping[str, bytes], last: str) -> bool:
        """Write a hidden folder, flush it to disk and rename it; see :class:`BlobStore`."""
        final = self.root / folder
        if (final / last).exists():
            return False
        final.parent.mkdir(parents=True, exist_ok=True)
        hidden = final.parent / f".incoming-{secrets.token_hex(8)}"
        hidden.mkdir()
        try:
            for name, data in files.items():
                _write_flushed(hidden / name, data)
            flush(hidden)
            with locked(_lock_of(final)):
                if (final / last).exists():
                    return False
                if final.exists():
                    final.rename(final.parent / f".incomplete-{secrets.token_hex(8)}")
                hidden.rename(final)
            flush(final.parent)
            return True
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    def discard(self, folder: str) -> None:
        """Remove a folder, at once for readers."""
        doomed = self.root / folder
        if doomed.exists():
            hidden = doomed.rename(doomed.parent / f".discarded-{secrets.token_hex(8)}")
            shutil.rmtree(hidden, ignore_errors=True)

    def remove_set(self, folder: str, last: str) -> None:  # noqa: ARG002
        """Remove a folder; see :class:`BlobStore`."""
        self.discard(folder)

    def swap(self, key: str, data: bytes, expected_tag: str | None) -> str:
        """Compare and replace under a lock that dies with its process; see :class:`BlobStore`."""
        final = self.root / key
        final.parent.mkdir(parents=True, exist_ok=True)
        with locked(_lock_of(final)):
            current = self.read(key, _SWAPPED_LIMIT_BYTES).tag if final.exists() else None
            if current != expected_tag:
                raise BlobConflictError(f"{key} in {self.url} was changed by another writer")
            _put_flushed(final, data)
        return _tag(data)

    def replace(self, key: str, data: bytes) -> None:
        """Write next to it, flush and rename; see :class:`BlobStore`."""
        final = self.root / key
        if final.is_dir() and not final.is_symlink():
            self.discard(key)
        _put_flushed(final, data)

    def folders(self, prefix: str) -> list[str]:
        """Names of the folders below ``prefix``; see :class:`BlobStore`."""
        return [entry.name for entry in self._entries(prefix) if entry.is_dir()]

    def files(self, prefix: str) -> list[str]:
        """Names of the files below ``prefix``; see :class:`BlobStore`."""
        return [entry.name for entry in self._entries(prefix) if entry.is_file()]

    def _entries(self, prefix: str) -> list[Path]:
        folder = self.root / prefix
        return sorted(entry for entry in folder.iterdir() if entry.name[0] != ".") if folder.is_dir() else []


def _lock_of(path: Path) -> Path:
    """The lock next to ``path``, which may be a folder that is replaced."""
    return path.parent / f".{path.name}.lock"


def _open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading; anything else would wait for a writer for ever, or never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFileError(f"{path} is not a file: remove it and run again, or promote another version")
    return os.fdopen(descriptor, "rb")


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_flushed(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put_flushed(final: Path, data: bytes) -> None:
    """Write a file under its name by one rename, flushed to disk."""
    incoming = final.parent / f".incoming-{secrets.token_hex(8)}"
    try:
        _write_flushed(incoming, data)
        incoming.replace(final)
    finally:
        incoming.unlink(missing_ok=True)
    flush(final.parent)
