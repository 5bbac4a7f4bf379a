"""Alerts: who is told, when an episode is worth it, and in which words.

Belongs here: the settings section ``alerts``, the choice of episodes, the text. Does not: sending (``destinations/alerts.py``),
episodes themselves (``episodes.py``).

Secrets are named, never given: every ``*_env`` key holds the name of an environment variable. What is given there by mistake
appears in no error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from tdml_assets.core.report_words import CAUSES, decision_words, plain_words

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_HIDDEN = "(hidden)"
_ADDRESS = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+")
_HOST = re.compile(r"[^\s/@?#]+")
_CHANNELS = ("webhook", "email", "slack")
#: Port of SMTP inside TLS from the first byte.
SMTPS_PORT = 465


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _VARIABLE.fullmatch(value) is not None


def _named(value: str) -> str:
    if not _is_name(value):
        raise ValueError("must be the name of an environment variable, such as ALERT_WEBHOOK_URL, never what it holds")
    return value


VariableName = Annotated[str, AfterValidator(_named)]
Address = Annotated[str, Field(max_length=254)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _hide(cls, content: Any) -> Any:
        """A secret put where the name of its variable belongs must not be repeated by the error about it."""
        if not isinstance(content, Mapping):
            return content
        return {key: _HIDDEN if cls._may_hold_a_secret(str(key), value) else value for key, value in content.items()}

    @classmethod
    def _may_hold_a_secret(cls, key: str, value: Any) -> bool:
        return key not in cls.model_fields or (key.endswith("_env") and value is not None and not _is_name(value))


class WebhookAlerts(_Frozen):
    """JSON posted to an address."""

    url_env: VariableName = Field(description="Environment variable that holds the address.")
    token_env: VariableName | None = Field(
        default=None,
        description="Environment variable that holds a bearer token, where the address alone is no secret.",
    )
    timeout_seconds: float = Field(default=10.0, gt=0, le=60, description="How long one attempt may take.")


class EmailAlerts(_Frozen):
    """A mail through an SMTP server."""

    host: str = Field(min_length=1, description="The SMTP server.")
    port: int = Field(default=587, ge=1, le=65535, description="587 with STARTTLS; 465 is TLS from the first byte.")
    sender: Address = Field(description="Address the mail comes from.")
    recipients: tuple[Address, ...] = Field(min_length=1, max_length=50, description="Addresses it goes to.")
    starttls: bool = Field(
        default=True, description="Encrypt; false only for a server beside this machine, without login."
    )
    username_env: VariableName | None = Field(default=None, description="Environment variable that holds the login.")
    password_env: VariableName | None = Field(default=None, description="Environment variable that holds its password.")
    timeout_seconds: float = Field(default=20.0, gt=0, le=60, description="How long the server may take to answer.")

    @field_validator("host")
    @classmethod
    def _host_alone(cls, value: str) -> str:
        if not _HOST.fullmatch(value):
            raise ValueError("is not the name of a server alone: write smtp.example.org, and logins as *_env keys")
        return value

    @field_validator("sender", "recipients")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in (value,) if isinstance(value, str) else value:
            if not _ADDRESS.fullmatch(address):
                raise ValueError("holds what is no mail address: write name@example.org, one per entry")
        return value

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.username_env is None) != (self.password_env is None):
            raise ValueError("username_env and password_env belong together: give both or none")
        if self.username_env and not self.starttls and self.port != SMTPS_PORT:
            raise ValueError("starttls: false would send the password readable: set it to true, or use port 465")
        return self


class SlackAlerts(_Frozen):
    """A message in a Slack channel."""

    channel: str = Field(min_length=1, max_length=100, description="Channel, such as #customer-models, or its id.")
    token_env: VariableName = Field(description="Environment variable that holds the bot token (scope chat:write).")
    base_url: str = Field(
        default="https://slack.com/api/",
        pattern=r"^(https://|http://(localhost|127\.0\.0\.1)[:/])[^@?#\s]*/$",
        description="Of the Slack API; ends in a slash.",
    )
    timeout_seconds: int = Field(default=10, ge=1, le=60, description="How long one attempt may take.")


class Alerts(_Frozen):
    """Who is told of an episode. Every channel is told once."""

    log: bool = Field(default=True, description="A warning in the log of the run.")
    webhook: WebhookAlerts | None = None
    email: EmailAlerts | None = None
    slack: SlackAlerts | None = None

    @model_validator(mode="before")
    @classmethod
    def _hide_bare(cls, content: Any) -> Any:
        """An address written straight behind ``webhook:`` is a secret too."""
        if not isinstance(content, Mapping):
            return content
        allowed = (Mapping, BaseModel, type(None))
        return {
            key: value if key not in _CHANNELS or isinstance(value, allowed) else _HIDDEN
            for key, value in content.items()
        }

    def missing_variables(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Names of the environment variables that a channel needs and that are not set."""
        named = [
            value
            for channel in (self.webhook, self.email, self.slack)
            if channel is not None
            for key, value in channel
            if key.endswith("_env") and value is not None
        ]
        return tuple(name for name in dict.fromkeys(named) if not environment.get(name))


@dataclass(frozen=True)
class Alert:
    """What every channel is given.

    Parameters
    ----------
    key : the episode: who receives an alert twice knows it by this.
    subject : one line.
    text : sentences for a person; no customer's value.
    fields : label and value of the figures behind them.
    """

    key: str
    subject: str
    text: str
    fields: tuple[tuple[str, str], ...]


def pending(episodes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The episodes to tell of now: open, not told yet, and worth it.

    Broken data is told at once; drift once it calls for a retraining: a column seen once beyond its limit is for the report.

    Parameters
    ----------
    episodes : rows of ``monitoring.drift_episodes``.
    """
    return [
        episode
        for episode in episodes
        if episode["status"] == "open"
        and episode["alerted_at"] is None
        and (episode["kind"] == "data_quality" or bool(episode["retrain"]))
    ]


def alert_of(episode: Mapping[str, Any], label: str, report: str | None, *, retrains_itself: bool = False) -> Alert:
    """Write the alert about one episode.

    Parameters
    ----------
    episode : a row of ``monitoring.drift_episodes``.
    label : name of the workflow that people read.
    report : path or address of the session report; None where there is none.
    retrains_itself : whether the sensor that starts retrainings is on.
    """
    broken = episode["kind"] == "data_quality"
    words = decision_words("data_quality" if broken else "retrain", retrains_itself=retrains_itself)
    subject = _one_line(
        f"{label}: {'broken data, nothing published' if broken else 'the data moved, retraining called for'}"
    )
    cause = CAUSES.get(episode["cause"] or "none", plain_words(episode["cause"] or ""))
    fields = {
        "workflow": episode["workflow"],
        "episode": episode["episode_id"],
        "since": episode["opened_as_of"],
        "latest alarm": episode["last_as_of"],
        "sessions with an alarm": episode["alarms"],
        "cause": cause,
        "severity (1 is at the limit)": None if episode["severity"] is None else f"{episode['severity']:.2f}",
        "model": episode["model_version"],
        "report": report,
    }
    happened = _one_line(episode["sentence"] or f"An alarm since {episode['opened_as_of']}.")
    text = f"{happened}\nDecided: {words.headline}.\nWhat to do: {words.next_step}"
    return Alert(
        key=str(episode["episode_id"]),
        subject=subject,
        text=text,
        fields=tuple((name, _one_line(str(value))) for name, value in fields.items() if value is not None),
    )


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
