"""Alerts in a Slack channel. Elsewhere: the client (``platform/slack.py``), what the alert says (``messages.py``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING

from tdml_assets.declaration.alerts import SlackAlerts
from tdml_assets.platform.extras import MissingExtraError, require_extra
from tdml_assets.platform.remote_errors import TRANSIENT_STATUS, retry_after
from tdml_assets.platform.slack import slack_client
from tdml_assets.stages.triage.alerts.channels import AlertDelivery, Refusal, attempted
from tdml_assets.stages.triage.alerts.messages import Alert

if TYPE_CHECKING:
    from slack_sdk import WebClient

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
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    name: str = "slack"

    @classmethod
    def of(cls, settings: SlackAlerts, environment: Mapping[str, str]) -> SlackChannel:
        """Make it of the settings and the variable they name."""
        return cls(settings, environment[settings.token_env])

    def send(self, alert: Alert) -> AlertDelivery:
        """Post the message."""
        words = _message(alert)
        try:
            require_extra("dagster_slack", "slack", "An alert to Slack")
        except MissingExtraError as error:
            detail = str(error)

            def refuse() -> None:
                raise Refusal(detail, again=False)

            return attempted(self.name, refuse, self.sleep)
        client = self._client()
        return attempted(self.name, lambda: self._post(client, words), self.sleep)

    def _client(self) -> WebClient:
        client = slack_client(self.token)
        client.base_url = self.settings.base_url
        client.timeout = self.settings.timeout_seconds
        # One place decides about attempts.
        client.retry_handlers = []
        return client

    def _post(self, client: WebClient, words: str) -> None:
        from slack_sdk.errors import SlackApiError, SlackClientError

        try:
            client.chat_postMessage(channel=self.settings.channel, text=words, unfurl_links=False, unfurl_media=False)
        except SlackApiError as error:
            status = int(getattr(error.response, "status_code", 200))
            wait = retry_after((getattr(error.response, "headers", None) or {}).get("Retry-After"))
            said = error.response.get("error") if status == 200 else None
            remedy = f": {_REMEDIES[said]}" if said in _REMEDIES else ""
            detail = f"Slack refuses the message ({said or status}){remedy}"
            raise Refusal(detail, again=status in TRANSIENT_STATUS, wait_seconds=wait) from None
        except (OSError, HTTPException, SlackClientError) as error:
            raise Refusal(f"no answer from Slack ({type(error).__name__})", again=True) from None


def _message(alert: Alert) -> str:
    fields = "\n".join(f"• {name}: {value}" for name, value in alert.fields)
    # So escaped, nothing in it is a mention, a link or a command to Slack.
    plain = [
        part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for part in (alert.subject, alert.text, fields)
    ]
    return f"*{plain[0]}*\n{plain[1]}\n{plain[2]}"
