"""The report is drawn in its own process, in time or not at all, and never the cause of a failure."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pytest

from tdml_assets.stages.drift.evidently_report import ReportResult, choose_columns, draw_report, write_sample

AS_OF = date(2024, 3, 1)
HOSTILE = "</script><script>alert(1)</script>"


def frame(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    spend = np.exp(rng.normal(size=rows) + shift)
    spend[0] = np.inf
    return pd.DataFrame(
        {
            "spend": spend,
            "orders": pd.array(rng.poisson(2, rows), dtype="Int64"),
            "coupon": rng.random(rows) < 0.3,
            "category": rng.choice(["gifts", HOSTILE, None], rows),
            "rare": np.where(np.arange(rows) < 3, "jane.doe@example.com", "common"),
            "constant": 7.0,
            "empty": np.nan,
            "note": [f"free text {i}" for i in range(rows)],
            "turned": [1.0] * rows if seed == 1 else ["1"] * rows,
        }
    )


COLUMNS = [*frame(1, 1).columns, "elsewhere"]


def draw(tmp_path: Path, rows: int = 600, columns: list[str] = COLUMNS, **options: float) -> ReportResult:
    reference = write_sample(pa.Table.from_pandas(frame(rows, 1)), tmp_path / "reference.parquet")
    current = write_sample(pa.Table.from_pandas(frame(rows, 2, 0.5)), tmp_path / "current.parquet")
    return draw_report(reference, current, columns, tmp_path / "reports" / "drift.html", as_of=AS_OF, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> ReportResult:
    return draw(tmp_path_factory.mktemp("report"))


def test_a_report_is_drawn_and_what_it_leaves_out_has_a_reason(drawn: ReportResult) -> None:
    assert drawn.status == "drawn", drawn.detail
    assert drawn.html is not None
    assert drawn.html.stat().st_size > 100_000
    assert set(drawn.drawn) == {"spend", "orders", "coupon", "category", "rare"}
    assert dict(drawn.dropped) == {
        "constant": "constant",
        "empty": "no value on one side",
        "note": "more than 50 levels: an id or free text",
        "turned": "number on one side, text on the other",
        "elsewhere": "missing on one side",
    }


def test_markup_in_customer_text_cannot_run_and_a_rare_value_is_not_shown(drawn: ReportResult) -> None:
    assert drawn.html is not None
    text = drawn.html.read_text(encoding="utf-8")
    assert "spend" in text
    assert "<script>alert(1)" not in text
    assert "jane.doe" not in text
    assert "free text 5" not in text


def test_the_page_has_a_title(drawn: ReportResult) -> None:
    assert drawn.html is not None
    titles = re.findall(r"<title>(.*?)</title>", drawn.html.read_text(encoding="utf-8"))
    assert titles[0] == f"Drift of {len(drawn.drawn)} columns up to {AS_OF}"


def test_the_report_leaves_nothing_else_behind(drawn: ReportResult) -> None:
    assert drawn.html is not None
    assert [path.name for path in drawn.html.parent.iterdir()] == ["drift.html"]


def test_a_report_out_of_time_is_ended_and_the_old_one_stays(tmp_path: Path) -> None:
    old = tmp_path / "reports" / "drift.html"
    old.parent.mkdir()
    old.write_text("the old report")
    result = draw(tmp_path, timeout_seconds=0.3)
    assert (result.status, result.html) == ("timed_out", None)
    assert result.seconds < 10
    assert "0.3 s" in result.detail
    assert old.read_text() == "the old report"
    assert [path.name for path in old.parent.iterdir()] == ["drift.html"]
    children = psutil.Process(os.getpid()).children(recursive=True)
    assert not [child for child in children if "tdml_assets.stages.drift.evidently_report" in " ".join(child.cmdline())]


def test_too_few_rows_and_no_columns_are_nothing_to_draw(tmp_path: Path) -> None:
    assert draw(tmp_path, rows=20).status == "nothing_to_draw"
    result = draw(tmp_path, columns=["constant", "empty"])
    assert (result.status, set(result.dropped)) == ("nothing_to_draw", {"constant", "empty"})


def test_an_unreadable_sample_fails_without_raising_and_without_its_content(tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    bad.write_text("jane.doe@example.com")
    result = draw_report(bad, bad, ["spend"], tmp_path / "drift.html", as_of=AS_OF)
    assert result.status == "failed"
    assert "ArrowInvalid" in result.detail
    assert "jane" not in result.detail
    assert not (tmp_path / "drift.html").exists()


def test_columns_over_the_limit_are_left_out_in_the_callers_order() -> None:
    sides = frame(100, 1), frame(100, 1, 0.1)
    numeric, texts, dropped = choose_columns(*sides, ["category", "spend", "orders"], max_columns=2)
    assert (numeric, texts) == (["spend"], ["category"])
    assert dropped == {"orders": "over the limit of 2 columns"}


def test_importing_the_module_does_not_import_evidently() -> None:
    import subprocess
    import sys

    code = "import sys, tdml_assets.stages.drift.evidently_report; sys.exit('evidently' in sys.modules or 'dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
