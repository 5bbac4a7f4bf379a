"""The benchmark of scale: who is charged for what, and orders that a killed run does not write twice."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import pytest

from benchmarks import scale, scale_orders
from benchmarks.scale_watch import REST, Cost, Sample, Step, costs_of, of_attempts, read_samples, stage_of, total
from tdml_assets.simulation import SimulationSettings

_SETTINGS = SimulationSettings(customers=250_000, orders_per_year=0.01, pageviews_per_order=0, emails_per_month=0)


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.parquet"))}


def test_orders_are_written_behind_the_last_whole_file_and_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale_orders, "_BLOCKS_PER_FILE", 1)
    scale_orders.write_orders(tmp_path, _SETTINGS, 0.1)
    whole = _hashes(tmp_path)
    assert len(whole) == 6
    new, old = (scale_orders.lines_of(tmp_path, name) for name in (scale_orders.NEXT, scale_orders.FIRST))
    assert 0.02 < new / (new + old) < 0.3

    kept = tmp_path / "orders" / "orders-0000.parquet"
    for path in tmp_path.rglob("*.parquet"):
        if path.name.endswith(("-0001.parquet", "-0002.parquet")):
            path.unlink()
    before = kept.stat().st_mtime_ns
    scale_orders.write_orders(tmp_path, _SETTINGS, 0.1)
    assert _hashes(tmp_path) == whole
    assert kept.stat().st_mtime_ns == before


def test_a_stage_is_charged_for_the_time_between_its_steps_and_the_rest_for_what_is_left() -> None:
    samples = [Sample(float(second), 2.0 * second, 1.0 + (second == 3), 0.5) for second in range(11)]
    steps = [Step("raw__orders", 1.0, 2.0), Step("dbt_build", 2.0, 6.0), Step("cltv__predictions", 8.0, math.inf)]
    found = costs_of(samples, steps)
    assert found["load"] == Cost(1.0, 2.0, 1.0, 0.5)
    assert found["features"] == Cost(4.0, 8.0, 2.0, 0.5)
    # The step that was killed lasts until the last sample.
    assert found["score"] == Cost(2.0, 4.0, 1.0, 0.5)
    assert found[REST] == Cost(3.0, 6.0, 1.0, 0.5)
    assert total(found) == Cost(10.0, 20.0, 2.0, 0.5)


@pytest.mark.parametrize(
    ("step", "stage"),
    [
        ("features__customer_features_features_ignore_later_rows", "features"),
        ("cltv__preparation_parameters", "prepare"),
        ("cltv__drift_report", "measure"),
        ("audience__files", "attributes and exports"),
        ("something_else", REST),
    ],
)
def test_a_step_belongs_to_the_stage_that_its_name_says(step: str, stage: str) -> None:
    assert stage_of(step) == stage


def test_of_attempts_the_one_that_computed_a_stage_counts() -> None:
    computed, taken_over = Cost(9.0, 9.0, 1.0, 1.0), Cost(1.0, 1.0, 2.0, 1.0)
    found = of_attempts([{"load": computed}, {"load": taken_over, "score": taken_over}])
    assert found == {"load": computed, "score": taken_over}


def test_a_sample_that_was_not_written_whole_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "first-1.csv"
    path.write_text("1.0,2.0,3.0,4.0\n2.0,3.0", encoding="ascii")
    assert read_samples(path) == [Sample(1.0, 2.0, 3.0, 4.0)]


def test_the_page_shows_every_size_of_the_folder_with_the_growth_between_them(tmp_path: Path) -> None:
    for customers, seconds in ((1000, 10.0), (2000, 30.0)):
        size = scale.Size(customers, tmp_path / "work" / str(customers))
        size.folder.mkdir(parents=True)
        costs = {"load": Cost(seconds, seconds, 1.0, 2.0).as_dict()}
        size.done(scale.SIMULATED, costs=costs, lines={}, file_bytes=10**7)
        size.done(scale.SESSION, costs=costs, attempts=1)
        size.done(scale.SECOND, costs={"score": Cost(2.0, 3.0, 1.0, 2.0).as_dict()}, attempts=1)
    page = scale.write_page(tmp_path / "work", tmp_path / "docs", 0.01, "again")
    rows = json.loads((tmp_path / "docs" / "results" / "scale.json").read_text(encoding="utf-8"))
    figures = {(row["case"], row["metric"]): row["ours"] for row in rows}
    assert figures["1,000 customers", "seconds_per_million_customers"] == 10_000
    assert figures["2,000 customers", "seconds_per_million_customers"] == 15_000
    assert figures["2,000 customers", "daily_session_share_of_cpu_seconds"] == 0.1
    assert figures["2,000 customers: load", "cpu_seconds"] == 30
    assert "2,000 customers, first session" in page
