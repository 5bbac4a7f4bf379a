"""Two recommenders on the same customers, against figures worked out by hand."""

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.declaration.gate import Gate
from tdml_assets.declaration.recommendation import Recommendation
from tdml_assets.recommendation.contest import guard_slices, missed, missed_by, pair_of_lists
from tdml_assets.recommendation.model import POPULAR, Choice, fit, history_from
from tdml_assets.recommendation.selection import MODEL, measure, observed_from
from tdml_assets.stages.evaluation.paired import compare

SETTINGS = Recommendation(count=2, discover_count=1)


def rows(*bought: tuple[str, str]) -> pa.Table:
    customers, products = zip(*bought, strict=True)
    ones = [1] * len(bought)
    return pa.table({"customer_id": customers, "product_id": products, "purchases": ones, "age_days": ones})


HISTORY = rows(("ann", "tea"), ("bob", "jam"), ("bob", "tea"), ("cat", "new"), ("dan", "tea"))
TRUTH = rows(("ann", "jam"), ("ann", "tea"), ("bob", "tea"), ("cat", "new"), ("cat", "tea"))


def test_the_same_model_misses_the_same_by_both_ways() -> None:
    observed = observed_from(HISTORY, TRUTH)
    model = fit(observed.history, Choice(POPULAR), SETTINGS, seed=1)
    measured = measure(observed, model, 100)
    outcome = measured.outcomes[MODEL]
    customers = observed.history.customers.take(pa.array(measured.rows))
    assert customers.to_pylist() == ["ann", "bob", "cat"]
    assert missed_by(model, HISTORY, TRUTH, customers, outcome.truth).tolist() == missed(outcome).tolist()


def test_a_product_the_champion_never_saw_is_missed_by_it() -> None:
    before = history_from(rows(("ann", "tea"), ("bob", "jam"), ("bob", "tea")))
    champion = fit(before, Choice(POPULAR), SETTINGS, seed=1)
    customers, sizes = pa.array(["ann", "bob", "cat"]), np.array([2, 1, 2])
    # It shows everybody tea and jam, and knows nothing of what cat had bought.
    assert missed_by(champion, HISTORY, TRUTH, customers, sizes).tolist() == [0.0, 0.0, 0.5]


def test_slices_by_products_bought() -> None:
    found = guard_slices(HISTORY, pa.array(["bob", "cat"]))
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "one_product": [False, True],
        "many_products": [True, False],
    }


def test_a_customer_without_a_history_is_a_table_gone_wrong() -> None:
    with pytest.raises(ValueError, match="1 of 1 customers who are measured"):
        guard_slices(HISTORY, pa.array(["eve"]))


def test_the_comparison_says_which_share_is_missed() -> None:
    rng = np.random.default_rng(1)
    champion = rng.random(2_000)
    found = compare(pair_of_lists(np.minimum(champion + 0.1, 1), champion, {}), Gate(), 1)
    assert [one.metric for one in found] == ["missed_at_10"]
    assert not found[0].passed
    assert found[0].sentence(0.9).startswith("share of purchases missed by the first 10 ranks 0.59")
