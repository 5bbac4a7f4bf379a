"""Two-stage gradient boosting for spend: whether a customer buys, and for how much.

Elsewhere: the memory check (``python.py``), what learners of boosted trees share (``boosted.py``), measures of accuracy
(``platform/metrics.py``), versions of models.

Expected spend = P(target > 0) x E(target | target > 0). Stage ``buys`` is a logistic model on all rows, stage
``amount`` a Tweedie model with log link on the rows with a positive target. The target is net spend floored at zero,
so a customer whose purchases were all returned counts as not buying.

The amount is learnt in units of its training mean: Tweedie gradients are not free of the unit, so without this the
regularisation would mean something else in pence than in pounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xgboost as xgb

from tdml_assets.engines.boosted import OBJECTIVES, BoostedLearner, SpendModel, TreeParameters
from tdml_assets.engines.boosters import grown, trained
from tdml_assets.engines.bounds import TREE_BOUNDS, require_bounds
from tdml_assets.engines.protocol import FeatureSource, ModelSpec, Recipe
from tdml_assets.engines.spend import AMOUNT, BUYS
from tdml_assets.engines.xgboost_rows import Floats, Matrix, StageRows, held_matrix, pages_of, quantile_matrix


@dataclass(frozen=True)
class TwoStageParameters(TreeParameters):
    """Parameters of both stages; the defaults were chosen on cut dates earlier than those of the accuracy study.

    ``tweedie_power``: variance power of the amount, between 1 (Poisson-like) and 2 (gamma-like). ``calibrate``: multiply the
    amount so that total predicted equals total actual on the validation rows. Off, because on heavy tails a few customers
    decide that ratio. ``min_rows``, ``min_buyers``: fewer training rows, or rows with a positive target, are refused.
    """

    estimator: ClassVar[str] = "two_stage_xgboost"

    tweedie_power: float = 1.5
    calibrate: bool = False
    min_rows: int = 200
    min_buyers: int = 50

    def __post_init__(self) -> None:
        own = {"tweedie_power": (1.01, 1.99), "min_rows": (2, 10**12), "min_buyers": (1, 10**12)}
        require_bounds(self, {**TREE_BOUNDS, **own})
        if self.calibrate not in (True, False):
            raise ValueError(f"parameter calibrate is {self.calibrate!r}: it must be true or false")

    def of_stage(self, stage: str, *, base_score: float, seed: int, threads: int) -> dict[str, Any]:
        """Give the parameters of a stage as XGBoost takes them."""
        chosen = self.as_xgboost(OBJECTIVES[stage], base_score=base_score, seed=seed, threads=threads)
        if stage == BUYS:
            return {**chosen, "eval_metric": "logloss"}
        metric = f"tweedie-nloglik@{self.tweedie_power:g}"
        return {**chosen, "eval_metric": metric, "tweedie_variance_power": self.tweedie_power}


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoStageModel(SpendModel):
    """A fitted two-stage model; implements :class:`~tdml_assets.engines.protocol.FittedModel`."""

    model_file: ClassVar[str] = "two_stage.json"

    def _facts(self) -> dict[str, Any]:
        return {"amount_scale": self.scale, **dataclasses.asdict(self.recipe)}

    @classmethod
    def _recipe(cls, facts: Mapping[str, Any]) -> Recipe:
        return Recipe(facts["rounds"], facts["rows"], facts["calibration_factor"], facts["validation_loss"])

    @classmethod
    def _parts(cls, facts: Mapping[str, Any]) -> dict[str, Any]:
        return {"scale": facts["amount_scale"]}

    def _trees(self, matrix: Matrix, where: str) -> tuple[Floats, Floats]:  # noqa: ARG002
        p_buy, amount = (self.boosters[stage].inplace_predict(matrix).astype(np.float64) for stage in (BUYS, AMOUNT))
        return p_buy, amount * (self.scale * self.recipe.calibration_factor)


class TwoStageLearner(BoostedLearner):
    """Whether a customer buys, times how much."""

    name = TwoStageParameters.estimator
    tasks = frozenset({"regression"})
    model = TwoStageModel

    def fitted(
        self, train: FeatureSource, validation: FeatureSource | None, recipe: Recipe, spec: ModelSpec, threads: int
    ) -> TwoStageModel:
        """Fit both stages."""
        parameters = TwoStageParameters.from_mapping(spec.parameters)
        where = "rows of the refit" if validation is None else "training rows"
        boosters: dict[str, xgb.Booster] = {}
        rows: dict[str, int] = {}
        losses = dict(recipe.validation_loss)
        scale = 1.0
        for stage in (BUYS, AMOUNT):
            of_stage = StageRows(stage == AMOUNT, scale, where, parameters.min_rows, parameters.min_buyers)
            data, facts = quantile_matrix(
                train, of_stage, max_bin=parameters.max_bin, threads=threads, pages=pages_of(spec)
            )
            rows[stage], rounds, held = int(data.num_row()), parameters.rounds, None
            if validation is None:
                rounds = grown(recipe.rounds[stage], rows[stage] / recipe.rows[stage])
            else:
                of_held = replace(of_stage, where="validation rows", min_rows=2, min_buyers=1)
                held = held_matrix(validation, of_held, threads=threads)
            base_score = facts.buyers / facts.rows if stage == BUYS else 1.0
            chosen = parameters.of_stage(stage, base_score=base_score, seed=spec.seed, threads=threads)
            boosters[stage], loss = trained(
                chosen, data, held, rounds, parameters.patience, train.features, device=spec.device
            )
            losses |= {} if loss is None else {stage: loss}
            scale = facts.total / facts.buyers
            # Before the next stage's are built: the largest part of the memory of a fit.
            del data, held
        rounds_found = {stage: int(booster.num_boosted_rounds()) for stage, booster in boosters.items()}
        found = Recipe(rounds_found, rows, recipe.calibration_factor, losses)
        model = TwoStageModel(features=train.features, recipe=found, boosters=boosters, threads=threads, scale=scale)
        return model.calibrated(validation) if parameters.calibrate and validation is not None else model
