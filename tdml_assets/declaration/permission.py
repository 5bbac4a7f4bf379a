"""What a destination says of the customers it may be sent.

Belongs here: the keys that the lists of consent and suppression are asked with. Does not: the lists (``sources.py``), what they
lead to (``activation/permission.py``).
"""

from __future__ import annotations

from typing import Literal, Protocol

UnknownConsent = Literal["deny", "allow"]


class AsksPermission(Protocol):
    """Settings of whatever customers are sent to."""

    @property
    def purpose(self) -> str | None:
        """What customers must have consented to; None where lines of every purpose count."""

    @property
    def unknown_consent(self) -> UnknownConsent:
        """What a customer without a line for the purpose counts as."""

    @property
    def needs_purpose(self) -> bool:
        """Whether a list of consents cannot be asked without a purpose."""
