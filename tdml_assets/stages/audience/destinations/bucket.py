"""Exports in an S3 bucket: what ``files.py`` needs of S3.

An object appears whole or not at all, and a list shows it at once. The manifest is uploaded after the data and
``latest.json`` after the manifest, so that whatever a reader can find is complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tdml_assets.platform.remote_errors import s3_errors, s3_fault
from tdml_assets.stages.audience import exports
from tdml_assets.stages.audience.destinations import Failpoint
from tdml_assets.stages.audience.exports import ExportError, S3Location, StoredExport

_CONTENT_TYPES = {
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/octet-stream",
}
_RIGHTS = "ListBucket, GetObject, PutObject and DeleteObject on the prefix"


class BucketStore:
    """Exports below a prefix of a bucket. See ``ExportStore`` for what the methods promise.

    ``client``: boto3 client for S3. ``location``: bucket and prefix.
    """

    def __init__(self, client: Any, location: S3Location) -> None:
        self._client = client
        self._bucket = location.bucket
        self._root = f"{location.prefix}/{exports.DATASET}".lstrip("/")

    def exports(self) -> list[StoredExport]:
        """Find the exports that this project placed."""
        found = []
        with self._explained("list the exports"):
            for item in self._objects(f"{self._root}/"):
                name, _, file = item["Key"].removeprefix(f"{self._root}/").rpartition("/")
                if file != exports.MANIFEST or not name or "/" in name:
                    continue
                body = self._client.get_object(Bucket=self._bucket, Key=item["Key"])["Body"].read()
                manifest = exports.parse_manifest(body)
                if manifest is not None:
                    found.append(StoredExport(name, manifest, item["LastModified"].timestamp()))
        return found

    def is_whole(self, export: StoredExport) -> bool:
        """Whether every file of the export is there in the size its manifest says."""
        with self._explained("list the export"):
            sizes = {item["Key"]: item["Size"] for item in self._objects(f"{self._root}/{export.name}/")}
        wanted = {self._key(export.name, file): entry["bytes"] for file, entry in export.manifest["files"].items()}
        return all(sizes.get(key) == size for key, size in wanted.items())

    def is_free(self, name: str) -> bool:
        """Whether an export may be placed under this name: leftovers without a manifest were never seen by anybody."""
        with self._explained("list the export"):
            key = self._key(name, exports.MANIFEST)
            return not any(item["Key"] == key for item in self._objects(f"{self._root}/{name}/"))

    def place(self, files: Path, name: str, failpoint: Failpoint) -> None:
        """Upload the files, the manifest last."""
        self._abort_leftovers(name)
        for file in (*exports.DATA_FILES, exports.MANIFEST):
            key, path = self._key(name, file), files / file
            with self._explained(f"upload {file}"):
                extra = {"ContentType": _CONTENT_TYPES[path.suffix]}
                self._client.upload_file(str(path), self._bucket, key, ExtraArgs=extra)
                stored = self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
            if stored != path.stat().st_size:
                raise ExportError(
                    f"s3://{self._bucket}/{key} has {stored} bytes, {path.stat().st_size} were sent: export again"
                )
            failpoint(f"uploaded {file}")

    def point(self, name: str, pointer: bytes, scratch: Path, failpoint: Failpoint) -> None:
        """Replace ``latest.json`` by one write."""
        del name, scratch, failpoint
        with self._explained(f"write {exports.POINTER}"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{self._root}/{exports.POINTER}",
                Body=pointer,
                ContentType=_CONTENT_TYPES[".json"],
                CacheControl="no-cache",
            )

    def remove(self, export: StoredExport) -> None:
        """Delete the objects named in the export's manifest, the manifest last."""
        with self._explained("delete an old export"):
            for file in (*exports.DATA_FILES, exports.MANIFEST):
                self._client.delete_object(Bucket=self._bucket, Key=self._key(export.name, file))

    def describe(self, name: str) -> str:
        """Where a person finds the export."""
        return f"s3://{self._bucket}/{self._root}/{name}"

    def readable(self, export: StoredExport) -> Path | None:  # noqa: ARG002 - the same for every export
        """See :class:`ExportStore`: the warehouse reads no bucket."""
        return None

    def fetched(self, export: StoredExport, scratch: Path) -> Path:
        """Download the attributes."""
        path = scratch / f"{export.name}.parquet"
        with self._explained("read an export"):
            self._client.download_file(self._bucket, self._key(export.name, exports.PARQUET), str(path))
        return path

    def _key(self, name: str, file: str) -> str:
        return f"{self._root}/{name}/{file}"

    def _objects(self, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            yield from page.get("Contents", [])

    def _abort_leftovers(self, name: str) -> None:
        """End uploads in parts that a killed process left: they are invisible and cost money."""
        with self._explained("end unfinished uploads"):
            prefix = f"{self._root}/{name}/"
            try:
                uploads = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=prefix).get("Uploads", [])
                for upload in uploads:
                    self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
            except ClientError as error:
                # Housekeeping only: many policies allow objects and nothing else.
                if error.response["Error"]["Code"] != "AccessDenied":
                    raise

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except s3_errors() as error:
            fault = s3_fault(error, setting="exports_url", rights=_RIGHTS)
            where = f"s3://{self._bucket}/{self._root}"
            raise ExportError(f"cannot {doing} in {where} ({fault.code}): {fault.words}") from error
