"""What a person reads about the level of a session's predictions."""

from datetime import date
from typing import Any

import pytest

from tdml_assets.stages.predictions.level_words import level_sentence, reach_of

ROW: dict[str, Any] = {
    "kind": "amount",
    "corrected": True,
    "basis": "season",
    "basis_date": date(2025, 6, 30),
    "basis_gap": 0.131,
    "gap": 0.113,
    "ageing": 0.0,
    "uncorrected_total": 1_000.0,
    "total": 1_120.0,
    "expected_total": 1_120.0,
    "low_total": 1_008.0,
    "high_total": 1_288.0,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {},
            "raised by 12%: the same season a year earlier (after 2025-06-30) came out 14% above what the model says of it",
        ),
        ({}, "what comes lies between 10% below and 15% above it in 80% of cases"),
        ({"total": 900.0, "basis": "trend", "basis_gap": -0.1}, "lowered by 10%: the latest window that is known"),
        (
            {"total": 900.0, "basis": "trend", "gap": -0.1, "ageing": -0.11},
            "lowered by 10%: a lifetime model expects 10% less of these customers",
        ),
        (
            {"ageing": 0.02},
            "the same season a year earlier (after 2025-06-30) came out 14% above the spend that a lifetime model expects",
        ),
        ({"ageing": 0.02, "kind": "probability"}, "came out 14% above the orders that a lifetime model expects"),
        ({"ageing": 0.02, "basis_gap": -0.1}, "past windows of orders raise it by 10%"),
        ({"basis": "trend", "basis_date": None, "basis_gap": None}, "past windows of orders raise it by 12%"),
        ({"total": 1_000.0, "basis": "none"}, "not moved: no earlier snapshot tells of a season or a trend"),
        (
            {"basis": "trend", "gap": 0.0, "ageing": 0.02, "total": 1_000.0},
            "not moved: past windows of orders do not say clearly whether more or less comes; what comes lies",
        ),
        (
            {"basis": "trend", "ageing": 0.1},
            "in 80% of cases; the log has not shown this season yet: the bounds allow for one",
        ),
        ({"kind": "probability"}, "14% above what the model says of it in odds"),
        ({"corrected": False, "total": 1_000.0}, "expected to be 11% too low (1% to 22%)"),
        ({"corrected": False, "total": 1_100.0}, "as the model gives it; what comes lies between"),
        ({"corrected": False, "total": 1_400.0}, "expected to be 25% too high (9% to 39%)"),
    ],
)
def test_the_sentence_says_what_was_done_why_and_how_far_the_total_may_be_off(
    change: dict[str, Any], words: str
) -> None:
    assert words in level_sentence({**ROW, **change})


def test_the_reach_is_the_farther_bound() -> None:
    assert reach_of(ROW) == pytest.approx(0.15)
    assert reach_of({**ROW, "total": 0.0}) == 0.0
