"""Figures of what became of predictions."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.platform.drawn_once import keeping
from tdml_assets.platform.picture_folder import PictureFolder
from tdml_assets.stages.drift.asset import _picture
from tdml_assets.stages.drift.figures import realised_means

_LARGEST = 100_000


def rows(count: int) -> list[dict[str, Any]]:
    days = (date(2011, 1, 31) + timedelta(days=number) for number in range(count))
    return [{"as_of": day, "mean_predicted": 10.0 + place, "mean_actual": 20.0} for place, day in enumerate(days)]


def test_a_figure_is_small_and_equal_for_equal_input() -> None:
    png = realised_means(rows(12), what="spend")
    assert png.startswith(b"\x89PNG")
    assert png == realised_means(rows(12), what="spend")
    assert png != realised_means(rows(11), what="spend")
    assert len(png) < _LARGEST


def test_years_of_daily_sessions_are_drawn_as_their_newest_days() -> None:
    many = rows(800)
    assert realised_means(many, what="spend") == realised_means(many[-24:], what="spend")


def test_before_any_horizon_has_passed_the_figure_says_so() -> None:
    assert realised_means([], what="spend").startswith(b"\x89PNG")
    unknown = [{"as_of": date(2011, 1, 31), "mean_predicted": 1.0, "mean_actual": None}]
    assert realised_means(unknown, what="spend").startswith(b"\x89PNG")


def test_the_same_distances_are_drawn_once_for_all_sessions(tmp_path: Path) -> None:
    found = [{"column_name": "total_spend", "kind": "feature", "status": "ok", "psi": 0.01, "avg_val": 3.0}]
    with keeping(PictureFolder(tmp_path, "this code")):
        first, second = (
            _picture([{**row, "session_id": name} for row in found], Monitor(psi_limit=0.2)) for name in "ab"
        )
        assert first == second
        assert len(list(tmp_path.iterdir())) == 1
        _picture([{**row, "psi": 0.02} for row in found], Monitor(psi_limit=0.2))
    assert len(list(tmp_path.iterdir())) == 2
