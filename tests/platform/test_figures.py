"""Figures are PNGs that fit into an event log, drawn for any table that can occur."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from tdml_assets.platform import figures
from tdml_assets.stages.drift import figures as figures_monitoring
from tdml_assets.stages.drift.detection import BROKEN, DRIFTED, Status

NAMES = [f"a_rather_long_feature_name_of_{i}_days" for i in range(60)]
SPREAD = np.linspace(-1, 1, 60)
SPEND = np.exp(np.random.default_rng(0).normal(size=5000))

DRAWINGS: dict[str, Callable[[], bytes]] = {
    "target_histogram": lambda: figures.target_histogram(
        [{"label_str": "0", "bin_cnt": 5}]
        + [{"label_str": f"{i},000 to {i + 1},000", "bin_cnt": i} for i in range(10)],
        target="spend",
        unit="GBP",
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
        [{"decile": i, "mean_predicted": i * 100.0, "mean_actual": None} for i in range(10, 0, -1)], unit="GBP"
    ),
    "gain": lambda: figures.gain(SPEND, SPEND * 2, what="spend"),
    "importances": lambda: figures.importances(
        [{"feature": name, "shap": abs(x)} for name, x in zip(NAMES, SPREAD, strict=True)]
    ),
    "prediction_distribution": lambda: figures.prediction_distribution(SPEND, SPEND * 2, target="spend", unit="GBP"),
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
def test_a_figure_is_a_png_below_100_kb_and_the_same_every_time(name: str) -> None:
    png = DRAWINGS[name]()
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    assert image.width == 600
    assert len(png) < 100_000
    assert png == DRAWINGS[name]()


@pytest.mark.parametrize("name", DRAWINGS)
def test_nothing_is_clipped_at_the_border(name: str) -> None:
    grey = np.asarray(Image.open(io.BytesIO(DRAWINGS[name]())).convert("L"))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    assert border.min() > 200


@pytest.mark.parametrize("name", NOTHING)
def test_a_table_with_nothing_to_draw_is_drawn(name: str) -> None:
    assert NOTHING[name]()[:8] == b"\x89PNG\r\n\x1a\n"


def test_names_with_dollar_signs_are_drawn_as_they_are() -> None:
    rows = [{"column_name": "spend_$_and_$_x^{", "correlation": 0.5}]
    assert figures.correlations(rows, target="spend in US$ and A$")[:4] == b"\x89PNG"


def test_drawing_leaves_no_global_state() -> None:
    import sys

    figures.correlations([], target="x")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_the_gain_of_a_perfect_ranking_differs_from_that_of_a_poor_one() -> None:
    assert figures.gain(SPEND, SPEND, what="spend") != figures.gain(-SPEND, SPEND, what="spend")


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_of_drift_is_drawn_in_its_colour(status):
    rows = [{"column_name": "a", "psi": 0.3, "status": status}, {"column_name": "b", "psi": 0.1, "status": "ok"}]
    axes = figures_monitoring.drift_figure(rows, psi_limit=0.25).axes[0]
    drawn = {
        label.get_text(): to_hex(bar.get_facecolor())
        for label, bar in zip(axes.get_yticklabels(), axes.patches, strict=True)
    }
    alarm, calm, changed, unknown = "#b3261e", "#2b6ca3", "#e08a1e", "#a9b2bb"
    expected = {"ok": calm, "watch": changed, **dict.fromkeys(("first", "degenerate", "too_few"), unknown)}.get(
        status, alarm
    )
    assert drawn == {"a": expected, "b": calm}
    assert (expected == alarm) == (status in (*BROKEN, *DRIFTED))


def test_a_column_that_lost_all_values_is_drawn_first():
    rows = [{"column_name": name, "psi": 0.2, "status": "watch"} for name in "abc"]
    axes = figures_monitoring.drift_figure(
        [*rows, {"column_name": "gone", "psi": None, "status": "all_null"}], psi_limit=0.25, most=2
    ).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["gone", "a"]
    assert [bar.get_width() for bar in axes.patches] == [0.0, 0.2]


def test_calibration_draws_the_prediction_and_what_happened():
    rows = [{"decile": place, "mean_predicted": 10.0 * place, "mean_actual": 7.0 * place} for place in (1, 2)]
    axes = figures.calibration_figure(rows).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [10.0, 20.0, 7.0, 14.0]


def test_the_strongest_correlations_are_drawn_first():
    rows = [
        {"column_name": name, "correlation": value} for name, value in (("weak", 0.1), ("strong", -0.8), ("none", None))
    ]
    axes = figures.correlations_figure(rows, target="spend").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["strong", "weak"]
    assert [bar.get_width() for bar in axes.patches] == [-0.8, 0.1]


@pytest.mark.parametrize(
    ("background", "text"), [((1, 1, 1), "#24323f"), ((0.878, 0.541, 0.118), "#24323f"), ((0.17, 0.42, 0.64), "white")]
)
def test_text_on_a_colour_is_the_one_of_more_contrast(background, text):
    assert figures.text_colour(background) == text
