"""Alerts by mail.

Elsewhere: what the alert says (``messages.py``).

The login is sent only inside TLS with a certificate that is verified.
"""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate

from tdml_assets.activation.protocol import DestinationError
from tdml_assets.declaration.alerts import SMTPS_PORT, EmailAlerts
from tdml_assets.platform.retrying import Clock, TransientError
from tdml_assets.stages.triage.alerts.channels import AlertDelivery, attempted
from tdml_assets.stages.triage.alerts.messages import Alert


@dataclass(frozen=True)
class EmailChannel:
    """One server and its recipients. ``settings``: server and addresses. ``username``, ``password``: secrets; None for no login."""

    settings: EmailAlerts = field(repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    clock: Clock = field(default_factory=Clock, repr=False)
    name: str = "email"

    @classmethod
    def of(cls, settings: EmailAlerts, environment: Mapping[str, str]) -> EmailChannel:
        """Make it of the settings and the variables they name."""
        names = (settings.username_env, settings.password_env)
        username, password = (environment[name] if name else None for name in names)
        return cls(settings, username, password)

    def send(self, alert: Alert) -> AlertDelivery:
        """Send the mail."""
        return attempted(self.name, lambda: self._deliver(self._message(alert)), self.clock)

    def _message(self, alert: Alert) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = alert.subject
        message["From"] = self.settings.sender
        message["To"] = ", ".join(self.settings.recipients)
        message["Date"] = formatdate(localtime=False)
        # Of the episode: a mail that arrives twice is recognised by the readers' programs.
        host = self.settings.sender.rpartition("@")[2]
        message["Message-ID"] = f"<{hashlib.sha256(alert.key.encode()).hexdigest()[:32]}@{host}>"
        message["Auto-Submitted"] = "auto-generated"
        fields = "\n".join(f"{name}: {value}" for name, value in alert.fields)
        message.set_content(f"{alert.text}\n\n{fields}\n")
        return message

    def _deliver(self, message: EmailMessage) -> str | None:
        where = f"{self.settings.host}:{self.settings.port}"
        try:
            with self._connection() as server:
                refused = server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            again = all(400 <= code < 500 for code in codes)
            raise _refusal(f"{where} refuses every recipient (answer {codes[0]})", again=again) from None
        except smtplib.SMTPResponseException as error:
            what, code = "login" if isinstance(error, smtplib.SMTPAuthenticationError) else "mail", error.smtp_code
            raise _refusal(f"{where} refuses the {what} (answer {code})", again=code < 500) from None
        except smtplib.SMTPNotSupportedError:
            raise DestinationError(f"{where} does not offer what is needed: STARTTLS, or a login inside it") from None
        except ssl.SSLCertVerificationError:
            raise DestinationError(
                f"the certificate of {where} is not trusted: correct host, or install its authority"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise TransientError(f"no mail through {where} ({type(error).__name__})") from None
        total = len(self.settings.recipients)
        return f"{len(refused)} of {total} recipients were refused" if refused else None

    def _connection(self) -> smtplib.SMTP:
        host, port, timeout = self.settings.host, self.settings.port, self.settings.timeout_seconds
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if port == SMTPS_PORT:
            server = smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=timeout)
        try:
            if self.settings.starttls and port != SMTPS_PORT:
                server.starttls(context=context)
            if self.username is not None and self.password is not None:
                server.login(self.username, self.password)
        except BaseException:
            server.close()
            raise
        return server


def _refusal(detail: str, *, again: bool) -> TransientError | DestinationError:
    return TransientError(detail) if again else DestinationError(detail)
