"""HTTP as the destinations need it: one connection that is kept, no redirects, and answers as the core's errors.

Elsewhere: what is asked (``destinations/``), trying again (``delivery.py``).

Addresses and headers may hold secrets, and a server may repeat a row in its answer: an error names the variable that the
address came from, the status, and nothing of the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tdml_assets.activation.delivery import FATAL_STATUS
from tdml_assets.activation.protocol import DestinationError, RejectedBatchError, TransientError
from tdml_assets.platform.remote_errors import TRANSIENT_STATUS, retry_after

_HERE = {"localhost", "127.0.0.1", "::1"}


def secret(environment: Mapping[str, str], variable: str) -> str:
    """What an environment variable holds. Raises ``DestinationError`` if it is not set."""
    value = environment.get(variable, "").strip()
    if not value:
        raise DestinationError(f"set {variable} in the environment")
    return value


def checked_address(url: str, variable: str) -> str:
    """An address that may be sent customers' data: https, or this machine. Raises ``DestinationError`` if it is none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not host:
        raise DestinationError(f"{variable} holds no address: https://host/path is needed")
    if parts.scheme == "http" and host not in _HERE:
        raise DestinationError(f"rows would be sent readable: put an https address into {variable}")
    return url


class Http:
    """A connection to one server.

    ``timeout_seconds``: for connecting, and for every wait for bytes. ``variable``: name of the environment variable that the
    address came from.
    """

    def __init__(self, variable: str, timeout_seconds: float) -> None:
        import requests

        self._session = requests.Session()
        # No proxy or login from files of the machine: what is sent where is declared.
        self._session.trust_env = False
        self.variable, self._timeout_seconds = variable, timeout_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

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
        import requests

        try:
            with self._session.request(
                method,
                url,
                data=body,
                headers=dict(headers or {}),
                timeout=self._timeout_seconds,
                allow_redirects=False,
            ) as answer:
                status, content = answer.status_code, answer.content
                found = {name.lower(): value for name, value in answer.headers.items()}
        except requests.exceptions.SSLError as error:
            raise DestinationError(
                f"the certificate of the address in {self.variable} is not trusted: correct it, or install its authority"
            ) from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
            raise DestinationError(f"{self.variable} holds no address: https://host/path is needed") from error
        except requests.exceptions.RequestException as error:
            # Its message repeats the address; its kind does not.
            raise TransientError(f"no answer from the address in {self.variable} ({type(error).__name__})") from None
        if status < 300 or status in allowed:
            return status, found, content
        self._raise(status, found, rejects=rejects)
        raise AssertionError

    def _raise(self, status: int, headers: Mapping[str, str], *, rejects: bool) -> None:
        if status in TRANSIENT_STATUS or status >= 500:
            raise TransientError(
                f"the address in {self.variable} answers {status}", retry_after(headers.get("retry-after"))
            )
        if 300 <= status < 400:
            raise DestinationError(f"the address redirects ({status}): put the final one into {self.variable}")
        if status in FATAL_STATUS:
            raise DestinationError(f"{FATAL_STATUS[status]} (answer {status}): correct {self.variable} and the secrets")
        if rejects:
            raise RejectedBatchError(str(status), f"refused with answer {status}")
        raise DestinationError(f"the address in {self.variable} refuses the request (answer {status})")


def json_of(content: bytes) -> Any:
    """The answer as JSON; None where it is none."""
    try:
        return json.loads(content)
    except ValueError:
        return None
