"""How good ranked lists are, against everything the customers bought in the window.

Elsewhere: making lists (``ranking.py``).

The whole catalogue is ranked and the truth is whole: nothing is sampled, and recall and the ideal of NDCG count every
product bought in the window, not only as many as a list can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MEASURED_AT = (10, 20)
Metrics = dict[str, float | None]


@dataclass(frozen=True)
class Outcome:
    """Lists next to what was bought.

    ``codes``: (customers, ranks) products, -1 for none. ``is_new``: (customers, ranks) whether the customer had never bought
    the product. ``bought``: (customers, ranks) whether the customer bought it in the window. ``truth``, ``truth_new``:
    (customers,) different products bought in the window, and those never bought before; ``truth`` is at least 1. ``catalogue``:
    products that could have been recommended.
    """

    codes: NDArray[np.int32]
    is_new: NDArray[np.bool_]
    bought: NDArray[np.bool_]
    truth: NDArray[np.int64]
    truth_new: NDArray[np.int64]
    catalogue: int


def list_metrics(outcome: Outcome, measured_at: Sequence[int] = MEASURED_AT) -> Metrics:
    """Measure lists, averaged over customers.

    ``recall_at_k`` is over the first k ranks. ``recall_at_k_repeat`` asks how many of the repeated products are among the
    first k ranks that hold something bought before, ``recall_at_k_new`` how many of the new ones are among the first k ranks
    that hold something never bought, each over customers who have any. ``recall_at_k_new_in_main`` is the share of the new
    ones within the first k ranks of the list as it stands. None where no customer counts.
    """
    found: Metrics = {}
    new, repeat = outcome.truth_new, outcome.truth - outcome.truth_new
    for k in measured_at:
        hits = outcome.bought[:, :k]
        found[f"recall_at_{k}"] = _mean(hits.sum(axis=1) / outcome.truth)
        found[f"precision_at_{k}"] = _mean(hits.sum(axis=1) / k)
        found[f"ndcg_at_{k}"] = _mean(ndcg(hits, outcome.truth))
        found[f"hit_rate_at_{k}"] = _mean(np.any(hits, axis=1))
        shown = outcome.codes[:, :k]
        found[f"coverage_at_{k}"] = len(np.unique(shown[shown >= 0])) / outcome.catalogue
        found[f"recall_at_{k}_repeat"] = _recall_of_slot(outcome, ~outcome.is_new, repeat, k)
        found[f"recall_at_{k}_new"] = _recall_of_slot(outcome, outcome.is_new, new, k)
        have = new > 0
        found[f"recall_at_{k}_new_in_main"] = _mean((hits & outcome.is_new[:, :k]).sum(axis=1)[have] / new[have])
    return found


def ndcg(hits: NDArray[np.bool_], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """(customers,) discounted gain of the hits, over that of a list that held the whole truth first.

    ``hits``: (customers, ranks). ``truth``: (customers,) relevant products, at least 1. The ideal is not cut at the length of the
    list.
    """
    discount = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, int(truth.max(initial=1)) + 2)))
    gained: NDArray[np.float64] = hits @ discount
    return gained / ideal[truth - 1]


def _recall_of_slot(outcome: Outcome, slot: NDArray[np.bool_], truth: NDArray[np.int64], k: int) -> float | None:
    slot = slot & (outcome.codes >= 0)
    first = slot & (np.cumsum(slot, axis=1) <= k)
    have = truth > 0
    return _mean((first & outcome.bought).sum(axis=1)[have] / truth[have])


def _mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None


def may_be_promoted(test: Metrics) -> tuple[bool, str]:
    """Whether lists may be shown: they find at least as much as the popular products do, and why not."""
    ours, popular = test.get("recall_at_10"), test.get("baseline_popular_recall_at_10")
    own, new = test.get("baseline_personal_recall_at_10"), test.get("recall_at_10_new")
    if ours is None or popular is None:
        return False, "held: nobody bought a known product in the test window, so there is nothing to measure on"
    beside = f"personal frequency finds {own:.1%}" if own is not None else "personal frequency was not measured"
    new_words = f", {new:.1%} of what was new to the customer" if new is not None else ""
    if ours < popular:
        return (
            False,
            f"held: the first 10 ranks find {ours:.1%} of what was bought in the test window, the popular products "
            f"{popular:.1%} ({beside})",
        )
    return (
        True,
        f"promoted: the first 10 ranks find {ours:.1%} of what was bought in the test window, the popular products "
        f"{popular:.1%} ({beside}){new_words}",
    )
