"""Opening a web address: one deadline for the whole answer, and redirects that stay where they were declared.

Elsewhere: retries, sizes and the cache (``transport.py``), the rule for redirects (``declaration/addresses.py``).
"""

from __future__ import annotations

import functools
import io
import time
import urllib.request
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from tdml_assets.declaration.addresses import may_redirect, without_query
from tdml_assets.stages.raw.rules import SourceError


class DeadlineError(RuntimeError):
    """The whole answer took longer than it may."""


class _TimedReader(io.RawIOBase):
    """A socket's bytes until the deadline. A timeout of the socket alone starts anew with every byte that drips in."""

    def __init__(self, source: Any, deadline: float) -> None:
        self._source, self._deadline = source, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._deadline:
            raise DeadlineError
        count: int | None = self._source.readinto(buffer)
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, deadline: float, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock.makefile("rb", buffering=0), deadline))


def _timed(kind: type[HTTPConnection], deadline: float) -> Any:
    response = functools.partial(_TimedResponse, deadline=deadline)
    return type(f"Timed{kind.__name__}", (kind,), {"response_class": staticmethod(response)})


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._connection = _timed(HTTPConnection, deadline)

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self._connection, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._connection = _timed(HTTPSConnection, deadline)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self._connection, req, context=self._context)  # type: ignore[attr-defined]


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows what :func:`may_redirect` allows and names the host of anything else."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        fp.close()  # its body, of any length, would be read otherwise
        if not may_redirect(req.full_url, newurl):
            parts = urlsplit(newurl)
            raise SourceError(
                f"{without_query(req.full_url)} redirects to {parts.scheme}://{parts.hostname}, and redirects are followed only "
                "on the same host and port, or there from http to https: put the final address into path"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_address(address: str, *, timeout_seconds: float, deadline: float) -> Any:
    """Open ``address``; reading raises :class:`DeadlineError` from ``deadline`` (of the monotonic clock) on."""
    opener = urllib.request.build_opener(_Http(deadline), _Https(deadline), _Redirects)
    return opener.open(address, timeout=max(0.001, min(timeout_seconds, deadline - time.monotonic())))
