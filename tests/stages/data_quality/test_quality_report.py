"""Broken data is told from natural change: each check on measures made by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.simulation import SimulationSettings, simulate
from tdml_assets.stages.data_quality.arrival import in_season, lasting_volume, season, spread, trend, volume
from tdml_assets.stages.data_quality.content import customer_ids, overlap, repeated
from tdml_assets.stages.data_quality.findings import Finding
from tdml_assets.stages.data_quality.measures import (
    CustomerIds,
    Days,
    Earlier,
    Intake,
    Levels,
    Logs,
    Measured,
    Overlap,
    Repeated,
    Repeats,
)
from tdml_assets.stages.data_quality.quality_report import QualityReport, judge

AS_OF = date(2024, 6, 30)
POLICY = QualityPolicy()
PRINT = "3fa94c0b1d22" + "0" * 52
INTAKE = Intake("raw.orders", "ab" * 32, 30_000, 30)


def table(per_day: Any, *, null: Any = 0.0, size: Any = 5.0, as_of: date = AS_OF, name: str = "raw.orders") -> Days:
    """A table with ``per_day`` rows on each day to ``as_of``, latest last; ``null`` share and money ``size`` per day."""
    rows = np.asarray(per_day, dtype=int)
    everything = [as_of - timedelta(days=len(rows) - 1 - place) for place in range(len(rows))]
    kept = rows > 0
    filled = np.round(rows * (1 - np.broadcast_to(null, rows.shape))).astype(int)
    logs = rows * np.log(np.broadcast_to(size, rows.shape))
    money = Logs(tuple(rows[kept].tolist()), tuple(logs[kept].tolist()))
    return Days(
        table=name,
        days=tuple(day for day, is_kept in zip(everything, kept, strict=True) if is_kept),
        rows=tuple(rows[kept].tolist()),
        filled={"coupon_used": tuple(filled[kept].tolist()), "order_type": tuple([0] * int(kept.sum()))},
        logs={"amount": money},
    )


def noisy(days: int, mean: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean, days)


def measured(orders: Days, **changes: Any) -> Measured:
    usual = Measured(
        AS_OF,
        PRINT,
        (orders,),
        Repeats(1000, 10, 8000, 80),
        (Levels("raw.orders.product_category", 8, 1000, 0),),
        (INTAKE,),
    )
    return replace(usual, **changes)


def before(found: Measured, policy: QualityPolicy = POLICY) -> Earlier:
    """What a session on ``found`` leaves for the next."""
    report = judge(found, None, policy)
    values = {(one.check_name, one.source): one.value for one in report.findings if one.value is not None}
    return Earlier(found.as_of, values)


def alarms(report: QualityReport) -> dict[tuple[str, str], Finding]:
    return {(one.check_name, one.source): one for one in report.with_status("alarm")}


def status(report: QualityReport, check: str, source: str = "raw.orders") -> str:
    (found,) = [one for one in report.findings if (one.check_name, one.source) == (check, source)]
    return found.status


WHOLE = noisy(210, 150)


def test_a_first_session_on_steady_data_raises_nothing_and_judges_what_it_can() -> None:
    report = judge(measured(table(WHOLE)), None, POLICY)
    assert report.passed
    assert {one.check_name for one in report.with_status("ok")} >= {
        "volume",
        "freshness",
        "null_share",
        "scale",
        "duplicates",
        "new_categories",
    }
    assert status(report, "lost_rows") == status(report, "rejected") == "too_little"


def test_a_second_session_on_the_same_data_raises_nothing_and_judges_everything() -> None:
    found = measured(table(WHOLE))
    report = judge(found, before(found), POLICY)
    assert report.passed
    assert not report.with_status("too_little")


def test_half_the_rows_of_the_last_week_are_an_alarm_that_names_table_value_bound_and_remedy() -> None:
    rows = WHOLE.copy()
    rows[-7:] //= 2
    found = alarms(judge(measured(table(rows)), None, POLICY))[("volume", "raw.orders")]
    assert found.value == rows[-7:].sum()
    assert found.bound is not None
    assert found.value < found.bound < found.expected
    for word in ("raw.orders", f"{rows[-7:].sum():,}", f"{found.bound:,.0f}", "2024-06-30", "missing", "run again"):
        assert word in found.sentence


@pytest.mark.parametrize("seed", range(20))
def test_half_the_rows_are_seen_whatever_the_draw_and_whole_ones_are_not(seed: int) -> None:
    rows = noisy(210, 60, seed)
    assert judge(measured(table(rows)), None, POLICY).passed
    rows[-7:] = np.random.default_rng(seed).binomial(rows[-7:], 0.5)
    assert ("volume", "raw.orders") in alarms(judge(measured(table(rows)), None, POLICY))


def test_half_the_orders_of_a_week_are_seen_in_nineteen_of_twenty_weeks_and_no_whole_week_is_an_alarm() -> None:
    """Three years of sample data, about 1,000 lines a week in orders of two or three, with seasons: every week from year one on."""
    orders = simulate(SimulationSettings(customers=12_000, pageviews_per_order=0, emails_per_month=0)).orders
    moments = orders["ordered_at"].to_numpy().astype("datetime64[D]")
    codes = np.unique(orders["order_id"].to_numpy(zero_copy_only=False), return_inverse=True)[1]
    is_kept = np.random.default_rng(3).random(codes.max() + 1)[codes] < 0.5
    first = moments.min()
    places = (moments - first).astype(int)
    whole, half = np.bincount(places), np.bincount(places[is_kept], minlength=places.max() + 1)
    weeks, seen = range(190, len(whole), 7), 0
    for end in weeks:
        as_of = (first + end).astype(object)
        assert not [one for one in volume(table(whole[: end + 1], as_of=as_of), as_of, POLICY) if one.status != "ok"]
        broken = np.concatenate([whole[: end - 6], half[end - 6 : end + 1]])
        (found,) = volume(table(broken, as_of=as_of), as_of, POLICY)
        seen += found.status == "alarm"
    assert len(weeks) > 120
    assert seen / len(weeks) >= 0.95


def test_a_third_lost_two_weeks_running_is_an_alarm_where_one_such_week_is_none() -> None:
    rows = noisy(500, 60, seed=3)
    rows[-7:] = rows[-7:] * 2 // 3
    assert judge(measured(table(rows)), None, POLICY).passed, "a quiet week"
    rows[-14:-7] = rows[-14:-7] * 2 // 3
    (found,) = judge(measured(table(rows)), None, POLICY).with_status("alarm")
    assert (found.check_name, found.source) == ("volume", "raw.orders (two windows)")
    assert found.value == rows[-14:].sum() < found.bound
    assert "in the 14 days to 2024-06-30" in found.sentence


def test_two_quiet_weeks_are_not_judged_together_without_a_year_that_shows_the_season() -> None:
    rows = noisy(210, 60, seed=3)
    rows[-14:] = rows[-14:] * 2 // 3
    assert list(lasting_volume(table(rows), AS_OF, POLICY)) == []


def test_two_quiet_weeks_that_every_year_has_are_expected() -> None:
    rows = noisy(800, 60, seed=3)
    for end in (len(rows), len(rows) - 364, len(rows) - 2 * 364):
        rows[end - 14 : end] = rows[end - 14 : end] * 2 // 3
    (found,) = lasting_volume(table(rows), AS_OF, POLICY)
    assert found.status == "ok"


def test_the_trend_of_a_source_is_how_it_shrinks_and_never_a_rise() -> None:
    shrinking, rising = [round(1000 * 0.8**week) for week in range(8)], [100, 110, 121, 133]
    assert trend(shrinking[::-1]) == pytest.approx(0.8, abs=0.01)
    assert trend(rising[::-1]) == 1.0
    assert trend([100, 0, 100, 90, 100]) == pytest.approx(0.9)


def test_a_source_that_shrinks_from_week_to_week_is_not_broken_a_year_later_either() -> None:
    rows = np.round(400 * 0.9 ** (np.arange(600) / 7 - 75).clip(0)).astype(int)
    report = judge(measured(table(rows)), None, POLICY)
    assert report.passed
    assert status(report, "volume", "raw.orders (two windows)") == "ok"


def test_a_source_that_shrinks_from_week_to_week_is_not_broken() -> None:
    rows = noisy(210, 1.0) * 0 + np.round(400 * 0.8 ** (np.arange(210) / 7 - 25).clip(0)).astype(int)
    assert judge(measured(table(rows)), None, POLICY).passed
    rows[-7:] //= 2
    assert ("volume", "raw.orders") in alarms(judge(measured(table(rows)), None, POLICY))


def test_a_few_rows_less_than_a_few_are_chance() -> None:
    weeks = [30, 5, 33, 9, 28, 7, 31, 6] * 4
    rows = np.repeat([5 * week for week in weeks], 7)
    rows[-7:] = 5
    assert spread(tuple(rows[::7].tolist())) > 2
    assert judge(measured(table(rows)), None, POLICY).passed


def test_the_christmas_closing_of_a_year_ago_is_expected_again_and_half_of_it_is_not() -> None:
    rows = noisy(600, 150)
    rows[-7:] = rows[-7:] * 4 // 10
    assert not judge(measured(table(rows)), None, POLICY).passed
    rows[-7 - 364 : -364] = rows[-7 - 364 : -364] * 4 // 10
    assert judge(measured(table(rows)), None, POLICY).passed
    rows[-7:] //= 3
    assert not judge(measured(table(rows)), None, POLICY).passed


def test_a_season_one_week_off_is_still_the_season_and_a_short_log_has_none() -> None:
    rows = noisy(600, 150)
    rows[-371 - 7 : -371] //= 4
    days = table(rows)
    found = season(days, AS_OF, POLICY)
    assert found == pytest.approx(0.25, abs=0.03)
    assert season(table(rows[-300:]), AS_OF, POLICY) is None


def test_the_growth_of_a_shop_in_its_first_months_is_not_expected_again_a_year_later() -> None:
    rows = noisy(430, 150)
    start = np.arange(100)
    rows[:100] = np.round(rows[:100] * (0.05 + 0.95 * start / 100))
    steady = table(rows)
    assert (season(steady, AS_OF, POLICY) or 0) > 1.4
    _, factor = in_season(steady, AS_OF, POLICY, steady.windows(AS_OF, 7, 8)[1:])
    assert factor is not None
    assert 1.0 < factor < 1.3
    assert judge(measured(steady), None, POLICY).passed
    rows[-7:] //= 2
    assert ("volume", "raw.orders") in alarms(judge(measured(table(rows)), None, POLICY))


def test_half_a_week_of_a_rise_that_every_year_has_is_an_alarm() -> None:
    days = np.arange(-799, 1)
    # Twice as much every year, reached within five weeks and kept for three.
    season_of = np.interp(days % 364, [0, 21, 56, 329, 364], [2.0, 2.0, 1.0, 1.0, 2.0])
    rows = np.round(noisy(800, 150) * season_of).astype(int)
    assert judge(measured(table(rows)), None, POLICY).passed
    rows[-7:] //= 2
    assert ("volume", "raw.orders") in alarms(judge(measured(table(rows)), None, POLICY))


def test_a_week_with_a_closing_is_judged_by_its_open_days_if_the_source_has_paused_as_long_before() -> None:
    rows = WHOLE.copy()
    rows[-6:-2] = 0
    hole = judge(measured(table(rows)), None, POLICY)
    assert ("volume", "raw.orders") in alarms(hole)
    rows[20:28] = 0
    assert judge(measured(table(rows)), None, POLICY).passed
    rows[-7:] //= 2
    assert ("volume", "raw.orders") in alarms(judge(measured(table(rows)), None, POLICY))


def test_every_second_day_missing_is_not_a_closing() -> None:
    rows = WHOLE.copy()
    rows[::7] = 0
    assert judge(measured(table(rows)), None, POLICY).passed
    rows[-6::2] = 0
    assert ("volume", "raw.orders") in alarms(judge(measured(table(rows)), None, POLICY))


def test_no_row_in_the_last_week_is_for_freshness_to_judge() -> None:
    rows = WHOLE.copy()
    rows[-12:] = 0
    report = judge(measured(table(rows)), None, POLICY)
    assert status(report, "volume") == "too_little"
    found = alarms(report)[("freshness", "raw.orders")]
    assert (found.value, found.expected, found.bound) == (12, 1, 7)
    assert "2024-06-18, 12 days before 2024-06-30; 7 days are the bound" in found.sentence


def test_a_source_that_often_pauses_may_pause_again() -> None:
    rows = WHOLE.copy()
    rows[50:55] = 0
    rows[-12:] = 0
    assert status(judge(measured(table(rows)), None, POLICY), "freshness") == "ok"


def test_a_source_that_lost_every_row_is_an_alarm_but_one_that_never_had_any_is_nothing() -> None:
    empty = Days("raw.pageviews", (), ())
    views = Intake("raw.pageviews", "cd" * 32, 100, 0)
    first = measured(table(WHOLE), tables=(table(WHOLE), empty), intakes=(INTAKE, views))
    assert judge(first, before(first), POLICY).passed
    had = replace(first, tables=(table(WHOLE), table(WHOLE, name="raw.pageviews")))
    assert list(alarms(judge(first, before(had), POLICY))) == [("freshness", "raw.pageviews")]


def test_a_column_that_empties_is_an_alarm_and_one_that_was_always_empty_is_not_mentioned() -> None:
    null = np.where(np.arange(210) >= 203, 0.9, 0.1)
    report = judge(measured(table(WHOLE, null=null)), None, POLICY)
    found = alarms(report)[("null_share", "raw.orders.coupon_used")]
    assert (found.value, found.expected) == (pytest.approx(0.9, abs=0.01), pytest.approx(0.1, abs=0.01))
    assert found.bound == pytest.approx(0.3, abs=0.01)
    assert not [one for one in report.findings if one.source.endswith("order_type")]


def test_a_column_that_fills_up_is_none() -> None:
    null = np.where(np.arange(210) >= 203, 0.1, 0.9)
    assert judge(measured(table(WHOLE, null=null)), None, POLICY).passed


@pytest.mark.parametrize(("factor", "broken"), [(100, True), (0.01, True), (1.25, False), (4, False)])
def test_a_change_of_unit_is_an_alarm_and_a_change_of_prices_is_not(factor: float, *, broken: bool) -> None:
    size = np.where(np.arange(210) >= 203, 5.0 * factor, 5.0)
    assert (("scale", "raw.orders.amount") in alarms(judge(measured(table(WHOLE, size=size)), None, POLICY))) is broken


def test_a_unit_that_changed_yesterday_is_seen_today() -> None:
    size = np.where(np.arange(210) >= 209, 500.0, 5.0)
    found = alarms(judge(measured(table(WHOLE, size=size)), None, POLICY))[("scale", "raw.orders.amount")]
    assert found.value == pytest.approx(500)
    assert "since 2024-06-30" in found.sentence


def test_all_history_in_other_units_is_an_alarm_against_the_session_before() -> None:
    then = before(measured(table(WHOLE)))
    found = alarms(judge(measured(table(WHOLE, size=500.0)), then, POLICY))
    assert list(found) == [("scale", "raw.orders.amount (all history)")]
    assert (
        "geometric mean 500 up to 2024-06-30, 5 in the session of 2024-06-30; 40 is the bound"
        in next(iter(found.values())).sentence
    )


def test_history_that_is_thrown_away_is_an_alarm_against_the_session_before() -> None:
    then = before(measured(table(WHOLE)))
    found = alarms(judge(measured(table(WHOLE[105:])), then, POLICY))
    assert list(found) == [("lost_rows", "raw.orders")]
    assert judge(measured(table(WHOLE[2:])), then, POLICY).passed


def test_new_days_do_not_make_up_for_lost_ones() -> None:
    earlier = AS_OF - timedelta(days=60)
    then = before(measured(table(WHOLE[:-60], as_of=earlier), as_of=earlier))
    assert judge(measured(table(WHOLE)), then, POLICY).passed
    assert ("lost_rows", "raw.orders") in alarms(judge(measured(table(WHOLE[60:])), then, POLICY))


def test_orders_that_were_cancelled_since_the_session_before_are_not_lost() -> None:
    then = before(measured(table(WHOLE)))
    fewer = table(WHOLE[105:])
    gone = int(WHOLE[:105].sum())
    turned = judge(measured(fewer, intakes=(replace(INTAKE, void_rows=gone),)), then, POLICY)
    assert not alarms(turned)
    words = next(
        one.sentence for one in turned.findings if one.source == "raw.orders" and one.check_name == "lost_rows"
    )
    assert f"less {gone:,} that count as nothing by their status since then" in words
    few = judge(measured(fewer, intakes=(replace(INTAKE, void_rows=gone // 2),)), then, POLICY)
    assert list(alarms(few)) == [("lost_rows", "raw.orders")]


def test_rows_that_came_twice_are_an_alarm() -> None:
    found = alarms(judge(measured(table(WHOLE), repeats=Repeats(2000, 1990, 8000, 80)), None, POLICY))
    assert found[("duplicates", "raw.orders")].value == pytest.approx(0.995)


def test_a_file_that_came_twice_is_an_alarm_against_the_session_before() -> None:
    then = before(measured(table(WHOLE)))
    twice = Repeats(2000, 2000, 16000, 16000)
    found = alarms(judge(measured(table(WHOLE * 2), repeats=twice), then, POLICY))
    assert list(found) == [("duplicates", "raw.orders (all windows)")]


def test_rows_refused_beyond_the_bound_are_an_alarm_against_the_session_before() -> None:
    then = before(measured(table(WHOLE)))
    worse = replace(INTAKE, refused_rows=3_000)
    found = alarms(judge(measured(table(WHOLE), intakes=(worse,)), then, POLICY))
    assert list(found) == [("rejected", "raw.orders")]
    assert "raw.rejected_rows" in found[("rejected", "raw.orders")].sentence


def test_rows_refused_among_those_that_were_added_are_not_hidden_by_history() -> None:
    then = before(measured(table(WHOLE)))
    added = replace(INTAKE, judged_rows=31_000, refused_rows=1_030)
    found = alarms(judge(measured(table(WHOLE), intakes=(added,)), then, POLICY))
    assert list(found) == [("rejected", "raw.orders (rows added)")]
    assert found[("rejected", "raw.orders (rows added)")].value == 1
    assert judge(measured(table(WHOLE), intakes=(replace(added, refused_rows=31),)), then, POLICY).passed


def test_a_source_declared_anew_is_not_compared_with_the_session_before() -> None:
    then = before(measured(table(WHOLE)))
    other = replace(INTAKE, declaration="cd" * 32, refused_rows=9_000)
    report = judge(measured(table(WHOLE[105:], size=500.0), intakes=(other,)), then, POLICY)
    assert report.passed
    assert any("another one before" in one.sentence for one in report.findings)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [((8, 1000, 900), "alarm"), ((8, 1000, 300), "ok"), ((8, 20, 20), "too_little"), ((101, 1000, 900), None)],
)
def test_categories_never_seen_before_are_an_alarm_in_a_column_of_few(
    levels: tuple[int, int, int], expected: str | None
) -> None:
    column = Levels("raw.orders.order_status", *levels)
    report = judge(measured(table(WHOLE), levels=(column,)), None, POLICY)
    assert [one.status for one in report.findings if one.check_name == "new_categories"] == (
        [expected] if expected else []
    )


def test_too_short_a_log_is_not_judged() -> None:
    report = judge(
        measured(table(noisy(20, 150)), levels=(Levels("raw.orders.order_status", 2, 900, 900),)), None, POLICY
    )
    assert report.passed
    assert status(report, "volume") == "too_little"
    assert status(report, "new_categories", "raw.orders.order_status") == "too_little"


def test_accepted_data_keeps_its_findings_and_passes() -> None:
    rows = WHOLE.copy()
    rows[-7:] //= 2
    found = measured(table(rows))
    refused = judge(found, None, POLICY)
    assert "quality.accepted: ['3fa94c0b1d22'] in tdml.yaml" in refused.sentence
    assert "TDML_QUALITY__ACCEPTED" in refused.rows("s", "all")[-1]["sentence"] + refused.sentence
    report = judge(found, None, QualityPolicy(accepted=(PRINT[:14],)))
    assert report.passed
    assert [one.check_name for one in report.with_status("accepted")] == ["volume"]
    assert "accepted" in report.sentence
    assert not judge(found, None, QualityPolicy(accepted=("0" * 12,))).passed


@pytest.mark.parametrize("accepted", ["3fa94c0b1d2", "3FA94C0B1D22", "latest-data-ok", ""])
def test_what_is_not_a_fingerprint_cannot_be_accepted(accepted: str) -> None:
    with pytest.raises(ValidationError, match="is not a fingerprint: give 12 to 64 of its hexadecimal digits"):
        QualityPolicy(accepted=(accepted,))


def test_one_fingerprint_need_not_be_a_list() -> None:
    assert QualityPolicy.model_validate({"accepted": "3fa94c0b1d22"}).accepted == ("3fa94c0b1d22",)


def test_every_threshold_says_what_it_is() -> None:
    assert all(field.description for field in QualityPolicy.model_fields.values())
    with pytest.raises(ValidationError, match="volume_flor"):
        QualityPolicy.model_validate({"volume_flor": 0.5})


def test_a_finding_never_holds_what_is_not_a_number() -> None:
    odd = measured(table(WHOLE, size=math.inf))
    rows = judge(odd, None, POLICY).rows("s", "all")
    assert all(row[name] is None or math.isfinite(row[name]) for row in rows for name in ("value", "expected", "bound"))


IDS = CustomerIds(customers=2000, lines=20_000, most_lines=60, money=1e6, most_money=9e3, alike=0, people=0)


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        (
            {"alike": 506, "people": 253, "folded": 1747, "plain": 1747},
            "alike_customers",
            "2,000 ids are 1,747 without case and blanks",
        ),
        (
            {"most_lines": 2500},
            "one_customer",
            "one of 2,000 customers has 12.5% of all order lines; 10.0% is the bound",
        ),
        ({"most_money": 3e5}, "one_customer", "one of 2,000 customers has 30.0% of all money"),
    ],
)
def test_ids_that_are_written_differently_or_shared_are_noted_with_counts(
    change: dict[str, float], check: str, words: str
) -> None:
    (found,) = judge(measured(table(WHOLE), customers=replace(IDS, **change)), None, POLICY).with_status("note")
    assert found.check_name == check
    assert words in found.sentence


def test_few_customers_may_each_have_a_large_share_and_ordinary_ids_are_no_note() -> None:
    few = replace(IDS, customers=30, most_lines=2_000)
    for ids in (IDS, few):
        report = judge(measured(table(WHOLE), customers=ids), None, POLICY)
        assert (report.passed, report.with_status("note")) == (True, ())


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (CustomerIds(90, 90, 1, 90.0, 1.0, alike=6, people=85, folded=85, plain=85), "normalise: [trim, casefold]"),
        (CustomerIds(90, 90, 1, 90.0, 1.0, alike=6, people=85, folded=90, plain=85), "normalise: [integer]"),
        (
            CustomerIds(90, 90, 1, 90.0, 1.0, alike=9, people=83, folded=87, plain=83),
            "87 without case and blanks and 83 without zeros in front or a trailing .0. Each counts as a customer of its own. If "
            "they are the same people, write normalise: [trim, casefold, integer]",
        ),
    ],
)
def test_ids_that_differ_in_writing_alone_are_a_note_with_the_rule_that_joins_them(ids: CustomerIds, said: str) -> None:
    alike = next(one for one in customer_ids("raw.orders", ids, POLICY) if one.check_name == "alike_customers")
    assert (alike.status, said in alike.sentence) == ("note", True)


@pytest.mark.parametrize(("count", "status"), [(90, "ok"), (200, "note"), (400, "alarm")])
def test_lines_that_repeat_others_are_a_note_before_they_are_an_alarm(count: int, status: str) -> None:
    finding = repeated("raw.orders", Repeated(count, 1_000), POLICY)
    assert (finding.status, "declare sources.orders.line_key" in finding.sentence) == (status, status != "ok")


def test_files_that_hold_the_same_lines_without_an_order_id_are_answered_with_what_can_be_done() -> None:
    orders = table([100] * 60)
    finding = overlap(orders, [Overlap("a.csv", "b.csv", 3_000, 2_900, 1_000.0, 2_900, 1_000.0)], POLICY)
    assert finding is not None
    assert "take a file out of sources.orders.path, or map columns.order_id and declare line_key" in finding.sentence
