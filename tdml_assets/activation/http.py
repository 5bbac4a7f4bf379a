"""HTTP as destinations and alerts need it: one connection that is kept, no redirects, and answers as the core's errors.

Elsewhere: the client (``platform/http.py``), what is asked (``destinations/``), trying again (``platform/retrying.py``).

Addresses and headers may hold secrets, and a server may repeat a row in its answer: an error names the variable that the
address came from, the status, and nothing of the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tdml_assets.activation.protocol import DestinationError, RejectedBatchError, TransientError
from tdml_assets.platform.http import AddressError, Connections
from tdml_assets.platform.remote_errors import HTTP_CAUSES, TRANSIENT_STATUS, retry_after

_HERE = {"localhost", "127.0.0.1", "::1"}


def secret(environment: Mapping[str, str], variable: str) -> str:
    """What an environment variable holds. Raises ``DestinationError`` if it is not set."""
    value = environment.get(variable, "").strip()
    if not value:
        raise DestinationError(f"set {variable} in the environment")
    return value


def checked_address(url: str, variable: str, sent: str | None = "rows") -> str:
    """An address that may be sent what is not for everybody: https, or this machine.

    Raises ``DestinationError`` if it is none. ``sent``: what would be read on the way; None where everybody may read it.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not host:
        raise DestinationError(f"{variable} holds no address: https://host/path is needed")
    if sent and parts.scheme == "http" and host not in _HERE:
        raise DestinationError(f"{sent} would be sent readable: put an https address into {variable}")
    return url


class Http:
    """A connection to one server.

    ``timeout_seconds``: for connecting, and for every wait for bytes. ``variable``: name of the environment variable, or the key of
    the settings, that the address came from.
    """

    def __init__(self, variable: str, timeout_seconds: float) -> None:
        self.variable, self._place = variable, f"the address in {variable}"
        self._http = Connections(self._place, timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        rejects: bool = True,
        allowed: tuple[int, ...] = (),
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask, and read the whole answer.

        Returns status, headers with names in small letters, body. Raises ``TransientError``,
        ``RejectedBatchError`` or ``DestinationError`` as in ``protocol.py``. ``rejects``: whether another 4xx means that the rows
        are refused, as opposed to the request. ``allowed``: statuses that the caller reads itself.
        """
        try:
            with self._http.answer(method, url, body=body, headers=headers) as answer:
                status, content = answer.status_code, answer.content
                found = {name.lower(): value for name, value in answer.headers.items()}
        except AddressError as error:
            raise DestinationError(str(error)) from error
        if status < 300 or status in allowed:
            return status, found, content
        if status in TRANSIENT_STATUS or status >= 500:
            raise TransientError(f"{self._place} answers {status}", retry_after(found.get("retry-after")))
        if status < 400:
            raise DestinationError(f"the address redirects ({status}): put the final one into {self.variable}")
        if status in HTTP_CAUSES:
            raise DestinationError(f"{HTTP_CAUSES[status]} (answer {status}): correct {self.variable} and the secrets")
        if rejects:
            raise RejectedBatchError(str(status), f"refused with answer {status}")
        raise DestinationError(f"{self._place} refuses the request (answer {status})")


def json_of(content: bytes) -> Any:
    """The answer as JSON; None where it is none."""
    try:
        return json.loads(content)
    except ValueError:
        return None
