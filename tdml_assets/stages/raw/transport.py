"""Fetching raw files from S3 and the web into a cache folder.

Elsewhere: local files (``files.py``), requests (``platform/objects.py``, ``platform/http.py``).

The warehouse never fetches anything itself: its extensions for that would have to be downloaded.
A cached file is named by its address and its ETag (or, where the server gives none, its hash), so a changed object is
fetched again and an unchanged one is not. What is half fetched has another name and is never read.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tdml_assets.declaration.addresses import as_request, may_redirect, without_query
from tdml_assets.platform.http import AddressError, Connections, DeadlineError
from tdml_assets.platform.objects import RETRIES, Bucket
from tdml_assets.platform.remote_errors import HTTP_CAUSES, TRANSIENT_STATUS, StoreError, retry_after
from tdml_assets.platform.retrying import Clock, TransientError, attempted
from tdml_assets.stages.raw.folders import natural_order, refuse_table_keys
from tdml_assets.stages.raw.rules import SourceError

if TYPE_CHECKING:
    from requests import Response

_CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 60
_MOST_REDIRECTS = 10
CLOCK = Clock()
#: Endings of a file's name that tell how it is read.
_ENDING = re.compile(r"(\.[A-Za-z0-9]{1,10}){1,2}$")


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

    with _explained(location):
        keys = [item.key for item in _bucket(client, bucket).items(prefix) if not item.key.endswith("/")]
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

    def take(answer: Mapping[str, Any]) -> Path:
        etag, length, chunks = answer["ETag"], answer["ContentLength"], answer["Body"].iter_chunks(_CHUNK_BYTES)
        return _keep(address, chunks, etag=etag, length=length, cache_folder=cache_folder, max_bytes=max_bytes)

    with _explained(address):
        return _bucket(client, bucket).take(key, take)


def _bucket(client: Any, name: str) -> Bucket:
    return Bucket(client, name, setting="path", rights="s3:GetObject and s3:ListBucket on it", clock=CLOCK)


def fetch_http(address: str, cache_folder: Path, *, max_bytes: int, max_seconds: float) -> Path:
    """Bring one file here, unless the same version of it is here already. Returns the path of the copy.

    ``max_seconds`` is for all attempts together.
    """
    shown = without_query(address)
    server = Connections("the server", TIMEOUT_SECONDS, time.monotonic() + max_seconds)

    def attempt() -> Path:
        with _followed(server, address) as answer:
            etag, length = answer.headers.get("ETag"), _length(shown, answer.headers.get("Content-Length"))
            # Figures of a transfer that breaks off are told by what keeps it.
            answer.raw.enforce_content_length = False
            chunks = answer.raw.stream(_CHUNK_BYTES, decode_content=False)
            return _keep(shown, chunks, etag=etag, length=length, cache_folder=cache_folder, max_bytes=max_bytes)

    retries = RETRIES.model_copy(update={"deadline_seconds": max_seconds})
    with _explained(shown), closing(server):
        try:
            return attempted(attempt, retries, CLOCK)
        except DeadlineError:
            raise SourceError(
                f"{shown} did not arrive within {max_seconds:g} seconds: raise max_fetch_seconds of the source, or deliver the "
                "file another way"
            ) from None


@contextmanager
def _followed(server: Connections, address: str) -> Iterator[Response]:
    """The answer at the end of the redirects. Raises ``SourceError`` if one of them leads away from what was declared."""
    shown = without_query(address)
    for _ in range(_MOST_REDIRECTS):
        with server.answer("GET", as_request(address)) as answer:
            if not answer.is_redirect:
                _refuse_status(shown, answer)
                yield answer
                return
            target = urljoin(address, answer.headers["Location"])
        if not may_redirect(address, target):
            parts = urlsplit(target)
            raise SourceError(
                f"{without_query(address)} redirects to {parts.scheme}://{parts.hostname}, and redirects are followed only "
                "on the same host and port, or there from http to https: put the final address into path"
            )
        address = target
    raise SourceError(f"{shown} redirects in a circle: put the final address into path")


def _refuse_status(shown: str, answer: Response) -> None:
    status = answer.status_code
    if status in TRANSIENT_STATUS:
        raise TransientError(f"the server answered {status}", retry_after(answer.headers.get("Retry-After")))
    if status >= 300:
        raise SourceError(f"{shown}: {HTTP_CAUSES.get(status, f'the server answered {status}')}: correct the path")


def _length(shown: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise SourceError(
            f"{shown}: the server's Content-Length is not a number, so that a torn file could not be noticed"
        )
    return int(text)


def _keep(
    address: str, chunks: Iterable[bytes], *, etag: str | None, length: int | None, cache_folder: Path, max_bytes: int
) -> Path:
    """Write ``chunks`` into the cache under its final name, once it is complete."""
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
            for chunk in chunks:
                received += len(chunk)
                if received > max_bytes:
                    raise _too_large(address, received, max_bytes)
                digest.update(chunk)
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        if length is not None and received != length:
            raise TransientError(f"{received:,} of {length:,} bytes arrived")
        version = etag if etag and not etag.startswith("W/") else digest.hexdigest()
        final = cache_folder / f"{place}-{hashlib.sha256(version.encode()).hexdigest()[:16]}{ending}"
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    for older in cache_folder.glob(f"{place}-*"):
        if older != final and older.suffix != ".part":
            older.unlink()
    return final


def _too_large(address: str, size_bytes: int, max_bytes: int) -> SourceError:
    return SourceError(
        f"{address} has {size_bytes / 1e9:.3g} GB or more, the limit is {max_bytes / 1e9:.3g} GB: raise max_file_gb of "
        "the source, or split the file"
    )


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Say what a failure means for the source."""
    try:
        yield
    except (StoreError, AddressError) as error:
        raise SourceError(f"{address}: {error}") from error
    except TransientError as error:
        raise SourceError(
            f"{address} could not be fetched in {error.attempts} attempts: {error.reason}. Try again, or check the address"
        ) from error
