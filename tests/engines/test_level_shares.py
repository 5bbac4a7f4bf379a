"""The share of customers who buy, beyond what a lifetime model makes of the number of orders."""

from datetime import date, timedelta

import numpy as np
import pytest

from tdml_assets.engines.level_shares import ShareGap, forecast_share, measure_share, shifted
from tdml_assets.engines.level_windows import Floats, Window
from tdml_assets.engines.lifetimes import ParetoNbd, fit_pareto_nbd

DAY, HORIZON = date(2026, 3, 1), 90


def window(months_ago: int = 3, *, days: int = HORIZON, orders: float = 0.0) -> Window:
    return Window(DAY - timedelta(days=round(30.4 * months_ago)), days, orders, 0.001, 0.0, 0.001)


def gap(
    value: float, months_ago: int = 3, *, variance: float = 0.004, orders: float = 0.0, days: int = HORIZON
) -> ShareGap:
    return ShareGap(window(months_ago, days=days, orders=orders), value, variance)


def histories(regular: bool, rows: int = 3_000) -> tuple[Floats, Floats, Floats, Floats]:
    """Customers of two years who order at random or in a rhythm, at the same rates; their orders in the next 90 days."""
    rng = np.random.default_rng(4)
    gaps_days, age = rng.choice([30.0, 60.0, 85.0], rows), rng.uniform(200, 720, rows)
    repeats, recency, later = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    for place in range(rows):
        steps = rng.normal(1, 0.1, 60) if regular else rng.exponential(1, 60)
        times = np.cumsum(steps.clip(0.02) * gaps_days[place])
        past = times[times <= age[place]]
        repeats[place], recency[place] = len(past), past[-1] if len(past) else 0.0
        later[place] = ((times > age[place]) & (times <= age[place] + HORIZON)).sum()
    return repeats, recency, age, later


def measured(regular: bool) -> tuple[ShareGap, ParetoNbd]:
    repeats, recency, age, later = histories(regular)
    model = fit_pareto_nbd(repeats, recency, age)
    came = np.log(later.sum() / model.expected_purchases(HORIZON, repeats, recency, age).sum())
    found = measure_share(window(orders=float(came)), model, repeats, recency, age, later)
    assert found is not None
    return found, model


def test_orders_in_a_rhythm_come_from_more_customers_than_a_lifetime_model_says_and_those_at_random_do_not() -> None:
    assert measured(regular=True)[0].gap > 0.5
    at_random, _ = measured(regular=False)
    assert abs(at_random.gap) < 4 * np.sqrt(at_random.variance)


def test_gaps_of_past_windows_are_expected_again_shrunk_by_their_luck() -> None:
    steady = [gap(0.5, months) for months in range(3, 12)]
    assert 0.4 < forecast_share(steady, DAY, HORIZON, 0.0) < 0.5
    doubtful = [gap(0.5, months, variance=0.2) for months in range(3, 12)]
    assert 0.0 < forecast_share(doubtful, DAY, HORIZON, 0.0) < 0.3


def test_a_gap_that_chance_makes_moves_nothing_to_the_last_digit() -> None:
    assert forecast_share([gap(0.09, months) for months in range(3, 12)], DAY, HORIZON, 0.0) == 0.0
    assert forecast_share([], DAY, HORIZON, 0.0) == 0.0
    assert shifted(123.4, 500, 0.0) == 123.4


def test_windows_with_as_many_orders_as_are_expected_now_count() -> None:
    """A season that opens wakes customers; the quiet months say nothing of it."""
    quiet = [gap(0.0, months, orders=-1.0) for months in (3, 5, 6, 8, 10)]
    busy = [gap(1.5, 12, orders=2.2), gap(1.0, 13, orders=1.9)]
    assert forecast_share([*quiet, *busy], DAY, HORIZON, 2.1) > 0.8
    assert forecast_share([*quiet, *busy], DAY, HORIZON, -1.0) == 0.0


def test_windows_that_had_not_ended_or_are_much_shorter_than_the_horizon_are_left_out() -> None:
    assert forecast_share([gap(0.5, 1), gap(0.5, 2)], DAY, HORIZON, 0.0) == 0.0
    assert forecast_share([gap(0.5, 2, days=30)], DAY, HORIZON, 0.0) == 0.0
    assert forecast_share([gap(0.5, 3, days=50)], DAY, HORIZON, 0.0) > 0.1


def test_a_share_of_few_customers_or_of_all_says_nothing() -> None:
    _, model = measured(regular=False)
    few = np.full(40, 2.0), np.full(40, 50.0), np.full(40, 100.0)
    assert measure_share(window(), model, *few, np.ones(40)) is None
    many = np.full(200, 2.0), np.full(200, 50.0), np.full(200, 100.0)
    assert measure_share(window(), model, *many, np.ones(200)) is None


@pytest.mark.parametrize("total", [0.0, 500.0, 120.0])
def test_a_number_of_customers_stays_between_none_and_all(total: float) -> None:
    moved = shifted(total, 500, 1.0)
    assert 0.0 <= moved <= 500.0
    assert shifted(moved, 500, -1.0) == pytest.approx(total)
