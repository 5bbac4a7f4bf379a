"""Gradient boosting for yes or no: the probability that the target is 1.

Belongs here: parameters, fit, refit, score, reasons and files of one logistic XGBoost model, and what turns its output into
a probability that can be taken at its word.
Does not: feeding rows (``xgboost_rows.py``), measures of accuracy (``tasks/parts/classification.py``), versions of models.

Imbalance needs no resampling: the log loss of a logistic model is minimal at the true probabilities however rare the
event is. ``positive_weight`` w makes the trees look closer at the positives. A weighted fit learns the odds multiplied by
the weight, q / (1 - q) = w p / (1 - p) (Elkan 2001, The foundations of cost-sensitive learning, theorem 2), so scoring
divides them again: p = q / (q + w (1 - q)), in log-odds logit p = logit q - ln w. That is exact for what was learnt; but a
weighted fit balances its errors in weighted rows, which leaves the mean probability somewhat low: on simulated rows by 2 %
at a base rate of 1/3, by 10 % at 7 % with the balanced weight of 13. ``calibration: sigmoid`` takes that out.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import xgboost as xgb
from numpy.typing import NDArray

from tdml_assets.engines.boosters import gain_shares, grown, train_rounds, train_until_best
from tdml_assets.engines.bounds import TREE_BOUNDS, require_bounds, require_known
from tdml_assets.engines.model_files import read_booster, read_facts
from tdml_assets.engines.probabilities import fit_sigmoid, log_loss_metric, logistic
from tdml_assets.engines.protocol import (
    FeatureImportance,
    FeatureSource,
    ModelSpec,
    Recipe,
    feature_matrix,
    require_same_columns,
)
from tdml_assets.engines.tree_shap import TreeShap
from tdml_assets.engines.xgboost_rows import (
    Floats,
    Matrix,
    StageRows,
    booster_name,
    bytes_of_matrix,
    evenly_spaced,
    quantile_matrix,
    split_batch,
)
from tdml_assets.platform.refusals import RefusedError

#: The model's only stage, as importances and recipes name it.
PROBABILITY = "probability"
_BOOSTER_FILE, _MODEL_FILE = "classifier.json", "xgboost_classifier.json"
_FORMAT = 1
_OBJECTIVE = "binary:logistic"


@dataclass(frozen=True)
class ClassifierParameters:
    """Parameters of the classifier.

    Parameters
    ----------
    rounds, patience : most boosting rounds, and how many without improvement on the validation rows end a fit.
    max_depth, learning_rate, subsample, colsample, min_child_weight, reg_lambda, max_bin : as in XGBoost.
    positive_weight : how often a positive row counts in training, or ``"balanced"`` for negatives / positives of the
        training rows. Undone when scoring, so that probabilities stay what they are.
        Off (1), because it moved AUC by less than .002 and log loss by less than .001 on average over 13 cuts.
    calibration : ``"none"``, or ``"sigmoid"``: a logistic regression on the log-odds of the validation rows. Off, because
        boosted log-odds needed hardly any slope (.95 to 1.24 on 13 cuts of real and simulated logs), and the intercept is
        the season of the validation window: it lowered log loss where the test window resembled that one (by up to
        .025), and raised it by up to .1 where it did not, more so in the refit, which has learnt from those rows itself.
    min_rows, min_class : fewer training rows, or rows of either class, are refused.
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
    positive_weight: float | Literal["balanced"] = 1.0
    calibration: Literal["none", "sigmoid"] = "none"
    min_rows: int = 100
    min_class: int = 10

    def __post_init__(self) -> None:
        own = {"min_rows": (2, 10**12), "min_class": (1, 10**12), "positive_weight": (1e-4, 1e4)}
        require_bounds(self, {**TREE_BOUNDS, **own}, {"positive_weight": "balanced"})
        if self.calibration not in ("none", "sigmoid"):
            raise ValueError(f"parameter calibration is {self.calibration!r}: it must be none or sigmoid")

    @classmethod
    def from_mapping(cls, parameters: Mapping[str, Any]) -> ClassifierParameters:
        """Defaults overridden by ``parameters``. Raises ``ValueError`` naming a key that is not a parameter."""
        require_known(parameters, [field.name for field in dataclasses.fields(cls)], "xgboost_classifier")
        return cls(**parameters)

    def weight_for(self, positives: int, negatives: int) -> float:
        """Give the weight of a positive row."""
        return negatives / positives if self.positive_weight == "balanced" else float(self.positive_weight)

    def as_xgboost(self, *, positives: int, negatives: int, weight: float, seed: int, threads: int) -> dict[str, Any]:
        """Give the parameters as XGBoost takes them; the start is the weighted base rate."""
        return {
            "objective": _OBJECTIVE,
            "disable_default_eval_metric": 1,
            "base_score": weight * positives / (weight * positives + negatives),
            "scale_pos_weight": weight,
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


class XgboostClassifierLearner:
    """The probability of yes; implements :class:`~tdml_assets.engines.protocol.Learner`."""

    name = "xgboost_classifier"
    tasks = frozenset({"classification"})
    wants_unlabelled = False
    divides_threads = False

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, *, threads: int) -> ClassifierModel:
        """Train, stopped at the round with the least log loss on ``validation``; calibrate there if asked to.

        Parameters
        ----------
        train, validation : disjoint rows with the same columns and targets that are 0 or 1. Equal rows, spec and threads
            give an equal model, byte for byte.

        Raises
        ------
        ValueError
            If either source has too few rows of a class, or values that cannot be learnt; with the counts.
        """
        parameters = ClassifierParameters.from_mapping(spec.parameters)
        require_same_columns(
            (*train.features, train.target),
            (*validation.features, validation.target),
            "validation against training rows",
        )
        positives, negatives = _class_counts(train, "training rows", parameters.min_rows, parameters.min_class)
        _class_counts(validation, "validation rows", 2, 1)
        weight = parameters.weight_for(positives, negatives)
        data = _matrix(train, "training rows", parameters, threads)
        held = _matrix(validation, "validation rows", parameters, threads, reference=data)
        chosen = parameters.as_xgboost(
            positives=positives, negatives=negatives, weight=weight, seed=spec.seed, threads=threads
        )
        booster, loss = train_until_best(
            chosen, data, held, parameters.rounds, parameters.patience, train.features, log_loss_metric(weight)
        )
        recipe = Recipe(
            rounds={PROBABILITY: booster.num_boosted_rounds()},
            rows={PROBABILITY: positives + negatives},
            validation_loss={PROBABILITY: loss},
            chosen={"positive_weight": weight, "slope": 1.0, "intercept": 0.0},
        )
        model = ClassifierModel(train.features, booster, recipe, threads)
        return model.calibrated(validation) if parameters.calibration == "sigmoid" else model

    def refit(self, source: FeatureSource, recipe: Recipe, spec: ModelSpec, *, threads: int) -> ClassifierModel:
        """Train on all rows with the rounds, grown with the rows by at most half, and all else an earlier fit chose.

        Raises
        ------
        ValueError
            As :meth:`fit`.
        """
        parameters = ClassifierParameters.from_mapping(spec.parameters)
        positives, negatives = _class_counts(source, "rows of the refit", parameters.min_rows, parameters.min_class)
        growth = (positives + negatives) / recipe.rows[PROBABILITY]
        rounds = grown(recipe.rounds[PROBABILITY], growth)
        chosen = parameters.as_xgboost(
            positives=positives,
            negatives=negatives,
            weight=recipe.chosen["positive_weight"],
            seed=spec.seed,
            threads=threads,
        )
        data = _matrix(source, "rows of the refit", parameters, threads)
        booster = train_rounds(chosen, data, rounds, source.features)
        found = dataclasses.replace(recipe, rounds={PROBABILITY: rounds}, rows={PROBABILITY: positives + negatives})
        return ClassifierModel(source.features, booster, found, threads)

    def load(self, files: Mapping[str, bytes], *, threads: int) -> ClassifierModel:
        """Bring back a model from the verified bytes of its files.

        Raises
        ------
        ValueError
            If a file is missing, of another format, or the parts do not belong together.
        """
        facts = read_facts(files, _MODEL_FILE, (_BOOSTER_FILE,), version=_FORMAT)
        rounds = facts["recipe"]["rounds"][PROBABILITY]
        booster = read_booster(files, _BOOSTER_FILE, objective=_OBJECTIVE, rounds=rounds, model_file=_MODEL_FILE)
        features = tuple(facts["features"])
        require_same_columns(
            [booster_name(feature) for feature in features], booster.feature_names or (), _BOOSTER_FILE
        )
        return ClassifierModel(features, booster, Recipe(**facts["recipe"]), threads)

    def bytes_needed(self, rows: int, features: int) -> int:
        """Memory of a fit, in bytes."""
        return bytes_of_matrix(rows, features)


