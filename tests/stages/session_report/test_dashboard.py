"""The dashboard: figures that agree with the tables, in one file that fetches nothing and names no customer."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tdml_assets.commands.app import app
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.session_report.dashboard import Dashboard, latest_exports, read_dashboard, render_dashboard
from tests.dashboard_history import DAYS, LAST, NOW, SPECS, write_exports, write_history


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(database=str(tmp_path / "warehouse.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)


def facts_of(warehouse: Warehouse, *, with_lift: bool = True) -> Dashboard:
    with warehouse.write() as database:
        write_history(database, with_lift=with_lift)
        folder = Path(warehouse.database).parent / "exports"
        if not folder.exists():
            write_exports(database, folder)
        return read_dashboard(database, SPECS, NOW, latest_exports(str(folder)))


def test_what_is_read_agrees_with_the_tables(warehouse: Warehouse) -> None:
    facts = facts_of(warehouse)
    churn, cltv, segments = facts.workflows
    assert facts.as_of == LAST
    assert {row["as_of"] for row in churn.bands} == set(DAYS)
    assert sum(row["customers"] for row in churn.bands if row["as_of"] == LAST) == 580 + 11 * (8 + 5 + 2 - 1)
    # Every tenth of the 990 who are there on both days moves one band on; 20 are new, 10 have left.
    moved = {(row["band_before"], row["band_now"]): row["customers"] for row in segments.movement}
    assert sum(count for (old, new), count in moved.items() if old and new and old == new) == 891
    assert sum(count for (old, new), count in moved.items() if old and new and old != new) == 99
    assert sum(count for (old, _), count in moved.items() if not old) == 20
    assert sum(count for (_, new), count in moved.items() if not new) == 10
    assert [row["decile"] for row in cltv.deciles] == list(range(10, 0, -1))
    assert sum(row["amount"] for row in cltv.deciles) == sum((n % 100) ** 2 for n in range(10, 1020))
    assert [row["mean_probability"] for row in churn.grades] == pytest.approx([0.9, 0.6, 0.4, 0.1])
    assert (churn.drift[-1]["feature_psi"], churn.drift[-1]["alarms"]) == (pytest.approx(0.152), 1)
    assert {(row["band"], row["age"]) for row in churn.lift if row["age"] == 1} == {(band, 1) for band in "ABCD"}
    assert {
        (row["band_before"], row["band_now"]) for row in cltv.movement if row["band_before"] and row["band_now"]
    } == {(str(place), str(place)) for place in range(1, 11)}
    assert segments.movement_days == "2026-06-16 to 2026-06-30"


def test_the_page_is_one_file_that_fetches_nothing_and_names_no_customer(warehouse: Warehouse) -> None:
    page = render_dashboard(facts_of(warehouse))
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"(?!#)|url\(|@import|<script", page)
    assert not re.search(r"\b000\d\d\b|\b010[12]\d\b", page)
    for title in ("Customers per band", "Movement", "Value deciles", "Grades", "Drift", "Lift", "Lift over time"):
        assert f"<h3>{title}</h3>" in page, title


def test_without_control_groups_and_without_sessions_the_page_says_what_there_is(warehouse: Warehouse) -> None:
    assert "Nothing is scored yet" in render_dashboard(Dashboard((), None, NOW))
    assert "<h3>Lift</h3>" not in render_dashboard(facts_of(warehouse, with_lift=False))


def test_one_day_of_exports_is_not_a_movement_and_exports_elsewhere_are_not_read(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    facts_of(warehouse)
    assert latest_exports("s3://bucket/exports") is None
    (later,) = (tmp_path / "exports").glob("*/2026-06-30-*")
    shutil.rmtree(later)
    assert latest_exports(str(tmp_path / "exports")) is None


def test_the_command_writes_the_page(tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tdml.yaml").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("TDML_CONFIG", str(tmp_path / "tdml.yaml"))
    monkeypatch.setenv("TDML_HOME", str(tmp_path))
    assert CliRunner().invoke(app, ["dashboard"]).exit_code == 1
    facts_of(warehouse)
    done = CliRunner().invoke(app, ["dashboard"])
    assert (done.exit_code, "3 workflows, data up to 2026-06-30" in done.output) == (0, True), done.output
    assert "<h3>Movement</h3>" in (tmp_path / "reports" / "dashboard.html").read_text(encoding="utf-8")
