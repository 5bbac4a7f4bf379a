"""A fitted k-means model: which segment a customer is in.

Elsewhere: fitting (``kmeans.py``), the match of two sessions (``cluster_profile.py``).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.engines.cluster_quality import Floats, nearest
from tdml_assets.engines.model_files import read_facts
from tdml_assets.engines.protocol import FeatureImportance, FeatureSource, Recipe, feature_matrix, require_same_columns

STAGE = "clusters"
MODEL_FILE = "kmeans.json"
FORMAT = 1


class KMeansModel:
    """Fitted segments; implements :class:`~tdml_assets.engines.protocol.FittedModel`.

    ``recipe``: ``chosen`` holds all of the model: features, centroids (k, features), labels, highest_label; and how they came
    about: k, candidates and, until it is stored, reason.
    """

    def __init__(self, recipe: Recipe) -> None:
        chosen = recipe.chosen
        self.features: tuple[str, ...] = tuple(chosen["features"])
        self.labels: tuple[int, ...] = tuple(chosen["labels"])
        self.highest_label: int = chosen["highest_label"]
        self.recipe = recipe
        self.centroids: Floats = np.array(chosen["centroids"], dtype=np.float64)
        shape = (len(self.labels), len(self.features))
        if self.centroids.shape != shape or not np.isfinite(self.centroids).all():
            raise ValueError(
                f"the model has {shape[0]} labels and {shape[1]} features, its centroids are {self.centroids.shape} or not "
                "finite: take another version"
            )
        if len(set(self.labels)) != shape[0] or self.highest_label < max(self.labels) or min(self.labels) < 1:
            raise ValueError(
                f"labels {self.labels} and highest label {self.highest_label} do not fit together: labels count from 1, "
                "each once, none above the highest"
            )

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Find the segment of each row of ``batch``, in its order.

        Returns DOUBLE columns ``predicted_target``, the segment's number, and ``distance`` to its centroid, in units of the
        prepared features. Raises ``ValueError`` if features are missing, extra, reordered, of another type, infinite, or have
        missing values.
        """
        places, distance = nearest(complete_matrix(batch, self.features, "rows to score"), self.centroids)
        numbers = np.array(self.labels, dtype=np.float64)[places]
        return pa.RecordBatch.from_arrays(
            [pa.array(numbers), pa.array(distance)], names=["predicted_target", "distance"]
        )

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """Tell what parts the segments, on at most ``rows`` evenly spaced rows.

        ``gain_share`` is the feature's share of the variance between segments, ``mean_abs_shap`` the mean distance of a
        row's centroid from the mean of all, in units of the prepared feature.
        """
        values = evenly_spaced(source, rows, "rows to explain")
        if not len(values):
            raise ValueError("rows to explain: the source is empty")
        places, _ = nearest(values, self.centroids)
        from_mean = self.centroids[places] - self.centroids[places].mean(axis=0)
        between = np.square(from_mean).sum(axis=0)
        total = float(between.sum()) or 1.0
        return [
            FeatureImportance(feature, STAGE, float(between[place]) / total, float(np.abs(from_mean[:, place]).mean()))
            for place, feature in enumerate(self.features)
        ]

    def reasons(self, batch: pa.RecordBatch) -> NDArray[np.float64] | None:
        """None: a segment is a place, nothing adds up to it."""

    def files(self) -> dict[str, bytes]:
        """Give the model as bytes per file name: one JSON file."""
        # The sentence about the choice depends on the champion before, the segments do not: it is kept with the session.
        chosen = {name: value for name, value in self.recipe.chosen.items() if name != "reason"}
        facts = {"format": FORMAT, **dataclasses.asdict(dataclasses.replace(self.recipe, chosen=chosen))}
        return {MODEL_FILE: json.dumps(facts, sort_keys=True, indent=1).encode()}

    def relabelled(self, labels: Mapping[int, int], highest: int) -> KMeansModel:
        """The same segments under other numbers, as :func:`~tdml_assets.engines.cluster_profile.match_labels` gives them.

        ``labels``: new number per number. ``highest``: the highest number ever given.
        """
        missing = sorted(set(self.labels) - set(labels))
        if missing:
            raise ValueError(f"no number is given for the segments {missing}: give one for each of {list(self.labels)}")
        chosen = {**self.recipe.chosen, "labels": [labels[label] for label in self.labels], "highest_label": highest}
        return KMeansModel(dataclasses.replace(self.recipe, chosen=chosen))


def load_model(files: Mapping[str, bytes]) -> KMeansModel:
    """Bring back a model from the bytes of its file, which the caller has verified.

    Raises ``ValueError`` if the file is missing, of another format, or its parts do not fit together.
    """
    facts = read_facts(files, MODEL_FILE, version=FORMAT)
    recipe = Recipe(
        facts["rounds"], facts["rows"], facts["calibration_factor"], facts["validation_loss"], facts["chosen"]
    )
    return KMeansModel(recipe)


def groups_of(features: tuple[str, ...], labels: tuple[int, ...], centroids: Floats) -> list[dict[str, Any]]:
    """Centroids (k, features) as segments that :func:`~tdml_assets.engines.cluster_profile.match_labels` takes."""
    return [
        {"label": label, "means": dict(zip(features, centre, strict=True))}
        for label, centre in zip(labels, centroids.tolist(), strict=True)
    ]


def evenly_spaced(source: FeatureSource, rows: int, where: str) -> Floats:
    """Take the features of at most ``rows`` evenly spaced rows. Raises as :func:`complete_matrix`."""
    step = max(1, -(-source.row_count // rows))
    parts, first = [np.empty((0, len(source.features)))], 0
    for values in matrices(source, where):
        parts.append(values[first::step])
        first = (first - len(values)) % step
    return np.concatenate(parts)[:rows]


def matrices(source: FeatureSource, where: str) -> Iterator[Floats]:
    """Read the features of a source, batch by batch, without its target. Raises as :func:`complete_matrix`."""
    for batch in source.batches():
        require_same_columns((*source.features, source.target), batch.schema.names, where)
        yield complete_matrix(batch.select(list(source.features)), source.features, where)


def complete_matrix(batch: pa.RecordBatch, features: tuple[str, ...], where: str) -> Floats:
    """Give the features of a batch as (rows, features) without missing values.

    Raises ``ValueError`` if columns are missing, extra, reordered or of another type, or values are infinite or missing; named.
    """
    values: Floats = feature_matrix(batch, features, where).astype(np.float64)
    missing = [name for place, name in enumerate(features) if np.isnan(values[:, place]).any()]
    if missing:
        raise ValueError(
            f"{where}: missing values in {missing}, which k-means cannot place; set prepare.nulls: median (or zero)"
        )
    return values
