"""as_of latest: a few lines with a far date do not move the session, and no natural log is held back."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.stages.data_quality.arrival import age, latest
from tdml_assets.stages.data_quality.measures import Days
from tdml_assets.stages.raw.latest_day import LatestDay, latest_day

START = date(2024, 1, 1)
LOGS = Path(__file__).parents[4] / "shared" / "data"


def log(per_day):
    """Days with orders and their lines, of lines per calendar day."""
    counts = np.asarray(per_day)
    places = np.flatnonzero(counts)
    return [START + timedelta(days=int(place)) for place in places], [int(count) for count in counts[places]]


def with_days(days, lines, *later):
    return [*days, *(days[-1] + timedelta(days=after) for after, _ in later)], [*lines, *(count for _, count in later)]


def held_back(days, lines):
    """Sessions, one a day, that would not stand at the last order."""
    return [days[end - 1] for end in range(1, len(days) + 1) if latest_day(days[:end], lines[:end]).set_aside]


REGULAR = log(np.random.default_rng(1).poisson(5, 910))


@pytest.mark.parametrize(
    ("later", "aside"),
    [
        ([(144, 1)], 1),
        ([(31, 1)], 1),
        ([(20, 1)], 0),
        ([(64, 1), (144, 1)], 2),
        ([(144, 5)], 5),
        ([(144, 6)], 0),
        ([(144, 4), (145, 4), (146, 5)], 0),
    ],
)
def test_a_few_lines_far_behind_the_others_are_set_aside_together(later, aside):
    found = latest_day(*with_days(*REGULAR, *later))
    assert found.lines == aside
    assert (found.day == REGULAR[0][-1]) is bool(aside)


def test_of_a_large_shop_a_wrong_day_may_hold_many_lines():
    large = log(np.random.default_rng(1).poisson(1_000, 400))
    assert latest_day(*with_days(*large, (90, 80))).day == large[0][-1]
    assert not latest_day(*with_days(*large, (90, 300))).set_aside


def test_a_stray_early_day_does_not_hide_a_stray_late_one():
    days, lines = with_days(*REGULAR, (144, 1))
    assert latest_day([date(1999, 1, 1), *days], [1, *lines]).day == REGULAR[0][-1]


def test_the_sentence_names_the_day_the_lines_and_both_remedies():
    days, lines = with_days(*REGULAR, (144, 1))
    said = latest_day(days, lines).sentence
    assert f"as_of latest is {REGULAR[0][-1]}: 1 order line on {days[-1]}, 144 days later, is set aside" in said
    assert said.endswith(f"set as_of: {days[-1]} in the settings")
    assert latest_day([START], [1]) == LatestDay(START)


@pytest.mark.parametrize("per_day", [0.03, 0.1, 1, 20])
def test_no_day_of_a_steady_shop_is_held_back_however_small_it_is(per_day):
    for seed in range(5):
        assert not held_back(*log(np.random.default_rng(seed).poisson(per_day, 700)))


def test_closings_seasons_and_decline_hold_no_day_back():
    dice, days = np.random.default_rng(2), np.arange(1_100)
    holidays = np.where((days % 365 > 200) & (days % 365 < 228), 0, dice.poisson(4, days.size))
    seasonal = np.where(days % 365 > 304, dice.poisson(20, days.size), 0)
    falling = dice.poisson(6 * 0.997**days)
    for per_day in (holidays, seasonal, falling):
        assert not held_back(*log(per_day))


@pytest.mark.parametrize(
    ("name", "day"),
    [("cdnow_master.csv.gz", "date"), ("online_retail_2010_2011.parquet", "InvoiceDate::date")],
)
def test_no_day_of_a_real_log_is_held_back(name, day):
    if not (LOGS / name).is_file():
        pytest.skip(f"needs the log {name} next to the project")
    reader = "read_csv" if ".csv" in name else "read_parquet"
    found = duckdb.sql(f"select {day} as day, count(*) from {reader}('{LOGS / name}') group by 1 order by 1").fetchall()
    assert not held_back([row[0] for row in found], [row[1] for row in found])


def test_the_note_says_what_was_set_aside_and_how_old_the_orders_are():
    policy = QualityPolicy()
    days, lines = with_days(*REGULAR, (144, 1))
    assert latest("raw.orders", latest_day(days, lines)).status == "note"
    assert latest("raw.orders", latest_day(*REGULAR)).status == "ok"
    orders = Days("raw.orders", tuple(REGULAR[0]), tuple(REGULAR[1]))
    last = REGULAR[0][-1]
    fresh, old = (next(age(orders, last + timedelta(days=pause), policy)) for pause in (5, 150))
    assert (fresh.status, old.status) == ("ok", "note")
    assert "150 days before today" in old.sentence
    assert not list(age(orders, None, policy))
