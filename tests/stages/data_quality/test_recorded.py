"""How late rows were recorded, measured on a DuckDB file, and what is said of rows that cannot be so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.data_quality.recorded import RecordLag, read_record_lags, recorded


def test_the_lag_is_measured_over_rows_and_their_earlier_states_where_a_source_tells(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    columns = (
        "as select timestamp '2026-03-01' as {} , timestamp '2026-03-01' + interval 1 day * unnest({}) as recorded_at"
    )
    with warehouse.write() as database:
        for text in (
            "create schema raw",
            f"create table raw.orders {columns.format('ordered_at', '[1, 2]')}",
            f"create table raw.replaced_orders {columns.format('ordered_at', '[-3]')}",
            f"create table raw.pageviews {columns.format('viewed_at', '[1]')}",
            "create table raw.replaced_pageviews as from raw.pageviews",
            "delete from raw.pageviews",
            "delete from raw.replaced_pageviews",
            "create table raw.email_events as select timestamp '2026-03-01' as sent_at",
        ):
            database.execute(Statement(text))
        (found,) = read_record_lags(database)
    assert (found.table, found.rows, found.early_rows, found.median_days) == ("raw.orders", 3, 1, 1.0)


@pytest.mark.parametrize(
    ("early", "median", "status", "said"),
    [
        (0, 0.5, "ok", "rows were recorded 0.5 days after they happened (median)"),
        (
            7,
            0.5,
            "note",
            "7 of 100 were recorded more than a day before they happened: is recorded_at the right column",
        ),
        (0, 31.0, "note", "if the table was filled at once, recorded_at holds no past"),
    ],
)
def test_rows_recorded_before_they_happened_or_long_after_are_a_note(
    early: int, median: float, status: str, said: str
) -> None:
    finding = recorded(RecordLag("raw.orders", 100, early, median, 40.0))
    assert (finding.status, said in finding.sentence) == (status, True)
