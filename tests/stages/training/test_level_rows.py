"""Rows of the rehearsed corrections: the total after each, and its bounds, in money and in customers."""

import math
from datetime import date
from pathlib import Path

import pytest

from tdml_assets.engines.level import Kind, Level, Rehearsal, Snapshot
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.raw.contracts import ORDERS
from tdml_assets.stages.training.level import read_level_history, rehearsal_rows

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


def test_the_lifetime_model_of_a_correction_needs_histories_and_orders(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    columns = (*(Column(name, "DOUBLE", "") for name in HISTORY), Column("customer_id", "VARCHAR", ""))
    features = TableContract("features", "customer_features", "", (Column("snapshot_date", "DATE", ""), *columns))
    day = date(2024, 6, 30)
    with warehouse.write() as database:
        assert read_level_history(database, 30, day) is None, "there are no features"
        database.ensure(features)
        assert read_level_history(database, 30, day) is None, "there are no orders"
        database.ensure(ORDERS)
        assert read_level_history(database, 30, day) is None, "no order lies before the day"
