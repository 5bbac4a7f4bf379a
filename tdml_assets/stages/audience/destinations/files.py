"""Destination ``files``: Parquet and CSV files in a folder or an S3 bucket.

Elsewhere: what the files hold (``_export_content.py``), names, layout and manifest (``stages/audience/exports.py``), S3 calls
(``bucket.py``).

What a reader may rely on
-------------------------
* Folder: ``latest/attributes.csv`` (``.parquet``) is the last complete export at every instant. A reader that opens
  several files reads ``latest.json`` once and then the folder it names: the link may move between two of its reads.
* S3: ``latest.json`` names the objects of the last complete export; it is written last.
* Both hold while an export runs, after it failed, and after the process was killed at any moment.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tdml_assets.declaration.addresses import parse_place
from tdml_assets.platform.files import flush, locked
from tdml_assets.platform.statements import render
from tdml_assets.stages.audience import exports
from tdml_assets.stages.audience.destinations import Delivery, Failpoint, no_failpoint
from tdml_assets.stages.audience.destinations._export_content import ATTRIBUTES_TABLE, BATCH_ROWS, write_files
from tdml_assets.stages.audience.exports import ExportError, StoredExport
from tdml_assets.stages.raw.contracts import ORDERS

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database
    from tdml_assets.stages.audience.permitted import Permission

_INCOMING = ".incoming-"


class ExportStore(Protocol):
    """Where exports lie. Exports are placed whole and never changed; only the pointer moves."""

    def exports(self) -> list[StoredExport]:
        """Find the exports that this project placed."""

    def is_whole(self, export: StoredExport) -> bool:
        """Whether every file of the export is there in the size its manifest says."""

    def is_free(self, name: str) -> bool:
        """Whether an export may be placed under this name."""

    def place(self, files: Path, name: str, failpoint: Failpoint) -> None:
        """Place the files of a folder under the name; its manifest is seen last."""

    def point(self, name: str, pointer: bytes, scratch: Path, failpoint: Failpoint) -> None:
        """Make the export the latest."""

    def remove(self, export: StoredExport) -> None:
        """Delete the files named in the export's manifest, and nothing else."""

    def describe(self, name: str) -> str:
        """Where a person finds the export."""

    def readable(self, export: StoredExport) -> Path | None:
        """The attributes where the warehouse can read them; ``None`` where it cannot."""

    def fetched(self, export: StoredExport, scratch: Path) -> Path:
        """The attributes as a file on this machine, below ``scratch`` where they lie elsewhere."""


