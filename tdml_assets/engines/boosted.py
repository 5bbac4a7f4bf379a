"""What learners of boosted trees share: parameters of trees, fitting a booster, models of one booster or two, and their files.

Elsewhere: rows (``xgboost_rows.py``), attributions of trees (``tree_shap.py``), what one learner alone does (its own module).
Rows start at a constant, or at what a lifetime model expects of them (``lifetime_start.py``). The head is expected spend in
two stages (:class:`SpendModel`) or a probability (:class:`ProbabilityModel`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import xgboost as xgb

from tdml_assets.engines.boosters import gain_shares
from tdml_assets.engines.bounds import require_known
from tdml_assets.engines.model_files import read_booster, read_facts
from tdml_assets.engines.probabilities import logistic
from tdml_assets.engines.protocol import (
    FeatureImportance,
    FeatureSource,
    ModelSpec,
    Recipe,
    feature_matrix,
    require_same_columns,
)
from tdml_assets.engines.row_samples import spread
from tdml_assets.engines.spend import AMOUNT, BUYS, calibration_factor, log_spend, scored, stage_importances
from tdml_assets.engines.tree_shap import TreeShap
from tdml_assets.engines.xgboost_rows import (
    Floats,
    Matrix,
    booster_name,
    bytes_of_matrix,
    evenly_spaced,
)

_FORMAT = 1
# Attributions of all stages for this many rows are held next to the result.
_ROWS_EXPLAINED_AT_ONCE = 65_536
#: What each stage of a spend model minimises, as XGBoost names it.
OBJECTIVES = {BUYS: "binary:logistic", AMOUNT: "reg:tweedie"}


@dataclass(frozen=True)
class TreeParameters:
    """Parameters of boosted trees.

    ``rounds``, ``patience``: most boosting rounds, and how many without improvement on the validation rows end a fit.
    ``max_depth``, ``learning_rate``, ``subsample``, ``colsample``, ``min_child_weight``, ``reg_lambda``, ``max_bin``: as in
    XGBoost.
    """

    estimator: ClassVar[str]

    rounds: int = 400
    patience: int = 30
    max_depth: int = 3
    learning_rate: float = 0.05
    subsample: float = 0.8
    colsample: float = 0.8
    min_child_weight: float = 20.0
    reg_lambda: float = 1.0
    max_bin: int = 256

    @classmethod
    def from_mapping(cls, parameters: Mapping[str, Any]) -> Self:
        """Defaults overridden by ``parameters``. Raises ``ValueError`` naming a key that is not a parameter."""
        require_known(parameters, [field.name for field in dataclasses.fields(cls)], cls.estimator)
        return cls(**parameters)

    def as_xgboost(self, objective: str, *, base_score: float, seed: int, threads: int) -> dict[str, Any]:
        """Give the parameters as XGBoost takes them."""
        return {
            "objective": objective,
            "base_score": base_score,
            "tree_method": "hist",
            "max_depth": self.max_depth,
            "eta": self.learning_rate,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample,
            "min_child_weight": self.min_child_weight,
            "lambda": self.reg_lambda,
            "max_bin": self.max_bin,
            "seed": seed,
            "nthread": threads,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class BoostedModel:
    """Boosters by stage, with the features they read; implements :class:`~tdml_assets.engines.protocol.FittedModel` in part."""

    model_file: ClassVar[str]
    booster_files: ClassVar[Mapping[str, str]]
    objectives: ClassVar[Mapping[str, str]] = OBJECTIVES

    features: tuple[str, ...]
    recipe: Recipe
    boosters: Mapping[str, xgb.Booster]
    threads: int

    def __post_init__(self) -> None:
        for booster in self.boosters.values():
            booster.set_param({"nthread": self.threads})

    def files(self) -> dict[str, bytes]:
        """Give the model as bytes per file name: XGBoost JSON for each stage, and one file that binds them."""
        facts = {"format": _FORMAT, "features": self.features, **self._facts()}
        boosters = {name: bytes(self.boosters[stage].save_raw("json")) for stage, name in self.booster_files.items()}
        return {**boosters, self.model_file: json.dumps(facts, sort_keys=True, indent=1, allow_nan=False).encode()}

    @classmethod
    def of_files(cls, files: Mapping[str, bytes], *, threads: int) -> Self:
        """Bring back a model from the verified bytes of its files.

        Raises ``ValueError`` if a file is missing, of another format, or the parts do not belong together.
        """
        facts = read_facts(files, cls.model_file, tuple(cls.booster_files.values()), version=_FORMAT)
        features, recipe = tuple(facts["features"]), cls._recipe(facts)
        boosters = {}
        for stage, name in cls.booster_files.items():
            boosters[stage] = read_booster(
                files, name, objective=cls.objectives[stage], rounds=recipe.rounds[stage], model_file=cls.model_file
            )
            names = tuple(boosters[stage].feature_names or ())
            require_same_columns([booster_name(feature) for feature in features], names, name)
        return cls(features=features, recipe=recipe, boosters=boosters, threads=threads, **cls._parts(facts))

    def _facts(self) -> dict[str, Any]:
        """What the file of the model holds next to its format and features."""
        return {"recipe": dataclasses.asdict(self.recipe)}

    @classmethod
    def _recipe(cls, facts: Mapping[str, Any]) -> Recipe:
        return Recipe(**facts["recipe"])

    @classmethod
    def _parts(cls, facts: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """Further arguments of the model, from what :meth:`_facts` gave."""
        return {}

    @cached_property
    def _shap(self) -> dict[str, TreeShap]:
        return {stage: TreeShap(booster) for stage, booster in self.boosters.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class SpendModel(BoostedModel):
    """Expected spend = P(target > 0) x E(target | target > 0), a booster each. ``scale``: unit of the amount's booster."""

    booster_files: ClassVar[Mapping[str, str]] = {BUYS: "buys.json", AMOUNT: "amount.json"}

    scale: float

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predict for the rows of ``batch``, in its order.

        ``batch``: exactly the model's features, in its order, as FLOAT. Returns DOUBLE columns ``predicted_target`` = ``p_buy`` x
        ``amount``, ``p_buy`` in [0, 1] and ``amount`` > 0, the spend expected if there is any. Raises ``ValueError`` if features
        are missing, extra, reordered, of another type, infinite, or a history that the model reads is scaled.
        """
        return scored(*self._predict(feature_matrix(batch, self.features, "rows to score"), "rows to score"))

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """Give importances per stage and combined, on at most ``rows`` evenly spaced rows; gain is that of the trees.

        The combined output is log expected spend, as :func:`~tdml_assets.engines.spend.log_spend` attributes it.
        """
        sample = evenly_spaced(source, rows)
        p_buy, _ = self._trees(sample, "rows to explain")
        return stage_importances(self.features, self.boosters, self._attributions(sample), p_buy)

    def reasons(self, batch: pa.RecordBatch) -> Floats:
        """Attribute the log of expected spend of every row to its features: phi_amount + (1 - p) phi_buys.

        The amount's part is exact: phi_amount and its bias sum to log(amount / scale). That of the purchase is the first order of
        log p around the row's own p. Returns shape (rows, features), in natural log units of currency: .1 raises expected spend by
        about a tenth. Raises ``ValueError`` as :meth:`score`.
        """
        matrix = feature_matrix(batch, self.features, "rows to explain")
        found = np.empty(matrix.shape, order="F")
        for first in range(0, len(matrix), _ROWS_EXPLAINED_AT_ONCE):
            rows = slice(first, first + _ROWS_EXPLAINED_AT_ONCE)
            found[rows] = self._explained(matrix[rows])
        return found

    def calibrated(self, validation: FeatureSource) -> Self:
        """Scale the amount so that total predicted equals total actual on ``validation``, by a factor in [0.5, 2]."""
        factor = calibration_factor(validation, self._total, self.recipe.calibration_factor)
        return replace(self, recipe=replace(self.recipe, calibration_factor=factor))

    def _total(self, matrix: Matrix) -> float:
        p_buy, amount = self._trees(matrix, "validation rows")
        return float(p_buy @ amount)

    def _explained(self, matrix: Matrix) -> Floats:
        shap, (p_buy, _) = self._attributions(matrix), self._trees(matrix, "rows to explain")
        return log_spend(shap[BUYS], shap[AMOUNT], p_buy)

    def _predict(self, matrix: Matrix, where: str) -> tuple[Floats, Floats]:
        """Probability to buy, and amount."""
        return self._trees(matrix, where)

    def _trees(self, matrix: Matrix, where: str) -> tuple[Floats, Floats]:
        """Probability to buy, and amount, as the trees have them."""
        raise NotImplementedError

    def _attributions(self, matrix: Matrix) -> dict[str, Floats]:
        """What each feature added to the margin of each stage, (rows, features)."""
        return {stage: shap(matrix) for stage, shap in self._shap.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbabilityModel(BoostedModel):
    """The probability that the target is 1, from one booster."""

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predict for the rows of ``batch``, in its order.

        ``batch``: exactly the model's features, in its order, as FLOAT. Returns DOUBLE column ``predicted_target``, the probability
        that the target is 1. Raises ``ValueError`` if features are missing, extra, reordered, of another type, infinite, or a
        history that the model reads is scaled.
        """
        log_odds = self._log_odds(feature_matrix(batch, self.features, "rows to score"), "rows to score")
        return pa.RecordBatch.from_arrays([pa.array(logistic(log_odds))], names=["predicted_target"])

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """Give importances, in log-odds, on at most ``rows`` evenly spaced rows; gain is that of the trees."""
        ((stage, booster),) = self.boosters.items()
        size = np.abs(self._attributions(evenly_spaced(source, rows))).mean(axis=0)
        found = zip(self.features, gain_shares(booster, self.features), size, strict=True)
        return [FeatureImportance(feature, stage, share, float(mean)) for feature, share, mean in found]

    def reasons(self, batch: pa.RecordBatch) -> Floats:
        """Give what each feature added to the log-odds of each row: shape (rows, features), in the order of ``features``.

        Exact TreeSHAP: with one constant, that of the average row, the values of a row sum to its predicted log-odds. Raises
        ``ValueError`` as :meth:`score`.
        """
        return self._attributions(feature_matrix(batch, self.features, "rows to explain"))

    def _log_odds(self, matrix: Matrix, where: str) -> Floats:
        raise NotImplementedError

    def _attributions(self, matrix: Matrix) -> Floats:
        raise NotImplementedError


