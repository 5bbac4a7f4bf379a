"""Bytes in an S3 bucket, or a store that speaks S3 with conditional writes. Elsewhere: requests (``platform/objects.py``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from tdml_assets.declaration.retries import Retries
from tdml_assets.models.blobs import Blob, BlobConflictError, BlobMissingError, BlobStoreError
from tdml_assets.platform.objects import Bucket
from tdml_assets.platform.remote_errors import NOT_CONDITIONAL, StoreError
from tdml_assets.platform.retrying import TransientError

_RIGHTS = "s3:GetObject, s3:PutObject and s3:ListBucket on the prefix"


class S3Store:
    """A :class:`~tdml_assets.models.blobs.BlobStore` in an S3 bucket.

    ``client``: boto3 S3 client, whose own retries are off. ``bucket``, ``prefix``: where the store lives. ``deadline_seconds``: how
    long one operation may be tried again. ``orphan_seconds``: how old objects of an unfinished set must be before another content
    may replace them; younger ones may belong to a writer that is still at work.
    """

    def __init__(
        self, client: Any, bucket: str, prefix: str, *, deadline_seconds: float = 60.0, orphan_seconds: float = 900.0
    ) -> None:
        retries = Retries(
            attempts=100, first_pause_seconds=0.2, longest_pause_seconds=5.0, deadline_seconds=deadline_seconds
        )
        self._bucket = Bucket(client, bucket, setting="models_url", rights=_RIGHTS, retries=retries)
        self._prefix = prefix.strip("/")
        self._deadline_seconds, self._orphan_seconds = deadline_seconds, orphan_seconds

    @property
    def url(self) -> str:
        """Bucket and prefix."""
        return f"s3://{self._bucket.name}/{self._prefix}".rstrip("/")

    def read(self, key: str, limit_bytes: int) -> Blob:
        """Read an object; see :class:`~tdml_assets.models.blobs.BlobStore`."""

        def take(answer: Mapping[str, Any]) -> Blob:
            if answer["ContentLength"] > limit_bytes:
                raise BlobStoreError(
                    f"{key} in {self.url} has more than {limit_bytes} bytes: it is not what was stored"
                )
            return Blob(answer["Body"].read(), answer["ETag"])

        with self._explained(f"read {key}"):
            return self._bucket.take(self._key(key), take)

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
            self._put(f"{folder}/{last}", files[last], IfNoneMatch="*")
        except BlobConflictError:
            # Ours, if an earlier attempt was acknowledged by a reply that got lost.
            return self.read(f"{folder}/{last}", 2**31).data == files[last]
        return True

    def swap(self, key: str, data: bytes, expected_tag: str | None) -> str:
        """Put if the tag is still the expected one; see the protocol."""
        condition = {"IfNoneMatch": "*"} if expected_tag is None else {"IfMatch": expected_tag}
        try:
            tag = self._put(key, data, **condition)
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
        self._put(key, data)

    def remove_set(self, folder: str, last: str) -> None:
        """Remove the objects below ``folder``; see the protocol."""
        for name in [last, *(name for name in self.files(folder) if name != last)]:
            with self._explained(f"remove {folder}/{name}"):
                self._bucket.delete(self._key(f"{folder}/{name}"))

    def folders(self, prefix: str) -> list[str]:
        """Names of the folders below ``prefix``; see the protocol."""
        return self._below(prefix)[0]

    def files(self, prefix: str) -> list[str]:
        """Names of the objects below ``prefix``; see the protocol."""
        return self._below(prefix)[1]

    def _below(self, prefix: str) -> list[list[str]]:
        root = self._key(prefix).rstrip("/") + "/" if self._key(prefix) else ""
        with self._explained(f"list {prefix}"):
            found = self._bucket.below(root)
        return [sorted(name for name in names if name and name[0] != ".") for names in found]

    def _put_or_adopt(self, key: str, data: bytes) -> None:
        try:
            self._put(key, data, IfNoneMatch="*")
        except BlobConflictError:
            orphan = self._read_or_none(key, len(data))
            if orphan is None or orphan.data != data:
                self._replace_orphan(key, data)

    def _replace_orphan(self, key: str, data: bytes) -> None:
        with self._explained(f"look at {key}"):
            answer = self._bucket.look(self._key(key))
        # Both times are the store's own: the clock of this machine may be wrong.
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        age_seconds = (now - answer["LastModified"]).total_seconds()
        if age_seconds < self._orphan_seconds:
            raise BlobConflictError(
                f"{key} in {self.url} is {age_seconds:.0f} s old and of another content: another session is writing "
                f"it, or died; run again when it is {self._orphan_seconds:.0f} s old"
            )
        self._put(key, data, IfMatch=str(answer["ETag"]))

    def _put(self, key: str, data: bytes, **condition: str) -> str:
        with self._explained(f"write {key}"):
            return self._bucket.put(self._key(key), data, **condition)

    def _read_or_none(self, key: str, limit_bytes: int) -> Blob | None:
        try:
            return self.read(key, limit_bytes)
        except (BlobMissingError, BlobStoreError):
            return None

    def _require_conditional_writes(self, key: str, data: bytes) -> None:
        """Refuse a store that accepts the condition and ignores it: creating the same object again must fail."""
        try:
            self._put(key, data, IfNoneMatch="*")
        except BlobConflictError:
            return
        raise BlobStoreError(f"{self.url}: {NOT_CONDITIONAL}")

    def _key(self, key: str) -> str:
        return "/".join(part for part in (self._prefix, key) if part)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except TransientError as error:
            raise BlobStoreError(
                f"cannot {what} in {self.url} within {self._deadline_seconds:g} s: {error.reason}; run again later"
            ) from None
        except StoreError as error:
            if error.kind == "missing":
                raise BlobMissingError(f"cannot {what}: there is no such object in {self.url}") from None
            if error.kind == "changed":
                raise BlobConflictError(f"cannot {what}: it was changed by another writer in {self.url}") from None
            raise BlobStoreError(f"cannot {what} in {self.url}: {error.words}") from None
