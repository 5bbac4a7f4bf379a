"""Trying again what waiting may mend: one rule for sources, models, exports, destinations and alerts.

Elsewhere: which failures waiting may mend (``remote_errors.py``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from tdml_assets.declaration.retries import Retries

_Answer = TypeVar("_Answer")


class TransientError(Exception):
    """No answer, or one that waiting may mend: 429, 5xx, a reset connection, a timeout.

    ``reason``: why, in words. ``wait_seconds``: what the other end asked to wait; None if it said nothing. ``code``: short and
    stable, where there is one. ``attempts``, ``seconds``: how often and how long it was tried, once it is given up.
    """

    def __init__(self, reason: str, wait_seconds: float | None = None, code: str = "") -> None:
        super().__init__(reason)
        self.reason, self.wait_seconds, self.code = reason, wait_seconds, code
        self.attempts, self.seconds = 0, 0.0

    def __str__(self) -> str:
        tried = f"; tried {self.attempts} times in {self.seconds:.0f} s" if self.attempts else ""
        return f"{self.reason}{tried}"


@dataclass(frozen=True)
class Clock:
    """Time, which tests set."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(tzinfo=None)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


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


def attempted(call: Callable[[], _Answer], retries: Retries, clock: Clock) -> _Answer:
    """Call until it is answered. Raises the last ``TransientError`` when ``retries`` says to give up."""
    began, attempt = clock.monotonic(), 0
    while True:
        attempt += 1
        try:
            return call()
        except TransientError as error:
            error.attempts, error.seconds = attempt, clock.monotonic() - began
            pause = pause_before(attempt, error.wait_seconds, error.seconds, retries, clock.jitter)
            if pause is None:
                raise
        clock.sleep(pause)
