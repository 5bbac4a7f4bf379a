"""How long to wait before an attempt, and when to give up.

Belongs here: pure decisions. Does not: waiting and sending (``delivery.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from tdml_assets.declaration.destinations import Retries

#: Answers about the credentials or the address, which concern every batch alike.
FATAL_STATUS = {
    401: "the credentials are not accepted",
    403: "the credentials may not do this",
    404: "there is nothing at the address",
    405: "the address takes no such request",
    410: "the address was switched off",
}


def pause_before(
    attempt: int, asked_seconds: float | None, elapsed_seconds: float, retries: Retries, jitter: Callable[[], float]
) -> float | None:
    """Seconds to wait before the next attempt; None to give up.

    ``attempt``: attempts made so far, from 1. ``asked_seconds``: what the server asked for; never waited shorter.
    ``elapsed_seconds``: since the first attempt. ``jitter``: gives a number from 0 to 1: clients that failed together do not
    come back together.
    """
    if attempt >= retries.attempts:
        return None
    doubled = retries.first_pause_seconds * 2 ** min(attempt - 1, 30)
    pause = min(doubled, retries.longest_pause_seconds) * (0.5 + jitter() / 2)
    if asked_seconds is not None:
        pause = max(pause, asked_seconds)
    return pause if elapsed_seconds + pause <= retries.deadline_seconds else None