class FilesDestination:
    """Exports the published attributes as files.

    ``url``: folder, ``file:///path`` or ``s3://bucket/prefix``.
    ``scratch``: folder for files on their way to S3; a folder export is written next to its place.
    ``keep``: how many exports stay; older ones are deleted, and nothing that another program put there.
    ``batch_rows``: rows in memory at a time.
    ``s3_client``: boto3 client for S3; only used, and then required, for an ``s3://`` URL.
    ``permission``: lists that say who may be exported; everybody without.
    ``failpoint``: called with the name of every step that is done.
    """

    name = "files"

    def __init__(
        self,
        url: str,
        *,
        scratch: Path,
        keep: int = exports.KEEP_DEFAULT,
        batch_rows: int = BATCH_ROWS,
        s3_client: Any = None,
        permission: Permission | None = None,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        place = parse_place(url, "exports_url")
        exports.superseded([], "", keep)
        self._keep, self._batch_rows, self._failpoint = keep, batch_rows, failpoint
        self._permission = permission
        self._store: ExportStore
        if place.folder is not None:
            folder = place.folder / exports.DATASET
            self._store, self._scratch = FolderStore(folder), folder
        else:
            if s3_client is None:
                raise ValueError(f"exports_url {url!r} is on S3 and there is no S3 client: configure the s3 resource")
            from tdml_assets.stages.audience.destinations.bucket import BucketStore

            self._store, self._scratch = BucketStore(s3_client, place.bucket, place.prefix), scratch

    def deliver(self, database: Database, session_id: str) -> Delivery:
        """Export what is published; the same session and rows again change nothing.

        Raises ``ExportError`` if nothing is published, a list cannot be asked, or the files cannot be placed. The latest export
        is untouched then.
        """
        if self._permission is not None:
            self._permission.refuse_faults(database)
        state = database.row(render("audience/export_state", table=ATTRIBUTES_TABLE))
        if not state["row_count"] or state["first_as_of"] != state["last_as_of"]:
            raise ExportError(
                f"audience.{exports.DATASET} holds {state['row_count']} rows from {state['first_as_of']} to "
                f"{state['last_as_of']}: publish the attributes of one instant first"
            )
        as_of = state["last_as_of"]
        with _workspace(self._scratch, exports.export_name(as_of, session_id)) as workspace:
            files = workspace / "files"
            manifest = write_files(
                database, files, as_of, session_id, batch_rows=self._batch_rows, permission=self._permission
            )
            self._failpoint("files written")
            name, changed = self._choose_name(as_of, session_id, manifest)
            if changed:
                self._store.place(files, name, self._failpoint)
                self._failpoint("export placed")
            pointer = exports.json_bytes(exports.pointer_of(name, manifest))
            self._store.point(name, pointer, workspace, self._failpoint)
            self._failpoint("latest moved")
            removed = self._remove_superseded(name, database, workspace)
        details = {
            "export": name,
            "bytes": {file: entry["bytes"] for file, entry in manifest["files"].items()},
            "exports_removed": removed,
        }
        left_out = manifest.get("left_out", {})
        return Delivery(self.name, self._store.describe(name), manifest["rows"], changed, details, left_out)

    def holding(self, holds: Callable[[Path], bool]) -> list[StoredExport]:
        """Exports whose attributes ``holds`` finds somebody in."""
        with _workspace(self._scratch, "erasure") as workspace:
            return [export for export in self._store.exports() if holds(self._store.fetched(export, workspace))]

    def erase(self, database: Database, held: Sequence[StoredExport]) -> None:
        """Remove exports; the latest is written anew first, from what is published now."""
        latest = max(self._store.exports(), key=lambda export: (export.written_at, export.name))
        if latest in held:
            self.deliver(database, latest.session_id)
        # The delivery removes some of them itself.
        left = {export.name for export in self._store.exports()}
        for export in held:
            if export.name in left:
                self._store.remove(export)
                self._failpoint("held export removed")

    def _choose_name(self, as_of: date, session_id: str, manifest: Mapping[str, Any]) -> tuple[str, bool]:
        present = {export.name: export for export in self._store.exports()}
        attempt = 1
        while True:
            name = exports.export_name(as_of, session_id, attempt)
            export = present.get(name)
            if export is not None and export.manifest == manifest and self._store.is_whole(export):
                return name, False
            if export is None and self._store.is_free(name):
                return name, True
            attempt += 1

    def _remove_superseded(self, current: str, database: Database, workspace: Path) -> int:
        present = self._store.exports()
        old = exports.superseded(present, current, self._keep)
        # Who was erased from the orders, or may not be exported any more, is not kept in older exports either.
        others = [one for one in present if one not in old and one.name != current]
        old += [
            one for one in others if self._holds_gone(one, database) or self._holds_left_out(one, database, workspace)
        ]
        for export in old:
            self._store.remove(export)
            self._failpoint("old export removed")
        return len(old)

    def _holds_gone(self, export: StoredExport, database: Database) -> bool:
        path = self._store.readable(export)
        if path is None or not database.has_table(ORDERS.path):
            return False
        found = database.row(render("audience/gone_customers", attributes=str(path), orders=ORDERS.path))
        return bool(found["gone"])

    def _holds_left_out(self, export: StoredExport, database: Database, workspace: Path) -> bool:
        if self._permission is None:
            return False
        if not self._store.is_whole(export):
            return True  # nobody can tell who is in it
        return bool(self._permission.left_out(database, file=self._store.fetched(export, workspace)))


class FolderStore:
    """Exports in a folder. A folder appears by one rename; the link and the pointer file are swapped by rename."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def exports(self) -> list[StoredExport]:
        """See :class:`ExportStore`."""
        found = []
        for path in sorted(self._folder.iterdir()):
            manifest_path = path / exports.MANIFEST
            if path.is_symlink() or path.name.startswith(".") or not manifest_path.is_file():
                continue
            manifest = exports.parse_manifest(manifest_path.read_bytes())
            if manifest is not None:
                found.append(StoredExport(path.name, manifest, manifest_path.stat().st_mtime))
        return found

    def is_whole(self, export: StoredExport) -> bool:
        """See :class:`ExportStore`."""
        folder = self._folder / export.name
        sizes = {name: entry["bytes"] for name, entry in export.manifest["files"].items()}
        return all((folder / name).is_file() and (folder / name).stat().st_size == sizes[name] for name in sizes)

    def is_free(self, name: str) -> bool:
        """See :class:`ExportStore`."""
        return not os.path.lexists(self._folder / name)

    def place(self, files: Path, name: str, failpoint: Failpoint) -> None:
        """See :class:`ExportStore`."""
        for path in files.iterdir():
            flush(path)
        flush(files)
        failpoint("files flushed")
        files.rename(self._folder / name)
        flush(self._folder)

    def point(self, name: str, pointer: bytes, scratch: Path, failpoint: Failpoint) -> None:
        """See :class:`ExportStore`.

        Raises ``ExportError`` if ``latest`` is a real folder, which this project never makes.
        """
        written = scratch / exports.POINTER
        written.write_bytes(pointer)
        flush(written)
        written.replace(self._folder / exports.POINTER)
        failpoint("pointer moved")
        link, latest = scratch / exports.LINK, self._folder / exports.LINK
        if latest.is_dir() and not latest.is_symlink():
            raise ExportError(f"{latest} is a folder, and the link to the latest export belongs there: move it away")
        # Relative to the folder it is renamed into, so that the whole tree can be moved or mounted elsewhere.
        link.symlink_to(name, target_is_directory=True)
        link.replace(latest)
        flush(self._folder)

    def remove(self, export: StoredExport) -> None:
        """See :class:`ExportStore`."""
        folder = self._folder / export.name
        # The manifest goes last: an interrupted removal is still known as ours, and ends next time.
        for name in (*exports.DATA_FILES, exports.MANIFEST):
            (folder / name).unlink(missing_ok=True)
        try:
            folder.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    def describe(self, name: str) -> str:
        """See :class:`ExportStore`."""
        return str(self._folder / name)

    def readable(self, export: StoredExport) -> Path | None:
        """See :class:`ExportStore`."""
        path = self._folder / export.name / exports.PARQUET
        return path if path.is_file() else None

    def fetched(self, export: StoredExport, scratch: Path) -> Path:
        """See :class:`ExportStore`."""
        del scratch
        return self._folder / export.name / exports.PARQUET


@contextmanager
def _workspace(parent: Path, name: str) -> Iterator[Path]:
    """Make a hidden folder for files on their way; removed at the end, as are those of processes that died.

    A live process holds a lock on its folder, which ends with it, so that two exports at once leave each other alone.
    """
    parent.mkdir(parents=True, exist_ok=True)
    workspace = parent / f"{_INCOMING}{name}"
    with ExitStack() as stack:
        # Held from the clean-up to the new folder's lock, or the clean-up of another process could fall in between.
        with locked(parent):
            for path in parent.glob(f"{_INCOMING}*"):
                try:
                    with locked(path, wait=False):
                        shutil.rmtree(path)
                except BlockingIOError:
                    if path == workspace:
                        raise ExportError(
                            f"{path} is in use: another process exports this session, wait for it"
                        ) from None
            workspace.mkdir()
            stack.enter_context(locked(workspace))
        try:
            yield workspace
        finally:
            shutil.rmtree(workspace)
