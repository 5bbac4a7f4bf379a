"""Figures are small pictures that fit into an event log, drawn for any table that can occur."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest

from tdml_assets.platform import figures
from tdml_assets.stages.drift import figures as figures_monitoring
from tdml_assets.stages.drift.detection import BROKEN, DRIFTED, Status
from tests.charts import bars, inside, legend, lengths, words

ALARM, OK, CHANGED, UNKNOWN = "#b3261e", "#2b6ca3", "#e08a1e", "#a9b2bb"
NAMES = [f"a_rather_long_feature_name_of_{i}_days" for i in range(60)]
SPREAD = np.linspace(-1, 1, 60)
SPEND = np.exp(np.random.default_rng(0).normal(size=5000))

DRAWINGS: dict[str, Callable[[], bytes]] = {
    "target_histogram": lambda: figures.target_histogram(
        [{"label_str": "0", "bin_cnt": 5}]
        + [{"label_str": f"{i},000 to {i + 1},000", "bin_cnt": i} for i in range(10)],
        target="spend",
    ),
    "correlations": lambda: figures.correlations(_rows(correlation=SPREAD), target="spend"),
    "split_comparison": lambda: figures.split_comparison(
        [
            {
                "column_name": name,
                "cv_train": 100.0,
                "cv_test": None,
                "sampled_difference": 2.0,
                "difference_limit": 3.0,
                "shift": None,
                "shift_limit": None,
                "scale": 1.0,
                "scale_limit": 0.5,
                "status": "differs",
            }
            for name in NAMES
        ]
    ),
    "calibration": lambda: figures.calibration(
        [{"decile": i, "mean_predicted": i * 100.0, "mean_actual": None} for i in range(10, 0, -1)]
    ),
    "gain": lambda: figures.gain(SPEND, SPEND * 2, what="spend"),
    "importances": lambda: figures.importances(
        [{"feature": name, "shap": abs(x)} for name, x in zip(NAMES, SPREAD, strict=True)]
    ),
    "prediction_distribution": lambda: figures.prediction_distribution(SPEND, target="spend"),
    "drift": lambda: figures_monitoring.drift(_rows(psi=np.abs(SPREAD), status=["spike"] * 60), psi_limit=0.25),
}

NOTHING: dict[str, Callable[[], bytes]] = {
    "target_histogram": lambda: figures.target_histogram([], target="spend"),
    "correlations": lambda: figures.correlations([{"column_name": "a", "correlation": None}], target="spend"),
    "split_comparison": lambda: figures.split_comparison([]),
    "calibration": lambda: figures.calibration([]),
    "gain": lambda: figures.gain([], [], what="spend"),
    "gain of nothing": lambda: figures.gain([1.0, 2.0], [0.0, 0.0], what="spend"),
    "importances": lambda: figures.importances([{"feature": "a", "shap": None}]),
    "prediction_distribution": lambda: figures.prediction_distribution([], target="spend"),
    "prediction_distribution of a constant": lambda: figures.prediction_distribution([3.0] * 9, target="spend"),
    "drift": lambda: figures_monitoring.drift([{"column_name": "a", "psi": None, "status": "too_few"}], psi_limit=0.25),
}


def _rows(**columns: Any) -> list[dict[str, Any]]:
    return [
        {"column_name": name, **dict(zip(columns, values, strict=True))}
        for name, *values in zip(NAMES, *columns.values(), strict=True)
    ]


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_is_below_100_kb_inside_its_frame_and_the_same_every_time(name: str) -> None:
    picture = DRAWINGS[name]()
    assert inside(picture)
    assert len(picture) < 100_000
    assert picture == DRAWINGS[name]()


@pytest.mark.parametrize("name", NOTHING)
def test_a_table_with_nothing_to_draw_is_drawn(name: str) -> None:
    assert inside(NOTHING[name]())


def test_names_are_drawn_as_they_are() -> None:
    rows = [{"column_name": "spend_$_<b>&x", "correlation": 0.5}]
    assert {"Correlation with US$ & <A$>", "spend_$_<b>&x"} <= set(
        words(figures.correlations(rows, target="US$ & <A$>"))
    )


def test_the_gain_of_a_perfect_ranking_differs_from_that_of_a_poor_one() -> None:
    assert figures.gain(SPEND, SPEND, what="spend") != figures.gain(-SPEND, SPEND, what="spend")


def test_the_gain_says_what_the_best_tenth_holds() -> None:
    picture = figures.gain([5.0, 4.0, 3.0, 2.0, 1.0] * 2, [6.0, 1.0, 1.0, 1.0, 1.0] * 2, what="spend")
    assert "top 10 %: 30 % of spend" in words(picture)
    assert legend(picture) == {"at random": CHANGED, "perfect ranking": UNKNOWN, "model": OK}


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_of_drift_is_drawn_in_its_colour(status):
    rows = [{"column_name": "a", "psi": 0.3, "status": status}, {"column_name": "b", "psi": 0.1, "status": "ok"}]
    drawn = {name: colour for name, (_, colour) in bars(figures_monitoring.drift(rows, psi_limit=0.25)).items()}
    expected = {"ok": OK, "watch": CHANGED, **dict.fromkeys(("first", "degenerate", "too_few"), UNKNOWN)}.get(
        status, ALARM
    )
    assert drawn == {"a": expected, "b": OK}
    assert (expected == ALARM) == (status in (*BROKEN, *DRIFTED))


def test_a_column_that_lost_all_values_is_drawn_first():
    rows = [{"column_name": name, "psi": 0.2, "status": "watch"} for name in "abc"]
    gone = {"column_name": "gone", "psi": None, "status": "all_null"}
    drawn = bars(figures_monitoring.drift([*rows, gone], psi_limit=0.25, most=2))
    assert drawn == {"gone": ("0.000", ALARM), "a": ("0.200", CHANGED)}


def test_calibration_draws_the_prediction_and_what_happened():
    rows = [{"decile": place, "mean_predicted": 10.0 * place, "mean_actual": 7.0 * place} for place in (1, 2)]
    picture = figures.calibration(rows)
    assert bars(picture, of="predicted") == {"1": ("10", OK), "2": ("20", OK)}
    assert bars(picture, of="actual") == {"1": ("7", CHANGED), "2": ("14", CHANGED)}


def test_the_strongest_correlations_are_drawn_first():
    rows = [
        {"column_name": name, "correlation": value} for name, value in (("weak", 0.1), ("strong", -0.8), ("none", None))
    ]
    drawn = bars(figures.correlations(rows, target="spend"))
    assert list(drawn.items()) == [("strong", ("-0.80", CHANGED)), ("weak", ("+0.10", OK))]


def test_bars_are_as_long_as_their_values() -> None:
    rows = [{"feature": name, "shap": value} for name, value in (("a", 4.0), ("b", 1.0), ("c", 0.0))]
    a, b, c = (one.wide for one in lengths(figures.importances(rows)))
    assert (a, c) == (pytest.approx(4 * b, abs=0.02), 0)


def test_the_distribution_holds_all_customers() -> None:
    corners = figures.shares_per_bin(np.array([1.0, 1.5, 2.5, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert corners == [(1.0, 50.0), (2.0, 50.0), (2.0, 50.0), (3.0, 50.0)]
