"""Closures of a shop: which stretches without orders are one, and which windows meet it."""

from datetime import date, timedelta

import pytest

from tdml_assets.engines.level_pauses import Pause, find_pauses

FIRST = date(2024, 1, 1)


def days_without(*closed: tuple[date, date], end: date = date(2026, 6, 30)) -> list[date]:
    """Every day from the first one to the end but those of stretches, both ends of which are closed."""
    every = [FIRST + timedelta(days=number) for number in range((end - FIRST).days + 1)]
    return [day for day in every if not any(first <= day <= last for first, last in closed)]


def test_a_closure_on_days_that_had_orders_in_another_year_is_a_pause() -> None:
    closure = (date(2025, 3, 10), date(2025, 6, 15))
    assert find_pauses(days_without(closure)) == [Pause(*closure)]


def test_a_shop_that_is_closed_every_winter_has_no_pause() -> None:
    winters = [(date(year, 10, 1), date(year + 1, 2, 28)) for year in (2023, 2024, 2025)]
    assert find_pauses(days_without(*winters)) == []


def test_a_closure_of_which_no_other_year_is_known_may_be_the_season() -> None:
    assert find_pauses(days_without((date(2024, 7, 1), date(2024, 10, 31)), end=date(2025, 5, 31))) == []


@pytest.mark.parametrize(("days", "found"), [(27, 0), (28, 1)])
def test_holidays_are_shorter_than_a_pause(days: int, found: int) -> None:
    first = date(2025, 8, 1)
    assert len(find_pauses(days_without((first, first + timedelta(days=days - 1))))) == found


def test_a_shop_with_few_orders_has_no_pause_and_neither_has_one_without_any() -> None:
    assert find_pauses([FIRST + timedelta(days=30 * number) for number in range(30)]) == []
    assert find_pauses([]) == find_pauses([FIRST]) == []


@pytest.mark.parametrize(
    ("begin", "days", "meets"),
    [
        (date(2025, 3, 1), 9, True),
        (date(2025, 3, 1), 8, False),
        (date(2025, 6, 14), 30, True),
        (date(2025, 6, 15), 30, False),
        (date(2025, 4, 1), 5, True),
        (date(2025, 1, 1), 300, True),
    ],
)
def test_a_window_begins_after_its_day_and_meets_a_pause_by_a_single_day(begin: date, days: int, meets: bool) -> None:
    assert Pause(date(2025, 3, 10), date(2025, 6, 15)).meets(begin, days) is meets
