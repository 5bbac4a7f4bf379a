"""The decision about a candidate, and the paired bootstrap behind it, against known truths."""

import time
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tdml_assets.declaration.gate import Gate
from tdml_assets.models.bundles import Manifest, ModelFeature, StoredFile
from tdml_assets.models.scope import Scope, TestWindow, obstacle
from tdml_assets.platform.metrics import normalised_gini
from tdml_assets.platform.monitoring import GATE
from tdml_assets.stages.evaluation.gate import Comparison, GateDecision, Standing, decide
from tdml_assets.stages.evaluation.paired import (
    Loss,
    absolute_error,
    bootstrap_means,
    compare,
    gini_influence,
    guard_slices,
    log_loss,
    pair_of,
)
from tdml_assets.tasks.classification import TASK as CLASSIFICATION
from tdml_assets.tasks.regression import TASK as REGRESSION

POLICY = Gate()
JUDGED = {"candidate": "new", "fit": True, "judgement": "promoted: fit"}


def error(candidate: float, champion: float, low: float, high: float, allowed: float, **changes: Any) -> Comparison:
    found = {"customers": 3120, "passed": high <= allowed, "words": "error {} a customer", **changes}
    return Comparison(
        "absolute_error",
        "all",
        found.pop("customers"),
        candidate,
        champion,
        low=low,
        high=high,
        allowed=allowed,
        **found,
    )


def against(
    loss: Loss, target: Any, candidate: Any, champion: Any, slices: Any = None, seed: int = 1, **policy: Any
) -> GateDecision:
    gate = Gate(**policy)
    rows = compare(pair_of(loss, target, candidate, champion, slices or {}), gate, seed)
    return decide(Standing(**JUDGED, champion="old", comparisons=rows), gate)


def spenders(rng: np.random.Generator, count: int, noise: float) -> tuple[Any, Any]:
    """What customers spend, and a forecast that errs by a share of it."""
    target = rng.lognormal(3, 1, count) * (rng.random(count) < 0.6)
    return target, target * np.exp(rng.normal(0, noise, count))


def test_a_hold_says_by_how_much() -> None:
    found = decide(Standing(**JUDGED, champion="old", comparisons=[error(41.2, 34.7, 4.9, 8.2, 0.694)]), POLICY)
    assert not found.promote
    assert found.can_score
    assert not found.damaged
    assert found.reason == (
        "held: error 41.2 a customer against the champion's 34.7 on the same 3,120 customers "
        "(+6.5, 90 % interval 4.9 to 8.2; may be worse by 0.69); the champion old stays"
    )


@pytest.mark.parametrize(
    ("failed", "more"), [(1, ""), (2, "; 1 more comparison failed"), (3, "; 2 more comparisons failed")]
)
def test_a_hold_says_how_many_more_comparisons_failed(failed: int, more: str) -> None:
    passed, worse = error(34.7, 34.7, -0.1, 0.1, 0.694), error(41.2, 34.7, 4.9, 8.2, 0.694)
    found = decide(Standing(**JUDGED, champion="old", comparisons=[passed, *[worse] * failed]), POLICY)
    assert found.reason.endswith(f"may be worse by 0.69){more}; the champion old stays")


def test_losses_that_agree_in_three_figures_are_told_apart() -> None:
    one = error(0.33781, 0.33842, -0.00091, -0.00032, 0.0068, words="log loss {}")
    assert one.sentence(0.9) == (
        "log loss 0.33781 against the champion's 0.33842 on the same 3,120 customers "
        "(-0.00061, 90 % interval -0.00091 to -0.00032; may be worse by 0.0068)"
    )


def test_a_difference_that_may_be_noise_is_not_called_worse() -> None:
    found = decide(Standing(**JUDGED, champion="old", comparisons=[error(35.0, 34.7, -0.9, 1.5, 0.694)]), POLICY)
    assert found.reason.startswith("held: not shown to be as good as the champion, error 35.0 a customer")