class ClassifierModel:
    """A fitted classifier; implements :class:`~tdml_assets.engines.protocol.FittedModel`.

    With m the margin of the trees, w, a and b ``positive_weight``, ``slope`` and ``intercept`` of ``recipe.chosen``, the
    predicted log-odds are a (m - ln w) + b.
    """

    def __init__(self, features: tuple[str, ...], booster: xgb.Booster, recipe: Recipe, threads: int) -> None:
        self.features = features
        self.recipe = recipe
        self._booster = booster
        self._booster.set_param({"nthread": threads})
        self._threads = threads

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predict for the rows of ``batch``, in its order.

        Parameters
        ----------
        batch : exactly the model's features, in its order, as FLOAT.

        Returns
        -------
        DOUBLE column ``predicted_target``, the probability that the target is 1.

        Raises
        ------
        ValueError
            If features are missing, extra, reordered, of another type or infinite.
        """
        log_odds = self._log_odds(feature_matrix(batch, self.features, "rows to score"))
        return pa.RecordBatch.from_arrays([pa.array(logistic(log_odds))], names=["predicted_target"])

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """Give importances, in log-odds, from exact TreeSHAP on at most ``rows`` evenly spaced rows."""
        shap = self._attributions(evenly_spaced(source, rows))
        shares = gain_shares(self._booster, self.features)
        return [
            FeatureImportance(feature, PROBABILITY, shares[place], float(np.abs(shap[:, place]).mean()))
            for place, feature in enumerate(self.features)
        ]

    def reasons(self, batch: pa.RecordBatch) -> NDArray[np.float64]:
        """Give what each feature added to the log-odds of each row.

        Exact TreeSHAP: with one constant, that of the average row, the values of a row sum to its predicted log-odds.

        Returns
        -------
        Shape (rows, features), in the order of ``features``.
        """
        return self._attributions(feature_matrix(batch, self.features, "rows to explain"))

    def files(self) -> dict[str, bytes]:
        """Give the model as bytes per file name: XGBoost JSON, and one file with all else."""
        facts = {"format": _FORMAT, "features": self.features, "recipe": dataclasses.asdict(self.recipe)}
        return {
            _BOOSTER_FILE: bytes(self._booster.save_raw("json")),
            _MODEL_FILE: json.dumps(facts, sort_keys=True, indent=1).encode(),
        }

    def calibrated(self, validation: FeatureSource) -> ClassifierModel:
        """The same model with the slope and intercept that fit ``validation``, and the log loss they leave there."""
        parts = [split_batch(batch, validation, "validation rows") for batch in validation.batches()]
        happened = np.concatenate([target for _, target in parts]) > 0
        bare = dataclasses.replace(self.recipe, chosen={**self.recipe.chosen, "slope": 1.0, "intercept": 0.0})
        uncalibrated = ClassifierModel(self.features, self._booster, bare, self._threads)
        log_odds = np.concatenate([uncalibrated._log_odds(features) for features, _ in parts])
        slope, intercept = fit_sigmoid(log_odds, happened)
        z = slope * log_odds + intercept
        loss = float(np.mean(np.logaddexp(0.0, np.where(happened, -z, z))))
        recipe = dataclasses.replace(
            bare,
            chosen={**bare.chosen, "slope": slope, "intercept": intercept},
            validation_loss={**bare.validation_loss, "calibrated": loss},
        )
        return ClassifierModel(self.features, self._booster, recipe, self._threads)

    def _log_odds(self, matrix: Matrix) -> Floats:
        margin = self._booster.inplace_predict(matrix, predict_type="margin").astype(np.float64)
        chosen = self.recipe.chosen
        result: Floats = chosen["slope"] * (margin - math.log(chosen["positive_weight"])) + chosen["intercept"]
        return result

    def _attributions(self, matrix: Matrix) -> NDArray[np.float64]:
        result: NDArray[np.float64] = self.recipe.chosen["slope"] * TreeShap(self._booster)(matrix)
        return result


def _class_counts(source: FeatureSource, where: str, min_rows: int, min_class: int) -> tuple[int, int]:
    positives = rows = 0
    for batch in source.batches():
        _, target = split_batch(batch, source, where)
        other = int(target.size - np.isin(target, (0.0, 1.0)).sum())
        if other:
            raise ValueError(
                f"{where}: {other} of {target.size} targets of a batch are neither 0 nor 1: drop what is unknown, and "
                "give amounts to a regression"
            )
        rows, positives = rows + target.size, positives + int(target.sum())
    counts = f"{where}: {rows} rows, {positives} positive and {rows - positives} negative"
    if rows < min_rows:
        raise RefusedError(f"{counts}; {min_rows} rows are needed", "take more snapshots or more customers")
    if min(positives, rows - positives) < min_class:
        raise RefusedError(f"{counts}; {min_class} of each are needed", "change the horizon or add snapshots")
    return positives, rows - positives


def _matrix(
    source: FeatureSource,
    where: str,
    parameters: ClassifierParameters,
    threads: int,
    reference: xgb.QuantileDMatrix | None = None,
) -> xgb.QuantileDMatrix:
    rows = StageRows(buyers_only=False, scale=1.0, where=where, min_rows=2, min_buyers=1)
    data, _ = quantile_matrix(source, rows, max_bin=parameters.max_bin, threads=threads, reference=reference)
    return data
