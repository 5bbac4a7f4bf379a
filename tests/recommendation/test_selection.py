"""Choosing, measuring, storing."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.declaration.recommendation import Recommendation
from tdml_assets.engines.protocol import TIER1, Tier
from tdml_assets.models.golden import GoldenMismatchError, check_golden, golden_predictions
from tdml_assets.recommendation.eligibility import why_off
from tdml_assets.recommendation.model import Recommender, fit, golden_batch, score_golden
from tdml_assets.recommendation.ranking import Blend
from tdml_assets.recommendation.selection import (
    Observed,
    Trained,
    choose,
    observed_from,
    require_fits,
    train,
    window_metrics,
)
from tdml_assets.recommendation.windows import plan_windows
from tdml_assets.stages.features.snapshots import HistoryTooShortError

SETTINGS = Recommendation(
    count=4,
    discover_count=4,
    max_items=30,
    als_factors=4,
    als_iterations=3,
    half_lives_days=(0.0,),
    ease_lambdas=(5.0,),
    popularity_half_lives_days=(0.0,),
)
GROUPS, SIZE = 5, 6


def simulated(customers: int = 150, seed: int = 0, names: list[str] | None = None) -> Observed:
    """Customers who buy within one group of products: what is new to them is in that group."""
    rng = np.random.default_rng(seed)
    names = names or [f"p{code:02d}" for code in range(GROUPS * SIZE)]
    bought, later = [], []
    for customer in range(customers):
        group = int(rng.integers(GROUPS))
        products = [group * SIZE + int(code) for code in rng.permutation(SIZE)]
        stranger = int(rng.integers(GROUPS * SIZE))
        name = f"c{customer:04d}"
        held = {*products[:3], stranger}
        bought += [(name, names[code], int(rng.integers(1, 4)), int(rng.integers(0, 90))) for code in sorted(held)]
        later += [(name, names[code], 1, 0) for code in sorted({products[0], products[3], products[4]})]
    return observed(bought, later)


def observed(bought: list[tuple[str, str, int, int]], later: list[tuple[str, str, int, int]]) -> Observed:
    columns = ("customer_id", "product_id", "purchases", "age_days")
    held, truth = (
        pa.table({name: [row[place] for row in sorted(rows)] for place, name in enumerate(columns)})
        for rows in (bought, later)
    )
    return observed_from(held, truth)


def trained(settings: Recommendation = SETTINGS) -> Trained:
    one = simulated()
    return train({"train": one, "test": simulated(seed=1)}, one.history, settings, 7, TIER1)


def test_a_learner_is_chosen_where_products_belong_together() -> None:
    found = trained()
    assert found.choice.learner != "popular"
    metrics = window_metrics(found.measured["test"].outcomes)
    assert metrics["recall_at_10_new"] > 2 * metrics["baseline_popular_recall_at_10_new"]
    assert metrics["recall_at_10_repeat"] >= metrics["baseline_popular_recall_at_10_repeat"]


def test_the_chosen_blend_is_at_least_the_bar_on_the_window_it_was_chosen_on() -> None:
    _, trials = choose(simulated(), SETTINGS, 7)
    blends = [trial for trial in trials if trial["metric"] == "recall_of_main"]
    assert blends[0]["blend"] == "half_life_days 0, popularity_weight 0.5, learner_weight 0"
    choice, _ = choose(simulated(), SETTINGS, 7)
    chosen = [
        t["value"] for t in blends if t["blend"] == ", ".join(f"{k} {v:g}" for k, v in choice.blend.to_dict().items())
    ]
    assert chosen[0] == max(trial["value"] for trial in blends) >= blends[0]["value"]


def test_without_learners_the_lists_are_the_personal_baseline() -> None:
    bare = SETTINGS.model_copy(
        update={
            "learners": (),
            "repeat_half_lives_days": (0.0,),
            "popularity_weights": (0.5,),
            "learner_weights": (0.0,),
        }
    )
    measured = trained(bare).measured["test"]
    assert np.array_equal(measured.lists["model"].codes, measured.lists["baseline_personal"].codes)


def test_the_order_of_rows_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    bought = [(f"c{rng.integers(60)}", f"p{rng.integers(20)}") for _ in range(400)]
    rows = [(*pair, 1 + index % 3, index % 50) for index, pair in enumerate(sorted(set(bought)))]
    shuffled = [rows[place] for place in rng.permutation(len(rows))]
    found = [
        fit(
            observed(list(given), rows[:30]).history,
            choose(observed(list(given), rows[:30]), SETTINGS, 7)[0],
            SETTINGS,
            7,
        )
        for given in (rows, shuffled)
    ]
    assert found[0].files() == found[1].files()


def test_customers_are_told_apart_by_their_baskets_not_by_their_names() -> None:
    one = simulated().history
    model = trained().final
    rows = np.random.default_rng(2).permutation(len(one.baskets))
    assert np.array_equal(model.recommend(one.baskets).codes[rows], model.recommend(one.baskets.taken(rows)).codes)


def test_a_model_comes_back_from_its_files_and_gives_its_golden_scores() -> None:
    model = trained().final
    files = model.files()
    back = Recommender.from_files(files)
    baskets = simulated(seed=3).history.baskets
    for given in ("codes", "scores"):
        assert np.array_equal(getattr(back.recommend(baskets), given), getattr(model.recommend(baskets), given))
    golden = golden_batch(model.columns)
    data = golden_predictions(golden, score_golden(model, golden))
    check_golden(data, lambda batch: score_golden(back, batch))
    other = replace(back, choice=replace(back.choice, half_life_days=3.0))
    with pytest.raises(GoldenMismatchError):
        check_golden(data, lambda batch: score_golden(other, batch))


def test_a_stored_model_holds_no_customer() -> None:
    for name, data in trained().final.files().items():
        assert b"c0001" not in data, name


def test_products_beyond_the_cap_are_recommended_to_their_buyers_only() -> None:
    settings = SETTINGS.model_copy(update={"max_items": 20})
    model = fit(simulated().history, trained(settings).choice, settings, 7)
    lists = model.recommend(simulated().history.baskets)
    assert lists.codes[lists.is_new].max() < 20
    assert lists.codes[~lists.is_new].max() >= 20


def test_what_does_not_fit_the_tier_is_refused_with_the_arithmetic() -> None:
    small = Tier("tiny", cpus=1, memory_gb=0.5, disk_gb=1)
    with pytest.raises(MemoryError, match=r"recommendation.max_items \(now 30\)"):
        require_fits(simulated().history, SETTINGS, small)


def test_windows_follow_one_another_and_end_at_as_of() -> None:
    windows = plan_windows(date(2011, 12, 9), date(2010, 12, 1), 91)
    assert (windows.validation.day, windows.validation.until) == (date(2011, 6, 10), date(2011, 9, 9))
    assert (windows.test.day, windows.test.until) == (date(2011, 9, 9), date(2011, 12, 9))


def test_a_short_history_shortens_the_window_of_choice_only() -> None:
    windows = plan_windows(date(2024, 5, 1), date(2024, 1, 1), 90)
    assert windows.test.days == 90
    assert windows.validation.days == 15
    with pytest.raises(HistoryTooShortError, match="shorten target.horizon_days"):
        plan_windows(date(2024, 5, 1), date(2024, 5, 1) - timedelta(days=91), 90)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="count \\+ discover_count = 30"):
        Recommendation(count=20, discover_count=10, max_items=25)
    with pytest.raises(ValueError, match="half_lives_days: must not be negative"):
        Recommendation(half_lives_days=(-1.0,))
    with pytest.raises(ValueError, match="ease_lambdas"):
        Recommendation(ease_lambdas=(0.0,))


def test_orders_without_products_switch_the_workflow_off_with_the_reason() -> None:
    assert why_off(["customer_id", "ordered_at", "product_id"]) is None
    assert "map product_id" in str(why_off(["customer_id", "ordered_at", "amount"]))


def test_the_first_blend_is_the_bar() -> None:
    assert Blend() == Blend(half_life_days=0.0, popularity_weight=0.5, learner_weight=0.0)
