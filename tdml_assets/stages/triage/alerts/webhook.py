"""Alerts as JSON posted to an address, for chat systems, pagers and one's own services.

Elsewhere: what the alert says (``messages.py``).

The address is a secret. No redirect is followed: a secret in the address or the header would go to another place.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from tdml_assets.declaration.alerts import WebhookAlerts
from tdml_assets.platform.remote_errors import TRANSIENT_STATUS, retry_after
from tdml_assets.stages.triage.alerts.channels import AlertDelivery, Refusal, attempted
from tdml_assets.stages.triage.alerts.messages import Alert

_HERE = {"localhost", "127.0.0.1", "::1"}
_CAUSES = {
    400: "the server does not understand the alert",
    401: "the server asks for a token, or for another one",
    403: "the server refuses the address or the token",
    404: "there is nothing at the address",
    410: "the address was switched off",
}


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the answer becomes an error with its status."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:  # noqa: ARG002
        return None


_OPENER = urllib.request.build_opener(_Stay)


@dataclass(frozen=True)
class WebhookChannel:
    """One address.

    ``url``, ``token``: secrets; the token None for none. ``variable``: name of the environment variable the address came from:
    errors name it in the address's place.
    """

    url: str = field(repr=False)
    variable: str
    token: str | None = field(default=None, repr=False)
    timeout_seconds: float = 10.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    name: str = "webhook"

    @classmethod
    def of(cls, settings: WebhookAlerts, environment: Mapping[str, str]) -> WebhookChannel:
        """Make it of the settings and the variables they name."""
        token = environment[settings.token_env] if settings.token_env else None
        return cls(environment[settings.url_env], settings.url_env, token, settings.timeout_seconds)

    def send(self, alert: Alert) -> AlertDelivery:
        """Post the alert."""
        body = {"subject": alert.subject, "text": f"{alert.subject}\n{alert.text}", "fields": dict(alert.fields)}
        content = json.dumps({**body, "key": alert.key}).encode()
        return attempted(self.name, lambda: self._post(content, alert.key), self.sleep)

    def _post(self, content: bytes, key: str) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "tdml-assets", "Idempotency-Key": key}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            self._check_address()
            request = urllib.request.Request(self.url, content, headers, method="POST")  # noqa: S310 - checked above
            _OPENER.open(request, timeout=self.timeout_seconds).close()
        except urllib.error.HTTPError as error:
            error.close()
            if 300 <= error.code < 400:
                raise Refusal(f"the address redirects ({error.code}): put the final one into {self.variable}") from None
            cause = _CAUSES.get(error.code, "the server refused it")
            again = error.code in TRANSIENT_STATUS
            wait = retry_after(error.headers.get("Retry-After"))
            raise Refusal(f"{cause} (answer {error.code})", again=again, wait_seconds=wait) from None
        except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
            # Their messages may repeat the address; their kind does not.
            kind = type(getattr(error, "reason", error)).__name__
            raise Refusal(f"no answer from the address in {self.variable} ({kind})", again=True) from None
        except (ValueError, UnicodeError):
            raise Refusal(f"{self.variable} holds no address: https://host/path is needed") from None

    def _check_address(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("no address")
        if self.token and parts.scheme == "http" and parts.hostname not in _HERE:
            raise Refusal(f"the token would be sent readable: put an https address into {self.variable}")
