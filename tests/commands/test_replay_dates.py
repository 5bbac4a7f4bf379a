"""Days of a replay, and what its lines say."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdml_assets.commands.replay import (
    Every,
    Step,
    every_of,
    heading,
    ledger_lines,
    line_of,
    replay_dates,
    why_stopped,
)

MONTH = Every(months=1)


def test_month_ends_stay_month_ends_whatever_their_length() -> None:
    found = replay_dates(date(2011, 1, 31), date(2011, 5, 31), MONTH)
    assert [day.isoformat() for day in found] == ["2011-01-31", "2011-02-28", "2011-03-31", "2011-04-30", "2011-05-31"]
    assert replay_dates(date(2011, 2, 28), date(2011, 3, 31), MONTH)[1] == date(2011, 3, 31)


def test_a_leap_day_is_a_month_end_and_the_28th_of_its_month_is_none() -> None:
    assert replay_dates(date(2024, 2, 29), date(2024, 3, 31), MONTH)[-1] == date(2024, 3, 31)
    assert replay_dates(date(2024, 2, 28), date(2024, 3, 31), MONTH)[-1] == date(2024, 3, 28)


def test_a_day_within_the_month_is_kept_and_comes_back_after_a_short_month() -> None:
    found = replay_dates(date(2011, 1, 30), date(2011, 3, 31), MONTH)
    assert found == (date(2011, 1, 30), date(2011, 2, 28), date(2011, 3, 30))


def test_the_turn_of_the_year_is_not_a_special_month() -> None:
    found = replay_dates(date(2010, 11, 30), date(2011, 1, 31), MONTH)
    assert found == (date(2010, 11, 30), date(2010, 12, 31), date(2011, 1, 31))


@given(
    st.dates(date(1990, 1, 1), date(2050, 1, 1)),
    st.integers(0, 400),
    st.sampled_from([MONTH, Every(days=7), Every(days=10)]),
)
def test_days_rise_begin_with_the_first_and_never_pass_the_last(first: date, length: int, every: Every) -> None:
    last = first + timedelta(days=length)
    found = replay_dates(first, last, every)
    assert found[0] == first
    assert found[-1] <= last
    steps = {(later - earlier).days for earlier, later in pairwise(found)}
    assert steps <= ({every.days} if every.days else {28, 29, 30, 31})
    assert (last - found[-1]).days < (every.days or 32)


@pytest.mark.parametrize(
    ("text", "every"), [("month", MONTH), ("week", Every(days=7)), ("1d", Every(days=1)), ("10d", Every(days=10))]
)
def test_a_step_is_read(text: str, every: Every) -> None:
    assert every_of(text) == every


@pytest.mark.parametrize("text", ["", "d", "0d", "-1d", "months", "10", "10 d", "1.5d", "99999d"])
def test_what_is_not_a_step_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="give month, week, or a number of days such as 10d"):
        every_of(text)


def test_a_replay_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="would end at 2011-01-31, before it begins at 2011-02-28"):
        replay_dates(date(2011, 2, 28), date(2011, 1, 31), MONTH)


def test_more_than_a_thousand_sessions_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1000 sessions"):
        replay_dates(date(2000, 1, 1), date(2011, 1, 1), Every(days=1))


CHECK = ["  x  cltv/evaluation: failed after 0.4s", "     stopped by a blocking check: cltv/evaluation: fit_to_score"]
CRASH = ["  x  cltv/training_table: failed after 0.1s", "     TooFewRowsError: the test split has 12 rows", "     more"]


def test_a_blocking_check_is_an_outcome_and_an_error_is_none() -> None:
    found = why_stopped(["  raw/orders  0.1s", *CHECK, "Failed (exit code 1) after 3 assets"])
    assert found.by_check
    assert "fit_to_score" in found.words
    found = why_stopped(["  raw/orders  0.1s", *CRASH, "Failed (exit code 1) after 3 assets"])
    assert not found.by_check
    assert found.words == "cltv/training_table: TooFewRowsError: the test split has 12 rows"


def test_a_check_beside_an_error_does_not_excuse_it() -> None:
    found = why_stopped([*CHECK, *CRASH, "Failed"])
    assert not found.by_check
    assert "fit_to_score" in found.words
    assert "TooFewRowsError" in found.words


def test_a_run_that_was_killed_before_any_step_failed_stopped_the_replay() -> None:
    assert not why_stopped(["Failed (ended by SIGTERM) after 2 assets"]).by_check
    assert not why_stopped([]).by_check


def test_a_line_stands_under_its_heading() -> None:
    step = Step(date(2011, 1, 31), "cltv", "20110131-abcdef", "wape 0.91", "2010-12-31: 0.95", "report (features)")
    line = line_of(step, 12.34)
    assert line.index("wape 0.91") == heading().index("tested")
    assert line.endswith("12.3")
    assert "  -  " in line_of(Step(date(2011, 1, 31), "cltv"), 1.0)


def test_the_ledger_says_what_is_not_known_and_what_is_worse() -> None:
    assert "no horizon has passed" in ledger_lines("cltv", "error", [])[0]
    row = {
        "as_of": date(2011, 1, 31),
        "customers": 1234.0,
        "realised": 1.5,
        "tested": 1.0,
        "low": None,
        "high": 1.1,
        "naive": 2.0,
        "mean_predicted": 10.0,
        "mean_actual": 12.5,
        "status": "worse",
    }
    line = ledger_lines("cltv", "error", [row])[-1]
    assert line.split() == ["2011-01-31", "1,234", "1.500", "1.000", "-", "1.100", "2.000", "10.000", "12.500", "worse"]
