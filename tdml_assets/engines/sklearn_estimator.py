"""Any scikit-learn-compatible class, by import path, as a learner.

Elsewhere: making it from its declaration (``sklearn_build.py``), what its archive may hold (``trusted_types.py``), scoring
(``sklearn_model.py``), what differs between tasks (``sklearn_tasks.py``).

The model that scores, in the session that trained it too, is the one read back from the archive: what is measured is what
is stored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xgboost as xgb

from tdml_assets.engines import search, trusted_types
from tdml_assets.engines.booster_check import checked_booster
from tdml_assets.engines.model_files import read_facts
from tdml_assets.engines.protocol import FeatureSource, ModelSpec, Recipe, require_same_columns, split_batch
from tdml_assets.engines.sklearn_build import build, require_method
from tdml_assets.engines.sklearn_check import parts_of, require_sound
from tdml_assets.engines.sklearn_model import FORMAT, MODEL_FILE, STAGE, SklearnModel, named_missing, within
from tdml_assets.engines.sklearn_tasks import TASKS, Floats, SklearnTask
from tdml_assets.engines.target_scale import TargetScale
from tdml_assets.platform.refusals import RefusedError

ARCHIVE_FILE = "estimator.skops"

_MIN_ROWS = 50
_BLOCK_ROWS = 65_536
# The matrix in doubles, a copy by a step before the estimator, and the estimator's own. Measured at 500,000 x 30: 15 (forest,
# XGBoost), 19 to 26 (logistic, ridge, gradient boosting) and 34 (k-means) bytes a cell, scaled where usual.
_BYTES_PER_CELL = 36
# Target, prediction, gradient, residuals, index.
_BYTES_PER_ROW = 64


class SklearnLearner:
    """Implements :class:`~tdml_assets.engines.protocol.Learner`.

    Validation rows decide nothing, as the protocol of scikit-learn has no place for them: the estimator is fitted on the
    training rows alone and the loss on the validation rows is kept in the recipe. A refit takes all rows. ``extra_trusted``: types
    of a user's own that their models may hold, from their settings, never from an artefact. Raises ``ValueError`` if a name in
    ``extra_trusted`` cannot be one.
    """

    name = "sklearn"
    tasks = frozenset(TASKS)
    wants_unlabelled = False
    divides_threads = False
    pages_rows = False

    def __init__(self, extra_trusted: Sequence[str] = ()) -> None:
        self._allowed = trusted_types.allowed_types(extra_trusted)

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, *, threads: int) -> SklearnModel:
        """Train on ``train`` and measure on ``validation``.

        Raises ``ValueError`` if the declaration is wrong, the rows cannot be learnt from, or the estimator holds types that may not
        be stored (:class:`~tdml_assets.engines.trusted_types.ModelRefusedError`, as far as possible before it is trained).
        """
        require_same_columns(
            (*train.features, train.target),
            (*validation.features, validation.target),
            "validation against training rows",
        )
        task = TASKS[spec.task]
        model = self._fitted(train, spec, {}, threads, "training rows")
        if not task.has_target or validation.row_count == 0:
            return model
        rows, target = _dense(validation, "validation rows")
        task.require_target(target, "validation rows", varied=False)
        loss_name = search.loss_name(spec.task, [0.0] if model.floors_at_zero else [-1.0])
        measured = {loss_name: search.loss(loss_name, target, model.predict(rows))}
        return dataclasses.replace(model, recipe=dataclasses.replace(model.recipe, validation_loss=measured))

    def refit(self, source: FeatureSource, recipe: Recipe, spec: ModelSpec, *, threads: int) -> SklearnModel:
        """Train on all rows. Raises as :meth:`fit`."""
        return self._fitted(source, spec, recipe.validation_loss, threads, "rows of the refit")

    def load(self, files: Mapping[str, bytes], *, threads: int) -> SklearnModel:
        """Bring back a model from the verified bytes of its files.

        Raises ``ValueError`` if a file is missing, of another format, not allowed, or the files do not belong together.
        """
        facts = read_facts(files, MODEL_FILE, (ARCHIVE_FILE,), version=FORMAT)
        estimator = trusted_types.load(files[ARCHIVE_FILE], self._allowed, f"{ARCHIVE_FILE} of {facts['estimator']}")
        _put_boosters_back(estimator, files, threads)
        features = tuple(facts["features"])
        require_sound(estimator, len(features), ARCHIVE_FILE)
        expected = getattr(estimator, "n_features_in_", len(features))
        if expected != len(features):
            raise ValueError(
                f"{ARCHIVE_FILE} takes {expected} features, {MODEL_FILE} names {len(features)}: files of two models are "
                "mixed, take another version"
            )
        return SklearnModel(
            features,
            Recipe(**facts["recipe"]),
            facts["task"],
            facts["estimator"],
            facts["floors_at_zero"],
            None if facts["centre"] is None else np.asarray(facts["centre"], dtype=np.float64),
            threads,
            TargetScale(**facts["scale"]),
            estimator,
            {name: data for name, data in files.items() if name == ARCHIVE_FILE or name.startswith("booster_")},
        )

    def bytes_needed(self, rows: int, features: int) -> int:
        """Memory of a fit: the matrix in doubles, the copies scikit-learn makes of it, and vectors of a row each.

        Estimators that compare every row with every other (Gaussian processes, kernel ridge, spectral methods) need the
        square of the rows, which this does not know.
        """
        return rows * features * _BYTES_PER_CELL + rows * _BYTES_PER_ROW

    def _fitted(
        self, source: FeatureSource, spec: ModelSpec, validation_loss: Mapping[str, float], threads: int, where: str
    ) -> SklearnModel:
        task = TASKS[spec.task]
        estimator = build(spec, source.features, threads=threads)
        trusted_types.dump(estimator, self._allowed, spec.estimator)  # unfitted: refuses before time is spent
        rows, target = _dense(source, where)
        if len(rows) < _MIN_ROWS:
            raise RefusedError(
                f"{where}: {len(rows)} rows; {_MIN_ROWS} are needed", "take more snapshots or more customers"
            )
        task.require_target(target, where)
        scale = TargetScale.fit(spec.target_transform, target)
        with (
            within(task.fit_threads(threads), jobs=threads),
            named_missing(rows, source.features, spec.estimator, where),
        ):
            _fit(task, estimator, rows, scale.forward(target), f"{where}: {spec.estimator}")
            require_method(estimator, spec)
            if scale.kind == "log1p":
                scale = scale.smeared(target, task.outputs(estimator, rows))
        files = {
            **_boosters_taken_out(estimator),
            ARCHIVE_FILE: trusted_types.dump(estimator, self._allowed, spec.estimator),
        }
        floors = task.floors_at_zero(target)
        recipe = Recipe({}, {STAGE: len(rows)}, validation_loss=dict(validation_loss))
        fitted = SklearnModel(
            source.features, recipe, spec.task, spec.estimator, floors, None, threads, scale, estimator, files
        )
        stored = self.load(fitted.files(), threads=threads)
        return dataclasses.replace(stored, centre=_centre(stored, rows))


def _dense(source: FeatureSource, where: str) -> tuple[Floats, Floats]:
    """Read a source into one matrix of doubles and its targets: linear algebra in single precision loses what it sums."""
    rows = np.empty((source.row_count, len(source.features)))
    target = np.empty(source.row_count)
    filled = 0
    for batch in source.batches():
        features, values = split_batch(batch, source, where)
        end = filled + len(features)
        if end > source.row_count:
            break
        rows[filled:end], target[filled:end] = features, values
        filled = end
    else:
        if filled == source.row_count:
            return rows, target
    raise ValueError(f"{where}: the source says {source.row_count} rows and holds another number: read it again")


def _fit(task: SklearnTask, estimator: Any, rows: Floats, target: Floats, what: str) -> None:
    try:
        task.fit(estimator, rows, target)
    except ValueError as error:
        raise ValueError(f"{what} cannot be fitted: {error}") from error


def _centre(model: SklearnModel, rows: Floats) -> Floats | None:
    if model.coefficients is None:
        return None
    total = np.zeros(len(model.features))
    for start in range(0, len(rows), _BLOCK_ROWS):
        total += model.before_estimator(rows[start : start + _BLOCK_ROWS]).sum(axis=0)
    return total / len(rows)


def _boosters_taken_out(estimator: Any) -> dict[str, bytes]:
    """Put the name of a file in the place of every XGBoost booster inside a fitted estimator; returns the files."""
    files: dict[str, bytes] = {}
    for model in _xgboost_models(estimator):
        model.n_jobs = None  # threads belong to the tier that scores
        if isinstance(vars(model).get("_Booster"), xgb.Booster):
            name = f"booster_{len(files) + 1}.json"
            files[name] = bytes(model._Booster.save_raw("json"))
            model.__dict__["_Booster"] = name
    return files


def _put_boosters_back(estimator: Any, files: Mapping[str, bytes], threads: int) -> None:
    for model in _xgboost_models(estimator):
        name = vars(model).get("_Booster")
        if name is None:
            continue
        if not isinstance(name, str) or name not in files:
            raise ValueError(f"the model lacks the booster {name!r}: promote another version")
        booster = xgb.Booster()
        booster.load_model(checked_booster(files[name], name))
        booster.set_param({"nthread": threads})
        model.__dict__["_Booster"] = booster


def _xgboost_models(estimator: Any) -> list[xgb.XGBModel]:
    """Find XGBoost's scikit-learn classes inside an estimator, however deep, in the order of its attributes."""
    return [part for part in parts_of(estimator) if isinstance(part, xgb.XGBModel)]
