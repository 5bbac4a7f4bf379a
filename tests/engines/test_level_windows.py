"""Past windows next to a lifetime model: their gaps, the forecast of the next one, the level that follows."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines import level_lifetime
from tdml_assets.engines.level import Snapshot, find_level, gap_between, level_by_lifetime, rehearse
from tdml_assets.engines.level_lifetime import LevelHistory, LifetimeBase, expectations, fit_base
from tdml_assets.engines.level_windows import Window, forecast_residual, is_same_season, measure_window, window_days

DAY = date(2026, 6, 30)
FIRST = date(2023, 6, 30)


def windows(gap, years=3.0, noise=0.0004, day=DAY):
    """Windows of 90 days, twelve a year, whose gap is a function of the years before the day of their middle."""
    rng = np.random.default_rng(1)
    found = []
    for begin, days in window_days(day, day - timedelta(days=int(365.25 * years)), 90):
        middle = ((begin - day).days + days / 2) / 365.25
        found.append(Window(begin, days, gap(middle) + rng.normal(0, noise**0.5), noise, 0.0, noise))
    return found


def peak(years):
    """A season that is highest in the middle of the window that begins today."""
    return 0.4 * np.cos(2 * np.pi * (years - 45 / 365.25))


def test_windows_begin_twelve_times_a_year_and_end_by_today():
    found = window_days(DAY, DAY - timedelta(days=400), 90)
    assert found[0] == (DAY - timedelta(days=30), 30)
    assert found[11] == (DAY - timedelta(days=365), 90)
    assert all(begin + timedelta(days=days) <= DAY for begin, days in found)
    assert len(found) == 12, "the thirteenth would begin 4 days after the first order"
    assert len(window_days(DAY, date(2000, 1, 1), 90)) == 40


def test_a_window_compares_orders_with_those_expected_and_their_value_apart():
    expected = np.full(500, 0.4)
    orders = np.random.default_rng(2).poisson(0.6, 500).astype(float)
    found = measure_window(
        DAY, 90, orders=orders, expected_orders=expected, spend=orders * 11.0, value=np.full(500, 10.0)
    )
    assert found is not None
    assert found.orders == pytest.approx(np.log(orders.sum() / 200))
    assert found.value == pytest.approx(np.log(1.1))
    assert found.orders_variance == pytest.approx(1 / orders.sum(), rel=0.3)
    few = np.r_[np.ones(3), np.zeros(497)]
    assert measure_window(DAY, 90, orders=few, expected_orders=expected, spend=few, value=few) is None


def test_a_season_seen_before_is_expected_again():
    found = forecast_residual(windows(peak), DAY, FIRST, 90)
    assert found is not None
    assert found.season is not None
    assert (DAY - found.season.day).days == 365
    assert found.orders == pytest.approx(0.35, abs=0.08)
    assert forecast_residual(windows(lambda years: -peak(years)), DAY, FIRST, 90).orders < -0.25


def test_a_shop_without_a_season_gets_no_factor_of_a_season():
    found = forecast_residual(windows(lambda years: 0.0, noise=0.0025), DAY, FIRST, 90)
    assert found is not None
    assert abs(found.orders) < 0.04
    assert found.orders_variance < forecast_residual(windows(peak, noise=0.0025), DAY, FIRST, 90).orders_variance


def test_the_first_windows_of_a_log_lie_higher_and_are_no_season():
    def young(years):
        return 0.4 * np.exp(-(years + 1.25) * 365.25 / 90)

    first = DAY - timedelta(days=int(365.25 * 1.25))
    found = forecast_residual(windows(young, years=1.25), DAY, first, 90)
    assert abs(found.orders) < 0.1


def test_nothing_is_forecast_from_few_windows_or_from_what_had_not_ended():
    known = windows(peak)
    assert forecast_residual(known[:2], DAY, FIRST, 90) is None
    earlier = DAY - timedelta(days=180)
    before = forecast_residual(known, earlier, FIRST, 90)
    changed = [one if one.end <= earlier else Window(one.day, one.days, 9.0, 1.0, 9.0, 1.0) for one in known]
    assert forecast_residual(changed, earlier, FIRST, 90) == before


@pytest.mark.parametrize(("days", "same"), [(365, True), (350, True), (730, True), (300, False), (10, False)])
def test_a_season_is_the_same_within_three_weeks(days, same):
    assert is_same_season(DAY - timedelta(days=days), DAY) is same


@pytest.mark.parametrize(("years", "unseen"), [(0.5, 1.0), (0.75, 1.0), (1.0, 30 / 90), (1.25, 0.0), (3.0, 0.0)])
def test_days_ahead_whose_day_of_the_year_lies_in_no_window_are_counted(years, unseen):
    first = DAY - timedelta(days=int(365.25 * years))
    found = forecast_residual(windows(lambda at: 0.0, years), DAY, first, 90)
    assert found is not None
    assert found.unseen == pytest.approx(unseen, abs=0.02)
    assert (found.season is None) is (unseen > 0)


def test_even_months_do_not_make_a_season_certain_that_was_never_seen():
    def doubt(years):
        first = DAY - timedelta(days=int(365.25 * years))
        found = forecast_residual(windows(lambda at: 0.0, years, noise=0.0001), DAY, first, 90)
        return found.orders_variance, found.unseen_variance

    for years in (0.5, 0.75):
        assert sum(doubt(years)) > 0.2**2
    calculated, unseen = doubt(0.75)
    assert calculated < unseen, "nine even months alone leave little doubt"
    assert doubt(3.0)[1] == 0.0


def history(customers=400, seed=4):
    """Histories of customers of today, and the same customers in past windows: they buy half as much as they did."""
    rng = np.random.default_rng(seed)
    repeats = rng.poisson(4.0, customers).astype(float)
    table = {
        "repeat_purchase_days": repeats,
        "recency_days": np.where(repeats > 0, rng.uniform(300, 500, customers).round(), 0.0),
        "tenure_days": np.full(customers, 500.0),
        "avg_repeat_day_value": np.where(repeats > 0, rng.gamma(9.0, 2.0, customers), np.nan),
    }
    begins = window_days(DAY, DAY - timedelta(days=500), 90)
    past = []
    for begin, days in begins:
        ago = (DAY - begin).days
        past.append(
            {
                "begin_day": np.full(customers, np.datetime64(begin, "D")),
                "repeats": np.maximum(repeats - 1, 0),
                "recency": np.where(repeats > 1, 100.0, 0.0),
                "age": np.full(customers, 500.0 - min(ago, 390)),
                "repeat_amount": np.maximum(repeats - 1, 0) * 18.0,
                "orders": rng.poisson(0.004 * days, customers).astype(float),
                "spend": np.full(customers, 0.07 * days),
            }
        )
    columns = {name: pa.array(np.concatenate([one[name] for one in past])) for name in past[0]}
    names = {name: pa.array(values, from_pandas=True) for name, values in table.items()}
    return LevelHistory(DAY, DAY - timedelta(days=500), pa.table(names), begins, pa.table(columns))


def given(total, customers=400, slope=1.0):
    return Snapshot(DAY, customers, total, total, 0.0, 0.0, slope)


@pytest.mark.parametrize("target", ["net_spend", "no_purchase"])
def test_predictions_are_brought_to_the_total_of_the_lifetime_model_and_its_past_windows(target):
    known = history()
    base = fit_base(known, target_kind=target, horizon_days=90)
    assert base is not None
    (expected,) = expectations(base, {DAY: known.histories}).values()
    kind = "amount" if target == "net_spend" else "probability"
    total = 0.8 * expected.total()
    level = level_by_lifetime(expected, given(total), kind)
    assert level is not None
    moved = level.apply(np.full(400, total / 400)).sum()
    assert moved == pytest.approx(expected.total(), rel=1e-6)
    assert level.deviation > 0
    assert level_by_lifetime(expected, given(expected.plain_total()), kind).ageing == pytest.approx(0.0, abs=1e-9)


def test_a_gap_within_its_doubt_is_taken_over_only_where_the_season_was_seen():
    base = fit_base(history(), target_kind="net_spend", horizon_days=90)

    def level(years, share):
        known = LifetimeBase(base.purchases, base.value, 90, "net_spend", DAY, FIRST, tuple(windows(peak, years)), 400)
        expected = expectations(known, {DAY: history().histories})[DAY]
        return level_by_lifetime(expected, given(share * expected.total()), "amount")

    seen, unseen, clear = level(3.0, 0.98), level(0.9, 0.98), level(0.9, 0.4)
    assert (seen.basis, unseen.basis, clear.basis) == ("season", "trend", "trend")
    assert seen.gap == pytest.approx(-np.log(0.98))
    assert unseen.gap == 0.0
    assert clear.gap == pytest.approx(-np.log(0.4))
    assert unseen.deviation > clear.deviation > seen.deviation


def test_a_gap_of_probabilities_is_taken_over_whether_or_not_the_season_was_seen():
    base = fit_base(history(), target_kind="no_purchase", horizon_days=90)

    def gap(years):
        known = LifetimeBase(
            base.purchases, base.value, 90, "no_purchase", DAY, FIRST, tuple(windows(peak, years)), 400
        )
        expected = expectations(known, {DAY: history().histories})[DAY]
        level = level_by_lifetime(expected, given(0.98 * expected.total()), "probability")
        assert abs(level.gap) < level.deviation
        return level.gap, gap_between("probability", 400, 0.98 * expected.total(), expected.total())

    for years in (3.0, 0.9):
        taken, whole = gap(years)
        assert taken == pytest.approx(whole)
        assert taken > 0


def test_doubt_is_stated_smaller_where_the_season_was_seen_and_larger_where_it_was_not():
    base = fit_base(history(), target_kind="net_spend", horizon_days=90)

    def stated_over_calculated(years):
        known = LifetimeBase(base.purchases, base.value, 90, "net_spend", DAY, FIRST, tuple(windows(peak, years)), 400)
        expected = expectations(known, {DAY: history().histories})[DAY]
        level = level_by_lifetime(expected, given(0.4 * expected.total()), "amount")
        residual = expected.residual
        stated = level.deviation**2 - residual.unseen_variance
        return np.sqrt(stated / (residual.orders_variance + residual.value_variance))

    assert stated_over_calculated(3.0) == pytest.approx(0.75)
    assert stated_over_calculated(0.9) == pytest.approx(1.1)


def test_short_windows_count_as_the_part_of_the_horizon_that_they_are():
    def sharp(years):
        """A peak of three weeks, twelve months before the middle of the window that begins today."""
        return 1.5 * np.exp(-0.5 * ((((years - 45 / 365.25 + 0.5) % 1.0) - 0.5) * 365.25 / 12) ** 2)

    def averaged(begin, days):
        at = ((begin - DAY).days + np.arange(days) + 0.5) / 365.25
        return float(sharp(at).mean())

    known = [
        Window(begin, days, averaged(begin, days), 0.0004, 0.0, 0.0004) for begin, days in window_days(DAY, FIRST, 90)
    ]
    short = [Window(DAY - timedelta(days=350), 30, averaged(DAY - timedelta(days=350), 30), 0.0004, 0.0, 0.0004)]
    came = averaged(DAY, 90)
    assert forecast_residual(known, DAY, FIRST, 90).orders == pytest.approx(came, abs=0.06)
    assert forecast_residual([*known, *short], DAY, FIRST, 90).orders == pytest.approx(came, abs=0.06)


def test_a_faster_rate_brings_more_purchases_and_fewer_customers_without_one():
    known = history()
    gone, bought = (fit_base(known, target_kind=kind, horizon_days=90) for kind in ("no_purchase", "purchase"))
    lapsed, active = (expectations(base, {DAY: known.histories})[DAY] for base in (gone, bought))
    assert lapsed.total() + active.total() == pytest.approx(400)
    assert active.total(rate=0.3) > active.total()


def test_workflows_share_the_windows_they_measure(monkeypatch):
    known = history(seed=5)
    first = fit_base(known, target_kind="net_spend", horizon_days=90)
    monkeypatch.setattr(level_lifetime, "measure_window", None)
    second = fit_base(known, target_kind="no_purchase", horizon_days=90)
    assert first.windows == second.windows
    assert len(first.windows) > 10
    assert first.luck(400) == pytest.approx(4 * first.luck(1_600))
    assert 0 < first.luck(400) < 0.05


def test_there_is_no_base_without_purchases_or_repeaters():
    known = history()
    assert fit_base(known, target_kind="count", horizon_days=90) is None
    once = known.histories.slice(0, 30)
    assert fit_base(LevelHistory(DAY, FIRST, once, [], known.past), target_kind="net_spend", horizon_days=90) is None
    assert expectations(None, {DAY: once}) == {}


def test_rehearsals_that_missed_by_more_than_was_stated_widen_the_doubt_and_move_nothing():
    base = fit_base(history(), target_kind="net_spend", horizon_days=90)
    strong = LifetimeBase(base.purchases, base.value, 90, "net_spend", DAY, FIRST, tuple(windows(peak)), 400)
    table = history().histories
    days = [DAY - timedelta(days=ago) for ago in (90, 180, 365)]
    expected = expectations(strong, dict.fromkeys((DAY, *days), table))
    total = expected[DAY].total()

    def happened(off):
        """Snapshots at which so much more came than was expected."""
        found = []
        for day in days:
            gap = float(np.log(expected[day].total() / total) + off)
            found.append(Snapshot(day, 400, total, total * float(np.exp(gap)), gap, 0.0009))
        return found

    right, wrong = (rehearse(happened(off), 90, "amount", expected) for off in (0.0, 0.6))
    assert len(right) == len(wrong) == 3
    sure, unsure = (find_level(given(total), [], found, "amount", expected[DAY]) for found in (right, wrong))
    assert sure.gap == unsure.gap
    assert sure.deviation == level_by_lifetime(expected[DAY], given(total), "amount").deviation
    assert unsure.deviation > 1.5 * sure.deviation
