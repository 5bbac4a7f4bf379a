"""Alerts as JSON posted to an address, for chat systems, pagers and one's own services.

Elsewhere: what the alert says (``messages.py``), what an answer means (``activation/http.py``).

The address is a secret. No redirect is followed: a secret in the address or the header would go to another place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tdml_assets.activation.http import Http, checked_address
from tdml_assets.declaration.alerts import WebhookAlerts
from tdml_assets.platform.retrying import Clock
from tdml_assets.stages.triage.alerts.channels import AlertDelivery, attempted
from tdml_assets.stages.triage.alerts.messages import Alert


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
    clock: Clock = field(default_factory=Clock, repr=False)
    name: str = "webhook"

    @classmethod
    def of(cls, settings: WebhookAlerts, environment: Mapping[str, str]) -> WebhookChannel:
        """Make it of the settings and the variables they name."""
        token = environment[settings.token_env] if settings.token_env else None
        return cls(environment[settings.url_env], settings.url_env, token, settings.timeout_seconds)

    def send(self, alert: Alert) -> AlertDelivery:
        """Post the alert."""
        return attempted(self.name, lambda: self._post(alert), self.clock)

    def _post(self, alert: Alert) -> None:
        url = checked_address(self.url, self.variable, sent="the token" if self.token else None)
        body = {"subject": alert.subject, "text": f"{alert.subject}\n{alert.text}", "fields": dict(alert.fields)}
        headers = {"Content-Type": "application/json", "User-Agent": "tdml-assets", "Idempotency-Key": alert.key}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        content = json.dumps({**body, "key": alert.key}).encode()
        with Http(self.variable, self.timeout_seconds) as http:
            http.request("POST", url, body=content, headers=headers, rejects=False)
