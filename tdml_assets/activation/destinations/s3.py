"""Destination ``s3``: Parquet or CSV in a bucket, a partition per session, and a pointer to the latest.

Elsewhere: names and manifest (``_parts.py``), credentials, which are boto3's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from pydantic import Field

from tdml_assets.activation.destinations._parts import PartsClient, PartsSettings
from tdml_assets.activation.protocol import Client, DestinationError, Opening, TransientError
from tdml_assets.platform.remote_errors import s3_errors, s3_fault

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
    """Writes parts."""

    def __init__(self, settings: S3, opening: Opening) -> None:
        bucket, _, prefix = settings.url.removeprefix("s3://").partition("/")
        super().__init__(settings, opening, prefix, f"s3://{bucket}/")
        self._settings, self._bucket = settings, bucket
        try:
            self._s3 = opening.s3_client()
        except RuntimeError as error:
            raise DestinationError(str(error)) from None

    def look(self) -> None:
        """Ask for the bucket."""
        self._s3.head_bucket(Bucket=self._bucket)

    def count_sessions(self) -> int:
        """Partitions below the prefix; 1,000 at most."""
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=f"{self._prefix}/session=", Delimiter="/")
        return len(found.get("CommonPrefixes", ()))

    def put(self, name: str, content: bytes, rows: int | None = None) -> None:
        """Write an object; rows are kept with it."""
        if rows is not None:
            self._s3.put_object(Bucket=self._bucket, Key=name, Body=content, Metadata={"rows": str(rows)})
            return
        self._s3.put_object(
            Bucket=self._bucket, Key=name, Body=content, ContentType="application/json", CacheControl="no-cache"
        )

    def get(self, name: str) -> bytes:
        """Read an object."""
        try:
            content: bytes = self._s3.get_object(Bucket=self._bucket, Key=name)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            raise FileNotFoundError(name) from None
        return content

    def names(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Names that begin so, with their bytes."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return ((item["Key"], item["Size"]) for page in pages for item in page.get("Contents", ()))

    def rows_of(self, name: str) -> int:
        """Rows of a part that another attempt wrote."""
        return int(self._s3.head_object(Bucket=self._bucket, Key=name)["Metadata"]["rows"])

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._s3.delete_object(Bucket=self._bucket, Key=name)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Give S3's errors as the core's."""
        try:
            yield
        except s3_errors() as error:
            fault = s3_fault(error, setting="url", rights=_RIGHTS)
            if fault.kind == "transient":
                raise TransientError(f"the bucket {self._bucket}: {fault.words}") from None
            raise DestinationError(f"cannot write to {self._settings.url} ({fault.code}): {fault.words}") from None


DESTINATION = S3
