"""Lifetime models as learners: spend expected from a customer's own history of purchases, without a target.

Elsewhere: the formulas, trees that correct them (``lifetime_xgboost.py``).

Expected spend = expected purchases in the horizon x expected value of one. The fit sees histories only, and scoring longer
histories than it saw is what the models are made for. For the same reason ``prepare`` must leave the columns as they are:
a scaled one is refused; one clipped by the outlier rule cannot be recognised, and makes every customer as young as the
oldest in training.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.bounds import require_bounds, require_known
from tdml_assets.engines.lifetime_outlook import HISTORY, Lifetime, PurchaseModel
from tdml_assets.engines.lifetimes import fit_bg_nbd, fit_gamma_gamma, fit_pareto_nbd
from tdml_assets.engines.lifetimes.histories import checked_columns
from tdml_assets.engines.model_files import read_facts
from tdml_assets.engines.protocol import (
    FeatureImportance,
    FeatureSource,
    ModelSpec,
    Recipe,
    chained,
    feature_matrix,
)
from tdml_assets.engines.spend import EXPECTED_SPEND, calibration_factor, scored
from tdml_assets.engines.xgboost_rows import Floats, Matrix, evenly_spaced
from tdml_assets.platform.refusals import RefusedError

_MODEL_FILE = "lifetime.json"
_FORMAT = 1


@dataclass(frozen=True)
class LifetimeParameters:
    """Parameters of a lifetime model.

    ``penalizer``: of the purchase model's squared parameters in a time where the largest age is 1; 0 for the likelihood alone.
    ``calibrate``: multiply the value so that total predicted equals total actual on the validation rows. Off, because on heavy
    tails a few customers decide that ratio. ``fit_rows``: histories the fit looks at, at most, evenly spaced: seven parameters
    need no more. ``min_rows``, ``min_repeaters``: fewer histories, or customers who bought on a second day, are refused.
    """

    penalizer: float = 0.0
    calibrate: bool = False
    fit_rows: int = 50_000
    min_rows: int = 50
    min_repeaters: int = 20

    def __post_init__(self) -> None:
        bounds = {
            "penalizer": (0.0, 1e6),
            "fit_rows": (50, 10**8),
            "min_rows": (2, 10**12),
            "min_repeaters": (2, 10**12),
        }
        require_bounds(self, bounds)
        if self.calibrate not in (True, False):
            raise ValueError(f"parameter calibrate is {self.calibrate!r}: it must be true or false")

    @classmethod
    def from_mapping(cls, parameters: Mapping[str, Any], estimator: str) -> LifetimeParameters:
        """Defaults overridden by ``parameters``. Raises ``ValueError`` naming a key that is not a parameter."""
        require_known(parameters, [field.name for field in dataclasses.fields(cls)], estimator)
        return cls(**parameters)


def history_places(features: tuple[str, ...], estimator: str) -> list[int]:
    """Places of the :data:`HISTORY` columns. Raises ``ValueError`` naming those that are missing, and why that may be."""
    missing = [name for name in HISTORY if name not in features]
    if missing:
        raise ValueError(
            f"{estimator} lacks the features {missing}: take them into features.include, out of features.exclude, and give "
            "it a log in which they vary (a constant column is dropped)"
        )
    return [features.index(name) for name in HISTORY]


def history_of(matrix: Matrix, places: list[int], where: str) -> Floats:
    """Take the columns of :data:`HISTORY` out of a matrix of features.

    Raises ``ValueError`` if they hold what no unscaled history can; with the remedy.
    """
    history: Floats = matrix[:, places].astype(np.float64)
    remedy = "these columns must reach it as they are: set prepare.scaling and prepare.transform to none, and clip no outliers"
    below = [name for place, name in enumerate(HISTORY) if (history[:, place] < 0).any()]
    if below:
        raise ValueError(f"{where}: negative values in {below}, which a lifetime model takes for scaled; {remedy}")
    try:
        checked_columns(*history[:, :3].T)
    except ValueError as error:
        raise ValueError(f"{where}: {error}; {remedy}") from error
    return history


def fit_lifetime(
    source: FeatureSource,
    family: PurchaseModel,
    parameters: LifetimeParameters,
    *,
    horizon_days: int,
    estimator: str,
    where: str,
) -> tuple[Lifetime, int]:
    """Fit both models to the histories of a source. The target is not looked at. Gives how many histories were, too.

    Raises ``ValueError`` if columns are missing or scaled, or too few customers bought again; with the counts.
    """
    places = history_places(source.features, estimator)
    history = history_of(evenly_spaced(source, parameters.fit_rows), places, where)
    x, recency, age, mean = history.T
    again = x > 0
    counts = f"{where}: {len(x)} purchase histories, {int(again.sum())} of them with a second day"
    if len(x) < parameters.min_rows:
        raise RefusedError(f"{counts}; {parameters.min_rows} histories are needed", "take more customers or snapshots")
    if again.sum() < parameters.min_repeaters:
        raise RefusedError(f"{counts}; {parameters.min_repeaters} such are needed", "give a longer history of orders")
    fit = fit_bg_nbd if family == "bg_nbd" else fit_pareto_nbd
    value = fit_gamma_gamma(x, mean)
    purchases = fit(x, recency, age, penalizer=parameters.penalizer)
    share = float((recency[again] / age[again]).mean())
    lifetime = Lifetime(purchases, value, horizon_days, (float(x[again].mean()), share, float(age[again].mean())))
    _ = value.population_value
    return lifetime, len(x)


class LifetimeModel:
    """A fitted lifetime model; implements :class:`~tdml_assets.engines.protocol.FittedModel`."""

    def __init__(self, features: tuple[str, ...], lifetime: Lifetime, recipe: Recipe) -> None:
        self.features = features
        self.recipe = recipe
        self.lifetime = lifetime
        self._places = history_places(features, "the model")

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predict for the rows of ``batch``, in its order.

        ``batch``: exactly the model's features, in its order, as FLOAT. Returns DOUBLE columns ``predicted_target`` = ``p_buy`` x
        ``amount``; ``p_buy`` = 1 - P(X(H) = 0); ``amount``, the spend expected if there is any. Raises ``ValueError`` if features
        are missing, extra, reordered, of another type, infinite or scaled.
        """
        seen = self.lifetime.outlook(self._history(batch, "rows to score"))
        return scored(seen.active, seen.spend_if_active * self.recipe.calibration_factor)

    def reasons(self, batch: pa.RecordBatch) -> Floats:
        """Attribute log expected spend to the features, (rows, features), against the mean customer who bought again.

        Raises ``ValueError`` as :meth:`score`.
        """
        return self._attributed(self._history(batch, "rows to explain"))

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """Give mean absolute attributions on at most ``rows`` evenly spaced rows; those of other features are 0."""
        history = history_of(evenly_spaced(source, rows), self._places, "rows to explain")
        size = np.abs(self._attributed(history)).mean(axis=0)
        return [
            FeatureImportance(feature, EXPECTED_SPEND, None, float(size[place]))
            for place, feature in enumerate(self.features)
        ]

    def files(self) -> dict[str, bytes]:
        """Give the model as one JSON file."""
        facts = {
            "format": _FORMAT,
            "features": self.features,
            "recipe": dataclasses.asdict(self.recipe),
            "lifetime": self.lifetime.to_facts(),
        }
        return {_MODEL_FILE: json.dumps(facts, sort_keys=True, indent=1, allow_nan=False).encode()}

    def calibrated(self, validation: FeatureSource) -> LifetimeModel:
        """Scale the value so that total predicted equals total actual on ``validation``, by a factor in [0.5, 2]."""
        factor = calibration_factor(validation, self._total)
        return LifetimeModel(self.features, self.lifetime, dataclasses.replace(self.recipe, calibration_factor=factor))

    def _total(self, matrix: Matrix) -> float:
        return float(self.lifetime.outlook(history_of(matrix, self._places, "validation rows")).spend.sum())

    def _history(self, batch: pa.RecordBatch, where: str) -> Floats:
        return history_of(feature_matrix(batch, self.features, where), self._places, where)

    def _attributed(self, history: Floats) -> Floats:
        found = np.zeros((len(history), len(self.features)))
        found[:, self._places] = self.lifetime.attributions(history)[2]
        return found