class BoostedLearner:
    """Boosted trees; implements :class:`~tdml_assets.engines.protocol.Learner`. A learner says how it fits."""

    name: str
    tasks: frozenset[str]
    wants_unlabelled = False
    divides_threads = False
    pages_rows = True
    model: type[SpendModel | ProbabilityModel]

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, *, threads: int) -> Any:
        """Train on ``train``, stopped at the round that predicts ``validation`` best: disjoint rows with the same columns.

        Of many validation rows a sample is looked at. Equal rows, spec and threads give an equal model, byte for byte. Raises
        ``ValueError`` if either source has too few rows, one class only, scaled histories, or values that cannot be learnt; with
        the counts.
        """
        require_same_columns(
            (*train.features, train.target),
            (*validation.features, validation.target),
            "validation against training rows",
        )
        return self.fitted(train, spread(validation), Recipe({}, {}), spec, threads)

    def refit(self, source: FeatureSource, recipe: Recipe, spec: ModelSpec, *, threads: int) -> Any:
        """Train on all rows with the rounds, grown with the rows by at most half, and all else an earlier fit chose.

        On four splits of the logs at earlier cut dates, growing them lowered MAE and the decile error each time, MAE by about one
        per cent or less, and cost at most .001 of normalised Gini. Raises ``ValueError`` as :meth:`fit`.
        """
        return self.fitted(source, None, recipe, spec, threads)

    def load(self, files: Mapping[str, bytes], *, threads: int) -> Any:
        """Bring back a model from the verified bytes of its files."""
        return self.model.of_files(files, threads=threads)

    def bytes_needed(self, rows: int, features: int) -> int:
        """Memory of a fit, in bytes."""
        return bytes_of_matrix(rows, features)

    def fitted(
        self, train: FeatureSource, validation: FeatureSource | None, recipe: Recipe, spec: ModelSpec, threads: int
    ) -> SpendModel | ProbabilityModel:
        """Fit with the rounds that ``validation`` predicts best, or without it with what ``recipe`` found."""
        raise NotImplementedError
