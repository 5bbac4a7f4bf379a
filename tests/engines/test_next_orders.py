"""What customers do next: rhythm, calibration, and expectations that agree with each other."""

from datetime import date, timedelta

import numpy as np
import pytest
from scipy.special import betaincinv

from tdml_assets.engines import next_orders
from tdml_assets.engines.lifetimes import ParetoNbd
from tdml_assets.engines.lifetimes.rhythm import estimate_regularity, next_order_days, usual_gap
from tdml_assets.engines.next_orders import (
    MONTH_DAYS,
    Customers,
    Level,
    Months,
    NextOrders,
    Past,
    fit_next_orders,
    month_begins,
)
from tdml_assets.platform.refusals import RefusedError

MODEL = ParetoNbd(r=0.8, alpha=40.0, s=0.5, beta=60.0)


def shop(seed=1, customers=400, days=360, regularity=3.0):
    """Histories at ``days`` and 90 days before, of a shop whose gaps are gamma with this shape."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.8, 1 / 40.0, customers)
    start, life = rng.integers(0, days - 100, customers), rng.exponential(400, customers)
    today, before, after = [], [], []
    for one in range(customers):
        gaps = rng.gamma(regularity, 1 / (regularity * rate[one]), 400)
        at = start[one] + np.concatenate([[0.0], np.cumsum(gaps)])
        at = np.unique(np.floor(at[(at < start[one] + life[one]) & (at < days)]))
        between = np.diff(at)
        today.append(
            (
                len(at) - 1,
                at[-1] - at[0],
                days - at[0],
                between.mean() if len(between) else np.nan,
                between.std(ddof=1) if len(between) > 1 else np.nan,
                50.0 + one % 7 if len(between) else np.nan,
            )
        )
        known = at[at <= days - 90]
        if len(known):
            before.append((len(known) - 1, known[-1] - known[0], days - 90 - known[0]))
            after.append([(at[len(known) :] <= days - 90 + h).sum() for h in (30, 60, 90)])
    rows, orders = np.array(today, dtype=float), np.array(after, dtype=float)
    past = Past(np.array(before, dtype=float), {h: orders[:, i] for i, h in enumerate((30, 60, 90))})
    return Customers(rows[:, :3], rows[:, 3], rows[:, 4], rows[:, 5]), past


@pytest.fixture(scope="module")
def fitted():
    today, past = shop()
    return fit_next_orders(today, [past]), today, past


@pytest.mark.parametrize("regularity", [0.6, 1.0, 4.0])
def test_the_regularity_of_gaps_is_found_whatever_the_customers_rates(regularity):
    rng = np.random.default_rng(3)
    repeats = rng.integers(2, 30, 4_000).astype(float)
    gaps = [rng.gamma(regularity, 20 * rng.gamma(1.0) + 1, int(n)) for n in repeats]
    mean, deviation = np.array([g.mean() for g in gaps]), np.array([g.std(ddof=1) for g in gaps])
    assert estimate_regularity(repeats, mean, deviation) == pytest.approx(regularity, rel=0.06)


def test_too_few_customers_with_gaps_leave_them_exponential():
    assert estimate_regularity(np.full(19, 3.0), np.full(19, 10.0), np.full(19, 1.0)) == 1.0


def test_exponential_gaps_without_leaving_give_the_quantiles_of_the_pareto_distribution():
    stays = ParetoNbd(r=0.8, alpha=40.0, s=0.0, beta=60.0)
    history = np.array([[0.0, 0.0, 30.0], [5.0, 80.0, 100.0]])
    found = next_order_days(stays, 1.0, history, (0.25, 0.5, 0.75), 180)
    for row, (repeats, _, age) in enumerate(history):
        shape, scale = 0.8 + repeats, 40.0 + age
        within = 1 - (scale / (scale + 180)) ** shape
        exact = scale * ((1 - np.array([0.25, 0.5, 0.75]) * within) ** (-1 / shape) - 1)
        np.testing.assert_allclose(found[row], exact, rtol=0.01, atol=0.05)


def test_a_regular_customer_who_is_due_orders_before_one_who_just_ordered():
    due, just = next_order_days(MODEL, 5.0, np.array([[6.0, 180.0, 208.0], [6.0, 180.0, 181.0]]), (0.1, 0.5, 0.9), 180)
    assert (np.diff(due) > 0).all()
    assert (np.diff(just) > 0).all()
    assert due[1] < just[1]
    assert 0 < due[0] < just[2] <= 180


def test_the_usual_gap_lies_between_the_customers_own_and_that_of_all():
    once, rarely, often = usual_gap(MODEL, 2.0, np.array([0.0, 1.0, 60.0]), np.array([0.0, 300.0, 600.0]))
    share = betaincinv(2.0, 0.8, 0.5)
    assert once == pytest.approx(20.0 * share / (1 - share))
    assert once < rarely < 300
    assert often == pytest.approx(10, rel=0.2)


def test_orders_and_probabilities_rise_with_the_horizon_and_agree(fitted):
    model, today, _ = fitted
    found = model.expect(today, (30, 60, 90), horizon=90, within_days=180)
    assert (found.buys[30] <= found.buys[60]).all()
    assert (found.buys[60] <= found.buys[90]).all()
    assert (found.orders[30] <= found.orders[90]).all()
    assert all((found.orders[days] >= found.buys[days]).all() for days in (30, 60, 90))
    assert found.days.min() > 0
    assert found.days.max() <= 180
    assert np.isnan(found.overdue[today.history[:, 0] == 0]).all()


def test_a_workflow_that_says_who_buys_is_followed_exactly_at_its_horizon_and_kept_to_at_others(fitted):
    model, today, _ = fitted
    own = np.linspace(0.0, 1.0, len(today.history))
    found = model.expect(today, (30, 90, 180), horizon=90, within_days=180, buys=own)
    np.testing.assert_array_equal(found.buys[90], own)
    assert (found.buys[30] <= own).all()
    assert (found.buys[180] >= own).all()
    assert np.isfinite(np.concatenate([found.orders[30], found.orders[180]])).all()


def test_customers_of_equal_histories_are_computed_once_and_as_each_by_itself(fitted, monkeypatch):
    model, today, _ = fitted
    again = np.random.default_rng(4).permutation(np.repeat(np.arange(40), 5))

    def some(places):
        columns = (today.history, today.mean_gap, today.stddev_gap, today.mean_value)
        return Customers(*(column[places] for column in columns))

    asked = {"horizons": (30, 90), "horizon": 90, "within_days": 180}
    alone = [model.expect(some([one]), **asked) for one in range(40)]
    seen = []
    monkeypatch.setattr(next_orders, "usual_gap", lambda *given: seen.append(len(given[2])) or usual_gap(*given))
    monkeypatch.setattr(
        next_orders, "next_order_days", lambda *given: seen.append(len(given[2])) or next_order_days(*given)
    )
    found = model.expect(some(again), **asked)

    history = today.history[:40]
    assert seen == [len(np.unique(history[:, :2], axis=0)), len(np.unique(history, axis=0))]
    for name in ("days", "usual_gap", "overdue"):
        np.testing.assert_array_equal(
            getattr(found, name), np.concatenate([getattr(one, name) for one in alone])[again], name
        )
    for days in (30, 90):
        np.testing.assert_array_equal(found.orders[days], np.concatenate([one.orders[days] for one in alone])[again])
        np.testing.assert_array_equal(found.buys[days], np.concatenate([one.buys[days] for one in alone])[again])


def test_totals_are_those_that_followed_the_earlier_day(fitted):
    model, _, past = fitted
    for days in (30, 60, 90):
        orders, buys = model.raw(past.history, [days])[days]
        assert orders.sum() == pytest.approx(past.orders[days].sum(), rel=0.1)
        assert buys.sum() == pytest.approx((past.orders[days] > 0).sum(), rel=0.1)


def test_without_earlier_days_nothing_is_corrected():
    today, _ = shop(seed=2)
    assert fit_next_orders(today, []).levels == {}


def test_a_season_of_past_months_raises_the_horizons_it_lies_in(fitted):
    model, today, past = fitted
    day, history = date(2026, 6, 30), past.history
    usual = model.purchases.expected_purchases(MONTH_DAYS, *history.T)

    def months(peak: float) -> Months:
        # July and August sell more, every year.
        busy = {ago: peak if (day - timedelta(days=ago - 15)).month in (7, 8) else 1.0 for ago in month_begins(760)}
        return Months(day, date(2024, 1, 1), {ago: (history, usual * factor) for ago, factor in busy.items()})

    plain, seasonal = (fit_next_orders(today, [past], months(peak), (30, 180)) for peak in (1.0, 2.0))
    assert plain.levels[30].rate == pytest.approx(0.0, abs=0.05)
    assert seasonal.levels[30].rate > seasonal.levels[180].rate > plain.levels[180].rate + 0.05
    assert seasonal.levels[30].rate == pytest.approx(np.log(2.0), abs=0.25)
    before, after = (one.raw(today.history, [30])[30] for one in (plain, seasonal))
    assert (after[0] > before[0]).all()
    assert (after[1] > before[1]).all()


def test_where_past_months_are_too_few_the_rate_is_that_of_the_latest_horizon(fitted):
    model, today, past = fitted
    few = Months(date(2026, 6, 30), date(2026, 1, 1), {30: (past.history, past.orders[30])})
    assert fit_next_orders(today, [past], few).levels == model.levels


def test_orders_follow_the_total_of_the_spend_within_bounds(fitted):
    model, today, _ = fitted
    orders, _ = model.raw(today.history, [90])[90]
    spend = orders * model.value.expected_value(today.history[:, 0], today.mean_value)
    assert model.spend_level(today, 90, 1.3 * spend) == pytest.approx(1.3)
    assert model.spend_level(today, 90, 9 * spend) == 2.0
    assert NextOrders(model.purchases, None, 1.0, {30: Level()}).spend_level(today, 90, spend) == 1.0


@pytest.mark.parametrize("again", [0, 19])
def test_customers_who_hardly_ever_return_are_refused_with_their_number(again):
    today, _ = shop()
    history = today.history.copy()
    history[again:, :2] = 0.0
    history[:again, :2] = [1.0, 10.0]
    history[:, 2] += 20.0
    with pytest.raises(RefusedError, match=f"400 customers, {again} of them"):
        fit_next_orders(Customers(history, today.mean_gap, today.stddev_gap, today.mean_value), [])


def test_customers_of_whom_nobody_was_observed_for_a_day_are_refused():
    zero = np.zeros((60, 3))
    zero[:30] = [1.0, 0.0, 0.0]
    nothing = np.full(60, np.nan)
    with pytest.raises(RefusedError, match="age 0"):
        fit_next_orders(Customers(zero, nothing, nothing, nothing), [])
