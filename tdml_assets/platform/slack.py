"""The client of Slack, which is that of dagster-slack's resource.

Elsewhere: messages (``stages/triage/alerts/slack.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slack_sdk import WebClient


def slack_client(token: str) -> WebClient:
    """Make a client for a bot's token; needs the extra ``slack``."""
    # Its import takes half a second, which runs without an alert do not pay.
    from dagster_slack import SlackResource

    return SlackResource(token=token).get_client()
