"""Destination ``sfmc``: a data extension of Salesforce Marketing Cloud, by its asynchronous REST interface.

Elsewhere: trying again, and finding refused rows (``activation/delivery.py``).

What the interface does, and what follows from it:

* A token lives some 18 minutes, and there is one per 20 minutes: it is kept, and fetched anew when it ends or is refused. * The
answer 202 says that rows were queued, no more: the sync waits for the end of the request. * A request that is not known yet is
asked for again, and so is one whose status is Error, which may still succeed. * Results are pages of 50, and name no row: a
request with refused rows is cut in halves until they are found. Rows that met a deadlock   are sent again, since most of them
are there. * Rows are added and updated, never removed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, field_validator

from tdml_assets.activation.http import Http, checked_address, json_of, secret
from tdml_assets.activation.protocol import (
    Batch,
    DestinationError,
    Opening,
    Receipt,
    RejectedBatchError,
    TransientError,
)
from tdml_assets.declaration.alerts import VariableName
from tdml_assets.declaration.destinations import DestinationSettings, Mode, SyncRetries

_DONE = ("complete", "completed")
_DEADLOCK = "rerun the transaction"
#: Of one request, by the documents of the interface.
MOST_BYTES = 5_000_000
_PAGE_ROWS = 50


class Sfmc(DestinationSettings):
    """A data extension of Salesforce Marketing Cloud."""

    modes: ClassVar[tuple[Mode, ...]] = ("upsert",)
    removes: ClassVar[bool] = False

    kind: Literal["sfmc"] = "sfmc"
    sync_retries: SyncRetries = Field(
        default=SyncRetries(first_pause_seconds=60), description="When a sync that failed is started again."
    )
    auth_url_env: VariableName = Field(
        description="Environment variable that holds the authentication base URI: https://<subdomain>.auth.marketingcloudapis.com."
    )
    client_id_env: VariableName = Field(description="Environment variable that holds the client id of the package.")
    client_secret_env: VariableName = Field(description="Environment variable that holds its secret.")
    account_id: str | None = Field(default=None, description="MID of the business unit, where it is not the package's.")
    data_extension: str = Field(description="External key of the data extension.")
    key: str = Field(default="SubscriberKey", min_length=1, description="Its primary key.")
    batch_rows: int = Field(default=28_000, ge=1, le=30_000, description="Rows of one request; 30,000 at most.")
    poll_seconds: float = Field(default=5.0, gt=0, le=600, description="Pause between two looks at a request.")
    most_poll_seconds: float = Field(default=1800.0, gt=0, le=86400, description="How long a request may take.")

    @field_validator("data_extension")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        if not value or any(letter in value for letter in ":/?#") or value != value.strip():
            raise ValueError("write the external key of the data extension, without colon or slash")
        return value

    @contextmanager
    def open(self, opening: Opening) -> Iterator[SfmcClient]:
        """Make the client; the token is fetched by its first request."""
        auth_url = checked_address(secret(opening.environment, self.auth_url_env), self.auth_url_env)
        login = {
            "grant_type": "client_credentials",
            "client_id": secret(opening.environment, self.client_id_env),
            "client_secret": secret(opening.environment, self.client_secret_env),
            **({"account_id": self.account_id} if self.account_id else {}),
        }
        with Http(self.auth_url_env, self.timeout_seconds) as http:
            yield SfmcClient(self, http, auth_url.rstrip("/"), login)

    def check(self, opening: Opening) -> Mapping[str, Any]:
        """Fetch a token; the interface shows a data extension's rights to nobody who does not write."""
        with self.open(opening) as client:
            return client.look()


@dataclass(frozen=True)
class _Token:
    text: str
    rest_url: str
    ends: float


