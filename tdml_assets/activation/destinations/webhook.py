"""Destination ``webhook``: batches as JSON, signed, to an address of your own.

Elsewhere: trying again, and finding refused rows (``activation/delivery.py``).

Every request is a POST with this body, and the headers ``Idempotency-Key``, ``X-Tdml-Timestamp`` and ``X-Tdml-Signature``:

    {"version": 1, "destination": "crm", "operation": "upsert", "key": "customer_id", "session_id": "...", "as_of": "2026-06-30",
     "rows": [{"customer_id": "00017", "churn_grade": "A"}]}

The signature is ``v1=`` and the hexadecimal HMAC-SHA256 of timestamp, full stop and body. A receiver that answers 200 with
``{"rejected": [{"index": 3, "code": "no_such_customer"}], "skipped": [5]}`` refuses single rows; an answer of 400 or 422 refuses
the batch, which is then cut in halves until the refused rows are found. A receiver may get a batch twice, with the same key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import Field

from tdml_assets.activation.http import Http, checked_address, json_of, secret
from tdml_assets.activation.protocol import Batch, Client, Opening, Receipt, Rejection
from tdml_assets.declaration.alerts import VariableName
from tdml_assets.declaration.destinations import DestinationSettings

_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,40}")


class Webhook(DestinationSettings):
    """JSON posted to an address."""

    kind: Literal["webhook"] = "webhook"
    url_env: VariableName = Field(description="Environment variable that holds the address.")
    secret_env: VariableName | None = Field(
        default=None, description="Environment variable that holds the secret that requests are signed with."
    )
    token_env: VariableName | None = Field(
        default=None, description="Environment variable that holds a bearer token, where the receiver asks for one."
    )

    @contextmanager
    def open(self, opening: Opening) -> Iterator[Client]:
        """Connect."""
        url = checked_address(secret(opening.environment, self.url_env), self.url_env)
        key = secret(opening.environment, self.secret_env) if self.secret_env else None
        token = secret(opening.environment, self.token_env) if self.token_env else None
        with Http(self.url_env, self.timeout_seconds) as http:
            yield WebhookClient(http, url, opening.name, key, token)


class WebhookClient:
    """Posts batches. ``key``, ``token``: secrets; None for none."""

    def __init__(self, http: Http, url: str, name: str, key: str | None, token: str | None) -> None:
        self._http, self._url, self._name, self._key, self._token = http, url, name, key, token

    def send(self, batch: Batch) -> Receipt:
        """Post one batch."""
        body = json.dumps(
            {
                "version": 1,
                "destination": self._name,
                "operation": batch.operation,
                "key": batch.key,
                "session_id": batch.session_id,
                "as_of": batch.as_of,
                "rows": batch.rows.to_pylist(),
            },
            default=str,
            ensure_ascii=False,
        ).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "tdml-assets",
            "Idempotency-Key": batch.idempotency_key,
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if self._key:
            moment = str(int(time.time()))
            headers["X-Tdml-Timestamp"] = moment
            headers["X-Tdml-Signature"] = signature(self._key, moment, body)
        _, _, content = self._http.request("POST", self._url, body=body, headers=headers)
        return receipt_of(json_of(content), batch.rows.num_rows)

    def finish(self) -> Mapping[str, Any]:
        """Every batch is seen when it is taken. The address itself may be a secret."""
        return {"address_in": self._http.variable}


def signature(key: str, moment: str, body: bytes) -> str:
    """Signature of a request."""
    return "v1=" + hmac.new(key.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def receipt_of(answer: Any, rows: int) -> Receipt:
    """Refused and skipped rows of a receiver's answer; whatever else it holds is not looked at."""
    if not isinstance(answer, dict):
        return Receipt()
    rejected = {}
    found = answer.get("rejected")
    for one in found if isinstance(found, list) else []:
        place = one.get("index") if isinstance(one, dict) else None
        if isinstance(place, int) and not isinstance(place, bool) and 0 <= place < rows:
            # A code is a word of the receiver's; anything longer may repeat a value of the row.
            code = str(one.get("code", "rejected"))
            code = code if _CODE.fullmatch(code) else "rejected"
            rejected[place] = Rejection(code, f"the receiver refuses the row ({code})")
    listed = answer.get("skipped")
    skipped = [
        place
        for place in (listed if isinstance(listed, list) else [])
        if isinstance(place, int) and not isinstance(place, bool) and 0 <= place < rows and place not in rejected
    ]
    return Receipt(rejected, skipped)


DESTINATION = Webhook
