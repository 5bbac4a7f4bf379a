"""Exports in an S3 bucket: what ``files.py`` needs of S3.

Elsewhere: requests (``platform/objects.py``), clients and credentials (the s3 resource).

An object appears whole or not at all, and a list shows it at once. The manifest is uploaded after the data and
``latest.json`` after the manifest, so that whatever a reader can find is complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tdml_assets.platform.objects import Bucket
from tdml_assets.platform.remote_errors import StoreError
from tdml_assets.platform.retrying import TransientError
from tdml_assets.stages.audience import exports
from tdml_assets.stages.audience.destinations import Failpoint
from tdml_assets.stages.audience.exports import ExportError, StoredExport

_CONTENT_TYPES = {
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/octet-stream",
}
_RIGHTS = "ListBucket, GetObject, PutObject and DeleteObject on the prefix"


class BucketStore:
    """Exports below a prefix of a bucket. See ``ExportStore`` for what the methods promise.

    ``client``: boto3 client for S3.
    """

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._bucket = Bucket(client, bucket, setting="exports_url", rights=_RIGHTS)
        self._root = f"{prefix}/{exports.DATASET}".lstrip("/")
        self._where = f"s3://{bucket}/{self._root}"

    def exports(self) -> list[StoredExport]:
        """Find the exports that this project placed."""
        found = []
        with self._explained("list the exports"):
            for item in self._bucket.items(f"{self._root}/"):
                name, _, file = item.key.removeprefix(f"{self._root}/").rpartition("/")
                if file != exports.MANIFEST or not name or "/" in name:
                    continue
                manifest = exports.parse_manifest(self._bucket.read(item.key))
                if manifest is not None:
                    found.append(StoredExport(name, manifest, item.modified.timestamp()))
        return found

    def is_whole(self, export: StoredExport) -> bool:
        """Whether every file of the export is there in the size its manifest says."""
        with self._explained("list the export"):
            sizes = {item.key: item.size for item in self._bucket.items(f"{self._root}/{export.name}/")}
        wanted = {self._key(export.name, file): entry["bytes"] for file, entry in export.manifest["files"].items()}
        return all(sizes.get(key) == size for key, size in wanted.items())

    def is_free(self, name: str) -> bool:
        """Whether an export may be placed under this name: leftovers without a manifest were never seen by anybody."""
        with self._explained("list the export"):
            key = self._key(name, exports.MANIFEST)
            return all(item.key != key for item in self._bucket.items(key))

    def place(self, files: Path, name: str, failpoint: Failpoint) -> None:
        """Upload the files, the manifest last."""
        with self._explained("end unfinished uploads"):
            self._bucket.end_uploads(f"{self._root}/{name}/")
        for file in (*exports.DATA_FILES, exports.MANIFEST):
            key, path = self._key(name, file), files / file
            with self._explained(f"upload {file}"):
                self._bucket.upload(path, key, _CONTENT_TYPES[path.suffix])
                stored = self._bucket.look(key)["ContentLength"]
            if stored != path.stat().st_size:
                raise ExportError(
                    f"{self._where}/{name}/{file} has {stored} bytes, {path.stat().st_size} were sent: export again"
                )
            failpoint(f"uploaded {file}")

    def point(self, name: str, pointer: bytes, scratch: Path, failpoint: Failpoint) -> None:
        """Replace ``latest.json`` by one write."""
        del name, scratch, failpoint
        with self._explained(f"write {exports.POINTER}"):
            self._bucket.put(
                f"{self._root}/{exports.POINTER}", pointer, ContentType=_CONTENT_TYPES[".json"], CacheControl="no-cache"
            )

    def remove(self, export: StoredExport) -> None:
        """Delete the objects named in the export's manifest, the manifest last."""
        with self._explained("delete an old export"):
            for file in (*exports.DATA_FILES, exports.MANIFEST):
                self._bucket.delete(self._key(export.name, file))

    def describe(self, name: str) -> str:
        """Where a person finds the export."""
        return f"{self._where}/{name}"

    def readable(self, export: StoredExport) -> Path | None:  # noqa: ARG002 - the same for every export
        """See :class:`ExportStore`: the warehouse reads no bucket."""
        return None

    def fetched(self, export: StoredExport, scratch: Path) -> Path:
        """Download the attributes."""
        path = scratch / f"{export.name}.parquet"

        def take(answer: Mapping[str, Any]) -> None:
            with path.open("wb") as file:
                shutil.copyfileobj(answer["Body"], file)

        with self._explained("read an export"):
            self._bucket.take(self._key(export.name, exports.PARQUET), take)
        return path

    def _key(self, name: str, file: str) -> str:
        return f"{self._root}/{name}/{file}"

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (StoreError, TransientError) as error:
            raise ExportError(f"cannot {doing} in {self._where} ({error.code}): {error}") from error
