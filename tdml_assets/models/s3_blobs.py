"""Bytes in an S3 bucket, or a store that speaks S3 with conditional writes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

from tdml_assets.models.blobs import Blob, BlobConflictError, BlobMissingError, BlobStoreError
from tdml_assets.platform.remote_errors import NOT_CONDITIONAL, s3_errors, s3_fault

_Answer = TypeVar("_Answer")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
_RIGHTS = "s3:GetObject, s3:PutObject and s3:ListBucket on the prefix"


class S3Store:
    """A :class:`~tdml_assets.models.blobs.BlobStore` in an S3 bucket.

    ``client``: boto3 S3 client; its own retries should be off, because they know no deadline. ``bucket``, ``prefix``: where the
    store lives. ``deadline_seconds``: how long one operation may be retried. ``orphan_seconds``: how old objects of an
    unfinished set must be before another content may replace them; younger ones may belong to a writer that is still at work.
    """

    def __init__(
        self, client: Any, bucket: str, prefix: str, *, deadline_seconds: float = 60.0, orphan_seconds: float = 900.0
    ) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix.strip("/")
        self._deadline_seconds, self._orphan_seconds = deadline_seconds, orphan_seconds

    @property
    def url(self) -> str:
        """Bucket and prefix."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def read(self, key: str, limit_bytes: int) -> Blob:
        """Read an object; see :class:`~tdml_assets.models.blobs.BlobStore`."""

        def read() -> Blob:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key))
            with answer["Body"] as body:
                data = body.read() if answer["ContentLength"] <= limit_bytes else None
            if data is None:
                raise BlobStoreError(
                    f"{key} in {self.url} has more than {limit_bytes} bytes: it is not what was stored"
                )
            return Blob(data, answer["ETag"])

        return self._retried(f"read {key}", read)

    def create_set(self, folder: str, files: Mapping[str, bytes], last: str) -> bool:
        """Put every object only if it is new, ``last`` at the end; see the protocol.

        Objects of a writer that was killed before ``last`` are orphans: equal ones are kept, others replaced once they
        are old. Of two writers at once the one that has the first object goes on, because all write in order of name.
        """
        if last in self.files(folder):
            return False
        for name in sorted(set(files) - {last}):
            self._put_or_adopt(f"{folder}/{name}", files[name])
        try:
            self._put(f"{folder}/{last}", files[last], {"IfNoneMatch": "*"})
        except BlobConflictError:
            # Ours, if an earlier attempt was acknowledged by a reply that got lost.
            return self.read(f"{folder}/{last}", 2**31).data == files[last]
        return True

    def swap(self, key: str, data: bytes, expected_tag: str | None) -> str:
        """Put if the tag is still the expected one; see the protocol."""
        condition = {"IfNoneMatch": "*"} if expected_tag is None else {"IfMatch": expected_tag}
        try:
            tag = self._put(key, data, condition)
        except BlobConflictError:
            found = self._read_or_none(key, len(data))
            # Ours, if an earlier attempt was acknowledged by a reply that got lost.
            if found is None or found.data != data:
                raise
            return found.tag
        except BlobMissingError:
            raise BlobConflictError(f"{key} in {self.url} was removed by another writer") from None
        if expected_tag is None:
            self._require_conditional_writes(key, data)
        return tag

    def replace(self, key: str, data: bytes) -> None:
        """Put without a condition; see the protocol."""
        self._put(key, data, {})

    def remove_set(self, folder: str, last: str) -> None:
        """Remove the objects below ``folder``; see the protocol."""
        for name in [last, *(name for name in self.files(folder) if name != last)]:
            self._retried(f"remove {folder}/{name}", partial(self._delete, f"{folder}/{name}"))

    def folders(self, prefix: str) -> list[str]:
        """Names of the folders below ``prefix``; see the protocol."""
        return self._names(prefix, "CommonPrefixes", "Prefix")

    def files(self, prefix: str) -> list[str]:
        """Names of the objects below ``prefix``; see the protocol."""
        return self._names(prefix, "Contents", "Key")

    def _names(self, prefix: str, group: str, field: str) -> list[str]:
        root = self._key(prefix).rstrip("/") + "/" if self._key(prefix) else ""

        def names() -> list[str]:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=root, Delimiter="/"
            )
            return [item[field].removeprefix(root).rstrip("/") for page in pages for item in page.get(group, [])]

        return sorted(name for name in self._retried(f"list {prefix}", names) if name and name[0] != ".")

    def _put_or_adopt(self, key: str, data: bytes) -> None:
        try:
            self._put(key, data, {"IfNoneMatch": "*"})
        except BlobConflictError:
            orphan = self._read_or_none(key, len(data))
            if orphan is None or orphan.data != data:
                self._replace_orphan(key, data)

    def _replace_orphan(self, key: str, data: bytes) -> None:
        def look() -> tuple[str, float]:
            answer = self._client.head_object(Bucket=self._bucket, Key=self._key(key))
            # Both times are the store's own: the clock of this machine may be wrong.
            now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
            return str(answer["ETag"]), (now - answer["LastModified"]).total_seconds()

        tag, age_seconds = self._retried(f"look at {key}", look)
        if age_seconds < self._orphan_seconds:
            raise BlobConflictError(
                f"{key} in {self.url} is {age_seconds:.0f} s old and of another content: another session is writing "
                f"it, or died; run again when it is {self._orphan_seconds:.0f} s old"
            )
        self._put(key, data, {"IfMatch": tag})

    def _delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=self._key(key))

    def _put(self, key: str, data: bytes, condition: Mapping[str, str]) -> str:
        def put() -> str:
            answer = self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=data, **condition)
            return str(answer["ETag"])

        return self._retried(f"write {key}", put)

    def _read_or_none(self, key: str, limit_bytes: int) -> Blob | None:
        try:
            return self.read(key, limit_bytes)
        except (BlobMissingError, BlobStoreError):
            return None

    def _require_conditional_writes(self, key: str, data: bytes) -> None:
        """Refuse a store that accepts the condition and ignores it: creating the same object again must fail."""
        try:
            self._put(key, data, {"IfNoneMatch": "*"})
        except BlobConflictError:
            return
        raise BlobStoreError(f"{self.url}: {NOT_CONDITIONAL}")

    def _key(self, key: str) -> str:
        return "/".join(part for part in (self._prefix, key) if part)

    def _retried(self, what: str, call: Callable[[], _Answer]) -> _Answer:
        deadline = time.monotonic() + self._deadline_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return call()
            except s3_errors() as error:
                fault = s3_fault(error, setting="models_url", rights=_RIGHTS)
            if fault.kind == "missing":
                raise BlobMissingError(f"cannot {what}: there is no such object in {self.url}")
            if fault.kind == "changed":
                raise BlobConflictError(f"cannot {what}: it was changed by another writer in {self.url}")
            if fault.kind == "refused":
                raise BlobStoreError(f"cannot {what} in {self.url}: {fault.words}")
            wait = random.uniform(0.5, 1.0) * pause  # noqa: S311 - jitter, not a secret
            if time.monotonic() + wait > deadline:
                raise BlobStoreError(
                    f"cannot {what} in {self.url} within {self._deadline_seconds:g} s: {fault.words}; run again later"
                )
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
