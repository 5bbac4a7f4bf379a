"""Segments: what is measured, how many are taken, which numbers they keep, and how they are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tdml_assets.declaration.clustering import Clustering
from tdml_assets.engines.cluster_profile import match_labels
from tdml_assets.engines.cluster_quality import (
    Candidate,
    Limits,
    choose_k,
    evaluate_clusters,
    fit_centroids,
    nearest,
    sample,
    silhouette,
    stability,
    try_k,
)
from tdml_assets.tasks.parts import figures
from tdml_assets.tasks.parts.clustering import may_be_promoted_clustering
from tests.charts import bars, inside

LIMITS = Limits(smallest_share=0.02, largest_share=0.9, min_stability=0.85)


def groups(rows: int = 600, seed: int = 0, *, apart: float = 8.0, k: int = 3) -> np.ndarray:
    """Rows around ``k`` centres that lie ``apart`` standard deviations from one another."""
    draw = np.random.default_rng(seed)
    centres = apart * np.eye(k)[:, :3]
    return centres[np.arange(rows) % k] + draw.normal(size=(rows, 3))


def candidate(k: int, ari: float = 0.9, smallest: float = 0.1, largest: float = 0.5) -> Candidate:
    return Candidate(k, 0.3, ari, smallest, largest)


# -- fit and measures


def test_the_centres_rows_were_made_from_are_found() -> None:
    values = groups(3000)
    centroids = fit_centroids(values, 3, seed=1)
    assert np.sort(centroids.max(axis=1)) == pytest.approx([8, 8, 8], abs=0.15)
    places, distance = nearest(values, centroids)
    assert [len(set(places[start::3])) for start in range(3)] == [1, 1, 1]
    assert distance == pytest.approx(np.linalg.norm(values - centroids[places], axis=1))


def test_the_order_of_rows_changes_nothing_to_the_last_bit() -> None:
    values = groups(500, apart=1.0)
    shuffled = values[np.random.default_rng(5).permutation(len(values))]
    for k in (2, 5):
        first, again = (try_k(rows, k, refits=3, seed=3) for rows in (values, shuffled))
        assert first[0] == again[0]
        assert np.array_equal(first[1], again[1])


def test_fewer_different_rows_than_segments_are_refused() -> None:
    with pytest.raises(ValueError, match="2 of 100 rows differ, 3 segments"):
        fit_centroids(np.repeat([[0.0], [1.0]], 50, axis=0), 3, seed=0)


def test_separate_groups_are_stable_and_one_cloud_cut_in_five_is_not() -> None:
    clear, _ = try_k(groups(400), 3, refits=5, seed=0)
    cloud, _ = try_k(np.random.default_rng(0).normal(size=(400, 3)), 5, refits=5, seed=0)
    assert clear.stability_ari == pytest.approx(1.0)
    assert clear.silhouette is not None
    assert clear.silhouette > 0.7
    assert cloud.stability_ari < 0.6
    assert (clear.smallest_share, clear.largest_share) == pytest.approx((1 / 3, 1 / 3), abs=0.01)


def test_a_random_labelling_agrees_with_no_refit() -> None:
    values = groups(500)
    labels = np.random.default_rng(1).integers(0, 3, 500)
    found = stability(values, {"random": (values, labels), "one row": (values[:1], labels[:1])}, 3, refits=3, seed=0)
    assert found["random"] == pytest.approx(0, abs=0.05)
    assert found["one row"] is None


def test_a_silhouette_is_that_of_the_plain_formula_and_none_where_undefined() -> None:
    values, labels = np.array([[0.0], [1.0], [10.0], [12.0]]), np.array([0, 0, 1, 1])
    per_row = [1 - 1 / 11, 1 - 1 / 10, 1 - 2 / 9.5, 1 - 2 / 11.5]
    assert silhouette(values, labels) == pytest.approx(np.mean(per_row))
    assert silhouette(values, np.zeros(4)) is None
    assert silhouette(values, np.arange(4)) is None


def test_a_sample_is_the_same_rows_in_whatever_order_they_come() -> None:
    values = groups(300)
    labels = np.arange(300) % 3
    order = np.random.default_rng(2).permutation(300)
    first, again = sample(values, labels, rows=50, seed=1), sample(values[order], labels[order], rows=50, seed=1)
    assert len(first[0]) == 50
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_held_out_customers_are_measured_and_a_segment_nobody_is_in_counts_as_empty() -> None:
    values = groups(900)
    centroids = fit_centroids(values, 3, seed=0)
    labels = 1 + nearest(values, centroids)[0]
    held_out = values[:300:3], labels[:300:3]
    found = evaluate_clusters((values, labels), held_out, known=(1, 2, 3), refits=3)
    assert found["train"]["rows"] == 900
    assert found["train"]["smallest_share"] == pytest.approx(1 / 3)
    assert found["train"]["stability_ari"] == pytest.approx(1)
    assert (found["test"]["rows"], found["test"]["clusters"]) == (100, 3)
    assert (found["test"]["smallest_share"], found["test"]["largest_share"]) == (0, 1)
    assert found["test"]["silhouette"] is None
    nobody = evaluate_clusters((values, labels), (values[:0], labels[:0]), known=(1, 2, 3), refits=2)["test"]
    assert nobody["rows"] == 0
    assert {nobody[name] for name in ("silhouette", "stability_ari", "smallest_share", "largest_share")} == {None}


# -- how many


def test_the_most_segments_that_pass_are_taken_whatever_their_silhouette() -> None:
    best, reason = choose_k([candidate(3, 0.99), candidate(4, 0.86), candidate(5, 0.84), candidate(6, 0.4)], LIMITS)
    assert best.k == 4
    assert "the most of 3, 4, 5, 6" in reason
    assert choose_k([candidate(3), candidate(4, smallest=0.01), candidate(5, largest=0.95)], LIMITS)[0].k == 3


def test_the_number_in_use_is_kept_while_it_passes() -> None:
    tried = [candidate(4, 0.93), candidate(5, 0.86), candidate(6, 0.9)]
    assert choose_k(tried, LIMITS)[0].k == 6
    best, reason = choose_k(tried, LIMITS, before=5)
    assert best.k == 5
    assert "as before" in reason
    assert choose_k([candidate(4), candidate(5, 0.7)], LIMITS, before=5)[0].k == 4
    assert choose_k(tried, LIMITS, before=9)[0].k == 6
    assert choose_k(tried, LIMITS, before=6) == choose_k(tried, LIMITS)


def test_where_none_passes_the_most_stable_of_the_well_sized_is_taken_and_said() -> None:
    tried = [candidate(3, 0.99, largest=0.998, smallest=0.002), candidate(4, 0.6), candidate(5, 0.7)]
    best, reason = choose_k(tried, LIMITS)
    assert best.k == 5
    assert "none of 3, 4, 5" in reason
    assert choose_k([candidate(3, 0.8, smallest=0), candidate(4, 0.9, smallest=0)], LIMITS)[0].k == 4
    with pytest.raises(ValueError, match="no number of segments"):
        choose_k([], LIMITS)


# -- settings and promotion


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"k_min": 7}, "k_min is 7, above k_max 6"),
        ({"smallest_share": 0.4}, "more than everybody"),
        ({"min_stability": 1.5}, "min_stability"),
        ({"clusters": 4}, "clusters"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Clustering(**given)


TEST = {"clusters": 4.0, "smallest_share": 0.05, "largest_share": 0.5, "stability_ari": 0.9}


@pytest.mark.parametrize(
    ("changed", "promoted", "words"),
    [
        ({}, True, "4 segments"),
        ({"largest_share": 0.91}, False, "91.0%"),
        ({"smallest_share": 0.009}, False, "0.9%"),
        ({"stability_ari": 0.49}, False, "0.49"),
        ({"clusters": 1.0, "largest_share": 0.5}, False, "parts nobody"),
        ({"stability_ari": None}, False, "nobody was held out"),
        ({"smallest_share": float("nan")}, False, "nobody was held out"),
    ],
)
def test_what_may_be_promoted(changed: dict[str, float | None], promoted: bool, words: str) -> None:
    found, sentence = may_be_promoted_clustering({**TEST, **changed})
    assert found is promoted
    assert words in sentence
    assert sentence.startswith("promoted: " if promoted else "held: ")


# -- numbers that last


def segments(**means: tuple[float, float]) -> list[dict[str, Any]]:
    """Segments by label, ``_3`` for 3, with means of spend and orders."""
    return [
        {"label": int(name[1:]), "means": {"spend": spend, "orders": orders}} for name, (spend, orders) in means.items()
    ]


SPREAD = {"spend": 2.0, "orders": 0.5}
BEFORE = segments(_1=(8, 3), _2=(6, 2), _3=(4, 1))


def test_segments_that_moved_a_little_keep_their_numbers_in_whatever_order_they_come() -> None:
    found = match_labels(BEFORE, segments(_1=(4.1, 1.05), _2=(7.8, 3.1), _3=(6, 1.9)), SPREAD)
    assert found == ({1: 3, 2: 1, 3: 2}, 3)


def test_a_number_that_is_gone_is_never_given_again() -> None:
    labels, highest = match_labels(BEFORE, segments(_1=(8, 3), _2=(6, 2)), SPREAD)
    assert (labels, highest) == ({1: 1, 2: 2}, 3)
    again = match_labels(BEFORE[:2], segments(_1=(8, 3), _2=(6, 2), _3=(4, 1)), SPREAD, highest=highest)
    assert again == ({1: 1, 2: 2, 3: 4}, 4)


def test_segments_far_from_all_old_ones_are_new() -> None:
    assert match_labels(BEFORE, segments(_1=(8, 3), _2=(20, 9), _3=(-9, -9)), SPREAD) == ({1: 1, 2: 4, 3: 5}, 5)
    assert match_labels([], BEFORE, SPREAD) == ({1: 1, 2: 2, 3: 3}, 3)


def test_a_new_segment_does_not_push_an_old_one_off_its_number() -> None:
    # Two pairs of .7 would be made where one of 0 and a new segment say what happened.
    old, new = segments(_1=(0, 0), _2=(1.4, 0)), segments(_1=(1.4, 0), _2=(2.8, 0))
    assert match_labels(old, new, {"spend": 2.0})[0] == {1: 2, 2: 3}


def test_only_features_that_both_sides_know_and_that_vary_decide() -> None:
    new = [{"label": group["label"], "means": {**group["means"], "visits": 5.0}} for group in BEFORE]
    assert match_labels(BEFORE, new, {**SPREAD, "visits": 1.0})[0] == {1: 1, 2: 2, 3: 3}
    with pytest.raises(ValueError, match="no feature that varies"):
        match_labels(BEFORE, new, {"visits": 1.0, "spend": 0.0})
    with pytest.raises(ValueError, match="repeat a label"):
        match_labels(BEFORE, [new[0], new[0]], SPREAD)


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_and_nudged_segments_get_their_numbers_back(seed: int) -> None:
    draw = np.random.default_rng(seed)
    centres = draw.permutation(9)[:, None] * 1.5 + draw.uniform(0, 0.1, (9, 3))
    old = [{"label": 10 + i, "means": dict(zip("abc", row, strict=True))} for i, row in enumerate(centres)]
    order = draw.permutation(9)
    moved = centres[order] + draw.normal(0, 0.2, (9, 3))
    new = [{"label": i, "means": dict(zip("abc", row, strict=True))} for i, row in enumerate(moved)]
    labels, _ = match_labels(old, new, dict.fromkeys("abc", 1.0))
    assert [labels[i] for i in range(9)] == [10 + int(place) for place in order]


# -- figures

NAMES = [f"a_rather_long_feature_name_$_of_{i}_days" for i in range(20)]
SIZES = [
    {"label": str(i), "count": 10**i, "share": 10**i / 11111, "status": "ok" if i else "too_small"} for i in range(5)
]
PROFILE = [
    {
        "label": str(label),
        "share": 0.2,
        "feature": name,
        "mean": 12345.678 / (place + 1),
        "standardised": place / 5 - label,
    }
    for label in range(1, 6)
    for place, name in enumerate(NAMES)
]
RFM = [{"label": name, "share": 0.1, "spend_share": i / 45} for i, name in enumerate(figures.RFM_SEGMENTS)]
TRIED = [
    {"k": k, "stability_ari": 1 - k / 20, "silhouette": None, "smallest_share": 0.02, "misses": ["x"] * (k > 4)}
    for k in range(3, 7)
]
DRAWINGS: dict[str, Callable[[], bytes]] = {
    "cluster_sizes": lambda: figures.cluster_sizes(SIZES),
    "profile_heat_map": lambda: figures.profile_heat_map(PROFILE),
    "rfm_segments": lambda: figures.rfm_segments(RFM),
    "choice_of_k": lambda: figures.choice_of_k(TRIED, chosen=4, min_stability=0.85),
    "no sizes": lambda: figures.cluster_sizes([]),
    "no profile": lambda: figures.profile_heat_map([]),
    "an unknown mean": lambda: figures.profile_heat_map([{**PROFILE[0], "mean": None, "standardised": None}]),
    "no RFM segments": lambda: figures.rfm_segments([]),
    "returns beyond all spend": lambda: figures.rfm_segments(
        [{**RFM[0], "spend_share": -0.4}, {**RFM[1], "share": None}]
    ),
    "no candidates": lambda: figures.choice_of_k([], chosen=4, min_stability=0.85),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_is_small_inside_its_frame_and_the_same_every_time(name: str) -> None:
    picture = DRAWINGS[name]()
    assert inside(picture)
    assert len(picture) < 100_000
    assert picture == DRAWINGS[name]()


def test_the_taken_number_of_segments_and_those_that_miss_a_limit_have_a_colour() -> None:
    drawn = bars(figures.choice_of_k(TRIED, chosen=4, min_stability=0.85))
    assert [colour for _, colour in drawn.values()] == ["#a9b2bb", "#2b6ca3", "#b3261e", "#b3261e"]


@pytest.mark.parametrize(
    ("background", "text"), [((255, 255, 255), "#24323f"), ((224, 138, 30), "#24323f"), ((43, 108, 163), "#ffffff")]
)
def test_text_on_a_colour_is_the_one_of_more_contrast(background: tuple[int, ...], text: str) -> None:
    assert figures.text_colour(background) == text


def test_the_heat_map_shows_the_features_that_tell_segments_apart() -> None:
    flat = [{**row, "feature": f"flat {row['feature']}", "standardised": 0.0} for row in PROFILE]
    distinct = [row for row in PROFILE if row["feature"] in NAMES[-3:]]
    assert figures.profile_heat_map(flat + distinct, most=3) == figures.profile_heat_map(distinct, most=3)
