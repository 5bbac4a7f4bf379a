"""What a candidate of amounts is measured beside, and when it is fit to score."""

from __future__ import annotations

import numpy as np
import pytest

from tdml_assets.stages.evaluation.measures import beside_naive, may_be_promoted

TARGET, PREDICTED, SPENT = np.array([0.0, 4.0, 8.0]), np.array([1.0, 3.0, 8.0]), np.array([0.0, -2.0, 16.0])
GOOD = {"normalised_gini": 0.5, "mae": 3.0, "constant_mae": 4.0}


def test_naive_forecasts_are_measured_as_far_as_the_training_split_is_known() -> None:
    known = beside_naive(TARGET, PREDICTED, SPENT, {"naive_ratio": 0.5, "mean_actual": 4.0})
    # Spend before, halved and never negative: 0, 0 and 8; everybody the mean: errors of 4, 0 and 4.
    assert (known["baseline_mae"], known["constant_mae"]) == (pytest.approx(4 / 3), pytest.approx(8 / 3))
    unknown = beside_naive(TARGET, PREDICTED, SPENT, {})
    assert not {"baseline_mae", "constant_mae"} & unknown.keys()
    assert (unknown["rows"], unknown["mae"]) == (3.0, known["mae"])


@pytest.mark.parametrize(
    ("change", "promoted", "said"),
    [
        ({}, True, "promoted: normalised Gini 0.500"),
        ({"normalised_gini": None}, False, "nobody bought anything in the test window"),
        ({"mae": float("nan")}, False, "nobody bought anything in the test window"),
        ({"normalised_gini": 0.0}, False, "ranks customers no better than chance"),
        ({"mae": 4.0}, False, "errs by 4.00 a customer, giving everybody the training mean by 4.00"),
    ],
)
def test_a_candidate_must_rank_better_than_chance_and_err_less_than_a_constant(
    change: dict[str, float | None], promoted: bool, said: str
) -> None:
    found, sentence = may_be_promoted({**GOOD, **change})
    assert (found, said in sentence) == (promoted, True)