def test_without_a_champion_the_judge_decides_and_an_unfit_candidate_leaves_nothing_that_can_score() -> None:
    assert decide(Standing(**JUDGED), POLICY).promote
    unfit = decide(Standing("new", False, "held: no better than chance"), POLICY)
    assert (unfit.promote, unfit.can_score, unfit.reason) == (False, False, "held: no better than chance")


@pytest.mark.parametrize(
    ("changed", "promote", "can_score", "words"),
    [
        ({"fit": False, "judgement": "held: no better than chance"}, False, True, "chance; the champion old stays"),
        (
            {"held": "an operator keeps it (audit)"},
            False,
            True,
            "held: an operator keeps it (audit); the champion old stays",
        ),
        ({"damage": "golden.json lacks"}, False, False, "the champion cannot score (golden.json lacks)"),
        ({"champion": None, "damage": "pointer"}, False, False, "the champion cannot score (pointer)"),
        ({"obstacle": "it is older"}, True, True, "promoted: fit; not compared with the champion old: it is older"),
        ({"obstacle": "it is older", "held": "kept"}, False, True, "held: kept"),
        ({"champion": "new"}, True, True, "promoted: fit"),
        ({"champion": "new", "fit": False}, True, True, "unchanged: the champion was trained again"),
    ],
)
def test_what_else_decides(changed: dict[str, Any], promote: bool, can_score: bool, words: str) -> None:
    found = decide(Standing(**{**JUDGED, "champion": "old", **changed}), POLICY)
    assert (found.promote, found.can_score, found.damaged) == (promote, can_score, "damage" in changed)
    assert words in found.reason
    (row,) = found.rows
    assert row["decision"] == ("promote" if promote else "hold")
    assert row["champion"] == (None if changed.get("champion", "old") in (None, "new") else "old")
    assert set(row) <= set(GATE.column_names)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 400), st.integers(0, 2**31), st.sampled_from([REGRESSION.loss, CLASSIFICATION.loss]))
def test_equal_models_pass_at_any_size(count: int, seed: int, loss: Loss) -> None:
    rng = np.random.default_rng(seed)
    target = (rng.random(count) < 0.5).astype(float)
    predicted = rng.random(count)
    found = against(loss, target, predicted, predicted, {"one_order": rng.random(count) < 0.5}, min_slice_rows=10)
    assert found.promote, found.reason
    assert all(row["difference"] == 0 for row in found.rows)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 100))
def test_the_decision_does_not_depend_on_the_currency(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    target, champion = spenders(rng, 300, 0.3)
    candidate = champion * np.exp(rng.normal(0, 0.1, 300))
    one = against(REGRESSION.loss, target, candidate, champion)
    other = against(REGRESSION.loss, target * unit, candidate * unit, champion * unit)
    assert one.promote == other.promote


def test_the_interval_is_that_of_the_mean_difference() -> None:
    rng = np.random.default_rng(3)
    target, champion = spenders(rng, 4_000, 0.3)
    candidate = champion * 1.2
    row = compare(pair_of(REGRESSION.loss, target, candidate, champion, {}), POLICY, 5)[0]
    difference = np.abs(candidate - target) - np.abs(champion - target)
    reach = 1.645 * difference.std() / np.sqrt(4_000)
    assert row.difference == pytest.approx(difference.mean())
    assert row.low == pytest.approx(difference.mean() - reach, abs=0.15 * reach)
    assert row.high == pytest.approx(difference.mean() + reach, abs=0.15 * reach)
    assert row.allowed == pytest.approx(0.02 * np.abs(champion - target).mean())


def test_blocks_of_customers_vary_as_customers_do() -> None:
    values = np.random.default_rng(8).lognormal(0, 1, (60_000, 1))
    means = bootstrap_means(values, np.ones_like(values), 1_000, 4)
    assert means.std() == pytest.approx(values.std() / np.sqrt(60_000), rel=0.08)
    assert means.mean() == pytest.approx(values.mean(), rel=0.002)


@pytest.mark.parametrize("binary", [True, False])
def test_the_influence_of_customers_on_a_ranking_gives_the_spread_that_resampling_gives(binary: bool) -> None:
    rng = np.random.default_rng(11)
    target, score = spenders(rng, 600, 1.0)
    target = (target > 20).astype(float) if binary else target
    score = np.round(score)  # with ties
    found, influence = gini_influence(target, score)
    assert found == normalised_gini(target, score)
    if binary:
        assert found == pytest.approx(2 * roc_auc_score(target, score) - 1)
    assert influence.mean() == pytest.approx(0, abs=1e-12)
    picks = rng.integers(0, 600, size=(600, 600))
    resampled = [normalised_gini(target[rows], score[rows]) for rows in picks]
    assert influence.std() / np.sqrt(600) == pytest.approx(np.std(resampled), rel=0.12)


def test_losses_by_hand() -> None:
    assert absolute_error(np.array([3.0, 0.0]), np.array([1.0, 4.0])).tolist() == [2.0, 4.0]
    assert log_loss(np.array([1.0, 0.0]), np.array([0.5, 0.0])).tolist() == pytest.approx([np.log(2), 0.0])
    assert np.isfinite(log_loss(np.array([1.0]), np.array([0.0]))).all()


def test_guard_slices_by_hand() -> None:
    spend, orders = np.array([10.0, 20, 30, 400]), np.array([1.0, 1, 2, 9])
    found = guard_slices(spend, orders, np.array([5.0, 200, 90, 1]))
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "one_order": [True, True, False, False],
        "new_customers": [True, False, False, False],
        "highest_spend": [False, False, False, True],
        "long_silent": [False, True, False, False],
    }


