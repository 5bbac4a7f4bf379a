"""Figures of what became of predictions."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tdml_assets.stages.drift.figures import realised_means
from tests.charts import bars, inside, words

_LARGEST = 100_000


def rows(count: int) -> list[dict[str, Any]]:
    days = (date(2011, 1, 31) + timedelta(days=number) for number in range(count))
    return [{"as_of": day, "mean_predicted": 10.0 + place, "mean_actual": 20.0} for place, day in enumerate(days)]


def test_a_figure_is_small_and_equal_for_equal_input() -> None:
    picture = realised_means(rows(12), what="spend")
    assert inside(picture)
    assert picture == realised_means(rows(12), what="spend")
    assert picture != realised_means(rows(11), what="spend")
    assert len(picture) < _LARGEST
    assert bars(picture, of="predicted")["2011-02-01"][0] == "11"
    assert bars(picture, of="realised")["2011-02-01"][0] == "20"


def test_years_of_daily_sessions_are_drawn_as_their_newest_days() -> None:
    many = rows(800)
    assert realised_means(many, what="spend") == realised_means(many[-24:], what="spend")


def test_before_any_horizon_has_passed_the_figure_says_so() -> None:
    assert "nothing to draw" in words(realised_means([], what="spend"))
    unknown = [{"as_of": date(2011, 1, 31), "mean_predicted": 1.0, "mean_actual": None}]
    assert bars(realised_means(unknown, what="spend"), of="realised")["2011-01-31"][0] == "0"
