"""Raw tables measured in the warehouse agree with pandas on the same rows; broken feeds are seen, whole ones are not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.platform.monitoring import DATA_QUALITY, SESSIONS
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.simulation import SimulationSettings, simulate
from tdml_assets.simulation.feed import break_feed
from tdml_assets.simulation.settings import BrokenFeed
from tdml_assets.stages.data_quality.measures import WORKFLOW, Earlier, measure, read_earlier
from tdml_assets.stages.data_quality.quality_report import QualityReport, judge
from tdml_assets.stages.raw.contracts import EMAIL_EVENTS, LOADS, ORDERS, PAGEVIEWS, REJECTED_ROWS

POLICY = QualityPolicy()
LAST = date(2026, 6, 30)
LOAD = {
    "source": "orders",
    "file": "orders.parquet",
    "content_sha256": "11" * 32,
    "declaration_sha256": "22" * 32,
    "rows_read": 1000,
    "rows_accepted": 990,
    "rows_rejected": 10,
    "header": "[]",
    "session_id": "s",
    "committed_at": pd.Timestamp("2026-07-01"),
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "spill"), threads=2)
    with warehouse.write() as opened:
        for contract in (ORDERS, PAGEVIEWS, EMAIL_EVENTS, REJECTED_ROWS, LOADS, DATA_QUALITY, SESSIONS):
            opened.ensure(contract)
        opened.insert(LOADS, [LOAD])
        yield opened


@pytest.fixture(scope="module")
def sample() -> pa.Table:
    """Order lines of three years, about 1,000 a week."""
    settings = SimulationSettings(pageviews_per_order=0, emails_per_month=0)
    return simulate(settings).orders


def as_raw(orders: pa.Table) -> pa.Table:
    frame = orders.to_pandas()
    frame["quantity"] = frame["quantity"].astype(float)
    frame["amount"] = frame["quantity"] * frame["unit_price"]
    frame["ordered_on"] = frame["ordered_at"].dt.date
    frame["is_return"] = frame["quantity"] < 0
    frame = frame.assign(
        is_product=True, product_name=None, source="orders", file="orders.parquet", row_number=np.arange(len(frame)) + 1
    )
    return pa.Table.from_pandas(frame[list(ORDERS.column_names)], preserve_index=False)


def quality(database: Database, as_of: date = LAST, earlier: Earlier | None = None) -> QualityReport:
    return judge(measure(database, as_of, "ab" * 32, POLICY), earlier, POLICY)


def alarms(report: QualityReport) -> set[str]:
    return {f"{one.check_name} {one.source}" for one in report.with_status("alarm")}


def keep(database: Database, report: QualityReport, session_id: str, as_of: date) -> None:
    key = {"session_id": session_id, "workflow": WORKFLOW}
    database.replace_slice(SESSIONS, key, [{**key, "as_of": as_of}])
    database.replace_slice(DATA_QUALITY, key, report.rows(**key))


def test_days_agree_with_pandas_and_nothing_after_as_of_is_counted(database: Database, sample: pa.Table) -> None:
    raw = as_raw(sample)
    database.replace(ORDERS, raw)
    as_of = date(2025, 3, 31)
    frame = raw.to_pandas()
    frame = frame[pd.to_datetime(frame["ordered_on"]) <= pd.Timestamp(as_of)]
    orders = measure(database, as_of, "ab" * 32, POLICY).tables[0]
    by_day = frame.groupby("ordered_on")
    assert list(orders.days) == sorted(frame["ordered_on"].unique())
    assert list(orders.rows) == by_day.size().tolist()
    assert list(orders.filled["product_category"]) == by_day["product_category"].count().tolist()
    amounts = frame["amount"].abs().round(4)
    count, mean = orders.geometric_mean("amount", slice(None))
    assert count == (amounts != 0).sum()
    assert mean == pytest.approx(np.exp(np.log(amounts[amounts != 0]).mean()))
    weeks = orders.windows(as_of, 7, 8)
    last = frame[pd.to_datetime(frame["ordered_on"]) > pd.Timestamp(as_of - timedelta(days=7))]
    assert (len(weeks), weeks[0]) == (9, len(last))


def test_repeats_and_levels_agree_with_pandas(database: Database, sample: pa.Table) -> None:
    raw = as_raw(sample).to_pandas()
    raw = pd.concat([raw, raw[pd.to_datetime(raw["ordered_on"]) > pd.Timestamp(LAST - timedelta(days=2))]])
    raw.loc[pd.to_datetime(raw["ordered_on"]) > pd.Timestamp(LAST - timedelta(days=1)), "product_category"] = "new"
    database.replace(ORDERS, pa.Table.from_pandas(raw, preserve_index=False))
    found = measure(database, LAST, "ab" * 32, POLICY)
    recent = raw[pd.to_datetime(raw["ordered_on"]) > pd.Timestamp(LAST - timedelta(days=63))]
    is_last = pd.to_datetime(recent["ordered_on"]) > pd.Timestamp(LAST - timedelta(days=7))
    columns = ["customer_id", "ordered_at", "product_id", "quantity", "amount"]
    repeated = recent.duplicated(columns, keep=False)
    assert (found.repeats.last_rows, found.repeats.last_repeats) == (is_last.sum(), (repeated & is_last).sum())
    assert (found.repeats.earlier_rows, found.repeats.earlier_repeats) == (
        (~is_last).sum(),
        (repeated & ~is_last).sum(),
    )
    category = next(one for one in found.levels if one.source == "raw.orders.product_category")
    assert category.known_levels == 8
    assert category.new_rows == (recent["product_category"] == "new").sum() > 0


def test_refused_rows_leave_out_those_that_another_row_replaced(database: Database) -> None:
    reasons = ["bad_number"] * 3 + ["duplicate_line"] * 4 + ["superseded_line"] * 2
    rows = [
        {"source": "orders", "file": "f", "row_number": place, "reason": reason, "content": "{}", "session_id": "s"}
        for place, reason in enumerate(reasons)
    ]
    database.replace_slice(REJECTED_ROWS, {"source": "orders"}, rows)
    (intake,) = measure(database, LAST, "ab" * 32, POLICY).intakes
    assert (intake.source, intake.judged_rows, intake.refused_rows) == ("raw.orders", 994, 3)


def test_the_sample_raises_nothing_at_any_month_end(database: Database, sample: pa.Table) -> None:
    database.replace(ORDERS, as_raw(sample))
    ends = [day.date() for day in pd.date_range("2023-09-30", LAST, freq="ME")]
    assert len(ends) == 34
    assert {day: alarms(quality(database, day)) for day in ends if alarms(quality(database, day))} == {}


@pytest.mark.parametrize("end", [date(2024, 12, 8), date(2025, 11, 16), date(2026, 1, 4), LAST])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "half_volume"}, {"volume raw.orders"}),
        ({"kind": "null_column"}, {"null_share raw.orders.product_category"}),
        ({"kind": "unit_change_x100"}, {"scale raw.orders.amount", "scale raw.orders.unit_price"}),
    ],
)
def test_a_feed_that_broke_a_week_ago_is_an_alarm_in_any_season(
    database: Database, sample: pa.Table, fault: dict[str, Any], expected: set[str], end: date
) -> None:
    broken = BrokenFeed(from_date=end - timedelta(days=6), **fault)
    database.replace(ORDERS, as_raw(break_feed(sample, broken, np.random.default_rng(1))))
    found = {alarm.removesuffix(" (two windows)") for alarm in alarms(quality(database, end))}
    assert found == expected


def test_lines_that_came_twice_are_an_alarm(database: Database, sample: pa.Table) -> None:
    raw = as_raw(sample).to_pandas()
    last = raw[pd.to_datetime(raw["ordered_on"]) > pd.Timestamp(LAST - timedelta(days=7))]
    database.replace(ORDERS, pa.Table.from_pandas(pd.concat([raw, last]), preserve_index=False))
    assert alarms(quality(database)) == {"duplicates raw.orders"}


def test_whole_history_in_pence_or_half_gone_is_an_alarm_against_the_session_before(
    database: Database, sample: pa.Table
) -> None:
    raw = as_raw(sample).to_pandas()
    database.replace(ORDERS, as_raw(sample))
    earlier_day = LAST - timedelta(days=30)
    keep(database, quality(database, earlier_day), "s1", earlier_day)
    earlier = read_earlier(database, "s2", LAST)
    assert earlier is not None
    assert earlier.as_of == earlier_day
    assert alarms(quality(database, earlier=earlier)) == set()
    pence = raw.assign(amount=raw["amount"] * 100, unit_price=raw["unit_price"] * 100)
    database.replace(ORDERS, pa.Table.from_pandas(pence, preserve_index=False))
    names = ("scale raw.orders.amount (all history)", "scale raw.orders.unit_price (all history)")
    assert alarms(quality(database, earlier=earlier)) == set(names)
    half = raw[pd.to_datetime(raw["ordered_on"]) > pd.Timestamp(2025, 1, 1)]
    database.replace(ORDERS, pa.Table.from_pandas(half, preserve_index=False))
    assert alarms(quality(database, earlier=earlier)) == {"lost_rows raw.orders"}


def test_the_session_before_is_another_one_up_to_as_of_without_an_alarm_and_the_last_written_of_a_day(
    database: Database, sample: pa.Table
) -> None:
    database.replace(ORDERS, as_raw(sample))
    whole = quality(database)
    assert read_earlier(database, "mine", LAST) is None
    keep(database, whole, "mine", LAST)
    assert read_earlier(database, "mine", LAST) is None
    keep(database, whole, "later", LAST + timedelta(days=1))
    assert read_earlier(database, "mine", LAST) is None
    keep(database, whole, "older", LAST - timedelta(days=9))
    database.execute(Statement("update raw.orders set amount = amount * 100"))
    broken = quality(database, earlier=read_earlier(database, "mine", LAST))
    assert not broken.passed
    keep(database, broken, "broken", LAST - timedelta(days=1))
    keep(database, whole, "first of the day", LAST - timedelta(days=2))
    keep(database, quality(database), "second of the day", LAST - timedelta(days=2))
    found = read_earlier(database, "mine", LAST)
    assert found is not None
    assert found.as_of == LAST - timedelta(days=2)
    then = next(one for one in whole.findings if one.source == "raw.orders.amount (all history)").value
    assert found.value("scale", "raw.orders.amount (all history)") == pytest.approx(then * 100)


def test_a_session_measured_twice_gives_the_same_rows(database: Database, sample: pa.Table) -> None:
    database.replace(ORDERS, as_raw(sample))
    keep(database, quality(database, LAST - timedelta(days=7)), "s1", LAST - timedelta(days=7))
    rows = []
    for _ in range(2):
        report = quality(database, earlier=read_earlier(database, "s2", LAST))
        keep(database, report, "s2", LAST)
        rows.append(report.rows("s2", WORKFLOW))
    assert rows[0] == rows[1]


def test_empty_tables_are_judged_without_a_finding(database: Database) -> None:
    report = quality(database)
    assert report.passed
    assert {one.check_name for one in report.findings} <= {"declaration", "rejected", "lost_rows", "duplicates"}


def test_a_million_lines_are_measured_in_seconds(database: Database) -> None:
    database.execute(
        Statement(
            "insert into raw.orders by name select 'o' || i as order_id, 'c' || i % 100000 as customer_id, "
            "timestamp '2026-06-30' - to_hours((i % 26000)::int) as ordered_at, 'p' || i % 500 as product_id, "
            "'k' || i % 8 as product_category, 1 as quantity, 5 + i % 90 as unit_price, 5 + i % 90 as amount, "
            "false as is_return, true as is_product, "
            "(timestamp '2026-06-30' - to_hours((i % 26000)::int))::date as ordered_on, 'orders' as source, 'f' as file, "
            "i as row_number from generate_series(1, 1000000) as numbers(i)"
        )
    )
    started = time.process_time()
    found = measure(database, LAST, "ab" * 32, POLICY)
    cpu_seconds = time.process_time() - started
    assert sum(found.tables[0].rows) == 1_000_000
    # Row by row in Python it would be minutes; a slow machine may take four times as long as this one.
    assert cpu_seconds < 4, cpu_seconds


def in_files(database: Database, orders: pa.Table, **files: Any) -> QualityReport:
    """Load slices of ``orders`` under the names of files, and judge them in a first session."""
    raw = as_raw(orders).to_pandas()
    for name, rows in files.items():
        database.insert(LOADS, [{**LOAD, "file": f"{name}.csv"}])
        database.insert(ORDERS, pa.Table.from_pandas(raw[rows].assign(file=f"{name}.csv"), preserve_index=False))
    return quality(database)


def overlap_of(report: QualityReport) -> Any:
    return next((finding for finding in report.findings if finding.check_name == "overlap"), None)


def test_a_small_file_whose_lines_another_one_holds_is_an_alarm_of_the_first_session(
    database: Database, sample: pa.Table
) -> None:
    found = overlap_of(in_files(database, sample[:20_000], all=slice(None), march=slice(5_000, 5_300)))
    assert found.status == "alarm"
    assert "300 lines are in both files" in found.sentence
    assert "300 of 300 order lines of march.csv" in found.sentence
    assert "equal a line of another file, such as all.csv" in found.sentence
    assert "line_key" in found.sentence


@pytest.mark.parametrize(("shared", "status"), [(0, None), (10, None), (60, "note"), (400, "alarm")])
def test_files_that_share_some_lines_are_noted_and_files_of_their_own_are_not(
    database: Database, sample: pa.Table, shared: int, status: str | None
) -> None:
    found = overlap_of(in_files(database, sample[:20_000], old=slice(0, 19_000), new=slice(19_000 - shared, 19_300)))
    assert (found.status if found else None) == status


def test_ids_of_one_person_and_the_largest_customer_are_counted(database: Database, sample: pa.Table) -> None:
    raw = as_raw(sample).to_pandas()
    first, second, third = raw["customer_id"].drop_duplicates().iloc[:3]
    names = {first: "Anna@x.example", second: "anna@x.example ", third: "990017"}
    raw["customer_id"] = raw["customer_id"].replace(names)
    more = raw.iloc[[0]].assign(customer_id="0990017.0")
    raw = pd.concat([raw, more], ignore_index=True)
    raw["row_number"] = np.arange(len(raw)) + 1
    database.replace(ORDERS, pa.Table.from_pandas(raw, preserve_index=False))
    found = measure(database, LAST, "ab" * 32, POLICY).customers
    assert found is not None
    by_customer = raw.groupby("customer_id")
    assert (found.alike, found.people) == (4, 2)
    assert (found.customers, found.lines) == (by_customer.ngroups, len(raw))
    assert found.most_lines == by_customer.size().max()
    assert found.most_money == pytest.approx(raw["amount"].abs().groupby(raw["customer_id"]).sum().max(), rel=1e-6)
