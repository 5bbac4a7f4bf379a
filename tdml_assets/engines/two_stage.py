"""Two-stage gradient boosting for spend: whether a customer buys, and for how much.

Belongs here: parameters, fit, refit, score and files of one XGBoost model in two stages.
Does not: the memory check (``python.py``), feeding rows (``xgboost_rows.py``), measures of accuracy
(``platform/metrics.py``), versions of models.

Expected spend = P(target > 0) x E(target | target > 0). Stage ``buys`` is a logistic model on all rows, stage
``amount`` a Tweedie model with log link on the rows with a positive target. The target is net spend floored at zero,
so a customer whose purchases were all returned counts as not buying.

The amount is learnt in units of its training mean: Tweedie gradients are not free of the unit, so without this the
regularisation would mean something else in pence than in pounds.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost as xgb

from tdml_assets.engines.boosters import grown, train_rounds, train_until_best
from tdml_assets.engines.bounds import TREE_BOUNDS, require_bounds, require_known
from tdml_assets.engines.model_files import read_booster, read_facts
from tdml_assets.engines.protocol import FeatureImportance, FeatureSource, Recipe, feature_matrix, require_same_columns
from tdml_assets.engines.spend import AMOUNT, BUYS, calibration_factor, log_spend, scored, stage_importances
from tdml_assets.engines.tree_shap import TreeShap
from tdml_assets.engines.xgboost_rows import (
    Floats,
    Matrix,
    StageRows,
    TargetFacts,
    booster_name,
    evenly_spaced,
    quantile_matrix,
)

_BOOSTER_FILES = {BUYS: "buys.json", AMOUNT: "amount.json"}
_MODEL_FILE = "two_stage.json"
_FORMAT = 1
#: What each stage minimises, as XGBoost names it.
OBJECTIVES = {BUYS: "binary:logistic", AMOUNT: "reg:tweedie"}
# Both stages' attributions of this many rows are held next to the result.
_ROWS_EXPLAINED_AT_ONCE = 65_536


@dataclass(frozen=True)
class TwoStageParameters:
    """Parameters of both stages; the defaults were chosen on cut dates earlier than those of the accuracy study.

    Parameters
    ----------
    rounds, patience : most boosting rounds, and how many without improvement on the validation rows end a fit.
    max_depth, learning_rate, subsample, colsample, min_child_weight, reg_lambda, max_bin : as in XGBoost.
    tweedie_power : variance power of the amount, between 1 (Poisson-like) and 2 (gamma-like).
    calibrate : multiply the amount so that total predicted equals total actual on the validation rows. Off, because on
        heavy tails a few customers decide that ratio.
    min_rows, min_buyers : fewer training rows, or rows with a positive target, are refused.
    """

    rounds: int = 400
    patience: int = 30
    max_depth: int = 3
    learning_rate: float = 0.05
    subsample: float = 0.8
    colsample: float = 0.8
    min_child_weight: float = 20.0
    reg_lambda: float = 1.0
    max_bin: int = 256
    tweedie_power: float = 1.5
    calibrate: bool = False
    min_rows: int = 200
    min_buyers: int = 50

    def __post_init__(self) -> None:
        own = {"tweedie_power": (1.01, 1.99), "min_rows": (2, 10**12), "min_buyers": (1, 10**12)}
        require_bounds(self, {**TREE_BOUNDS, **own})
        if self.calibrate not in (True, False):
            raise ValueError(f"parameter calibrate is {self.calibrate!r}: it must be true or false")

    @classmethod
    def from_mapping(cls, parameters: Mapping[str, Any]) -> TwoStageParameters:
        """Defaults overridden by ``parameters``. Raises ``ValueError`` naming a key that is not a parameter."""
        require_known(parameters, [field.name for field in dataclasses.fields(cls)], "two_stage_xgboost")
        return cls(**parameters)

    def of_stage(self, stage: str, *, base_score: float, seed: int, threads: int) -> dict[str, Any]:
        """Give the parameters as XGBoost takes them."""
        power = f"{self.tweedie_power:g}"
        chosen: dict[str, Any] = {
            "objective": OBJECTIVES[stage],
            "eval_metric": "logloss" if stage == BUYS else f"tweedie-nloglik@{power}",
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
        return chosen if stage == BUYS else {**chosen, "tweedie_variance_power": self.tweedie_power}


def fit_two_stage(
    train: FeatureSource, validation: FeatureSource, parameters: TwoStageParameters, *, seed: int, threads: int
) -> TwoStageModel:
    """Fit both stages, each stopped at the round that predicts the validation rows best.

    Parameters
    ----------
    train, validation : disjoint rows with the same columns.
    seed, threads : equal rows, parameters, seed and threads give an equal model, byte for byte.

    Raises
    ------
    ValueError
        If either source has too few rows or buyers, one class only, or values that cannot be learnt; with the counts.
    """
    require_same_columns(
        (*train.features, train.target), (*validation.features, validation.target), "validation against training rows"
    )
    boosters: dict[str, xgb.Booster] = {}
    rounds: dict[str, int] = {}
    rows: dict[str, int] = {}
    losses: dict[str, float] = {}
    scale = 1.0
    for stage in (BUYS, AMOUNT):
        data, facts = _stage_matrix(train, stage, parameters, where="training rows", scale=scale, threads=threads)
        held, _ = _stage_matrix(
            validation, stage, parameters, where="validation rows", scale=scale, threads=threads, reference=data
        )
        chosen = parameters.of_stage(stage, base_score=_base_score(stage, facts), seed=seed, threads=threads)
        boosters[stage], losses[stage] = train_until_best(
            chosen, data, held, parameters.rounds, parameters.patience, train.features
        )
        rounds[stage], rows[stage] = boosters[stage].num_boosted_rounds(), data.num_row()
        scale = facts.total / facts.buyers
    model = TwoStageModel(train.features, boosters, scale, Recipe(rounds, rows, 1.0, losses), threads)
    return model.calibrated(validation) if parameters.calibrate else model


def refit_two_stage(
    source: FeatureSource, recipe: Recipe, parameters: TwoStageParameters, *, seed: int, threads: int
) -> TwoStageModel:
    """Fit both stages on all rows, with the rounds an earlier fit found.

    The rounds grow with the rows, by at most half: with more rows each step learns less noise, so the best round is
    later. (On four splits of the logs at earlier cut dates, growing them by the rows lowered MAE and the decile error
    each time, MAE by about one per cent or less, and cost at most .001 of normalised Gini.)

    Raises
    ------
    ValueError
        As :func:`fit_two_stage`.
    """
    boosters: dict[str, xgb.Booster] = {}
    rounds: dict[str, int] = {}
    rows: dict[str, int] = {}
    scale = 1.0
    for stage in (BUYS, AMOUNT):
        data, facts = _stage_matrix(source, stage, parameters, where="rows of the refit", scale=scale, threads=threads)
        rows[stage] = data.num_row()
        rounds[stage] = grown(recipe.rounds[stage], rows[stage] / recipe.rows[stage])
        chosen = parameters.of_stage(stage, base_score=_base_score(stage, facts), seed=seed, threads=threads)
        boosters[stage] = train_rounds(chosen, data, rounds[stage], source.features)
        scale = facts.total / facts.buyers
    found = Recipe(rounds, rows, recipe.calibration_factor, recipe.validation_loss)
    return TwoStageModel(source.features, boosters, scale, found, threads)


def load_two_stage(files: Mapping[str, bytes], *, threads: int) -> TwoStageModel:
    """Bring back a model from the bytes of its files. The caller has verified their hashes.

    Raises
    ------
    ValueError
        If a file is missing, of another format, or the parts do not belong together.
    """
    facts = read_facts(files, _MODEL_FILE, tuple(_BOOSTER_FILES.values()), version=_FORMAT)
    features = tuple(facts["features"])
    boosters = {}
    for stage, name in _BOOSTER_FILES.items():
        rounds = facts["rounds"][stage]
        booster = read_booster(files, name, objective=OBJECTIVES[stage], rounds=rounds, model_file=_MODEL_FILE)
        require_same_columns([booster_name(feature) for feature in features], booster.feature_names or (), name)
        boosters[stage] = booster
    recipe = Recipe(facts["rounds"], facts["rows"], facts["calibration_factor"], facts["validation_loss"])
    return TwoStageModel(features, boosters, facts["amount_scale"], recipe, threads)


class TwoStageModel:
    """A fitted two-stage model; implements :class:`~tdml_assets.engines.protocol.FittedModel`."""

    def __init__(
        self, features: tuple[str, ...], boosters: Mapping[str, xgb.Booster], scale: float, recipe: Recipe, threads: int
    ) -> None:
        self.features = features
        self.recipe = recipe
        self._boosters = dict(boosters)
        self._scale = scale
        for booster in self._boosters.values():
            booster.set_param({"nthread": threads})

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predict for the rows of ``batch``, in its order.

        Parameters
        ----------
        batch : exactly the model's features, in its order, as FLOAT.

        Returns
        -------
        DOUBLE columns ``predicted_target`` = ``p_buy`` x ``amount``, ``p_buy`` in [0, 1] and ``amount`` > 0, the spend
        expected if there is any.

        Raises
        ------
        ValueError
            If features are missing, extra, reordered, of another type or infinite.
        """
        return scored(*self._predict(feature_matrix(batch, self.features, "rows to score")))

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """Give importances per stage and combined, from exact TreeSHAP on at most ``rows`` evenly spaced rows.

        The combined output is log expected spend, as :func:`~tdml_assets.engines.spend.log_spend` attributes it.
        """
        sample = evenly_spaced(source, rows)
        data = xgb.DMatrix(sample, feature_names=[booster_name(feature) for feature in self.features])
        p_buy, _ = self._predict(sample)
        shap = {
            stage: booster.predict(data, pred_contribs=True)[:, :-1].astype(np.float64)
            for stage, booster in self._boosters.items()
        }
        return stage_importances(self.features, self._boosters, shap, p_buy)

    def reasons(self, batch: pa.RecordBatch) -> Floats:
        """Attribute the log of expected spend of every row to its features, by exact TreeSHAP.

        The attribution is phi_amount + (1 - p) phi_buys (:func:`~tdml_assets.engines.spend.log_spend`). That of the amount is
        exact: phi_amount and its bias sum to log(amount / scale). That of the purchase is the first order of log p around the
        row's own p.

        Parameters
        ----------
        batch : exactly the model's features, in its order, as FLOAT.

        Returns
        -------
        shape (rows, features), in natural log units of currency: .1 raises expected spend by about a tenth.

        Raises
        ------
        ValueError
            As :meth:`score`.
        """
        matrix = feature_matrix(batch, self.features, "rows to explain")
        buys, amount = (TreeShap(self._boosters[stage]) for stage in (BUYS, AMOUNT))
        found = np.empty(matrix.shape, order="F")
        for first in range(0, len(matrix), _ROWS_EXPLAINED_AT_ONCE):
            rows = slice(first, first + _ROWS_EXPLAINED_AT_ONCE)
            p_buy, _ = self._predict(matrix[rows])
            found[rows] = log_spend(buys(matrix[rows]), amount(matrix[rows]), p_buy)
        return found

    def files(self) -> dict[str, bytes]:
        """Give the model as bytes per file name: XGBoost JSON for each stage, and one file that binds them."""
        facts = {
            "format": _FORMAT,
            "features": self.features,
            "amount_scale": self._scale,
            **dataclasses.asdict(self.recipe),
        }
        boosters = {name: bytes(self._boosters[stage].save_raw("json")) for stage, name in _BOOSTER_FILES.items()}
        return {**boosters, _MODEL_FILE: json.dumps(facts, sort_keys=True, indent=1).encode()}

    def calibrated(self, validation: FeatureSource) -> TwoStageModel:
        """Scale the amount so that total predicted equals total actual on ``validation``, by a factor in [0.5, 2]."""
        factor = calibration_factor(validation, self._total, self.recipe.calibration_factor)
        recipe = dataclasses.replace(self.recipe, calibration_factor=factor)
        copy = object.__new__(TwoStageModel)
        copy.features, copy.recipe, copy._boosters, copy._scale = self.features, recipe, self._boosters, self._scale
        return copy

    def _total(self, matrix: Matrix) -> float:
        p_buy, amount = self._predict(matrix)
        return float(p_buy @ amount)

    def _predict(self, matrix: Matrix) -> tuple[Floats, Floats]:
        p_buy, amount = (self._boosters[stage].inplace_predict(matrix).astype(np.float64) for stage in (BUYS, AMOUNT))
        return p_buy, amount * (self._scale * self.recipe.calibration_factor)


def _stage_matrix(
    source: FeatureSource,
    stage: str,
    parameters: TwoStageParameters,
    *,
    where: str,
    scale: float,
    threads: int,
    reference: xgb.QuantileDMatrix | None = None,
) -> tuple[xgb.QuantileDMatrix, TargetFacts]:
    least_rows, least_buyers = (parameters.min_rows, parameters.min_buyers) if reference is None else (2, 1)
    rows = StageRows(stage == AMOUNT, scale, where, least_rows, least_buyers)
    return quantile_matrix(source, rows, max_bin=parameters.max_bin, threads=threads, reference=reference)


def _base_score(stage: str, facts: TargetFacts) -> float:
    return facts.buyers / facts.rows if stage == BUYS else 1.0
