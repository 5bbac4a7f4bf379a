"""Metrics of lists, against figures worked out by hand."""

import math

import numpy as np
import pytest

from tdml_assets.recommendation.metrics import Outcome, list_metrics, may_be_promoted, ndcg


def outcome() -> Outcome:
    # Customer 0: truth of 4 (1 new); hits at ranks 1 and 3, the latter new. Customer 1: truth of 1, new, not in the list.
    # Customer 2: truth of 2, both repeats, hits at ranks 2 and 4.
    return Outcome(
        codes=np.array([[0, 1, 5, 6], [2, 3, 5, -1], [1, 0, 6, 2]], dtype=np.int32),
        is_new=np.array([[False, False, True, True], [False, True, True, False], [False, False, True, False]]),
        bought=np.array([[True, False, True, False], [False] * 4, [False, True, False, True]]),
        truth=np.array([4, 1, 2]),
        truth_new=np.array([1, 1, 0]),
        catalogue=8,
    )


def test_recall_precision_hits_and_coverage_by_hand() -> None:
    found = list_metrics(outcome(), [2, 4])
    assert found["recall_at_2"] == pytest.approx((1 / 4 + 0 + 1 / 2) / 3)
    assert found["recall_at_4"] == pytest.approx((2 / 4 + 0 + 2 / 2) / 3)
    assert found["precision_at_2"] == pytest.approx((1 / 2 + 0 + 1 / 2) / 3)
    assert found["hit_rate_at_2"] == pytest.approx(2 / 3)
    assert found["coverage_at_2"] == 4 / 8
    assert found["coverage_at_4"] == 6 / 8


def test_repeats_and_new_products_are_counted_within_their_own_slot() -> None:
    found = list_metrics(outcome(), [1, 2])
    # The only new rank of customer 0 that was bought is the first of the new ones, though third in the list.
    assert found["recall_at_1_new"] == pytest.approx((1 / 1 + 0) / 2)
    assert found["recall_at_2_new_in_main"] == 0.0
    assert found["recall_at_2_repeat"] == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_the_ideal_of_ndcg_counts_the_whole_truth() -> None:
    hits, truth = np.array([[True, False]]), np.array([3])
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(hits, truth)[0] == pytest.approx(1 / ideal)


def test_nobody_with_anything_new_gives_no_figure_rather_than_zero() -> None:
    held = outcome()
    only_repeats = Outcome(held.codes, held.is_new, held.bought, held.truth, np.zeros(3, dtype=np.int64), 8)
    assert list_metrics(only_repeats, [2])["recall_at_2_new"] is None


@pytest.mark.parametrize(("ours", "passed"), [(0.10, False), (0.11, True), (0.30, True)])
def test_lists_below_the_popular_products_are_held_with_the_numbers(ours: float, passed: bool) -> None:
    test = {
        "recall_at_10": ours,
        "baseline_popular_recall_at_10": 0.11,
        "baseline_personal_recall_at_10": 0.14,
        "recall_at_10_new": 0.05,
    }
    found, reason = may_be_promoted(test)
    assert found is passed
    assert reason.startswith("promoted" if passed else "held")
    for figure in (f"{ours:.1%}", "11.0%", "14.0%"):
        assert figure in reason


def test_nothing_measured_is_held() -> None:
    assert may_be_promoted({"recall_at_10": None})[0] is False