class SfmcClient:
    """Upserts batches. ``login``: a secret."""

    def __init__(self, settings: Sfmc, http: Http, auth_url: str, login: Mapping[str, str]) -> None:
        self._settings, self._http, self._auth_url, self._login = settings, http, auth_url, login
        self._token: _Token | None = None
        self._requests = 0

    def look(self) -> dict[str, Any]:
        """Whether the credentials give a token."""
        self._valid_token()
        return {"data_extension": self._settings.data_extension, "credentials": "accepted"}

    def send(self, batch: Batch) -> Receipt:
        """Upsert one batch, and wait until it is done."""
        body = json.dumps({"items": batch.rows.to_pylist()}, default=str, ensure_ascii=False).encode()
        if len(body) > MOST_BYTES and batch.rows.num_rows > 1:
            raise RejectedBatchError("too_large", f"the request would have more than {MOST_BYTES:,} bytes")
        place = f"/data/v1/async/dataextensions/key:{quote(self._settings.data_extension, safe='')}/rows"
        answer = self._asked("PUT", place, body)
        request = answer.get("requestId") if isinstance(answer, dict) else None
        if not isinstance(request, str) or not request:
            raise TransientError("the interface queued rows and named no request")
        self._requests += 1
        if self._has_errors(request):
            self._judge(request)
        return Receipt()

    def finish(self) -> Mapping[str, Any]:
        """Every request is done by now."""
        return {"data_extension": self._settings.data_extension, "requests": self._requests}

    def _has_errors(self, request: str) -> bool:
        """Wait for the end of a request; gives whether rows were refused."""
        ends = time.monotonic() + self._settings.most_poll_seconds
        while True:
            found = self._asked("GET", f"/data/v1/async/{quote(request, safe='')}/status", absent=True)
            status = found.get("status") if isinstance(found, dict) else None
            if isinstance(status, dict):
                echoed = status.get("requestId", request)
                state = str(status.get("requestStatus", "")).lower()
                if state in _DONE and echoed == request:
                    return bool(status.get("hasErrors")) or "error" in str(status.get("resultStatus", "")).lower()
            if time.monotonic() >= ends:
                raise TransientError(f"a request was not done after {self._settings.most_poll_seconds:g} s")
            time.sleep(self._settings.poll_seconds)

    def _judge(self, request: str) -> None:
        """Read every page of a request's results, and raise what they come to."""
        codes: set[str] = set()
        page, seen, count = 1, 0, 1
        while seen < count:
            place = f"/data/v1/async/{quote(request, safe='')}/results?$page={page}&$pageSize={_PAGE_ROWS}"
            found = self._asked("GET", place)
            items = found.get("items") if isinstance(found, dict) else None
            if not items:
                break
            for item in items:
                if str(item.get("status", "")).lower() == "error" or item.get("errorCode"):
                    if _DEADLOCK in str(item.get("message", "")).lower():
                        raise TransientError("rows met a deadlock there")
                    codes.add(_code(item.get("errorCode")))
            count, seen, page = int(found.get("count", 0)), seen + len(items), page + 1
        named = ", ".join(sorted(codes)[:5]) or "no code"
        raise RejectedBatchError(
            sorted(codes)[0] if codes else "rejected", f"Marketing Cloud refuses the row ({named})"
        )

    def _asked(self, method: str, place: str, body: bytes | None = None, *, absent: bool = False) -> Any:
        """Ask with a token; one that ended on the way is fetched anew once.

        ``absent``: whether 404 only means that there is nothing yet.
        """
        for is_last in (False, True):
            token = self._valid_token()
            headers = {"Authorization": f"Bearer {token.text}", "Content-Type": "application/json"}
            status, _, content = self._http.request(
                method, token.rest_url + place, body=body, headers=headers, allowed=(401, 404) if absent else (401,)
            )
            if status != 401:
                return json_of(content) if status != 404 else None
            self._token = None
            if is_last:
                break
        raise DestinationError(
            f"the interface refuses a new token: correct the rights of the package behind {self._settings.client_id_env}"
        )

    def _valid_token(self) -> _Token:
        if self._token is None or time.monotonic() >= self._token.ends:
            body = json.dumps(dict(self._login)).encode()
            headers = {"Content-Type": "application/json"}
            _, _, content = self._http.request(
                "POST", f"{self._auth_url}/v2/token", body=body, headers=headers, rejects=False
            )
            found = json_of(content)
            if not isinstance(found, dict) or not isinstance(found.get("access_token"), str):
                raise DestinationError(f"the address in {self._settings.auth_url_env} gives no token: correct it")
            rest_url = checked_address(str(found.get("rest_instance_url", "")), self._settings.auth_url_env).rstrip("/")
            # A minute early: a token must not end on the way.
            seconds = max(float(found.get("expires_in", 0)) - 60, 1.0)
            self._token = _Token(found["access_token"], rest_url, time.monotonic() + seconds)
        return self._token


def _code(value: Any) -> str:
    """A code as the interface documents them; anything else may repeat a value."""
    text = str(value)
    return text if text.isalnum() and len(text) <= 40 else "rejected"


DESTINATION = Sfmc
