"""What differs between tasks for estimators of scikit-learn: the methods' names, the target, the output.

Elsewhere: what their fits (``sklearn_estimator.py``) and models (``sklearn_model.py``) share, and what differs in the stages
(``tasks/``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class SklearnTask(ABC):
    """One task, as the fit and the model of an estimator ask it; what is not overridden is that of tasks with a target.

    ``method``: of the estimator, predicts for the task. ``kinds``: estimators of these are for it, as they tell themselves; a
    class of one's own need not. ``example``: an estimator to take instead of one that is not. ``has_target``: whether rows have
    one to learn, and predictions a loss.
    """

    method: str
    kinds: tuple[str, ...]
    example: str
    has_target = True

    def require_target(self, target: Floats, where: str, *, varied: bool = True) -> None:
        """Refuse targets, shape (rows,), that cannot be learnt, or measured if they need not be ``varied``.

        Raises ``ValueError`` if values are missing, infinite, outside the task's range, or all equal; with their count.
        """
        bad = int(target.size - np.isfinite(target).sum())
        if bad:
            raise ValueError(f"{where}: {bad} of {target.size} targets are NULL, NaN or infinite: drop them")
        if varied and target.min() == target.max():
            raise ValueError(
                f"{where}: all {target.size} targets are equal, nothing can be learnt: change the horizon or add snapshots"
            )

    def fit(self, estimator: Any, rows: Floats, target: Floats) -> None:
        """Fit the estimator to a matrix, shape (rows, features), and its targets."""
        estimator.fit(rows, target)

    def fit_threads(self, threads: int) -> int:
        """Threads that libraries may take in a fit of which the last digit is the same in every run."""
        return threads

    def floors_at_zero(self, target: Floats) -> bool:  # noqa: ARG002
        """Whether a prediction below 0 is to become 0, by the training targets."""
        return False

    @abstractmethod
    def outputs(self, estimator: Any, rows: Floats) -> Floats:
        """Predictions for a matrix, shape (rows, features), as the column ``predicted_target`` has them."""

    def strength(self, change: Floats) -> float:
        """How much a feature matters, by the ``change`` of predictions, shape (rows,), when its values are permuted."""
        return float(np.abs(change).mean())


class _Regression(SklearnTask):
    method = "predict"
    kinds = ("regressor",)
    example = "sklearn.ensemble.HistGradientBoostingRegressor"

    def floors_at_zero(self, target: Floats) -> bool:
        return bool(target.min() >= 0.0)

    def outputs(self, estimator: Any, rows: Floats) -> Floats:
        found = np.asarray(estimator.predict(rows), dtype=np.float64)
        return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found


class _Classification(SklearnTask):
    method = "predict_proba"
    kinds = ("classifier",)
    example = "sklearn.linear_model.LogisticRegression, or wrap it in sklearn.calibration.CalibratedClassifierCV"

    def require_target(self, target: Floats, where: str, *, varied: bool = True) -> None:
        super().require_target(target, where, varied=False)
        others = int(((target != 0.0) & (target != 1.0)).sum())
        if others:
            raise ValueError(
                f"{where}: {others} of {target.size} targets are neither 0 nor 1: declare a yes-or-no target"
            )
        super().require_target(target, where, varied=varied)

    def fit(self, estimator: Any, rows: Floats, target: Floats) -> None:
        estimator.fit(rows, target.astype(np.int64))

    def outputs(self, estimator: Any, rows: Floats) -> Floats:
        found = np.asarray(estimator.predict_proba(rows), dtype=np.float64)
        return np.asarray(found[:, list(estimator.classes_).index(1)], dtype=np.float64)


class _Clustering(SklearnTask):
    method = "predict"
    kinds = ("clusterer", "density_estimator")
    example = "sklearn.cluster.KMeans"
    has_target = False

    def require_target(self, target: Floats, where: str, *, varied: bool = True) -> None:
        pass

    def fit(self, estimator: Any, rows: Floats, target: Floats) -> None:  # noqa: ARG002
        estimator.fit(rows)

    def fit_threads(self, threads: int) -> int:  # noqa: ARG002
        # Several threads of k-means sum their centres in the order they end.
        return 1

    def outputs(self, estimator: Any, rows: Floats) -> Floats:
        return np.asarray(estimator.predict(rows), dtype=np.float64) + 1.0

    def strength(self, change: Floats) -> float:
        return float(np.mean(change != 0.0))


#: By the name of the task.
TASKS: dict[str, SklearnTask] = {
    "regression": _Regression(),
    "classification": _Classification(),
    "clustering": _Clustering(),
}
