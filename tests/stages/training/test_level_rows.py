"""Rows of the rehearsed corrections: the total after each, and its bounds, in money and in customers."""

import math
from datetime import date

import pytest

from tdml_assets.engines.level import Kind, Level, Rehearsal, Snapshot
from tdml_assets.stages.training.level import rehearsal_rows

SPRING, SUMMER = date(2026, 3, 31), date(2026, 6, 30)


def rehearsal(day: date, kind: Kind, gap: float, *, customers: int = 200, predicted: float = 100.0) -> Rehearsal:
    snapshot = Snapshot(day, customers, predicted, 130.0, 0.26, 0.01)
    return Rehearsal(snapshot, Level(day, kind, gap, 0.1, "season"), 0.5)


def test_an_amount_is_multiplied_and_the_latest_snapshot_is_that_of_the_test() -> None:
    spring, summer = rehearsal_rows(
        [rehearsal(SPRING, "amount", math.log(2)), rehearsal(SUMMER, "amount", math.log(1.5))]
    )
    assert (spring["is_test"], summer["is_test"]) == (False, True)
    assert spring["corrected_total"] == pytest.approx(200.0)
    assert summer["corrected_total"] == pytest.approx(150.0)
    assert summer["low_total"] * summer["high_total"] == pytest.approx(150.0**2)
    assert (summer["predicted_total"], summer["actual_total"]) == (100.0, 130.0)
    assert rehearsal_rows([]) == []


def test_a_number_of_customers_is_moved_by_the_odds_of_the_mean_customer() -> None:
    (row,) = rehearsal_rows([rehearsal(SUMMER, "probability", math.log(3))])
    # 100 of 200 are odds of 1; three times as much is a share of three quarters.
    assert row["corrected_total"] == pytest.approx(150.0)
    assert 100 < row["low_total"] < 150 < row["high_total"] < 200
