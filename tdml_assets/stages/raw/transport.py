"""Fetching raw files from S3 and the web into a cache folder.

Elsewhere: local files (``files.py``).

The warehouse never fetches anything itself: its extensions for that would have to be downloaded.
A cached file is named by its address and its ETag (or, where the server gives none, its hash), so a changed object is
fetched again and an unchanged one is not. What is half fetched has another name and is never read.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.util
import os
import random
import re
import shutil
import ssl
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from tdml_assets.declaration.addresses import as_request, without_query
from tdml_assets.platform.remote_errors import TRANSIENT_STATUS, s3_errors, s3_fault
from tdml_assets.stages.raw.folders import natural_order, refuse_table_keys
from tdml_assets.stages.raw.http import DeadlineError, open_address
from tdml_assets.stages.raw.rules import SourceError

_CHUNK_BYTES = 1 << 20
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.2
TIMEOUT_SECONDS = 60
_HTTP_CAUSES = {
    401: "it asks for a login",
    403: "access is refused, or a signed address has expired",
    404: "there is no such file",
}
_REDIRECTS = range(300, 400)
#: Endings of a file's name that tell how it is read.
_ENDING = re.compile(r"(\.[A-Za-z0-9]{1,10}){1,2}$")

Result = TypeVar("Result")


class _Stream(Protocol):
    def read(self, amt: int, /) -> bytes: ...


class _BrokenTransferError(RuntimeError):
    """The transfer failed in a way that another attempt may mend."""


def list_s3(client: Any, location: str, endings: tuple[str, ...], *, recursive: bool = False) -> list[tuple[str, str]]:
    """Bucket and key of every object that ``s3://bucket/key``, a pattern or a prefix ending in ``/`` names, by key.

    ``recursive``: whether a prefix is searched at any depth. Raises ``SourceError`` if there is none, or the bucket cannot be
    listed; each cause in its own words.
    """
    parts = urlsplit(location.replace("?", "%3F").replace("#", "%23"))
    bucket, wanted = parts.netloc, parts.path.lstrip("/").replace("%3F", "?").replace("%23", "#")
    is_folder = not wanted or wanted.endswith("/")
    prefix = re.split(r"[*?\[]", wanted, maxsplit=1)[0]
    if not is_folder and prefix == wanted:
        return [(bucket, wanted)]

    def attempt() -> list[str]:
        with _s3_errors(location):
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]

    keys = _retried(location, attempt)
    if is_folder:
        here = [key for key in keys if recursive or "/" not in key[len(prefix) :]]
        chosen = [key for key in here if key.lower().endswith(endings)]
    else:
        chosen = [key for key in keys if fnmatch.fnmatchcase(key, wanted)]
    if not chosen:
        raise SourceError(
            f"{location} names no object ({len(keys):,} begin with {prefix!r}): correct the path, or upload the files"
        )
    refuse_table_keys(f"s3://{bucket}", chosen, keys)
    return [(bucket, key) for key in sorted(chosen, key=natural_order)]


def fetch_s3(client: Any, bucket: str, key: str, cache_folder: Path, *, max_bytes: int) -> Path:
    """Bring one object here, unless the same version of it is here already. Returns the path of the copy."""
    address = f"s3://{bucket}/{key}"

    def attempt() -> Path:
        with _s3_errors(address):
            answer = client.get_object(Bucket=bucket, Key=key)
        body = answer["Body"]
        try:
            etag, length = answer["ETag"], answer["ContentLength"]
            return _keep(address, body, etag=etag, length=length, cache_folder=cache_folder, max_bytes=max_bytes)
        finally:
            body.close()

    return _retried(address, attempt)


def fetch_http(address: str, cache_folder: Path, *, max_bytes: int, max_seconds: float) -> Path:
    """Bring one file here, unless the same version of it is here already. Returns the path of the copy.

    ``max_seconds`` is for all attempts together.
    """
    shown, requested = without_query(address), as_request(address)
    deadline = time.monotonic() + max_seconds

    def attempt() -> Path:
        failure: Exception
        try:
            with open_address(requested, timeout_seconds=TIMEOUT_SECONDS, deadline=deadline) as answer:
                etag, length = answer.headers.get("ETag"), _length(shown, answer.headers.get("Content-Length"))
                return _keep(shown, answer, etag=etag, length=length, cache_folder=cache_folder, max_bytes=max_bytes)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in TRANSIENT_STATUS:
                failure = _BrokenTransferError(f"the server answered {error.code}")
            elif error.code in _REDIRECTS:
                failure = SourceError(
                    f"{shown} redirects in a circle or to no web address: put the final one into path"
                )
            else:
                cause = _HTTP_CAUSES.get(error.code, f"the server answered {error.code}")
                failure = SourceError(f"{shown}: {cause}: correct the path")
        except DeadlineError:
            failure = SourceError(
                f"{shown} did not arrive within {max_seconds:g} seconds: raise max_fetch_seconds of the source, or deliver the "
                "file another way"
            )
        # Not any OSError: that of a full disk is none of the connection's.
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
            failure = _BrokenTransferError(f"no connection ({_kind(error)})")
        raise failure

    return _retried(shown, attempt)


def _length(shown: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise SourceError(
            f"{shown}: the server's Content-Length is not a number, so that a torn file could not be noticed"
        )
    return int(text)


def _kind(error: Exception) -> str:
    """What went wrong, without the message: that may repeat the address."""
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or type(reason).__name__


def _keep(
    address: str, body: _Stream, *, etag: str | None, length: int | None, cache_folder: Path, max_bytes: int
) -> Path:
    """Stream ``body`` into the cache under its final name, once it is complete."""
    if length is not None and length > max_bytes:
        raise _too_large(address, length, max_bytes)
    place = hashlib.sha256(address.encode()).hexdigest()[:16]
    found = _ENDING.search(urlsplit(address).path)
    ending = found.group() if found else ""
    cache_folder.mkdir(parents=True, exist_ok=True)
    if etag and not etag.startswith("W/"):
        cached = cache_folder / f"{place}-{hashlib.sha256(etag.encode()).hexdigest()[:16]}{ending}"
        if cached.is_file() and length == cached.stat().st_size:
            return cached
    free_bytes = shutil.disk_usage(cache_folder).free
    if length is not None and length > free_bytes:
        raise SourceError(
            f"{address} has {length:,} bytes but {cache_folder} has {free_bytes:,} free: make room, or move TDML_HOME"
        )
    part = cache_folder / f"{place}-{os.getpid()}.part"
    try:
        digest, received = hashlib.sha256(), 0
        with part.open("wb") as stream:
            for chunk in _chunks(body):
                received += len(chunk)
                if received > max_bytes:
                    raise _too_large(address, received, max_bytes)
                digest.update(chunk)
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        if length is not None and received != length:
            raise _BrokenTransferError(f"{received:,} of {length:,} bytes arrived")
        version = etag if etag and not etag.startswith("W/") else digest.hexdigest()
        final = cache_folder / f"{place}-{hashlib.sha256(version.encode()).hexdigest()[:16]}{ending}"
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    for older in cache_folder.glob(f"{place}-*"):
        if older != final and older.suffix != ".part":
            older.unlink()
    return final


def _chunks(body: _Stream) -> Iterator[bytes]:
    broken: tuple[type[Exception], ...] = (*_broken_s3_transfer(), HTTPException, OSError)
    while True:
        try:
            # Where it can be had, what has arrived is taken: a full chunk may drip in for ever.
            chunk = getattr(body, "read1", body.read)(_CHUNK_BYTES)
        except DeadlineError:
            raise
        except broken as error:
            raise _BrokenTransferError(f"the transfer broke off ({type(error).__name__})") from error
        if not chunk:
            return
        yield chunk


def _broken_s3_transfer() -> tuple[type[Exception], ...]:
    """What botocore raises when a transfer breaks off; nothing where it is not installed, and so nothing comes from S3."""
    if importlib.util.find_spec("botocore") is None:
        return ()
    import botocore.exceptions as boto

    return (boto.HTTPClientError, boto.IncompleteReadError)


def _too_large(address: str, size_bytes: int, max_bytes: int) -> SourceError:
    return SourceError(
        f"{address} has {size_bytes / 1e9:.3g} GB or more, the limit is {max_bytes / 1e9:.3g} GB: raise max_file_gb of "
        "the source, or split the file"
    )


def _retried(address: str, attempt: Callable[[], Result]) -> Result:
    cause = ""
    for count in range(ATTEMPTS):
        if count:
            # Jitter, so that runs that failed together do not come back together.
            time.sleep(FIRST_PAUSE_SECONDS * 2 ** (count - 1) * random.uniform(0.5, 1.5))  # noqa: S311
        try:
            return attempt()
        except _BrokenTransferError as error:
            cause = str(error)
    raise SourceError(
        f"{address} could not be fetched in {ATTEMPTS} attempts: {cause}. Try again, or check the address"
    )


@contextmanager
def _s3_errors(address: str) -> Iterator[None]:
    """Turn what boto3 raises into a message that names the cause and the remedy."""
    try:
        yield
    except s3_errors() as error:
        fault = s3_fault(error, setting="path", rights="s3:GetObject and s3:ListBucket on it")
        if fault.kind == "transient":
            raise _BrokenTransferError(fault.words) from error
        raise SourceError(f"{address}: {fault.words}") from error
