"""The study of next orders measures what it says, and sees nothing behind a cut."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.next_orders import calibration_error, fitted, histories, measured, page, shops

CUT = pd.Timestamp("2024-01-01") + pd.Timedelta(days=730)


@pytest.fixture(scope="module")
def shop():
    return next(shops(3, 1, 300))


def test_histories_stop_at_the_cut_and_what_came_next_is_counted_from_there():
    days = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "b", "c"],
            "day": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-02-20", "2024-01-21", "2024-03-01"]),
            "amount": [5.0, 7.0, 9.0, 1.0, 2.0],
        }
    )
    found = histories(days, pd.Timestamp("2024-01-31"))
    np.testing.assert_array_equal(found.customers.history, [[1, 10, 30], [0, 0, 10]])
    assert found.customers.mean_value[0] == 7.0
    assert found.next_days[0] == 20
    assert np.isnan(found.next_days[1])
    assert found.orders[30].tolist() == [1, 0]


def test_orders_behind_the_cut_change_no_fit(shop):
    assert fitted(shop, CUT) == fitted(shop[shop["day"] <= CUT], CUT)


def test_a_calibrated_probability_has_a_small_error_and_a_shifted_one_its_shift():
    rng = np.random.default_rng(1)
    probability = rng.random(20_000) * 0.8
    happened = (rng.random(20_000) < probability).astype(float)
    assert calibration_error(probability, happened) < 0.015
    assert calibration_error(probability + 0.1, happened) == pytest.approx(0.1, abs=0.01)


def test_every_measure_of_a_shop_is_on_the_page(shop):
    rows = measured("shop", shop, CUT)
    assert [row.metric for row in rows][:9:3] == [f"calibration error, {days} days" for days in (30, 60, 90)]
    assert all(row.ours < row.baseline for row in rows if row.metric.endswith("beside the latest share"))
    text = page(rows)
    assert all(row.metric in text for row in rows)
