"""Destination ``s3``: Parquet or CSV in a bucket, a partition per session, and a pointer to the latest.

Elsewhere: names and manifest (``_parts.py``), requests (``platform/objects.py``), credentials, which are boto3's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from pydantic import Field

from tdml_assets.activation.destinations._parts import PartsClient, PartsSettings
from tdml_assets.activation.protocol import Client, DestinationError, Opening
from tdml_assets.platform.objects import ONCE, Bucket
from tdml_assets.platform.remote_errors import StoreError

_RIGHTS = "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on the prefix"


class S3(PartsSettings):
    """Files in a bucket."""

    address: ClassVar = (
        r"s3://[^/?#@]+/[^?#]*[^?#/]",
        "write s3://bucket/prefix alone; keys belong into the environment",
    )

    kind: Literal["s3"] = "s3"
    url: str = Field(description="s3://bucket/prefix.")

    @contextmanager
    def open(self, opening: Opening) -> Iterator[Client]:
        """Make the client, and look whether the bucket is there."""
        client = S3Client(self, opening)
        with client.explained():
            client.look()
        yield client

    def check(self, opening: Opening) -> Mapping[str, Any]:
        """Look at the bucket and the prefix; nothing is written."""
        client = S3Client(self, opening)
        with client.explained():
            client.look()
            return {"location": self.url, "sessions_there": client.count_sessions()}


class S3Client(PartsClient):
    """Writes parts. The sync tries again itself, and counts it."""

    def __init__(self, settings: S3, opening: Opening) -> None:
        bucket, _, prefix = settings.url.removeprefix("s3://").partition("/")
        super().__init__(settings, opening, prefix, f"s3://{bucket}/")
        try:
            client = opening.s3_client()
        except RuntimeError as error:
            raise DestinationError(str(error)) from None
        self._bucket = Bucket(client, bucket, setting="url", rights=_RIGHTS, retries=ONCE)
        # Nobody else tries the opening again.
        self._patient = Bucket(client, bucket, setting="url", rights=_RIGHTS)

    def look(self) -> None:
        """Ask for the bucket."""
        self._patient.check()

    def count_sessions(self) -> int:
        """Partitions below the prefix."""
        return sum(name.startswith("session=") for name in self._patient.below(f"{self._prefix}/")[0])

    def put(self, name: str, content: bytes, rows: int | None = None) -> None:
        """Write an object; rows are kept with it."""
        if rows is not None:
            self._bucket.put(name, content, Metadata={"rows": str(rows)})
        else:
            self._bucket.put(name, content, ContentType="application/json", CacheControl="no-cache")

    def get(self, name: str) -> bytes:
        """Read an object."""
        try:
            return self._bucket.read(name)
        except StoreError as error:
            if error.code == "NoSuchKey":
                raise FileNotFoundError(name) from None
            raise

    def names(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Names that begin so, with their bytes."""
        return ((item.key, item.size) for item in self._bucket.items(prefix))

    def rows_of(self, name: str) -> int:
        """Rows of a part that another attempt wrote."""
        return int(self._bucket.look(name)["Metadata"]["rows"])

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._bucket.delete(name)


DESTINATION = S3
