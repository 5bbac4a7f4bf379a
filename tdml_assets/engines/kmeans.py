"""K-means segments of customers: as many as are stable, with numbers that last.

Elsewhere: the fitted model (``kmeans_model.py``), the measures and the choice of the number of segments
(``cluster_quality.py``), the match of two sessions (``cluster_profile.py``), preparation: features arrive transformed and
scaled.

Up to ``sample_rows`` rows the fit is Lloyd's algorithm on all of them. Beyond, its centroids on an evenly spaced sample are
the start of mini-batch passes over everything: mini-batches from random starts gave, on the order logs, up to 5 % more
inertia and other segments (adjusted Rand index .4 to .9 against Lloyd's).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from tdml_assets.engines.bounds import require_bounds, require_known
from tdml_assets.engines.cluster_profile import match_labels
from tdml_assets.engines.cluster_quality import (
    STABILITY_ROWS,
    Floats,
    Limits,
    Places,
    choose_k,
    fit_centroids,
    nearest,
    one_thread,
    rounded,
    try_k,
)
from tdml_assets.engines.kmeans_model import STAGE, KMeansModel, evenly_spaced, groups_of, load_model, matrices
from tdml_assets.engines.protocol import FeatureSource, ModelSpec, Recipe, require_same_columns
from tdml_assets.platform.refusals import RefusedError

NAME = "minibatch_kmeans"
_PASSES = 2
# The sample as float64, in its order, resampled, and in scikit-learn; next to one batch and the distances of a silhouette.
_COPIES = 4
_BATCH_BYTES = 500_000_000


@dataclass(frozen=True)
class KMeansParameters:
    """Parameters of the learner.

    ``k``: segments; None: the most from ``k_min`` to ``k_max`` that hold the limits.
    ``k_before``: segments of the model in use, kept as long as they hold the limits.
    ``smallest_share``, ``largest_share``: limits of a segment's share of the training rows.
    ``min_stability``: mean adjusted Rand index that refits to resampled rows must reach.
    ``refits``: resamples.
    ``order_by``: feature whose mean, descending, numbers the segments of a first fit.
    ``sample_rows``: rows that candidates are tried on; more rows are learnt in mini-batches.
    ``batch_rows``: rows of a mini-batch.
    ``min_rows``: fewer training rows are refused.
    """

    k: int | None = None
    k_before: int | None = None
    k_min: int = 3
    k_max: int = 6
    smallest_share: float = 0.02
    largest_share: float = 0.9
    min_stability: float = 0.9
    refits: int = 10
    order_by: str = "total_spend"
    sample_rows: int = STABILITY_ROWS
    batch_rows: int = 10_000
    min_rows: int = 100

    def __post_init__(self) -> None:
        bounds = {
            "k": (2, 50),
            "k_before": (2, 50),
            "k_min": (2, 50),
            "k_max": (2, 50),
            "smallest_share": (0.0, 0.5),
            "largest_share": (0.0, 1.0),
            "min_stability": (0.0, 1.0),
            "refits": (2, 200),
            "sample_rows": (100, 10**7),
            "batch_rows": (100, 10**7),
            "min_rows": (2, 10**12),
        }
        require_bounds(self, bounds, {"k": None, "k_before": None})
        if self.k_min > self.k_max:
            raise ValueError(
                f"parameter k_min is {self.k_min}, above k_max {self.k_max}: lower the one or raise the other"
            )

    @classmethod
    def from_mapping(cls, parameters: Mapping[str, Any]) -> KMeansParameters:
        """Defaults overridden by ``parameters``. Raises ``ValueError`` naming a key that is not a parameter."""
        require_known(parameters, [field.name for field in dataclasses.fields(cls)], NAME)
        return cls(**parameters)

    @property
    def candidates(self) -> range:
        """Numbers of segments to try."""
        return range(self.k_min, self.k_max + 1) if self.k is None else range(self.k, self.k + 1)


class MinibatchKmeansLearner:
    """K-means; implements :class:`~tdml_assets.engines.protocol.Learner`. The target, a dummy, is never read."""

    name = NAME
    tasks = frozenset({"clustering"})
    wants_unlabelled = False
    divides_threads = False
    pages_rows = False

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, *, threads: int) -> KMeansModel:  # noqa: ARG002
        """Fit every number of segments asked for, and take the one :func:`~tdml_assets.engines.cluster_quality.choose_k` takes.

        Raises ``ValueError`` if rows are too few or too alike, have missing values, or lack the feature ``order_by``.
        ``validation``: only their mean squared distance to a centroid is reported; nothing is decided on them, there may be none.
        ``threads``: not used: fits run on one, so that the same rows give the same segments.
        """
        parameters = KMeansParameters.from_mapping(spec.parameters)
        require_same_columns(train.features, validation.features, "validation against training rows")
        if parameters.order_by not in train.features:
            raise ValueError(
                f"order_by is {parameters.order_by!r}, which is not among the prepared features {list(train.features)}: "
                "name one of them"
            )
        values = _sampled(train, parameters, "training rows")
        tried = [try_k(values, k, refits=parameters.refits, seed=spec.seed) for k in _possible(values, parameters)]
        limits = Limits(parameters.smallest_share, parameters.largest_share, parameters.min_stability)
        best, reason = choose_k([one for one, _ in tried], limits, parameters.k_before)
        centroids = next(centroids for one, centroids in tried if one is best)
        centroids = _all_rows(train, values, centroids, parameters, spec.seed)
        centroids = centroids[_by_mean(centroids, train.features, parameters.order_by)]
        chosen = {
            "k": best.k,
            "reason": reason if parameters.k is None else f"{best.k} segments: as asked",
            "candidates": [{**dataclasses.asdict(one), "misses": one.misses(limits)} for one, _ in tried],
        }
        loss = _inertia(validation, centroids) if validation.row_count else {}
        return _model(train, centroids, tuple(range(1, best.k + 1)), best.k, chosen, loss)

    def refit(self, source: FeatureSource, recipe: Recipe, spec: ModelSpec, *, threads: int) -> KMeansModel:  # noqa: ARG002
        """Move the segments of an earlier fit to where all rows want them. Their number and their labels stay.

        Raises ``ValueError`` as :meth:`fit`, or if the features are not those of the earlier fit.
        """
        parameters = KMeansParameters.from_mapping(spec.parameters)
        chosen = recipe.chosen
        require_same_columns(chosen["features"], source.features, "rows of the refit")
        values = _sampled(source, parameters, "rows of the refit")
        start = np.array(chosen["centroids"], dtype=np.float64)
        centroids = fit_centroids(values, len(start), seed=spec.seed, initial=start)
        centroids = _all_rows(source, values, centroids, parameters, spec.seed)
        labels, highest = tuple(chosen["labels"]), int(chosen["highest_label"])
        evaluated = groups_of(source.features, labels, start)
        moved = groups_of(source.features, labels, centroids)
        # The same number on both sides and no farthest distance: every segment is found again.
        numbers, _ = match_labels(
            evaluated, moved, dict.fromkeys(source.features, 1.0), highest=highest, farthest=float("inf")
        )
        kept = {name: chosen[name] for name in ("k", "reason", "candidates")}
        return _model(
            source, centroids, tuple(numbers[label] for label in labels), highest, kept, recipe.validation_loss
        )

    def load(self, files: Mapping[str, bytes], *, threads: int) -> KMeansModel:  # noqa: ARG002
        """Bring back a model from the bytes of its file, which the caller has verified.

        Raises ``ValueError`` if the file is missing, of another format, or its parts do not fit together.
        """
        return load_model(files)

    def bytes_needed(self, rows: int, features: int) -> int:
        """Memory of a fit, in bytes: a sample, whatever the rows."""
        return min(rows, KMeansParameters().sample_rows) * features * 8 * _COPIES + _BATCH_BYTES


def _model(
    source: FeatureSource,
    centroids: Floats,
    labels: tuple[int, ...],
    highest: int,
    chosen: Mapping[str, Any],
    loss: Mapping[str, float],
) -> KMeansModel:
    found = {
        **chosen,
        "features": list(source.features),
        "centroids": centroids.tolist(),
        "labels": list(labels),
        "highest_label": highest,
    }
    return KMeansModel(Recipe({}, {STAGE: source.row_count}, 1.0, loss, found))


def _possible(values: Floats, parameters: KMeansParameters) -> list[int]:
    different = len(np.unique(values, axis=0))
    possible = [k for k in parameters.candidates if k <= different]
    if not possible:
        raise ValueError(
            f"training rows: {different} of {len(values)} differ, at least {parameters.candidates[0]} segments are asked: "
            "take more features or fewer segments"
        )
    return possible


def _sampled(source: FeatureSource, parameters: KMeansParameters, where: str) -> Floats:
    if source.row_count < parameters.min_rows:
        raise RefusedError(
            f"{where}: {source.row_count} rows; {parameters.min_rows} are needed",
            "take more snapshots or more customers",
        )
    return evenly_spaced(source, parameters.sample_rows, where)


def _all_rows(
    source: FeatureSource, values: Floats, centroids: Floats, parameters: KMeansParameters, seed: int
) -> Floats:
    if source.row_count <= len(values):
        return centroids
    # Reassigning small segments to random rows would undo what the sample found.
    model = MiniBatchKMeans(len(centroids), init=centroids, n_init=1, reassignment_ratio=0.0, random_state=seed)
    with one_thread():
        for _ in range(_PASSES):
            for batch in matrices(source, "rows to learn"):
                for first in range(0, len(batch), parameters.batch_rows):
                    model.partial_fit(batch[first : first + parameters.batch_rows])
    return rounded(model.cluster_centers_)


def _by_mean(centroids: Floats, features: tuple[str, ...], order_by: str) -> Places:
    place = features.index(order_by)
    # Equal means are ordered by the other features, so that the order is unique.
    return np.lexsort((*(-centroids.T[::-1]), -centroids[:, place]))


def _inertia(source: FeatureSource, centroids: Floats) -> dict[str, float]:
    total, rows = 0.0, 0
    for values in matrices(source, "validation rows"):
        total += float(np.square(nearest(values, centroids)[1]).sum())
        rows += len(values)
    return {STAGE: float(f"{total / max(1, rows):.12g}")}
