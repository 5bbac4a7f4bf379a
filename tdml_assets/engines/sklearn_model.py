"""A fitted scikit-learn-compatible estimator as a model: it scores, explains itself and becomes files.

Elsewhere: fitting it and reading its files (``sklearn_estimator.py``), what differs between tasks (``sklearn_tasks.py``).

Scoring runs on one job, because a forest adds its trees up in the order in which jobs end; rows are still spread over the
tier's threads where an estimator does that itself.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost as xgb
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from tdml_assets.engines.protocol import FeatureImportance, FeatureSource, Recipe, feature_matrix
from tdml_assets.engines.sklearn_build import last_step
from tdml_assets.engines.sklearn_tasks import TASKS, Floats
from tdml_assets.engines.target_scale import TargetScale
from tdml_assets.engines.xgboost_rows import evenly_spaced

#: Name of the only part of the model in tables of importances.
STAGE = "model"
MODEL_FILE = "sklearn_model.json"
FORMAT = 2

_PERMUTATION_SEED = 0


@dataclasses.dataclass(frozen=True)
class SklearnModel:
    """A fitted estimator; implements :class:`~tdml_assets.engines.protocol.FittedModel`.

    ``features``, ``recipe``: as in the protocol.
    ``task``, ``path``: what it was asked for, and its class.
    ``floors_at_zero``: a prediction below 0 becomes 0. So for regression where no training target is negative: net spend never
      is, but a line through it can be. With negative training targets predictions stay as they are.
    ``centre``: for a linear model, the mean of the training rows as the estimator saw them.
    ``threads``: of scoring.
    ``scale``: the target's scale that the estimator learnt on.
    ``estimator``: the class's instance.
    ``stored``: its archive, and one file per booster of XGBoost inside it.
    """

    features: tuple[str, ...]
    recipe: Recipe
    task: str
    path: str
    floors_at_zero: bool
    centre: Floats | None
    threads: int
    scale: TargetScale
    estimator: Any = dataclasses.field(repr=False)
    stored: Mapping[str, bytes] = dataclasses.field(repr=False)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predict for the rows of ``batch``, in its order.

        Returns DOUBLE ``predicted_target``: the prediction, the probability of 1, or the number of the cluster from 1. Raises
        ``ValueError`` if the columns are not the model's, a value is missing and the estimator takes none, or a prediction is not
        finite.
        """
        rows = feature_matrix(batch, self.features, "rows to score")
        return pa.RecordBatch.from_arrays([pa.array(self.predict(rows))], names=["predicted_target"])

    def predict(self, rows: NDArray[Any]) -> Floats:
        """Predict for the rows of a matrix, shape (rows, features). Raises as :meth:`score`."""
        if len(rows) == 0:
            return np.empty(0)
        matrix = np.asarray(rows, dtype=np.float64)
        with within(self.threads, jobs=1), named_missing(matrix, self.features, self.path, "rows to score"):
            found = self.scale.backward(TASKS[self.task].outputs(self.estimator, matrix))
        if found.shape != (len(matrix),):
            raise ValueError(
                f"{self.path} gave predictions of shape {found.shape} for {len(matrix)} rows: one each is needed"
            )
        bad = int(found.size - np.isfinite(found).sum())
        if bad:
            raise ValueError(
                f"{self.path} gave {bad} of {found.size} predictions that are not finite: scale the features, regularise more, "
                "or take another estimator"
            )
        return np.maximum(found, 0.0) if self.floors_at_zero else found

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """Give importances on at most ``rows`` evenly spaced rows.

        ``gain_share`` is the estimator's own ``feature_importances_``, where it has them per feature. ``mean_abs_shap`` is
        the mean absolute attribution of :meth:`reasons`; where the model gives none, the mean absolute change of its
        prediction when the feature's values are permuted among the rows (for clusters: the share of rows that move).
        """
        sample = np.asarray(evenly_spaced(source, rows), dtype=np.float64)
        attributions = self._attributions(sample)
        strength = self._by_permutation(sample) if attributions is None else np.abs(attributions).mean(axis=0)
        share = self._own_shares()
        return [
            FeatureImportance(feature, STAGE, None if share is None else float(share[place]), float(strength[place]))
            for place, feature in enumerate(self.features)
        ]

    def reasons(self, batch: pa.RecordBatch) -> Floats | None:
        """Give what each feature added to the prediction of each row, before any link function and on the target's scale.

        Exact for a linear model: coefficient x (value - mean of the training rows); and for XGBoost's classes: TreeSHAP.
        None for all others, and where a step before the estimator mixes features. Returns shape (rows, features), in the order of
        ``features``.
        """
        rows = feature_matrix(batch, self.features, "rows to explain")
        return self._attributions(np.asarray(rows, dtype=np.float64))

    def files(self) -> dict[str, bytes]:
        """Give the model as bytes per file name: the skops archive, XGBoost JSON per booster, and one file with all else."""
        facts = {
            "format": FORMAT,
            "task": self.task,
            "estimator": self.path,
            "features": self.features,
            "floors_at_zero": self.floors_at_zero,
            "scale": dataclasses.asdict(self.scale),
            "centre": None if self.centre is None else self.centre.tolist(),
            "recipe": dataclasses.asdict(self.recipe),
        }
        return {**self.stored, MODEL_FILE: json.dumps(facts, sort_keys=True, indent=1).encode()}

    @property
    def coefficients(self) -> Floats | None:
        """One per feature, for a linear model whose steps keep features apart; else None."""
        if not self._keeps_features_apart() or not _is_linear(last_step(self.estimator)):
            return None
        found = np.ravel(np.asarray(last_step(self.estimator).coef_, dtype=np.float64))
        return found if found.size == len(self.features) else None

    def before_estimator(self, rows: Floats) -> Floats:
        """Give the rows as the last step sees them."""
        if not isinstance(self.estimator, Pipeline):
            return rows
        with named_missing(rows, self.features, self.path, "rows to explain"):
            return np.asarray(self.estimator[:-1].transform(rows), dtype=np.float64)

    def _attributions(self, rows: Floats) -> Floats | None:
        estimator = last_step(self.estimator)
        if isinstance(estimator, xgb.XGBModel) and self._keeps_features_apart():
            data = xgb.DMatrix(self.before_estimator(rows), missing=estimator.missing, nthread=self.threads)
            found = estimator.get_booster().predict(data, pred_contribs=True)
            return np.asarray(found[:, :-1], dtype=np.float64)
        coefficients = self.coefficients
        if coefficients is None or self.centre is None:
            return None
        return np.asarray((self.before_estimator(rows) - self.centre) * coefficients, dtype=np.float64)

    def _keeps_features_apart(self) -> bool:
        """Whether every column the last step sees comes of the feature in the same place, as the steps' own names tell."""
        if not isinstance(self.estimator, Pipeline):
            return True
        try:
            names = self.estimator[:-1].get_feature_names_out(np.asarray(self.features, dtype=object))
        except (AttributeError, ValueError):
            return False
        return list(names) == list(self.features)

    def _own_shares(self) -> Floats | None:
        found = getattr(last_step(self.estimator), "feature_importances_", None)
        if found is None or np.shape(found) != (len(self.features),) or not self._keeps_features_apart():
            return None
        shares = np.asarray(found, dtype=np.float64)
        return shares / (shares.sum() or 1.0)

    def _by_permutation(self, sample: Floats) -> Floats:
        rng = np.random.default_rng(_PERMUTATION_SEED)
        usual = self.predict(sample)
        strength = np.empty(len(self.features))
        for place in range(len(self.features)):
            permuted = sample.copy()
            permuted[:, place] = rng.permutation(sample[:, place])
            strength[place] = TASKS[self.task].strength(self.predict(permuted) - usual)
        return strength


@contextmanager
def within(threads: int, *, jobs: int) -> Iterator[None]:
    """Hold libraries to ``threads`` and joblib to ``jobs`` threads: processes would copy the rows, and to disk."""
    with threadpool_limits(limits=threads), parallel_config(backend="threading", n_jobs=jobs):
        yield


@contextmanager
def named_missing(rows: Floats, features: Sequence[str], path: str, where: str) -> Iterator[None]:
    """Name the columns with missing values where an estimator refuses them; it does so before it starts to work."""
    try:
        yield
    except ValueError as error:
        missing = [name for place, name in enumerate(features) if np.isnan(rows[:, place]).any()]
        if missing and "NaN" in str(error):
            raise ValueError(
                f"{where}: {path} takes no missing values, {missing} have some: set prepare.nulls: median (or zero), or "
                "put sklearn.impute.SimpleImputer first in model.steps"
            ) from error
        raise


def _is_linear(estimator: Any) -> bool:
    """Whether ``coef_`` is what it is in scikit-learn's linear models; elsewhere the name may mean anything."""
    return hasattr(estimator, "coef_") and any(
        kind.__module__.startswith("sklearn.linear_model.") for kind in type(estimator).__mro__
    )
