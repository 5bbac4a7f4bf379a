"""Days from which ids or units are others: on logs of simulated customers, as ``tdml-assets check`` judges them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.stages.data_quality.test_first_load import Lines, judged, notes

FIRST = date(2025, 1, 1)
CHANGE = date(2025, 9, 14)


def shop_lines(per_day: int = 8, customers: int = 700, days: int = 360, seed: int = 4) -> Lines:
    """One order of one line by a random customer, several times a day; customers buy with unequal rates."""
    draws = np.random.default_rng(seed)
    rates = draws.gamma(0.8, size=customers)
    who = draws.choice(customers, size=per_day * days, p=rates / rates.sum())
    return [
        [
            f"o{place}",
            f"{who[place]:05d}",
            f"{FIRST + timedelta(days=place // per_day)}",
            f"p{place % 9}",
            f"{5 + place % 17}.50",
        ]
        for place in range(per_day * days)
    ]


def later(lines: Lines) -> Lines:
    return [line for line in lines if line[2] >= str(CHANGE)]


def another_system(lines: Lines) -> None:
    for line in later(lines):
        line[1] = f"C-{int(line[1]) * 7919 % 90001}"


def lost_zeros(lines: Lines) -> None:
    for line in later(lines):
        line[1] = f"{int(line[1])}.0"


def most_in_another_system(lines: Lines) -> None:
    for line in later(lines):
        if int(line[1]) % 5:
            line[1] = f"C-{line[1]}"


@pytest.mark.parametrize("fault", [another_system, lost_zeros, most_in_another_system])
def test_a_day_on_which_customers_get_other_ids_is_stopped_and_can_be_accepted_by_name(
    tmp_path: Path, fault: Callable[[Lines], None]
) -> None:
    lines = shop_lines()
    assert judged(tmp_path, orders=lines)[1] == []
    fault(lines)
    _, problems = judged(tmp_path, orders=lines)
    assert len(problems) == 1
    assert f"ids of customers change on {CHANGE}" in problems[0]
    assert "quality: {accepted: [changed_ids]}" in problems[0]
    trial, problems = judged(tmp_path, {"accepted": "changed_ids"}, orders=lines)
    assert problems == []
    assert [one.check_name for one in trial.report.with_status("accepted")] == ["changed_ids"]


def test_ids_that_lost_their_zeros_are_noted_with_the_key_that_makes_them_one(tmp_path: Path) -> None:
    lines = shop_lines()
    people = len({line[1] for line in lines})
    lost_zeros(lines)
    trial, _ = judged(tmp_path, orders=lines)
    (note,) = notes(trial, "alike_customers")
    assert f"ids are {people:,} without zeros in front or a trailing .0." in note
    assert "normalise: [integer]" in note


def closed(lines: Lines) -> None:
    """Nobody comes back after two closed months, as to a festival of the next year."""
    another_system(lines)
    lines[:] = [line for line in lines if not str(CHANGE) <= line[2] <= str(CHANGE + timedelta(days=60))]


def one_time_buyers(lines: Lines) -> None:
    for place, line in enumerate(lines):
        if place % 20:
            line[1] = f"once-{place}"


def few_customers(lines: Lines) -> None:
    another_system(lines)
    lines[:] = [line for line in lines if line[2] < str(CHANGE + timedelta(days=3))]


@pytest.mark.parametrize("kind", [closed, one_time_buyers, few_customers])
def test_a_pause_buyers_of_one_order_and_few_new_customers_are_not_taken_for_other_ids(
    tmp_path: Path, kind: Callable[[Lines], None]
) -> None:
    lines = shop_lines()
    kind(lines)
    trial, problems = judged(tmp_path, orders=lines)
    assert problems == []
    assert "changed_ids" in {one.check_name for one in trial.report.with_status("ok")}


@pytest.mark.parametrize(("factor", "word"), [(100, "100 times as large"), (0.001, "1,000 times as small")])
def test_a_month_whose_amounts_are_in_another_unit_is_stopped(tmp_path: Path, factor: float, word: str) -> None:
    lines = shop_lines()
    for line in later(lines):
        line[4] = f"{float(line[4]) * factor:.4f}"
    _, problems = judged(tmp_path, orders=lines)
    assert len(problems) == 1
    assert f"amounts of 2025-10 are about {word} as those of the months before" in problems[0]
    assert "quality: {accepted: [changed_unit]}" in problems[0]


def test_prices_that_rise_forty_times_after_a_month_of_trials_are_prices(tmp_path: Path) -> None:
    lines = shop_lines()
    for line in lines:
        if line[2] < "2025-02-01":
            line[4] = "0.35"
    assert judged(tmp_path, orders=lines)[1] == []
