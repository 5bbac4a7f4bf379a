"""A linear model as a table of weights: it scores in Python and, to the last bit alike, in SQL.

Elsewhere: training (``hivemall_engine.py``), the statements (``sql/predictions/linear/``).

Both ways of scoring take the features as FLOAT, multiply and add in DOUBLE, item after item in the order of their names, and leave
out weights of 0.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.engines.model_files import read_facts
from tdml_assets.engines.protocol import FeatureImportance, FeatureSource, Recipe, feature_matrix
from tdml_assets.engines.score_map import ScoreMap

Floats = NDArray[np.float64]

MODEL_FILE = "linear_model.json"
WEIGHTS_FILE = "linear_weights.parquet"
#: The item that every row has with value 1, as ``add_bias`` of Hivemall names it.
BIAS = "0"
FORMAT = 1
STAGE = "model"
#: Beyond it the exponential is not a number any more.
LARGEST_SCORE = 700.0


@dataclass(frozen=True)
class Term:
    """One summand: weight x feature; the bias has no feature."""

    feature: str
    weight: float

    @property
    def is_bias(self) -> bool:
        """Whether it is the constant."""
        return self.feature == BIAS


@dataclass(frozen=True)
class LinearModel:
    """Implements :class:`~tdml_assets.engines.protocol.FittedModel` and :class:`~tdml_assets.engines.protocol.ScoresInSql`.

    ``features``, ``recipe``: as in the protocol. ``function``, ``options``: what trained it. ``weights``: ``feature``,
    ``weight`` and, where the learner has one, ``covar``; the bias is the feature ``0``. ``centre``: mean of every feature on
    the training rows. ``score_map``: from the sum to the prediction; None for the logistic function. ``label``: what the
    learner's labels were made of the target with: (target - shift) / unit.
    """

    features: tuple[str, ...]
    recipe: Recipe
    function: str
    options: str
    weights: pa.Table
    centre: tuple[float, ...]
    score_map: ScoreMap | None
    label: tuple[float, float] = (0.0, 1.0)

    @property
    def terms(self) -> tuple[Term, ...]:
        """What is summed, in the order of the names; weights of 0 are left out."""
        pairs = zip(self.weights["feature"].to_pylist(), self.weights["weight"].to_pylist(), strict=True)
        return tuple(Term(name, float(weight)) for name, weight in sorted(pairs) if weight)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predict for the rows of ``batch``: DOUBLE ``predicted_target``, an amount or the probability of 1.

        Raises ``ValueError`` if the columns are not the model's, or a value is missing.
        """
        rows = feature_matrix(batch, self.features, "rows to score")
        missing = [name for place, name in enumerate(self.features) if np.isnan(rows[:, place]).any()]
        if missing:
            raise ValueError(
                f"rows to score: values are missing in {', '.join(missing)} and a linear model takes none: train again with "
                "prepare.nulls: median or zero"
            )
        return pa.RecordBatch.from_arrays([pa.array(self.linked(self.sums(rows)))], names=["predicted_target"])

    def sums(self, rows: NDArray[np.float32]) -> Floats:
        """The sum of weights of every row of a matrix, shape (rows, features)."""
        places = {name: place for place, name in enumerate(self.features)}
        total = np.zeros(len(rows))
        for term in self.terms:
            total += term.weight if term.is_bias else term.weight * rows[:, places[term.feature]].astype(np.float64)
        return total

    def linked(self, sums: Floats) -> Floats:
        """Predictions of sums."""
        if self.score_map is not None:
            return self.score_map.apply(sums)
        found: Floats = 1.0 / (1.0 + np.exp(-np.clip(sums, -LARGEST_SCORE, LARGEST_SCORE)))
        return found

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """``mean_abs_shap`` is the mean of |weight x (value - mean)|, in the unit of the sum; there is no gain."""
        from tdml_assets.engines.xgboost_rows import evenly_spaced

        mean = np.abs(self._parts(evenly_spaced(source, rows))).mean(axis=0)
        return [
            FeatureImportance(name, STAGE, None, float(size)) for name, size in zip(self.features, mean, strict=True)
        ]

    def reasons(self, batch: pa.RecordBatch) -> Floats:
        """What each feature adds to the sum of each row, against the mean of the training rows."""
        return self._parts(feature_matrix(batch, self.features, "rows to explain"))

    def _parts(self, rows: NDArray[np.float32]) -> Floats:
        weight = {term.feature: term.weight for term in self.terms}
        weights = np.array([weight.get(name, 0.0) for name in self.features])
        found: Floats = (rows.astype(np.float64) - np.array(self.centre)) * weights
        return found

    def sql_scoring(self) -> Mapping[str, Any]:
        """What ``sql/predictions/linear/`` takes of it."""
        return {
            "terms": self.terms,
            "score_map": self.score_map,
            "largest_score": LARGEST_SCORE,
        }

    def files(self) -> dict[str, bytes]:
        """The weights as Parquet, and the rest as JSON."""
        import pyarrow.parquet as pq

        facts = {
            "format": FORMAT,
            "features": list(self.features),
            "recipe": vars(self.recipe),
            "function": self.function,
            "options": self.options,
            "centre": list(self.centre),
            "score_map": None if self.score_map is None else self.score_map.to_facts(),
            "label": list(self.label),
        }
        buffer = io.BytesIO()
        pq.write_table(self.weights, buffer)
        return {
            MODEL_FILE: json.dumps(facts, sort_keys=True, indent=1, allow_nan=False).encode(),
            WEIGHTS_FILE: buffer.getvalue(),
        }

    @staticmethod
    def from_files(files: Mapping[str, bytes]) -> LinearModel:
        """Bring back a model from the verified bytes of its files.

        Raises ``ValueError`` if a file is missing or of another format, or holds what cannot be a model.
        """
        import pyarrow.parquet as pq

        facts = read_facts(files, MODEL_FILE, (WEIGHTS_FILE,), version=FORMAT)
        weights = pq.read_table(io.BytesIO(files[WEIGHTS_FILE]))
        features, centre = tuple(facts["features"]), tuple(float(value) for value in facts["centre"])
        names = weights["feature"].to_pylist()
        numbers = np.concatenate([weights["weight"].to_numpy().astype(np.float64), np.array(centre)])
        shift, unit = (float(value) for value in facts["label"])
        if len(set(names)) < len(names) or not set(names) <= {*features, BIAS} or len(centre) != len(features):
            raise ValueError(f"{WEIGHTS_FILE} holds other features than {MODEL_FILE}: promote another version")
        if not np.isfinite([*numbers, shift, unit]).all() or not unit:
            raise ValueError(
                f"{WEIGHTS_FILE} or {MODEL_FILE} holds a number that is not finite: promote another version"
            )
        return LinearModel(
            features,
            Recipe(**facts["recipe"]),
            str(facts["function"]),
            str(facts["options"]),
            weights,
            centre,
            None if facts["score_map"] is None else ScoreMap.from_facts(facts["score_map"]),
            (shift, unit),
        )
