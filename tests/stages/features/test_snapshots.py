from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdml_assets.declaration.workflow import Snapshots, Split, WorkflowSpec
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.features.snapshots import HistoryTooShortError, plan_snapshots, plan_split, years_before
from tdml_assets.stages.features.snapshots_asset import NoOrdersError, build_snapshots, plan_of
from tdml_assets.stages.raw.contracts import ORDERS, REJECTED_ROWS
from tdml_assets.stages.training_table.table import TooFewRowsError, check_sizes, note_of, roles_of, sample_share


def test_snapshots_go_back_in_steps_of_the_horizon_and_add_the_same_seasons() -> None:
    plan = plan_snapshots(date(2026, 6, 30), date(2023, 7, 1), 90, Snapshots(count=3, seasons=(1, 2)))
    recent = {date(2025, 10, 3), date(2026, 1, 1), date(2026, 4, 1)}
    seasons = {date(2024, 6, 30), date(2025, 6, 30), date(2024, 4, 1), date(2025, 4, 1)}
    assert plan.labelled == tuple(sorted(recent | seasons))
    assert plan.as_of == date(2026, 6, 30)


def test_online_retail_keeps_two_snapshots_and_trains_the_evaluation_on_the_earlier() -> None:
    plan = plan_snapshots(date(2011, 9, 9), date(2010, 12, 1), 91, Snapshots())
    assert plan.labelled == (date(2011, 3, 11), date(2011, 6, 10))
    split = plan_split(plan)
    assert (split.test, split.train, split.validation, split.by_customers) == (
        date(2011, 6, 10),
        (date(2011, 3, 11),),
        None,
        False,
    )
    assert roles_of(split) == {date(2011, 3, 11): "train_and_validate", date(2011, 6, 10): "test"}


def test_a_year_long_horizon_asks_for_ninety_days_of_history_behind_a_snapshot() -> None:
    plan = plan_snapshots(date(2026, 6, 30), date(2024, 3, 1), 365, Snapshots())
    assert plan.labelled == (date(2024, 6, 30), date(2025, 6, 30))
    asked = plan_snapshots(date(2026, 6, 30), date(2024, 3, 1), 365, Snapshots(min_history_days=200))
    assert asked.labelled == (date(2025, 6, 30),)


def test_one_labelled_snapshot_is_split_by_customers_and_says_so() -> None:
    plan = plan_snapshots(date(1997, 12, 31), date(1997, 1, 1), 181, Snapshots())
    assert plan.labelled == (date(1997, 7, 3),)
    split = plan_split(plan)
    assert split.by_customers
    assert roles_of(split) == {date(1997, 7, 3): "by_customers"}
    assert "1997-07-03" in note_of(split, 181)


def test_a_long_history_holds_out_later_dates_for_test_and_validation() -> None:
    split = plan_split(plan_snapshots(date(2026, 6, 30), date(2023, 7, 1), 90, Snapshots(count=4, seasons=())))
    assert split.test == date(2026, 4, 1)
    assert split.validation == date(2026, 1, 1)
    assert split.train == (date(2025, 7, 5), date(2025, 10, 3))
    assert note_of(split, 90) == ""


def test_too_short_a_history_is_refused_with_the_arithmetic() -> None:
    with pytest.raises(HistoryTooShortError, match=r"span 31 days.*horizon of 90 days.*shorten target.horizon_days"):
        plan_snapshots(date(2024, 1, 31), date(2024, 1, 1), 90, Snapshots())


def test_the_same_day_a_year_before_a_leap_day_is_the_28th() -> None:
    assert years_before(date(2024, 2, 29), 1) == date(2023, 2, 28)


@given(
    days=st.integers(2, 2000),
    horizon=st.integers(1, 400),
    count=st.integers(1, 8),
    step=st.one_of(st.none(), st.integers(1, 200)),
)
def test_no_target_reaches_past_as_of_and_none_of_training_past_the_test_day(
    days: int, horizon: int, count: int, step: int | None
) -> None:
    as_of = date(2026, 6, 30)
    first = as_of - timedelta(days=days)
    spec = Snapshots(count=count, step_days=step, seasons=(1, 2))
    if days < horizon:
        with pytest.raises(HistoryTooShortError):
            plan_snapshots(as_of, first, horizon, spec)
        return
    plan = plan_snapshots(as_of, first, horizon, spec)
    assert all(first <= day and day + timedelta(days=horizon) <= as_of for day in plan.labelled)
    split = plan_split(plan)
    if not split.by_customers:
        assert all(
            day + timedelta(days=horizon) <= split.test for day in (*split.train, *filter(None, [split.validation]))
        )
    if split.validation:
        assert all(day + timedelta(days=horizon) <= split.validation for day in split.train)
    parts = [
        split.test,
        *([split.validation] if split.validation else []),
        *(() if split.by_customers else split.train),
    ]
    assert sorted([*parts, *split.refit_only]) == list(plan.labelled)


def test_a_split_below_the_minimum_is_refused_by_name() -> None:
    sizes = [
        {"split": "train", "customers": 60},
        {"split": "validation", "customers": 60},
        {"split": "test", "customers": 1},
    ]
    found = r"the test split has 1 rows .* at least 50 \(split.min_rows\): give more customers or a longer history, or "
    with pytest.raises(TooFewRowsError, match=f"{found}shorten target.horizon_days"):
        check_sizes(sizes, Split())
    # Segments have no horizon.
    with pytest.raises(TooFewRowsError, match=f"{found}lower that"):
        check_sizes(sizes, Split(), looks_ahead=False)


def test_customers_are_sampled_only_above_the_maximum() -> None:
    assert sample_share(1000, 1000) == 1.0
    assert sample_share(4000, 1000) == 0.25


def test_days_without_an_order_have_no_snapshot(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    spec = WorkflowSpec.model_validate({"name": "cltv", "target": {"horizon_days": 30}})
    with warehouse.write() as database:
        for contract in (ORDERS, REJECTED_ROWS):
            database.ensure(contract)
        with pytest.raises(NoOrdersError, match="no order lies on or before as_of 2026-01-31: correct as_of"):
            plan_of(database, spec, date(2026, 1, 31))
    done = dg.materialize([build_snapshots([spec], "latest")], resources={"warehouse": warehouse}, raise_on_error=False)
    (failure,) = done.get_step_failure_events()
    assert "raw.orders has no row: see raw.rejected_rows" in str(failure.step_failure_data.error)
