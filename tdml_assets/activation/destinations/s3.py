"""Destination ``s3``: Parquet or CSV in a bucket, a partition per session, and a pointer to the latest.

Belongs here: S3's requests, and what its errors mean. Does not: names and manifest (``_parts.py``), credentials, which are
boto3's own.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import Field, field_validator

from tdml_assets.activation.destinations._parts import PartsClient, PartsSettings
from tdml_assets.activation.protocol import Client, DestinationError, Opening, TransientError
from tdml_assets.declaration.addresses import has_credentials

_REMEDIES = {
    "NoSuchBucket": "there is no such bucket: create it, or correct url",
    "AccessDenied": "access is denied: allow s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on the prefix",
    "InvalidAccessKeyId": "the access key is not known there: correct the credentials",
    "SignatureDoesNotMatch": "the secret key is wrong: correct the credentials",
    "ExpiredToken": "the credentials have expired: renew them",
    "PermanentRedirect": "the bucket is in another region: set s3.region_name",
}
_TRANSIENT = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "ThrottlingException"}


class S3(PartsSettings):
    """Files in a bucket."""

    kind: Literal["s3"] = "s3"
    url: str = Field(description="s3://bucket/prefix.")

    @field_validator("url")
    @classmethod
    def _bucket_and_prefix(cls, value: str) -> str:
        if has_credentials(value) or not re.fullmatch(r"s3://[^/?#@]+/[^?#]*[^?#/]", value):
            raise ValueError("write s3://bucket/prefix alone; keys belong into the environment")
        return value

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
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response["Error"].get("Code", ""))
            status = int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))
            code = {"404": "NoSuchBucket", "403": "AccessDenied"}.get(code, code)
            if code in _TRANSIENT or status >= 500 or status == 429:
                raise TransientError(f"the bucket {self._bucket} answers {code or status}") from None
            remedy = _REMEDIES.get(code, "see the server's log")
            raise DestinationError(f"cannot write to {self._settings.url} ({code}): {remedy}") from None
        except BotoCoreError as error:
            kind = type(error).__name__
            if kind in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"):
                raise DestinationError(
                    f"no credentials for {self._settings.url} ({kind}): set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
                ) from None
            raise TransientError(f"no answer from the bucket {self._bucket} ({kind})") from None


DESTINATION = S3