class _LifetimeLearner:
    """A purchase model with Gamma-Gamma; implements :class:`~tdml_assets.engines.protocol.Learner`."""

    name: str
    tasks = frozenset({"regression"})
    # Needs no target, so the longest histories there are.
    wants_unlabelled = True
    divides_threads = False
    pages_rows = False
    _family: PurchaseModel

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, *, threads: int) -> LifetimeModel:  # noqa: ARG002
        """Fit to the histories of the rows to score, or of all rows where those are not given.

        Validation is only needed for ``calibrate``: a history has no target to hold out.
        """
        parameters = LifetimeParameters.from_mapping(spec.parameters, self.name)
        model = self._fitted(chained([train, validation]), spec, parameters, Recipe({}, {}))
        return model.calibrated(validation) if parameters.calibrate else model

    def refit(self, source: FeatureSource, recipe: Recipe, spec: ModelSpec, *, threads: int) -> LifetimeModel:  # noqa: ARG002
        """Fit to the histories of all rows, with the calibration an earlier fit found."""
        return self._fitted(source, spec, LifetimeParameters.from_mapping(spec.parameters, self.name), recipe)

    def load(self, files: Mapping[str, bytes], *, threads: int) -> LifetimeModel:  # noqa: ARG002
        """Bring back a model from the verified bytes of its file.

        Raises ``ValueError`` if the file is missing, of another format or another family.
        """
        facts = read_facts(files, _MODEL_FILE, version=_FORMAT)
        if facts["lifetime"]["family"] != self._family:
            raise ValueError(
                f"{_MODEL_FILE} holds {facts['lifetime']['family']}, {self.name} reads {self._family}: train again"
            )
        return LifetimeModel(
            tuple(facts["features"]), Lifetime.from_facts(facts["lifetime"]), Recipe(**facts["recipe"])
        )

    def bytes_needed(self, rows: int, features: int) -> int:
        """Memory of a fit, in bytes: the histories it looks at, and one batch of rows."""
        seen = min(rows, LifetimeParameters().fit_rows)
        return seen * (features * 4 + 300) + 65_536 * features * 8

    def _fitted(
        self, source: FeatureSource, spec: ModelSpec, parameters: LifetimeParameters, recipe: Recipe
    ) -> LifetimeModel:
        lifetime, rows = fit_lifetime(
            spec.unlabelled or source,
            self._family,
            parameters,
            horizon_days=spec.horizon_days,
            estimator=self.name,
            where="training rows",
        )
        loss = -lifetime.purchases.log_likelihood / rows
        found = Recipe({}, {"histories": rows}, recipe.calibration_factor, {"purchases": loss}, recipe.chosen)
        return LifetimeModel(source.features, lifetime, found)


class ParetoNbdLearner(_LifetimeLearner):
    """Pareto/NBD and Gamma-Gamma: a customer may leave at any moment."""

    name = "pareto_nbd_gamma_gamma"
    _family: PurchaseModel = "pareto_nbd"


class BgNbdLearner(_LifetimeLearner):
    """BG/NBD and Gamma-Gamma: a customer may leave after a purchase."""

    name = "bg_nbd_gamma_gamma"
    _family: PurchaseModel = "bg_nbd"
