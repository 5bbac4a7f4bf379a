"""The benchmark's harness measures what it says, and its baseline does what a session of ours does."""

import json
import re
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks import baseline_model, baseline_session, session
from benchmarks.baseline_orders import features_at, match_returns, net_spend, read_lines
from benchmarks.measure import (
    CommandFailedError,
    Machine,
    Measurement,
    Row,
    markdown_table,
    measure,
    rows_of,
    write_results,
)
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.two_stage import TwoStageParameters
from tdml_assets.simulation import SimulationSettings
from tdml_assets.simulation.sample import write_sample
from tdml_assets.simulation.simulator import ORDERS_SCHEMA
from tdml_assets.stages.features.snapshots import plan_snapshots, plan_split

TODAY = date(2026, 7, 1)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """A folder that is not in memory, where the suite may keep its files."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def test_memory_of_a_grandchild_counts_and_mapped_files_do_not(tmp_path: Path, on_disk: Path) -> None:
    big = on_disk / "big"
    big.write_bytes(b"x" * 300_000_000)
    grandchild = f"""
        import mmap, time
        with open({str(big)!r}, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
            touched = sum(pages[place] for place in range(0, len(pages), 4096))
            held = bytearray(b'y') * 200_000_000
            time.sleep(0.6)
    """
    code = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {textwrap.dedent(grandchild)!r}], check=True)"
    )
    found = measure([sys.executable, "-c", code], log=tmp_path / "log", folder=tmp_path, interval_seconds=0.05)
    assert 0.2 < found.peak_memory_gb < 0.28
    assert found.samples > 5
    assert found.seconds > 0.6 > found.cpu_seconds - 0.5


def test_a_command_that_fails_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match=r"ended with code 3; log .*\nfirst words"):
        measure(python("print('first words'); raise SystemExit(3)"), log=tmp_path / "log", folder=tmp_path)


def test_a_command_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    code = """
        import pathlib, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        pathlib.Path("child").write_text(str(child.pid))
        time.sleep(60)
    """
    with pytest.raises(CommandFailedError, match="longer than 2 s"):
        measure(python(code), log=tmp_path / "log", folder=tmp_path, timeout_seconds=2)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child outlived the command"
        time.sleep(0.05)


def test_rows_are_medians_with_the_ratio_of_ours_to_the_baseline(tmp_path: Path) -> None:
    ours = [Measurement(seconds, 9.0, 1.0, 1) for seconds in (30.0, 10.0, 20.0)]
    rows = rows_of("one", ours, [Measurement(40.0, 9.0, 4.0, 1)])
    assert [row.as_dict() for row in rows if row.metric != "cpu_seconds"] == [
        {"case": "one", "metric": "seconds", "ours": 20.0, "rival": 40.0, "ratio": 0.5},
        {"case": "one", "metric": "peak_memory_gb", "ours": 1.0, "rival": 4.0, "ratio": 0.25},
    ]
    assert "| one | seconds | 20 | 40 | 0.5 |" in markdown_table(rows)


@pytest.mark.parametrize("rows", [[], [Row('a "quoted" case', "seconds", 1.5, 3.0), Row("alone", "bytes", 1e-9, None)]])
def test_stored_rows_are_read_back_as_they_were_one_a_line(rows: list[Row], tmp_path: Path) -> None:
    write_results("made_up", "text", rows, tmp_path)
    stored = (tmp_path / "results" / "made_up.json").read_text()
    assert json.loads(stored) == [row.as_dict() for row in rows]
    assert [json.loads(line.rstrip(",")) for line in stored.splitlines()[1:-1] if line] == json.loads(stored)


def test_steps_of_a_log_add_up_to_the_stages_and_the_whole() -> None:
    log = """
        dagster - DEBUG - J - r - 1 - raw__orders - STEP_SUCCESS - Finished execution of step "raw__orders" in 918ms.
        dagster - DEBUG - J - r - 1 - x - STEP_SUCCESS - Finished execution of step "cltv__drift" in 1.5s.
        dagster - DEBUG - J - r - 1 - x - STEP_SUCCESS - Finished execution of step "cltv__drift_report" in 1m02s.
        dagster - DEBUG - J - r - 1 - x - STEP_SUCCESS - Finished execution of step "unheard_of" in 1h0m1s.
    """
    steps = session.steps_of_log(log)
    assert steps == {"raw__orders": 0.918, "cltv__drift": 1.5, "cltv__drift_report": 62.0, "unheard_of": 3601.0}
    stages = session.stage_seconds(steps, 4000.0, 0)
    assert stages["measure drift"] == 1.5
    assert stages["draw the drift report"] == 62.0
    assert sum(stages.values()) == pytest.approx(4000.0)
    assert stages["start, stop and all else"] == pytest.approx(4000.0 - 0.918 - 1.5 - 62.0)


def test_every_step_of_the_baseline_belongs_to_a_stage() -> None:
    steps = re.findall(r'with step\("([^"]+)"\)', Path(baseline_session.__file__).read_text())
    assert len(steps) > 10
    assert {name for _, names in session._STAGES.values() for name in names} == set(steps)


def test_the_baseline_uses_our_snapshots_and_our_models_parameters() -> None:
    declared = yaml.safe_load((session.ROOT / "tdml_assets/workflows/cltv/defs.yaml").read_text())["attributes"]
    spec = WorkflowSpec.model_validate(declared)
    for as_of in (date(2026, 6, 30), date(2024, 2, 29), date(2026, 3, 1)):
        first = as_of - timedelta(days=3 * 365)
        ours = plan_snapshots(as_of, first, spec.target.horizon_days, spec.snapshots)
        split = plan_split(ours)
        roles = baseline_session.plan(as_of, first)
        assert set(roles) == set(ours.labelled), as_of
        assert sorted(day for day, role in roles.items() if role == "train") == list(split.train), as_of
        assert sorted(day for day, role in roles.items() if role == "refit") == list(split.refit_only), as_of
        assert (roles[split.validation or as_of], roles[split.test]) == ("validation", "test"), as_of
    assert spec.target.horizon_days == baseline_session.HORIZON
    assert spec.split.max_rows == baseline_session.MAX_TRAINING_ROWS
    assert (spec.prepare.outliers.low, spec.prepare.outliers.high) == baseline_model.CLIP
    assert spec.features.one_hot_limit == baseline_model.TOP_LEVELS
    parameters = TwoStageParameters.from_mapping(spec.model.parameters)
    for stage, chosen in baseline_model.STAGES.items():
        expected = parameters.of_stage(stage, base_score=0.5, seed=spec.model.seed, threads=1)
        expected = {name: value for name, value in expected.items() if name not in ("base_score", "nthread")}
        assert baseline_model.BOOSTING | chosen == expected, stage
    assert (parameters.rounds, parameters.patience) == (baseline_model.ROUNDS, baseline_model.PATIENCE)


def orders_file(path: Path, lines: list[tuple[str, str | None, str, str, str, int, float]]) -> Path:
    """Lines of order, customer, day, product, category, quantity, unit price."""
    table = pa.table(
        {
            "order_id": [line[0] for line in lines],
            "customer_id": [line[1] for line in lines],
            "ordered_at": [pd.Timestamp(line[2]) for line in lines],
            "product_id": [line[3] for line in lines],
            "product_category": [line[4] for line in lines],
            "quantity": [line[5] for line in lines],
            "unit_price": [line[6] for line in lines],
            "order_status": ["RETURN" if line[5] < 0 else "COMPLETE" for line in lines],
            "order_type": ["Website"] * len(lines),
            "coupon_used": [False] * len(lines),
            "currency": ["GBP"] * len(lines),
            "line_number": list(range(len(lines))),
        }
    )
    pq.write_table(table.cast(ORDERS_SCHEMA), path)
    return path


LINES: list[tuple[str, str | None, str, str, str, int, float]] = [
    ("O1", "ann", "2026-01-01 10:00", "P1", "Books", 2, 10.0),
    ("O1", "ann", "2026-01-01 10:00", "P2", "Shoes", 1, 50.0),
    ("O2", "ann", "2026-01-11 10:00", "P1", "Books", 1, 10.0),
    ("O3", "ann", "2026-01-31 10:00", "P3", "Toys", 3, 1.0),
    ("R2", "ann", "2026-02-05 10:00", "P1", "Books", -1, 10.0),
    ("O4", "bob", "2026-01-20 10:00", "P1", "Books", 1, 10.0),
    ("R4", "bob", "2026-02-20 10:00", "P1", "Books", -1, 10.0),
    ("O5", "cat", "2026-03-01 10:00", "P2", "Shoes", 1, 50.0),
    ("O6", "", "2026-01-20 10:00", "P1", "Books", 1, 10.0),
    ("O7", None, "2026-01-20 10:00", "P1", "Books", 1, 10.0),
    ("O8", "bob", "2126-01-20 10:00", "P1", "Books", 1, 10.0),
    ("O9", "bob", "2026-01-20 10:00", "P1", "Books", 1, 9e9),
]


def features_of(lines: pd.DataFrame, day: str) -> pd.DataFrame:
    return features_at(lines, match_returns(lines), pd.Timestamp(day))


def test_the_baseline_rejects_bad_rows_and_takes_returns_off_the_sale_they_belong_to(tmp_path: Path) -> None:
    lines, rejected = read_lines(orders_file(tmp_path / "orders.parquet", LINES), TODAY)
    assert rejected == {"missing_customer": 2, "bad_timestamp": 1, "out_of_bounds": 1, "duplicate": 0}
    frame = features_of(lines, "2026-02-10")
    assert set(frame.index) == {"ann", "bob"}
    ann = frame.loc["ann"]
    expected = {
        "total_spend": 73.0,
        "gross_spend": 83.0,
        "returned_amount": 10.0,
        "total_orders": 2,
        "total_items": 6,
        "distinct_items_ordered": 3,
        "distinct_categories_ordered": 3,
        "online_orders": 2,
        "canceled_orders": 1,
        "avg_order_value": 36.5,
        "first_order_value": 70.0,
        "last_order_value": 3.0,
        "max_order_value": 70.0,
        "days_since_last_order": 10,
        "recency_days": 30,
        "tenure_days": 40,
        "repeat_purchase_days": 1,
        "mean_days_between_orders": 30.0,
        "avg_repeat_day_value": 3.0,
        "total_spend_30d": -7.0,
        "total_orders_30d": 1,
        "returned_amount_30d": 10.0,
        "last_ordered_category": "Toys",
    }
    assert {name: ann[name] for name in expected} == expected
    assert np.isnan(ann["stddev_days_between_orders"])
    # Before the return the second order stands; after his return nothing is left of bob's only one.
    before = features_of(lines, "2026-02-04").loc["ann"]
    assert (before["total_orders"], before["most_ordered_category"]) == (3, "Books")
    assert before["stddev_days_between_orders"] == pytest.approx(np.std([10, 20], ddof=1))
    assert set(features_of(lines, "2026-02-20").index) == {"ann"}
    target = net_spend(lines, pd.Timestamp("2026-01-31"), pd.Timestamp("2026-03-01"))
    assert (target["ann"], target["cat"]) == (0.0, 50.0)


def test_later_lines_change_no_feature_of_the_baseline(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    write_sample(folder, SimulationSettings(customers=300, pageviews_per_order=0, emails_per_month=0))
    cut = date(2025, 6, 30)
    whole = pq.read_table(folder / "orders.parquet")
    known = whole.filter(pa.array(whole["ordered_at"].to_numpy() < np.datetime64(cut + timedelta(days=1))))
    pq.write_table(known, tmp_path / "known.parquet")
    frames = []
    for path in (folder / "orders.parquet", tmp_path / "known.parquet"):
        frame = features_of(read_lines(path, TODAY)[0], cut.isoformat())
        frame.index = frame.index.astype(str)
        frames.append(frame.sort_index().astype({"most_ordered_category": str, "last_ordered_category": str}))
    assert len(frames[0]) > 100
    pd.testing.assert_frame_equal(*frames)


def test_the_benchmark_runs_its_baseline_and_writes_both_files(tmp_path: Path) -> None:
    arguments = ["--customers", "1500", "--orders", "15000", "--skip-ours"]
    session.main([*arguments, "--work", str(tmp_path / "work"), "--docs", str(tmp_path / "docs")])
    rows = json.loads((tmp_path / "docs/results/session.json").read_text())
    assert [set(row) for row in rows] == [{"case", "metric", "ours", "rival", "ratio"}] * len(rows)
    whole = {row["metric"]: row for row in rows if row["case"].startswith("whole session")}
    assert set(whole) == {"seconds", "cpu_seconds", "peak_memory_gb"}
    assert all(row["ours"] is None and row["rival"] > 0 for row in whole.values())
    stages = [row["rival"] for row in rows if row["case"].startswith("stage: ")]
    assert sum(stages) == pytest.approx(whole["seconds"]["rival"], abs=1.0)
    lines = int(re.findall(r"([\d,]+) order lines", rows[0]["case"])[0].replace(",", ""))
    assert lines == pytest.approx(15_000, rel=0.1)
    page = (tmp_path / "docs/session.md").read_text()
    assert f"{whole['seconds']['rival']:,g}" in page

    found = json.loads((tmp_path / "work/baseline/session.json").read_text())
    attributes = pd.read_csv(tmp_path / "work/baseline/attributes.csv", dtype={"customer_id": str})
    assert len(attributes) == found["customers"] == attributes["customer_id"].nunique() > 1000
    assert attributes["cltv_decile"].value_counts().max() - attributes["cltv_decile"].value_counts().min() <= 1
    assert found["metrics"]["test"]["normalised_gini"] > found["metrics"]["test"]["baseline"]["normalised_gini"] > 0
    assert (tmp_path / "work/baseline/drift.html").stat().st_size > 100_000


def test_a_page_says_what_it_was_measured_on() -> None:
    rows = [Row("whole", "seconds", 1.0, 2.0)]
    facts = {"customers": 1, "orders": 2, "lines": 3, "repetitions": 4, "limit": ""}
    page = session.render(rows, [], facts, Machine(7, 15.6, "Linux x86_64", "3.11.0"))
    assert "7 cores, 16 GB memory, Linux x86_64, Python 3.11.0. Repetitions per side: 4" in page
    assert asdict(rows[0])["case"] in page
