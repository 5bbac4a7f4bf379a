"""Figures of a probability are small pictures that fit into an event log, drawn for any table that can occur."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tdml_assets.platform.classification_metrics import reliability_table
from tdml_assets.stages.evaluation.measures import decile_rows
from tdml_assets.tasks.parts import figures
from tdml_assets.tasks.parts.classification import with_lift
from tests.charts import bars, inside, legend

RNG = np.random.default_rng(0)
PROBABILITY = RNG.beta(2, 1, 4000)
HAPPENED = (RNG.random(4000) < PROBABILITY).astype(float)

DRAWINGS: dict[str, Callable[[], bytes]] = {
    "reliability": lambda: figures.reliability(reliability_table(HAPPENED, PROBABILITY), what="buys nothing"),
    "reliability at the ends": lambda: figures.reliability(
        reliability_table([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0]), what="buys nothing"
    ),
    "lift": lambda: figures.lift_by_decile(with_lift(decile_rows(HAPPENED, PROBABILITY)), what="buys nothing"),
    "probability": lambda: figures.probability_by_outcome(PROBABILITY, what="costs US$ and A$"),
    "probability by outcome": lambda: figures.probability_by_outcome(
        PROBABILITY, HAPPENED, what="buys nothing", threshold=0.5
    ),
}

NOTHING: dict[str, Callable[[], bytes]] = {
    "reliability": lambda: figures.reliability([], what="buys"),
    "lift": lambda: figures.lift_by_decile([], what="buys"),
    "lift of what never happened": lambda: figures.lift_by_decile(
        with_lift(decile_rows([0.0, 0.0], [0.1, 0.2])), what="buys"
    ),
    "probability": lambda: figures.probability_by_outcome([], [], what="buys"),
    "probability of one class": lambda: figures.probability_by_outcome([0.5, 0.5], [1, 1], what="buys"),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_is_below_100_kb_the_same_every_time_and_inside_its_frame(name: str) -> None:
    picture = DRAWINGS[name]()
    assert inside(picture)
    assert len(picture) < 100_000
    assert picture == DRAWINGS[name]()


@pytest.mark.parametrize("name", NOTHING)
def test_a_table_with_nothing_to_draw_is_drawn(name: str) -> None:
    assert inside(NOTHING[name]())


def test_the_lift_of_each_decile_is_drawn_the_likeliest_first() -> None:
    drawn = bars(DRAWINGS["lift"]())
    assert list(drawn) == [str(decile) for decile in range(10, 0, -1)]
    assert {colour for words, colour in drawn.values() if float(words) > 1} == {"#2b6ca3"}
    assert {colour for words, colour in drawn.values() if float(words) < 1} == {"#a9b2bb"}


def test_groups_of_the_outcome_are_named_with_their_size() -> None:
    assert list(legend(DRAWINGS["probability by outcome"]())) == [
        f"it did not happen ({int(4000 - HAPPENED.sum()):,})",
        f"it happened ({int(HAPPENED.sum()):,})",
        "threshold 0.5",
    ]


def test_an_overconfident_model_looks_different_from_a_reliable_one() -> None:
    overconfident = PROBABILITY**3 / (PROBABILITY**3 + (1 - PROBABILITY) ** 3)
    assert DRAWINGS["reliability"]() != figures.reliability(
        reliability_table(HAPPENED, overconfident), what="buys nothing"
    )