def test_a_candidate_that_is_better_on_the_whole_and_worse_on_new_customers_is_held() -> None:
    rng = np.random.default_rng(2)
    target, champion = spenders(rng, 5_000, 0.4)
    new = np.arange(5_000) < 400
    candidate = np.where(new, champion * 2.0, target)
    found = against(REGRESSION.loss, target, candidate, champion, {"new_customers": new})
    assert not found.promote
    assert "on the same 400 customers whose only order was in the last 90 days" in found.reason
    passed = {(row["metric"], row["slice"]): row["passed"] for row in found.rows}
    assert passed["absolute_error", "all"]
    assert not passed["absolute_error", "new_customers"]


def test_small_slices_are_not_judged() -> None:
    rng = np.random.default_rng(2)
    target, champion = spenders(rng, 1_000, 0.4)
    few = np.arange(1_000) < 99
    found = against(REGRESSION.loss, target, np.where(few, champion * 2, target), champion, {"new_customers": few})
    assert found.promote
    assert {row["slice"] for row in found.rows} == {"all"}


def test_a_better_median_with_totals_far_off_is_held_unless_the_champion_is_farther_off() -> None:
    rng = np.random.default_rng(6)
    target = np.where(rng.random(4_000) < 0.1, 500.0, 0.0)
    champion = np.full(4_000, 60.0) + rng.normal(0, 1, 4_000)
    candidate = np.full(4_000, 1.0) + rng.normal(0, 0.1, 4_000)
    found = against(REGRESSION.loss, target, candidate, champion, slice_tolerance=10)
    assert not found.promote
    assert "total off by a share of" in found.reason
    assert against(REGRESSION.loss, target, candidate, candidate / 2, slice_tolerance=10).promote


def share_promoted(error_of_candidate: float, customers: int, sessions: int = 40, alike: float = 0.97) -> float:
    """Share of sessions that promote a candidate that errs so, next to a champion that errs by 40 % of what is spent.

    ``alike`` is the correlation of their errors: a retrained model errs as the old one does, for the most part.
    """
    promoted = 0
    for seed in range(sessions):
        rng = np.random.default_rng(seed)
        target = rng.lognormal(3, 1, customers) * (rng.random(customers) < 0.6)
        shared, own = rng.normal(0, 1, (2, customers))
        candidate = target * np.exp(error_of_candidate * (alike * shared + np.sqrt(1 - alike**2) * own))
        found = against(REGRESSION.loss, target, candidate, target * np.exp(0.4 * shared), seed=seed, resamples=200)
        promoted += found.promote
    return promoted / sessions


