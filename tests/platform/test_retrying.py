"""How long is waited before an attempt."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tdml_assets.declaration.destinations import Retries
from tdml_assets.platform.remote_errors import retry_after
from tdml_assets.platform.retrying import pause_before

RETRIES = Retries(attempts=4, first_pause_seconds=1, longest_pause_seconds=3, deadline_seconds=100)
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("Tue, 30 Jun 2026 12:00:30 GMT", 30),
        ("Tue, 30 Jun 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("nan", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


def test_pauses_double_up_to_the_longest_and_are_jittered() -> None:
    assert [pause_before(n, None, 0, RETRIES, lambda: 1.0) for n in (1, 2, 3)] == [1, 2, 3]
    assert [pause_before(n, None, 0, RETRIES, lambda: 0.0) for n in (1, 2, 3)] == [0.5, 1, 1.5]


def test_what_the_server_asks_is_waited_and_the_deadline_ends_it() -> None:
    assert pause_before(1, 50, 0, RETRIES, lambda: 1.0) == 50
    assert pause_before(1, 50, 60, RETRIES, lambda: 1.0) is None
    assert pause_before(4, None, 0, RETRIES, lambda: 1.0) is None
