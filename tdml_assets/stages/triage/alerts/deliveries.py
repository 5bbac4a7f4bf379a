"""What became of an alert, and the pauses between attempts.

Belongs here: what all channels share. Does not: any one of them, the choice of channels (``channels.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass

ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0


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


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of this program
    """An attempt failed.

    ``detail``: why, in words, without a secret. ``again``: whether another attempt may mend it. ``wait_seconds``: what the
    other end asked to wait; None if it said nothing.
    """

    def __init__(self, detail: str, *, again: bool = False, wait_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.detail, self.again, self.wait_seconds = detail, again, wait_seconds


def attempted(channel: str, attempt: Callable[[], str | None], sleep: Callable[[float], None]) -> AlertDelivery:
    """Try until it is taken, refused for good, or :data:`ATTEMPTS` are used up; pauses of 24 s in all at most.

    ``attempt``: raises :class:`Refusal`; returns what a person should know of a success, if anything.
    """
    number = 0
    while True:
        number += 1
        try:
            detail = attempt()
        except Refusal as refusal:
            if not refusal.again or number == ATTEMPTS:
                return AlertDelivery(channel, sent=False, attempts=number, detail=refusal.detail)
            asked = refusal.wait_seconds or _FIRST_PAUSE_SECONDS * 2 ** (number - 1)
            sleep(min(asked, _LONGEST_PAUSE_SECONDS))
        else:
            return AlertDelivery(channel, sent=True, attempts=number, detail=detail or "")