def test_false_holds_and_false_promotions_where_the_truth_is_known() -> None:
    assert share_promoted(0.34, customers=3_000) >= 0.95, "a better candidate"
    assert share_promoted(0.40, customers=20_000) >= 0.9, "an equal one, with enough customers to show it"
    assert share_promoted(0.40, customers=300) <= 0.5, "an equal one, with too few: nothing changes without need"
    assert share_promoted(0.46, customers=3_000) <= 0.03, "a worse one"
    assert share_promoted(0.60, customers=300) <= 0.03, "a far worse one, with few customers"


def test_a_candidate_at_the_tolerated_bound_is_promoted_as_rarely_as_the_confidence_says() -> None:
    """The upper bound of a 90 % interval lies below the truth in 5 % of samples."""
    promoted = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        loss = rng.exponential(1.0, 2_000)
        wrong = loss * 1.02 + rng.normal(0, 0.4, 2_000)
        gate = Gate(resamples=300)
        pair = pair_of(Loss("loss", "{}", lambda target, said: said, "ranking"), np.zeros(2_000), wrong, loss, {})
        promoted += compare(pair, gate, seed)[0].passed
    assert 0.02 <= promoted / 400 <= 0.085


def test_a_hundred_thousand_customers_take_about_a_cpu_second() -> None:
    rng = np.random.default_rng(1)
    target, champion = spenders(rng, 100_000, 0.4)
    slices = guard_slices(target, np.ceil(rng.exponential(2, 100_000)), rng.integers(0, 400, 100_000).astype(float))
    begin = time.process_time()
    assert against(REGRESSION.loss, target, champion * 1.001, champion, slices).promote
    assert time.process_time() - begin < 5


SCOPE = Scope(date(2024, 3, 31))


def manifest(**spec: Any) -> Manifest:
    return Manifest(
        workflow="cltv",
        version="2024-06-30-0123456789ab",
        as_of=date(2024, 6, 30),
        features=(ModelFeature("orders", "FLOAT"),),
        target="target",
        engine="python",
        spec={"task": "regression", "target": {"horizon_days": 90}, **spec},
        data_fingerprint="d",
        code_version="1",
        libraries={},
        metrics={},
        session_id="s",
        created_at=datetime(2024, 7, 1),  # noqa: DTZ001 - naive UTC, as everywhere
        files=(StoredFile("a.json", 1, "a" * 64),),
    )


@pytest.mark.parametrize(
    ("scope", "spec", "window", "words"),
    [
        (SCOPE, {}, TestWindow(date(2024, 4, 7)), None),
        (SCOPE, {}, TestWindow(date(2024, 3, 31)), None),
        (SCOPE, {}, TestWindow(date(2024, 3, 30)), "knows events up to 2024-03-31, the test begins after 2024-03-30"),
        (None, {}, TestWindow(date(2024, 4, 7)), "stored without the fit that was measured"),
        (SCOPE, {"target": {"horizon_days": 30}}, TestWindow(date(2024, 4, 7)), "for another target"),
        (Scope(date(2024, 6, 30), True, 0.2), {}, TestWindow(date(2024, 4, 7), True, 0.2), None),
        (Scope(date(2024, 6, 30), True, 0.2), {}, TestWindow(date(2024, 4, 7), True, 0.3), "knows events up to"),
        (Scope(date(2024, 6, 30), True, 0.2), {}, TestWindow(date(2024, 4, 7)), "knows events up to"),
    ],
)
def test_only_a_fit_that_knew_nothing_of_the_test_is_compared(
    scope: Scope | None, spec: dict[str, Any], window: TestWindow, words: str | None
) -> None:
    wanted = {"task": "regression", "target": {"horizon_days": 90}}
    found = obstacle(manifest(**spec), scope, wanted, window)
    assert found is None if words is None else found is not None and words in found
    if scope is not None:
        assert Scope.from_json(scope.to_json()) == scope
