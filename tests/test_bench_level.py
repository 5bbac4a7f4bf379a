"""The level study: its shops, its figures, its page."""

from dataclasses import replace
from datetime import date

import pytest

from benchmarks.level import figures_of, page, rows_of
from benchmarks.level_shops import Outcome, draw_shop, run_shop
from benchmarks.measure import Machine
from tdml_assets.engines.level import Level

ONE = Outcome(
    1,
    "cltv",
    900,
    2.0,
    "growth, season",
    Level(date(2026, 1, 1), "amount", 0.3, 0.1, "season"),
    -0.3,
    -0.05,
    0.03,
    True,
)


def test_a_shop_is_the_same_every_time_and_shops_differ() -> None:
    assert draw_shop(3) == draw_shop(3)
    assert len({draw_shop(number)[1].customers for number in range(12)}) == 12
    assert {years for number in range(30) for years in [draw_shop(number)[1].days > 500]} == {True, False}


def test_a_line_counts_biases_bounds_and_signs() -> None:
    wrong = replace(ONE, raw=0.2, corrected=0.5, within=False)
    unsure = replace(ONE, level=replace(ONE.level, gap=0.05))
    found = figures_of([ONE, wrong, unsure])
    assert found["within_15_after"] == pytest.approx(2 / 3)
    assert found["within_15_before"] == 0.0
    assert found["bounds_hold"] == pytest.approx(2 / 3)
    assert (found["signs_stated"], found["signs_right"]) == (2, 0.5)


def test_the_page_has_a_table_for_each_workflow_and_the_rows_hold_the_same() -> None:
    outcomes = [ONE, replace(ONE, workflow="churn")]
    text = page(outcomes, Machine(2, 8.0, "Linux", "3.11"), 12.0)
    assert "## cltv" in text
    assert "## churn" in text
    assert "| same season seen a year earlier | 1 | 30.0% | 5.0% |" in text
    assert {row.case for row in rows_of(outcomes)} >= {"cltv: all", "churn: growth"}


def test_a_small_shop_is_run_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    words, settings = draw_shop(6)
    monkeypatch.setattr(
        "benchmarks.level_shops.draw_shop", lambda number: (words, settings.model_copy(update={"customers": 600}))
    )
    cltv, churn = run_shop(6)
    assert (cltv.workflow, churn.workflow) == ("cltv", "churn")
    assert cltv.customers == churn.customers > 100
    assert (1 + cltv.corrected) / (1 + cltv.raw) == pytest.approx(2.718281828**cltv.level.gap)
