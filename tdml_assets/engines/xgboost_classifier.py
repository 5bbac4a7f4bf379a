"""Gradient boosting for yes or no: the probability that the target is 1.

Elsewhere: what learners of boosted trees share (``boosted.py``), measures of accuracy (``tasks/parts/classification.py``).

Imbalance needs no resampling: the log loss of a logistic model is minimal at the true probabilities however rare the
event is. ``positive_weight`` w makes the trees look closer at the positives. A weighted fit learns the odds multiplied by
the weight, q / (1 - q) = w p / (1 - p) (Elkan 2001, The foundations of cost-sensitive learning, theorem 2), so scoring
divides them again: p = q / (q + w (1 - q)), in log-odds logit p = logit q - ln w. That is exact for what was learnt; but a
weighted fit balances its errors in weighted rows, which leaves the mean probability somewhat low: on simulated rows by 2 %
at a base rate of 1/3, by 10 % at 7 % with the balanced weight of 13. ``calibration: sigmoid`` takes that out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np

from tdml_assets.engines.boosted import BoostedLearner, ProbabilityModel, TreeParameters
from tdml_assets.engines.boosters import grown, trained
from tdml_assets.engines.bounds import TREE_BOUNDS, require_bounds
from tdml_assets.engines.probabilities import fit_sigmoid, log_loss_metric
from tdml_assets.engines.protocol import FeatureSource, ModelSpec, Recipe, split_batch
from tdml_assets.engines.xgboost_rows import Floats, Matrix, StageRows, held_matrix, pages_of, quantile_matrix
from tdml_assets.platform.refusals import RefusedError

#: The model's only stage, as importances and recipes name it.
PROBABILITY = "probability"


@dataclass(frozen=True)
class ClassifierParameters(TreeParameters):
    """Parameters of the classifier.

    ``positive_weight``: how often a positive row counts in training, or ``"balanced"`` for negatives / positives of the
    training rows. Undone when scoring, so that probabilities stay what they are. Off (1), because it moved AUC by less than
    .002 and log loss by less than .001 on average over 13 cuts. ``calibration``: ``"none"``, or ``"sigmoid"``: a logistic
    regression on the log-odds of the validation rows. Off, because boosted log-odds needed hardly any slope (.95 to 1.24 on 13
    cuts of real and simulated logs), and the intercept is the season of the validation window: it lowered log loss where the
    test window resembled that one (by up to .025), and raised it by up to .1 where it did not, more so in the refit, which has
    learnt from those rows itself. ``min_rows``, ``min_class``: fewer training rows, or rows of either class, are refused.
    """

    estimator: ClassVar[str] = "xgboost_classifier"

    positive_weight: float | Literal["balanced"] = 1.0
    calibration: Literal["none", "sigmoid"] = "none"
    min_rows: int = 100
    min_class: int = 10

    def __post_init__(self) -> None:
        own = {"min_rows": (2, 10**12), "min_class": (1, 10**12), "positive_weight": (1e-4, 1e4)}
        require_bounds(self, {**TREE_BOUNDS, **own}, {"positive_weight": "balanced"})
        if self.calibration not in ("none", "sigmoid"):
            raise ValueError(f"parameter calibration is {self.calibration!r}: it must be none or sigmoid")

    def weight_for(self, positives: int, negatives: int) -> float:
        """Give the weight of a positive row."""
        return negatives / positives if self.positive_weight == "balanced" else float(self.positive_weight)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassifierModel(ProbabilityModel):
    """A fitted classifier; implements :class:`~tdml_assets.engines.protocol.FittedModel`.

    With m the margin of the trees, w, a and b ``positive_weight``, ``slope`` and ``intercept`` of ``recipe.chosen``, the
    predicted log-odds are a (m - ln w) + b.
    """

    model_file: ClassVar[str] = "xgboost_classifier.json"
    booster_files: ClassVar[Mapping[str, str]] = {PROBABILITY: "classifier.json"}
    objectives: ClassVar[Mapping[str, str]] = {PROBABILITY: "binary:logistic"}

    def calibrated(self, validation: FeatureSource) -> Self:
        """The same model with the slope and intercept that fit ``validation``, and the log loss they leave there."""
        parts = [split_batch(batch, validation, "validation rows") for batch in validation.batches()]
        happened = np.concatenate([target for _, target in parts]) > 0
        bare = replace(self.recipe, chosen={**self.recipe.chosen, "slope": 1.0, "intercept": 0.0})
        uncalibrated = replace(self, recipe=bare)
        log_odds = np.concatenate([uncalibrated._log_odds(features, "validation rows") for features, _ in parts])
        slope, intercept = fit_sigmoid(log_odds, happened)
        z = slope * log_odds + intercept
        loss = float(np.mean(np.logaddexp(0.0, np.where(happened, -z, z))))
        recipe = replace(
            bare,
            chosen={**bare.chosen, "slope": slope, "intercept": intercept},
            validation_loss={**bare.validation_loss, "calibrated": loss},
        )
        return replace(self, recipe=recipe)

    def _log_odds(self, matrix: Matrix, where: str) -> Floats:  # noqa: ARG002
        margin = self.boosters[PROBABILITY].inplace_predict(matrix, predict_type="margin").astype(np.float64)
        chosen = self.recipe.chosen
        result: Floats = chosen["slope"] * (margin - math.log(chosen["positive_weight"])) + chosen["intercept"]
        return result

    def _attributions(self, matrix: Matrix) -> Floats:
        result: Floats = self.recipe.chosen["slope"] * self._shap[PROBABILITY](matrix)
        return result


class XgboostClassifierLearner(BoostedLearner):
    """The probability of yes."""

    name = ClassifierParameters.estimator
    tasks = frozenset({"classification"})
    model = ClassifierModel

    def fitted(
        self, train: FeatureSource, validation: FeatureSource | None, recipe: Recipe, spec: ModelSpec, threads: int
    ) -> ClassifierModel:
        """Fit, and calibrate on ``validation`` if asked to."""
        parameters = ClassifierParameters.from_mapping(spec.parameters)
        where = "rows of the refit" if validation is None else "training rows"
        positives, negatives = _class_counts(train, where, parameters.min_rows, parameters.min_class)
        rows = positives + negatives
        if validation is None:
            weight = recipe.chosen["positive_weight"]
            rounds = grown(recipe.rounds[PROBABILITY], rows / recipe.rows[PROBABILITY])
        else:
            _class_counts(validation, "validation rows", 2, 1)
            weight, rounds = parameters.weight_for(positives, negatives), parameters.rounds
            recipe = replace(recipe, chosen={"positive_weight": weight, "slope": 1.0, "intercept": 0.0})
        everybody = StageRows(buyers_only=False, scale=1.0, where=where, min_rows=2, min_buyers=1)
        data, _ = quantile_matrix(train, everybody, max_bin=parameters.max_bin, threads=threads, pages=pages_of(spec))
        held = None
        if validation is not None:
            held = held_matrix(validation, replace(everybody, where="validation rows"), threads=threads)
        # The start is the weighted base rate.
        start = weight * positives / (weight * positives + negatives)
        chosen = parameters.as_xgboost("binary:logistic", base_score=start, seed=spec.seed, threads=threads)
        booster, loss = trained(
            {**chosen, "scale_pos_weight": weight, "disable_default_eval_metric": 1},
            data,
            held,
            rounds,
            parameters.patience,
            train.features,
            log_loss_metric(weight),
            device=spec.device,
        )
        found = replace(recipe, rounds={PROBABILITY: int(booster.num_boosted_rounds())}, rows={PROBABILITY: rows})
        if loss is not None:
            found = replace(found, validation_loss={PROBABILITY: loss})
        model = ClassifierModel(features=train.features, recipe=found, boosters={PROBABILITY: booster}, threads=threads)
        return model.calibrated(validation) if parameters.calibration == "sigmoid" and validation is not None else model


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
