"""The k-means learner: segments that last, refusals with a remedy, and files that bring the model back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.declaration.clustering import Clustering
from tdml_assets.engines.cluster_profile import match_labels
from tdml_assets.engines.cluster_quality import fit_centroids, nearest
from tdml_assets.engines.kmeans import KMeansParameters, MinibatchKmeansLearner
from tdml_assets.engines.kmeans_model import KMeansModel
from tdml_assets.engines.protocol import BatchSource, ModelSpec, table_source
from tdml_assets.engines.python import PythonEngine

FEATURES = ("days_since_last_order", "total_orders", "total_spend")
LEARNER = MinibatchKmeansLearner()
# Half the customers buy once for little, a third regularly, the rest a lot; in logarithms, overlapping a little.
CENTRES = np.array([[5.0, 0.7, 3.0], [3.5, 1.8, 5.0], [2.0, 3.0, 7.5]])


def raw(rows: int = 900, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return CENTRES[draw.choice(3, rows, p=[0.5, 0.33, 0.17])] + draw.normal(0, 0.45, (rows, 3))


def scaled(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def table(values: np.ndarray, features: tuple[str, ...] = FEATURES, target: float = 0.0) -> pa.Table:
    columns = [pa.array(values[:, place].astype(np.float32)) for place in range(values.shape[1])]
    return pa.table([*columns, pa.array(np.full(len(values), target))], names=[*features, "target"])


def source(values: np.ndarray, batch_rows: int = 256, **more: Any) -> BatchSource:
    return table_source(table(values, **more), "target", batch_rows)


def batch(values: np.ndarray) -> pa.RecordBatch:
    return table(values).drop_columns(["target"]).combine_chunks().to_batches()[0]


def spec(seed: int = 7, **parameters: Any) -> ModelSpec:
    return ModelSpec("minibatch_kmeans", {"refits": 3, "k_min": 2, "k_max": 3, **parameters}, seed, "clustering")


def fit(values: np.ndarray, validation: np.ndarray | None = None, **more: Any) -> KMeansModel:
    held = values[:0] if validation is None else validation
    return LEARNER.fit(source(values), source(held), spec(**more), threads=1)


def labels_of(model: KMeansModel, values: np.ndarray) -> np.ndarray:
    return model.score(batch(values)).column("predicted_target").to_numpy()


VALUES = scaled(raw())


@pytest.fixture(scope="module")
def model() -> KMeansModel:
    return fit(VALUES, VALUES[:200])


def test_the_groups_customers_were_made_from_are_found_and_the_best_is_number_one(model: KMeansModel) -> None:
    assert model.labels == (1, 2, 3)
    places = np.argmin(np.square(raw()[:, None, :] - CENTRES[None]).sum(axis=2), axis=1)
    assert (labels_of(model, VALUES) == 3 - places).mean() > 0.98
    spend = model.centroids[:, FEATURES.index("total_spend")]
    assert list(spend) == sorted(spend, reverse=True)


def test_a_score_is_the_nearest_centroid_and_the_distance_to_it(model: KMeansModel) -> None:
    scored = model.score(batch(VALUES[:50]))
    assert scored.schema.names == ["predicted_target", "distance"]
    assert {column.type for column in scored.schema} == {pa.float64()}
    rows = VALUES[:50].astype(np.float32).astype(np.float64)
    every = np.linalg.norm(rows[:, None, :] - model.centroids[None], axis=2)
    assert scored.column("predicted_target").to_numpy().tolist() == (1.0 + every.argmin(axis=1)).tolist()
    assert scored.column("distance").to_numpy() == pytest.approx(every.min(axis=1))
    assert model.score(batch(VALUES[:5]).slice(0, 0)).num_rows == 0


def test_all_that_was_tried_is_told(model: KMeansModel) -> None:
    chosen = model.recipe.chosen
    assert chosen["k"] == 3
    assert [row["k"] for row in chosen["candidates"]] == [2, 3]
    assert set(chosen["candidates"][0]) == {
        "k",
        "silhouette",
        "stability_ari",
        "smallest_share",
        "largest_share",
        "misses",
    }
    assert chosen["candidates"][1]["stability_ari"] > 0.95
    assert chosen["reason"].startswith("3 segments: the most of 2, 3")
    strict = fit(VALUES, smallest_share=0.3).recipe.chosen
    assert (strict["k"], strict["candidates"][1]["misses"]) == (2, ["smallest_share"])
    json.dumps(chosen, allow_nan=False)
    distance = model.score(batch(VALUES[:200])).column("distance").to_numpy()
    assert model.recipe.validation_loss["clusters"] == pytest.approx(np.square(distance).mean())
    assert fit(VALUES, k=3).recipe.validation_loss == {}


def test_the_same_rows_in_another_order_and_other_batches_give_the_same_bytes(model: KMeansModel) -> None:
    shuffled = VALUES[np.random.default_rng(3).permutation(len(VALUES))]
    again = LEARNER.fit(source(shuffled, batch_rows=100), source(VALUES[:200]), spec(), threads=2)
    assert again.files() == model.files()


def test_the_target_is_never_read(model: KMeansModel) -> None:
    found = LEARNER.fit(source(VALUES, target=float("nan")), source(VALUES[:200], target=5.0), spec(), threads=1)
    assert found.files() == model.files()


def test_the_model_comes_back_from_its_file_unchanged(model: KMeansModel) -> None:
    again = LEARNER.load(model.files(), threads=1)
    assert again.files() == model.files()
    kept = {name: value for name, value in model.recipe.chosen.items() if name != "reason"}
    assert again.recipe == dataclasses.replace(model.recipe, chosen=kept)
    assert again.score(batch(VALUES)).equals(model.score(batch(VALUES)))
    assert again.reasons(batch(VALUES)) is None


def test_a_fit_that_follows_itself_is_the_same_again_words_included() -> None:
    first, again = fit(VALUES), fit(VALUES, k_before=3)
    assert first.recipe.chosen["k"] == 3
    assert again.recipe == first.recipe
    assert again.files() == first.files()


def test_the_sentence_about_the_number_of_segments_is_not_a_part_of_the_stored_model(model: KMeansModel) -> None:
    assert model.recipe.chosen["reason"]
    assert "reason" not in json.loads(model.files()["kmeans.json"])["chosen"]


def spoilt(model: KMeansModel, **chosen: Any) -> dict[str, bytes]:
    facts = json.loads(model.files()["kmeans.json"])
    facts["chosen"] |= chosen
    return {"kmeans.json": json.dumps(facts).encode()}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"centroids": [[1.0, 2.0, 3.0]]}, "its centroids are"),
        ({"centroids": [[1.0, 2.0, float("nan")]] * 3}, "not finite"),
        ({"labels": [1, 1, 2]}, "each once"),
        ({"labels": [0, 1, 2]}, "count from 1"),
        ({"highest_label": 2}, "none above the highest"),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(model: KMeansModel, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LEARNER.load(spoilt(model, **chosen), threads=1)


def test_a_missing_file_and_another_format_are_refused(model: KMeansModel) -> None:
    with pytest.raises(ValueError, match=r"lacks kmeans\.json"):
        LEARNER.load({}, threads=1)
    with pytest.raises(ValueError, match="format 2"):
        LEARNER.load({"kmeans.json": b'{"format": 2}'}, threads=1)


def test_a_refit_keeps_the_numbers_and_moves_to_where_all_rows_are(model: KMeansModel) -> None:
    more = np.vstack([VALUES, VALUES[:300] + 0.1])
    final = LEARNER.refit(source(more), model.recipe, spec(), threads=1)
    assert final.labels == model.labels
    assert final.recipe.rows == {"clusters": 1200}
    assert final.recipe.chosen["candidates"] == model.recipe.chosen["candidates"]
    assert not np.array_equal(final.centroids, model.centroids)
    assert (labels_of(final, VALUES) == labels_of(model, VALUES)).mean() > 0.98
    places, _ = nearest(more.astype(np.float32).astype(np.float64), final.centroids)
    for place in range(3):
        assert final.centroids[place] == pytest.approx(more[places == place].mean(axis=0), abs=1e-3)


def test_a_refit_of_renumbered_segments_keeps_those_numbers(model: KMeansModel) -> None:
    renumbered = model.relabelled({1: 5, 2: 2, 3: 9}, highest=11)
    final = LEARNER.refit(source(VALUES), renumbered.recipe, spec(), threads=1)
    assert (final.labels, final.highest_label) == ((5, 2, 9), 11)
    assert np.array_equal(labels_of(final, VALUES), labels_of(renumbered, VALUES))
    assert set(labels_of(renumbered, VALUES)) == {2.0, 5.0, 9.0}
    with pytest.raises(ValueError, match=r"segments \[2, 3\]"):
        model.relabelled({1: 1}, highest=1)


def test_a_refit_on_other_features_is_refused(model: KMeansModel) -> None:
    with pytest.raises(ValueError, match="visits"):
        LEARNER.refit(source(VALUES, features=("visits", *FEATURES[1:])), model.recipe, spec(), threads=1)


def profile(model: KMeansModel, values: np.ndarray, raw_values: np.ndarray) -> list[dict[str, Any]]:
    labels = labels_of(model, values)
    return [
        {"label": label, "means": dict(zip(FEATURES, raw_values[labels == label].mean(axis=0), strict=True))}
        for label in model.labels
    ]


def test_two_sessions_of_nearly_the_same_customers_give_them_the_same_numbers(model: KMeansModel) -> None:
    # The second session has other customers in places, other scales, another seed, and numbers its segments by recency.
    stays = np.arange(900) >= 60
    later = np.vstack([raw()[stays], raw(80, seed=9)]) + np.array([0.1, 0.0, 0.05])
    second = fit(scaled(later), seed=99, order_by="days_since_last_order")
    labels, highest = match_labels(
        profile(model, VALUES, raw()),
        profile(second, scaled(later), later),
        dict(zip(FEATURES, later.std(axis=0), strict=True)),
        highest=model.highest_label,
    )
    assert sorted(labels.values()) == [1, 2, 3]
    kept = second.relabelled(labels, highest)
    before, after = labels_of(model, VALUES)[stays], labels_of(kept, scaled(later))[: stays.sum()]
    assert (before == after).mean() > 0.98
    assert (before == labels_of(second, scaled(later))[: stays.sum()]).mean() < 0.5


def test_spend_in_another_unit_changes_no_segment_after_scaling_and_few_after_a_logarithm() -> None:
    money = np.expm1(raw())
    plain, other = (scaled(money * factor) for factor in (1.0, [1.0, 1.0, 137.5]))
    assert np.array_equal(labels_of(fit(plain, k=3), plain), labels_of(fit(other, k=3), other))
    # log(1 + x) is free of the unit only far above 1: a few customers at a border move.
    first, second = (scaled(np.log1p(money * factor)) for factor in ([1.0, 1.0, 1.0], [1.0, 1.0, 100.0]))
    assert (labels_of(fit(first, k=3), first) == labels_of(fit(second, k=3), second)).mean() > 0.98


def test_mini_batches_end_where_the_whole_fit_does() -> None:
    values = scaled(raw(6000, seed=4)).astype(np.float32).astype(np.float64)
    small = fit(values, k=3, sample_rows=600, batch_rows=500)
    whole = fit_centroids(values, 3, seed=0)
    inertia, best = (np.square(nearest(values, centroids)[1]).sum() for centroids in (small.centroids, whole))
    assert inertia / best < 1.002
    assert (labels_of(small, values) == labels_of(fit(values, k=3), values)).mean() > 0.99
    assert small.files() == fit(values, k=3, sample_rows=600, batch_rows=500).files()


def test_importances_are_shares_of_what_parts_the_segments(model: KMeansModel) -> None:
    noise = np.random.default_rng(8).normal(size=len(VALUES))
    flat = np.column_stack([VALUES, noise])
    found = LEARNER.fit(
        source(flat, features=(*FEATURES, "noise")),
        source(flat[:0], features=(*FEATURES, "noise")),
        spec(k=3),
        threads=1,
    ).importances(source(flat, features=(*FEATURES, "noise")))
    shares = {one.feature: one.gain_share for one in found}
    assert sum(share or 0 for share in shares.values()) == pytest.approx(1)
    assert (shares["noise"] or 0) < 0.05
    assert min(shares[name] or 0 for name in FEATURES) > 0.2
    assert all(one.mean_abs_shap >= 0 for one in found)
    with pytest.raises(ValueError, match="the source is empty"):
        model.importances(source(VALUES[:0]))


def test_a_number_that_is_asked_for_is_not_judged() -> None:
    found = fit(VALUES, k=6)
    assert len(found.labels) == 6
    assert found.recipe.chosen["reason"] == "6 segments: as asked"


def test_the_number_in_use_is_kept_while_it_holds() -> None:
    free = fit(VALUES)
    assert free.recipe.chosen["k"] == 3
    assert fit(VALUES, k_before=2).recipe.chosen["k"] == 2


def with_missing(place: int) -> np.ndarray:
    values = VALUES.copy()
    values[5, place] = np.nan
    return values


def test_missing_values_are_refused_by_name_with_the_remedy(model: KMeansModel) -> None:
    for attempt in (
        lambda: fit(with_missing(1)),
        lambda: fit(VALUES, with_missing(1)),
        lambda: labels_of(model, with_missing(1)),
        lambda: LEARNER.refit(source(with_missing(1)), model.recipe, spec(), threads=1),
    ):
        with pytest.raises(ValueError, match=r"missing values in \['total_orders'\].*prepare\.nulls: median"):
            attempt()


def test_too_few_rows_and_rows_too_alike_are_refused() -> None:
    with pytest.raises(ValueError, match="99 rows; 100 are needed"):
        fit(VALUES[:99])
    with pytest.raises(ValueError, match="2 of 200 differ, at least 3 segments"):
        fit(np.repeat(VALUES[:2], 100, axis=0), k_min=3)
    few = fit(np.repeat(VALUES[:3], 100, axis=0), k_min=3, k_max=6)
    assert [row["k"] for row in few.recipe.chosen["candidates"]] == [3]


def test_a_feature_to_order_by_must_be_there() -> None:
    with pytest.raises(ValueError, match="order_by is 'visits'.*total_spend"):
        fit(VALUES, order_by="visits")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clusters": 3}, "has no parameter"),
        ({"k": 1}, "k is 1: it must be a whole number from 2 to 50"),
        ({"k": 3.0}, "k is 3.0"),
        ({"refits": True}, "refits is True"),
        ({"min_stability": 2}, "min_stability is 2"),
        ({"k_min": 8}, "k_min is 8, above k_max"),
    ],
)
def test_parameters_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KMeansParameters.from_mapping(given)


def test_every_setting_of_a_workflow_is_a_parameter() -> None:
    assert KMeansParameters.from_mapping(Clustering().learner_parameters()) == KMeansParameters()


def test_the_engine_finds_the_learner_by_its_name() -> None:
    found = PythonEngine().learner(spec())
    assert isinstance(found, MinibatchKmeansLearner)
    assert found.bytes_needed(10**8, 20) == found.bytes_needed(10**6, 20) < 2 * 10**9
    with pytest.raises(ValueError, match="clustering"):
        PythonEngine().learner(ModelSpec("minibatch_kmeans"))
