"""Alerts in a Slack channel. Elsewhere: what the alert says (``messages.py``), what a status means (``activation/http.py``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tdml_assets.activation.http import Http, json_of
from tdml_assets.activation.protocol import DestinationError
from tdml_assets.declaration.alerts import SlackAlerts
from tdml_assets.platform.retrying import Clock
from tdml_assets.stages.triage.alerts.channels import AlertDelivery, attempted
from tdml_assets.stages.triage.alerts.messages import Alert

_REMEDIES = {
    "channel_not_found": "correct alerts.slack.channel, or invite the bot to it",
    "not_in_channel": "invite the bot to the channel",
    "is_archived": "name another channel",
    "missing_scope": "give the bot the scope chat:write",
    "invalid_auth": "put a valid bot token into the variable",
    "token_revoked": "put a valid bot token into the variable",
    "account_inactive": "put a valid bot token into the variable",
}


@dataclass(frozen=True)
class SlackChannel:
    """One channel of one workspace; ``token`` is a secret."""

    settings: SlackAlerts
    token: str = field(repr=False)
    clock: Clock = field(default_factory=Clock, repr=False)
    name: str = "slack"

    @classmethod
    def of(cls, settings: SlackAlerts, environment: Mapping[str, str]) -> SlackChannel:
        """Make it of the settings and the variable they name."""
        return cls(settings, environment[settings.token_env])

    def send(self, alert: Alert) -> AlertDelivery:
        """Post the message."""
        return attempted(self.name, lambda: self._post(_message(alert)), self.clock)

    def _post(self, words: str) -> None:
        message = {"channel": self.settings.channel, "text": words, "unfurl_links": False, "unfurl_media": False}
        headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {self.token}"}
        url, body = f"{self.settings.base_url}chat.postMessage", json.dumps(message).encode()
        with Http("alerts.slack.base_url", self.settings.timeout_seconds) as http:
            answer = json_of(http.request("POST", url, body=body, headers=headers, rejects=False)[2])
        if not isinstance(answer, dict):
            raise DestinationError("what answers is not Slack: correct alerts.slack.base_url")
        if not answer.get("ok"):
            # Slack refuses with an answer of 200.
            said = str(answer.get("error"))
            remedy = _REMEDIES.get(said, "look the code up in Slack's documents of chat.postMessage")
            raise DestinationError(f"Slack refuses the message ({said}): {remedy}")


def _message(alert: Alert) -> str:
    fields = "\n".join(f"• {name}: {value}" for name, value in alert.fields)
    # So escaped, nothing in it is a mention, a link or a command to Slack.
    plain = [
        part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for part in (alert.subject, alert.text, fields)
    ]
    return f"*{plain[0]}*\n{plain[1]}\n{plain[2]}"
