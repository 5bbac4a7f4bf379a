"""Sending alerts: every channel the settings name is tried, and none can fail a run.

Elsewhere: what an alert says and when (``messages.py``), how a webhook, a mail server or Slack is spoken to (``webhook.py``,
``email.py``, ``slack.py``).

Addresses, logins and tokens come from the environment; they appear in no :class:`AlertDelivery`, no ``repr`` and no log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tdml_assets.activation.protocol import DestinationError
from tdml_assets.declaration.alerts import Alerts
from tdml_assets.declaration.retries import Retries
from tdml_assets.platform import retrying
from tdml_assets.platform.retrying import Clock, TransientError
from tdml_assets.stages.triage.alerts.messages import Alert

RETRIES = Retries(attempts=4, first_pause_seconds=0.5, longest_pause_seconds=8.0, deadline_seconds=60.0)


@dataclass(frozen=True)
class AlertDelivery:
    """What one channel did with an alert.

    ``channel``: its name. ``sent``: whether the other end took it. ``attempts``: how often it was tried. ``detail``: why not,
    or why only in part, in words; holds no address, login or token.
    """

    channel: str
    sent: bool
    attempts: int = 1
    detail: str = ""


def attempted(channel: str, attempt: Callable[[], str | None], clock: Clock) -> AlertDelivery:
    """Try until it is taken, refused for good, or :data:`RETRIES` says to give up.

    ``attempt``: raises ``TransientError`` or ``DestinationError``; returns what a person should know of a success, if anything.
    """
    number = 0

    def once() -> str | None:
        nonlocal number
        number += 1
        return attempt()

    try:
        detail = retrying.attempted(once, RETRIES, clock)
    except TransientError as error:
        return AlertDelivery(channel, sent=False, attempts=number, detail=error.reason)
    except DestinationError as error:
        return AlertDelivery(channel, sent=False, attempts=number, detail=str(error))
    return AlertDelivery(channel, sent=True, attempts=number, detail=detail or "")


class Log(Protocol):
    """What is asked of a run's log."""

    def warning(self, msg: str, /) -> None:
        """Write a warning."""


class Channel(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """Key under ``alerts`` in the settings."""

    def send(self, alert: Alert) -> AlertDelivery:
        """Send, with bounded retries. A failure is returned, not raised."""


@dataclass(frozen=True)
class LogChannel:
    """A warning in the log of the run."""

    log: Log = field(repr=False)
    name: str = "log"

    def send(self, alert: Alert) -> AlertDelivery:
        """Write the warning."""
        fields = "; ".join(f"{name}: {value}" for name, value in alert.fields)
        self.log.warning(f"alert: {alert.subject}. {alert.text} ({fields})".replace("\n", " "))
        return AlertDelivery(self.name, sent=True)


@dataclass(frozen=True)
class UnsetChannel:
    """A channel whose environment variable is not set: says so every time, and is tried again the next."""

    name: str
    variables: tuple[str, ...]

    def send(self, alert: Alert) -> AlertDelivery:  # noqa: ARG002
        """Say what is missing."""
        return AlertDelivery(
            self.name, sent=False, attempts=0, detail=f"set {' and '.join(self.variables)} in the environment"
        )


def alert_channels(alerts: Alerts, environment: Mapping[str, str], log: Log) -> list[Channel]:
    """The channels that the settings name, the log first.

    ``environment``: where the variables named in the settings are looked up. ``log``: of the run. What speaks to a server is
    imported for a channel that is named: every process that loads the definitions would import it otherwise.
    """
    channels: list[Channel] = [LogChannel(log)] if alerts.log else []
    for name in ("webhook", "email", "slack"):
        one = Alerts(**{name: getattr(alerts, name)})
        missing = one.missing_variables(environment)
        if missing:
            channels.append(UnsetChannel(name, missing))
        elif one.webhook:
            from tdml_assets.stages.triage.alerts.webhook import WebhookChannel

            channels.append(WebhookChannel.of(one.webhook, environment))
        elif one.email:
            from tdml_assets.stages.triage.alerts.email import EmailChannel

            channels.append(EmailChannel.of(one.email, environment))
        elif one.slack:
            from tdml_assets.stages.triage.alerts.slack import SlackChannel

            channels.append(SlackChannel.of(one.slack, environment))
    return channels


def send_alert(channels: Sequence[Channel], alert: Alert) -> list[AlertDelivery]:
    """Send an alert through every channel; one that fails does not keep the others from it."""
    return [channel.send(alert) for channel in channels]


def warnings_of(deliveries: Sequence[AlertDelivery], alert: Alert) -> list[str]:
    """One sentence per channel that did not take the alert, or not for everybody, for the log of the run."""
    return [
        f"alert {alert.key}: {delivery.channel}: {delivery.detail}"
        if delivery.sent
        else f"alert {alert.key} was not taken by {delivery.channel} ({delivery.attempts} attempts): {delivery.detail}; "
        "the next session tries again"
        for delivery in deliveries
        if delivery.detail
    ]
