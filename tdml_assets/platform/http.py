"""HTTP: one client for sources, destinations and alerts.

Elsewhere: redirects, and what a status means to who asked (``stages/raw/transport.py``, ``activation/http.py``).

The messages of the library repeat addresses, which may hold secrets: an error here names the kind of the failure alone.
"""

from __future__ import annotations

import functools
import io
import math
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from tdml_assets.platform.retrying import TransientError

if TYPE_CHECKING:
    from requests import Response, Session


class AddressError(ValueError):
    """There is no server to ask: what should be an address is none, or its certificate is not trusted."""


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


class Connections:
    """Connections that are kept until :meth:`close`.

    ``named``: what errors call the server. ``timeout_seconds``: for connecting, and for every wait for bytes. ``deadline``: of the
    monotonic clock, for whole answers.
    """

    def __init__(self, named: str, timeout_seconds: float, deadline: float = math.inf) -> None:
        self._named, self._timeout_seconds, self._deadline = named, timeout_seconds, deadline
        self._session = _session(deadline)

    def close(self) -> None:
        """End the connections."""
        self._session.close()

    @contextmanager
    def answer(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[Response]:
        """Ask once, and give the answer, of whatever status, with its body unread; redirects are not followed.

        Raises ``AddressError``; ``TransientError`` where there is no answer or the body breaks off; ``DeadlineError``.
        """
        import requests
        import urllib3

        timeout = max(0.001, min(self._timeout_seconds, self._deadline - time.monotonic()))
        try:
            proxies = requests.utils.get_environ_proxies(url)
            with self._session.request(
                method, url, data=body, headers=headers, timeout=timeout, proxies=proxies, allow_redirects=False, stream=True
            ) as answer:  # fmt: skip
                yield answer
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
            raise AddressError(f"{self._named} is none: https://host/path is needed") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            causes = list(_causes(error))
            if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
                raise AddressError(
                    f"the certificate of {self._named} is not trusted: correct it, or install its authority"
                ) from error
            # What the machine says of a connection, or the class of the error: no message of a library.
            said = (one.strerror for one in causes if isinstance(one, OSError) and not isinstance(one, ssl.SSLError))
            kind = next(filter(None, said), type(error).__name__)
            raise TransientError(f"no answer from {self._named} ({kind})") from None


def _session(deadline: float) -> Session:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    def connections(pool: type[Any]) -> type[Any]:
        response = functools.partial(_TimedResponse, deadline=deadline)
        timed = type("Timed", (pool.ConnectionCls,), {"response_class": staticmethod(response)})
        return type("TimedPool", (pool,), {"ConnectionCls": timed})

    pools = {
        "http": connections(urllib3.HTTPConnectionPool),
        "https": connections(urllib3.HTTPSConnectionPool),
    }

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
            # The authorities of this machine next to those that requests brings along.
            super().init_poolmanager(*arguments, **named, ssl_context=ssl.create_default_context())
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *arguments: Any, **named: Any) -> Any:
            manager = super().proxy_manager_for(*arguments, **named)
            manager.pool_classes_by_scheme = pools
            return manager

    session = requests.Session()
    # No login from files of the machine: what is sent where is declared.
    session.trust_env = False
    # What is stored and hashed is the file, not a packed form of it.
    session.headers["Accept-Encoding"] = "identity"
    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter())
    return session


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
