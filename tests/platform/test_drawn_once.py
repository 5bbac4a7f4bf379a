"""A picture is taken from those kept when, and only when, everything it is drawn from is equal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tdml_assets.platform import figures
from tdml_assets.platform.drawn_once import drawn_once, keeping, picture_key
from tdml_assets.platform.picture_folder import PictureFolder

ROWS = [{"decile": 1, "mean_predicted": 1.0, "mean_actual": None}]
PNG = figures.calibration(ROWS)


@dataclass(frozen=True)
class Bin:
    low: float
    values: Any


INPUTS = [
    1,
    1.5,
    np.float32(1.5),
    "1.5",
    None,
    date(2026, 6, 30),
    Decimal("1.5"),
    [1.5],
    {"a": 1.5},
    {"b": 1.5},
    Bin(1.5, np.arange(3)),
    Bin(1.5, np.arange(4)),
    np.arange(3),
    np.arange(3.0),
    np.arange(4).reshape(2, 2),
    np.arange(4),
    float("nan"),
]


def test_other_input_gives_another_key_and_equal_input_the_same() -> None:
    keys = [picture_key("f", (value,), {}) for value in INPUTS]
    assert None not in keys
    assert len(set(keys)) == len(INPUTS)
    assert picture_key("g", (1,), {}) != picture_key("f", (1,), {}) != picture_key("f", (), {"x": 1})
    assert picture_key("f", (np.arange(6)[::2],), {}) == picture_key("f", (np.array([0, 2, 4]),), {})


def test_input_of_an_unknown_kind_is_drawn_each_time(tmp_path: Path) -> None:
    assert picture_key("f", (object(),), {}) is None
    assert picture_key("f", (np.array([object()]),), {}) is None
    with keeping(PictureFolder(tmp_path / "pictures", "1")):
        assert drawn_once(lambda _: PNG)(object()) == PNG
    assert not (tmp_path / "pictures").exists()


@pytest.fixture
def drawn() -> list[Any]:
    return []


def _draw(drawn: list[Any], value: object) -> bytes:
    drawn.append(value)
    return PNG


def test_a_kept_picture_is_drawn_again_only_where_its_input_or_its_maker_changed(
    tmp_path: Path, drawn: list[Any]
) -> None:
    draw = drawn_once(lambda value: _draw(drawn, value))
    for made_by, value in (("1", 5), ("1", 5), ("1", 6), ("2", 5), ("1", 5)):
        with keeping(PictureFolder(tmp_path, made_by)):
            assert draw(value) == PNG
    assert drawn == [5, 6, 5]
    assert draw(5) == PNG
    assert drawn == [5, 6, 5, 5], "outside of a run nothing is kept"


def test_a_picture_of_which_a_part_is_missing_is_drawn_again(tmp_path: Path, drawn: list[Any]) -> None:
    draw = drawn_once(lambda value: _draw(drawn, value))
    with keeping(PictureFolder(tmp_path, "1")):
        draw(5)
        (kept,) = tmp_path.iterdir()
        for rest in (b"", PNG[:-1]):
            kept.write_bytes(rest)
            assert draw(5) == PNG
        assert kept.read_bytes() == PNG
    assert drawn == [5, 5, 5]


def test_a_folder_that_takes_nothing_costs_no_picture(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with keeping(PictureFolder(tmp_path / "file" / "pictures", "1")):
        assert drawn_once(lambda _: PNG)(5) == PNG
    assert "could not be kept" in caplog.text


def test_figures_are_kept(tmp_path: Path) -> None:
    with keeping(PictureFolder(tmp_path, "1")):
        assert figures.calibration(ROWS) == PNG
        assert len(list(tmp_path.iterdir())) == 1
        assert figures.calibration(ROWS) == PNG
