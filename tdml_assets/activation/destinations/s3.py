"""Destination ``s3``: Parquet or CSV in a bucket, a partition per session, and a pointer to the latest.

Belongs here: objects and their names, and what S3's errors mean. Does not: credentials, which are boto3's own.

    <url>/session=<session id>/part-<batch>.parquet       in mode replace every customer, in mode upsert those that changed
    <url>/session=<session id>/manifest.json              written behind the parts: names, bytes and rows
    <url>/latest.json                                     written last: what it names is complete at every instant

A batch has a name of its own that a second attempt gives it again, so that no row is there twice.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from tdml_assets.activation.protocol import Batch, Client, DestinationError, Opening, Receipt, TransientError
from tdml_assets.declaration.addresses import has_credentials
from tdml_assets.declaration.destinations import DestinationSettings, Mode

_REMEDIES = {
    "NoSuchBucket": "there is no such bucket: create it, or correct url",
    "AccessDenied": "access is denied: allow s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on the prefix",
    "InvalidAccessKeyId": "the access key is not known there: correct the credentials",
    "SignatureDoesNotMatch": "the secret key is wrong: correct the credentials",
    "ExpiredToken": "the credentials have expired: renew them",
    "PermanentRedirect": "the bucket is in another region: set s3.region_name",
}
_TRANSIENT = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "ThrottlingException"}


class S3(DestinationSettings):
    """Files in a bucket."""

    modes: ClassVar[tuple[Mode, ...]] = ("upsert", "replace")
    removes: ClassVar[bool] = False

    kind: Literal["s3"] = "s3"
    mode: Mode = Field(default="replace", description="replace: every customer; upsert: only those that changed.")
    url: str = Field(description="s3://bucket/prefix.")
    format: Literal["parquet", "csv"] = Field(default="parquet", description="Format of the parts.")
    batch_rows: int = Field(default=200_000, ge=1, le=1_000_000, description="Rows of one part.")

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


class S3Client:
    """Writes parts."""

    def __init__(self, settings: S3, opening: Opening) -> None:
        self._settings, self._opening = settings, opening
        bucket, _, prefix = settings.url.removeprefix("s3://").partition("/")
        self._bucket, self._prefix = bucket, prefix
        self._partition = f"{prefix}/session={opening.session_id or 'none'}"
        self._rows: dict[str, int] = {}
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

    def send(self, batch: Batch) -> Receipt:
        """Write one part."""
        name = f"{self._partition}/part-{batch.idempotency_key[:20]}.{self._settings.format}"
        with self.explained():
            self._s3.put_object(
                Bucket=self._bucket, Key=name, Body=self._content(batch), Metadata={"rows": str(batch.rows.num_rows)}
            )
        self._rows[name] = batch.rows.num_rows
        return Receipt()

    def finish(self) -> Mapping[str, Any]:
        """Write the manifest, then the pointer; nothing where nothing was sent."""
        if not self._rows:
            return {"location": self._settings.url}
        with self.explained():
            parts = self._parts()
            manifest = {
                "format": 1,
                "session_id": self._opening.session_id,
                "as_of": self._opening.as_of,
                "mode": self._settings.mode,
                "key": self._settings.key,
                "rows": sum(part["rows"] for part in parts),
                "columns": [
                    {"name": self._settings.key, "type": "VARCHAR"},
                    *({"name": c.name, "type": c.type} for c in self._opening.columns),
                ],
                "parts": parts,
            }
            key = f"{self._partition}/manifest.json"
            self._put_json(key, manifest)
            pointer = {name: manifest[name] for name in ("format", "session_id", "as_of", "mode", "rows")}
            self._put_json(f"{self._prefix}/latest.json", {**pointer, "manifest": f"s3://{self._bucket}/{key}"})
        return {"location": f"s3://{self._bucket}/{self._partition}", "rows": manifest["rows"]}

    def _parts(self) -> list[dict[str, Any]]:
        """Parts of the session. Of a replacement those of this sync alone; others, of an attempt that was killed, go."""
        found = []
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._partition}/part-"
        )
        for item in [item for page in pages for item in page.get("Contents", ())]:
            name = item["Key"]
            if name not in self._rows and self._settings.mode == "replace":
                self._s3.delete_object(Bucket=self._bucket, Key=name)
                continue
            rows = self._rows.get(name)
            if rows is None:
                rows = int(self._s3.head_object(Bucket=self._bucket, Key=name)["Metadata"]["rows"])
            found.append({"name": name.rpartition("/")[2], "bytes": item["Size"], "rows": rows})
        return sorted(found, key=lambda part: str(part["name"]))

    def _content(self, batch: Batch) -> bytes:
        target = io.BytesIO()
        if self._settings.format == "parquet":
            import pyarrow.parquet as pq

            pq.write_table(batch.rows, target, compression="zstd")
        else:
            import pyarrow.csv as pa_csv

            pa_csv.write_csv(batch.rows, target)
        return target.getvalue()

    def _put_json(self, key: str, content: Mapping[str, Any]) -> None:
        body = json.dumps(content, indent=1, default=str).encode()
        self._s3.put_object(
            Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", CacheControl="no-cache"
        )

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
