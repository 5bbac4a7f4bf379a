"""The level study: its shops, its figures, its page."""

import json
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks import level_runs
from benchmarks.level import figures_of, page, rows_of
from benchmarks.level_shops import Outcome, draw_shop, run_shop
from benchmarks.measure import Machine

ONE = Outcome(
    1,
    "cltv",
    900,
    2.0,
    "growth, season",
    "season",
    0.3,
    0.1,
    -0.3,
    -0.05,
    0.03,
    True,
    knows_rates=0.01,
    knows_histories=-0.2,
)


def test_a_shop_is_the_same_every_time_and_shops_differ() -> None:
    assert draw_shop(3) == draw_shop(3)
    assert len({draw_shop(number)[1].customers for number in range(12)}) == 12
    assert {years for number in range(30) for years in [draw_shop(number)[1].days > 500]} == {True, False}


def test_a_line_counts_biases_bounds_and_signs() -> None:
    wrong = replace(ONE, raw=0.2, corrected=0.5, within=False)
    unsure = replace(ONE, gap=0.05)
    found = figures_of([ONE, wrong, unsure])
    assert found["within_15_after"] == pytest.approx(2 / 3)
    assert found["within_15_before"] == 0.0
    assert found["bounds_hold"] == pytest.approx(2 / 3)
    assert (found["signs_stated"], found["signs_right"]) == (2, 0.5)


def test_the_page_has_a_table_for_each_workflow_and_the_rows_hold_the_same() -> None:
    outcomes = [ONE, replace(ONE, workflow="churn", knows_rates=None, knows_histories=None)]
    text = page(outcomes, Machine(2, 8.0, "Linux", "3.11"))
    assert "## cltv" in text
    assert "## churn" in text
    assert "not run yet" not in text
    assert "**3 more shops" in page(outcomes, Machine(2, 8.0, "Linux", "3.11"), waiting=3)
    assert "| same season seen a year earlier | 1 | 30.0% | 5.0% |" in text
    assert "| same season seen a year earlier | 1 | 1.0% | 100% | 20.0% | 0% | 5.0% | 100% |" in text
    assert {row.case for row in rows_of(outcomes)} >= {"cltv: all", "churn: growth"}


def test_a_small_shop_is_run_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    words, settings = draw_shop(6)
    monkeypatch.setattr(
        "benchmarks.level_shops.draw_shop", lambda number: (words, settings.model_copy(update={"customers": 600}))
    )
    cltv, churn = run_shop(6)
    assert (cltv.workflow, churn.workflow) == ("cltv", "churn")
    assert cltv.customers == churn.customers > 100
    assert (1 + cltv.corrected) / (1 + cltv.raw) == pytest.approx(2.718281828**cltv.gap)
    assert cltv.knows_rates is not None
    assert cltv.knows_histories is not None
    assert abs(cltv.knows_histories - cltv.knows_rates) < 0.3
    assert churn.knows_rates is None


def test_finished_shops_are_read_and_a_process_that_died_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one(number: int, folder: Path) -> None:
        if number == 2 and not (folder / "died").exists():
            (folder / "died").touch()
            os._exit(9)
        (folder / f"{number}.json").write_text(json.dumps([asdict(replace(ONE, shop=number))]))

    monkeypatch.setattr(level_runs, "_run_one", one)
    monkeypatch.setattr(level_runs, "_context", lambda: multiprocessing.get_context("fork"))
    seen: list[int] = []

    def report(number: int, found: Sequence[Outcome]) -> None:
        seen.append(number)

    with pytest.raises(level_runs.UnfinishedError, match=r"\{2: 9\}"):
        level_runs.run_shops(range(4), tmp_path, 2, report)
    assert sorted(seen) == [0, 1, 3]
    assert [found.shop for found in level_runs.run_shops(range(4), tmp_path, 2, report)] == [0, 1, 2, 3]
    assert seen[3:] == [2]
