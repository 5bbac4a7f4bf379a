"""What the settings section ``alerts`` may say: who gets an alert, through which channel.

Secrets are named, never given: every ``*_env`` key holds the name of an environment variable. What is given there by mistake
appears in no error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

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


class NamedSecrets(BaseModel):
    """Keys of a section that names its secrets."""

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


class WebhookAlerts(NamedSecrets):
    """JSON posted to an address."""

    url_env: VariableName = Field(description="Environment variable that holds the address.")
    token_env: VariableName | None = Field(
        default=None,
        description="Environment variable that holds a bearer token, where the address alone is not a secret.",
    )
    timeout_seconds: float = Field(default=10.0, gt=0, le=60, description="How long one attempt may take.")


class EmailAlerts(NamedSecrets):
    """A mail through an SMTP server."""

    host: str = Field(min_length=1, description="The SMTP server.")
    port: int = Field(default=587, ge=1, le=65535, description="587 with STARTTLS; 465 is TLS from the first byte.")
    sender: Address = Field(description="Address the mail comes from.")
    recipients: tuple[Address, ...] = Field(min_length=1, max_length=50, description="Addresses it goes to.")
    starttls: bool = Field(
        default=True, description="Encrypt; false only for a server on the same network, without login."
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
                raise ValueError("holds what is not a mail address: write name@example.org, one per entry")
        return value

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.username_env is None) != (self.password_env is None):
            raise ValueError("username_env and password_env belong together: give both or none")
        if self.username_env and not self.starttls and self.port != SMTPS_PORT:
            raise ValueError("starttls: false would send the password readable: set it to true, or use port 465")
        return self


class SlackAlerts(NamedSecrets):
    """A message in a Slack channel."""

    channel: str = Field(min_length=1, max_length=100, description="Channel, such as #customer-models, or its id.")
    token_env: VariableName = Field(description="Environment variable that holds the bot token (scope chat:write).")
    base_url: str = Field(
        default="https://slack.com/api/",
        pattern=r"^(https://|http://(localhost|127\.0\.0\.1)[:/])[^@?#\s]*/$",
        description="Of the Slack API; ends in a slash.",
    )
    timeout_seconds: int = Field(default=10, ge=1, le=60, description="How long one attempt may take.")


class Alerts(NamedSecrets):
    """Who gets an alert about an episode. Every channel gets it once."""

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
