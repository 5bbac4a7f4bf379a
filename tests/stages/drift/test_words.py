"""What a verdict says: which columns, how far they moved, and how many more there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.platform.monitoring import DRIFT
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.drift.detection import ColumnDrift, Status, report_of, words_of
from tdml_assets.stages.drift.history import read_earlier, read_reports

POLICY = Monitor()
PLAIN = ColumnDrift(
    kind="feature",
    column_name="spend",
    n=400,
    avg_val=150.0,
    avg_ref=100.0,
    stdev_val=1.0,
    stdev_ref=1.0,
    psi=0.4,
    z=None,
    status="ok",
    psi_previous=None,
    scale_ratio=None,
    p_value=None,
    severity=0.0,
)


def column(status: Status, name: str = "spend", **changes: object) -> ColumnDrift:
    return replace(PLAIN, status=status, column_name=name, **changes)  # type: ignore[arg-type]


def said(*columns: ColumnDrift) -> tuple[str, str]:
    report = report_of(columns, "feature", POLICY)
    return report.status, report.sentence


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (100.0, "spend is 100 times as large as it was, like another unit"),
        (1.5, "spend is 1.5 times as large as it was, like another unit"),
        (0.01, "spend is 100 times smaller than it was, like another unit"),
    ],
    ids=["larger", "a little larger", "smaller"],
)
def test_another_unit_is_said_with_its_factor(ratio: float, words: str) -> None:
    status, sentence = said(column("scale", scale_ratio=ratio), column("ok", "visits"))
    assert status == "broken"
    assert sentence.startswith(f"Broken data: {words}")


def test_of_many_broken_columns_three_are_named_in_the_order_of_how_broken_they_are() -> None:
    broken = [column("stuck", "a", avg_val=12_345.678), column("all_null", "b"), column("scale", "c", scale_ratio=9.0)]
    _, sentence = said(*broken, column("scale", "d", scale_ratio=9.0), column("far", "e"))
    assert sentence == (
        "Broken data: no value at all any more in b; c is 9 times as large as it was, like another unit; "
        "d is 9 times as large as it was, like another unit; and 1 more. Check the source first."
    )
    assert said(broken[0]) == ("broken", "Broken data: a stays at 1.235e+04. Check the source first.")


def test_drifted_columns_are_counted_and_three_are_named() -> None:
    names = [column("far", name) for name in "abcde"]
    status, sentence = said(*names, column("watch", "f"))
    assert (status, sentence.endswith(" and 2 more.")) == ("drift", True)
    assert sentence.startswith("5 of 6 features moved far: a (average 100 -> 150, PSI 0.40), b (")
    assert said(column("changed"))[1] == "1 of 1 feature moved far: spend (average 100 -> 150, PSI 0.40)."


def test_a_spike_is_said_against_the_last_stable_session_with_its_z_where_there_is_one() -> None:
    spike = column("spike", psi_previous=0.3)
    assert words_of(spike) == "spend (average 100 -> 150, PSI 0.30 since the last stable session)"
    assert words_of(replace(spike, z=6.25, avg_val=None)) == "spend (PSI 0.30 since the last stable session, z 6.2)"
    assert words_of(replace(spike, psi_previous=None, avg_ref=None)) == "spend (PSI 0.40)"
    assert words_of(column("far", psi=None)) == "spend (average 100 -> 150, PSI 0.00)"


def test_a_watched_column_is_said_only_where_nothing_is_broken_or_drifted() -> None:
    watched = column("watch", "f")
    assert said(watched, column("ok")) == (
        "watch",
        "1 of 2 features changed a little, beyond chance: f (average 100 -> 150, PSI 0.40). Nothing to do yet.",
    )
    assert said(watched, column("far"))[0] == "drift"
    assert said(watched, column("stuck"))[0] == "broken"


def test_too_few_rows_are_a_verdict_only_where_no_column_had_enough() -> None:
    few = column("too_few", n=12)
    assert said(few, few)[0] == "too_few"
    assert "12 rows, at least" in said(few, few)[1]
    assert said(few, column("ok"))[0] == "ok"
    assert said() == ("ok", "")


def test_columns_are_unchanged_only_where_all_that_have_a_distance_have_none() -> None:
    same, unknown = column("ok", psi=0.0), column("degenerate", psi=None)
    assert said(same, unknown)[1].startswith("Unchanged: 2 features of 400 rows are exactly as")
    assert said(same, column("ok", psi=0.001))[1].startswith("No drift: 2 features of 400 rows look as")


def test_a_session_that_measured_nothing_is_named_with_the_asset_to_materialise(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as database:
        database.ensure(DRIFT)
        with pytest.raises(LookupError, match="session s1 has measured no drift of cltv: materialise cltv/drift first"):
            read_reports(database, "cltv", "s1", POLICY)
        reports = read_reports(database, "cltv", "s1", POLICY, may_be_none=True)
    assert [(report.status, report.columns) for report in reports] == [("ok", ()), ("ok", ())]


def test_without_stable_sessions_nothing_is_left_to_compare_with() -> None:
    class Empty:
        def rows(self, statement: object) -> list[dict[str, object]]:
            return []

    assert read_earlier(Empty(), "cltv", "v1", date(2026, 6, 30), 20) == {}  # type: ignore[arg-type]
