"""Objects in an S3 bucket: the one place that calls boto3, for sources, models, exports and the destination ``s3``.

Elsewhere: making the client (``s3.py``), what an error means (``remote_errors.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from tdml_assets.declaration.retries import Retries
from tdml_assets.platform.remote_errors import StoreError, s3_errors, s3_fault
from tdml_assets.platform.retrying import Clock, attempted

_Answer = TypeVar("_Answer")

#: Of a request, a download or an upload of one file. Transfers take any time, so that attempts are what ends them.
RETRIES = Retries(attempts=5, first_pause_seconds=0.25, longest_pause_seconds=5.0, deadline_seconds=86_400)
#: Where the caller tries again.
ONCE = Retries(attempts=1)


@dataclass(frozen=True)
class Item:
    """An object in a listing. ``modified``: by the store's clock."""

    key: str
    size: int
    modified: datetime


class Bucket:
    """A bucket. Every method raises ``TransientError`` once it is given up, and ``StoreError`` where waiting mends nothing.

    ``client``: boto3's, whose own attempts are off. ``setting``: key that names the address, for errors. ``rights``: that the
    credentials need, for errors. ``retries``: of every request.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        *,
        setting: str,
        rights: str,
        retries: Retries = RETRIES,
        clock: Clock = Clock(),  # noqa: B008 - frozen
    ) -> None:
        self._client, self.name, self._setting, self._rights = client, name, setting, rights
        self._retries, self._clock = retries, clock

    def read(self, key: str) -> bytes:
        """Content of an object."""
        content: bytes = self.take(key, lambda answer: answer["Body"].read())
        return content

    def take(self, key: str, use: Callable[[Mapping[str, Any]], _Answer]) -> _Answer:
        """Give boto3's answer, its body unread, to ``use``; from the start again where the transfer breaks off."""

        def once() -> _Answer:
            answer = self._client.get_object(Bucket=self.name, Key=key)
            with answer["Body"]:
                return use(answer)

        return self._asked(once)

    def put(self, key: str, content: bytes, **more: Any) -> str:
        """Write an object, all of it or nothing. Returns its tag. ``more``: conditions and headers, as boto3 calls them."""
        answer = self._asked(lambda: self._client.put_object(Bucket=self.name, Key=key, Body=content, **more))
        return str(answer["ETag"])

    def upload(self, path: Path, key: str, content_type: str) -> None:
        """Write a file of any size, in parts where it is large."""
        named = {"ExtraArgs": {"ContentType": content_type}}
        self._asked(lambda: self._client.upload_file(str(path), self.name, key, **named))

    def look(self, key: str) -> dict[str, Any]:
        """What boto3 says of an object."""
        found: dict[str, Any] = self._asked(lambda: self._client.head_object(Bucket=self.name, Key=key))
        return found

    def delete(self, key: str) -> None:
        """Remove an object; none may be there."""
        self._asked(lambda: self._client.delete_object(Bucket=self.name, Key=key))

    def check(self) -> None:
        """Ask whether the bucket is there."""
        self._asked(lambda: self._client.head_bucket(Bucket=self.name))

    def items(self, prefix: str) -> list[Item]:
        """Objects whose keys begin so, by key."""
        pages = self._pages(prefix)
        return [
            Item(one["Key"], one["Size"], one["LastModified"]) for page in pages for one in page.get("Contents", ())
        ]

    def below(self, prefix: str) -> tuple[list[str], list[str]]:
        """Names of the folders and of the objects directly below a prefix, which ends in a slash or is empty."""
        pages = self._pages(prefix, Delimiter="/")
        folders = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", ())]
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return [name.removeprefix(prefix).rstrip("/") for name in folders], [key.removeprefix(prefix) for key in keys]

    def end_uploads(self, prefix: str) -> None:
        """End uploads in parts that a killed process left: they are invisible and cost money."""
        try:
            found = self._asked(lambda: self._client.list_multipart_uploads(Bucket=self.name, Prefix=prefix))
            for upload in found.get("Uploads", ()):
                named = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                self._asked(lambda named=named: self._client.abort_multipart_upload(Bucket=self.name, **named))  # type: ignore[misc]
        except StoreError as error:
            # Housekeeping only: many policies allow objects and nothing else.
            if error.code != "AccessDenied":
                raise

    def _pages(self, prefix: str, **more: str) -> list[dict[str, Any]]:
        paginator = self._client.get_paginator("list_objects_v2")
        return self._asked(lambda: list(paginator.paginate(Bucket=self.name, Prefix=prefix, **more)))

    def _asked(self, call: Callable[[], _Answer]) -> _Answer:
        def once() -> _Answer:
            try:
                return call()
            except s3_errors() as error:
                fault = s3_fault(error, setting=self._setting, rights=self._rights)
            # Outside of the clause: what boto3 raised may quote signed headers, and would be kept as the context.
            raise fault.error

        return attempted(once, self._retries, self._clock)
