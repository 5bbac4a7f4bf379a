"""Whether a customer buys, by gradient boosting that starts from a lifetime model.

Elsewhere: the lifetime model (``lifetime.py``), fitting stages (``lifetime_start.py``), spend (``lifetime_xgboost.py``).

The first stage of ``lifetime_xgboost.py`` by itself: rows start at weight x the log-odds that the lifetime model gives a purchase
in the horizon, trees learn what is left, and the level is carried to the ages of the rows to score. Where the target is that
nothing is bought, the probability of a purchase is taken from 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from tdml_assets.engines.boosted import BoostedLearner, ProbabilityModel
from tdml_assets.engines.lifetime_outlook import Lifetime
from tdml_assets.engines.lifetime_start import (
    Start,
    StartedModel,
    StartedRows,
    StartParameters,
    expected_share,
    fit_stages,
    level_for,
    margin_of,
    rows_of_today,
)
from tdml_assets.engines.protocol import BatchSource, FeatureSource, ModelSpec, Recipe, split_batch
from tdml_assets.engines.spend import BUYS
from tdml_assets.engines.xgboost_rows import Floats, Matrix, bytes_of_matrix

#: Targets it can learn, and whether 1 means a purchase.
_MEANS_PURCHASE = {"purchase": True, "no_purchase": False}


@dataclass(frozen=True)
class LifetimeClassifierParameters(StartParameters):
    """Parameters of the start and of the trees, without those of the amount."""

    estimator: ClassVar[str] = "lifetime_xgboost_classifier"
    absent: ClassVar[frozenset[str]] = frozenset({"tweedie_power", "calibrate"})


@dataclass(frozen=True, kw_only=True, eq=False)
class LifetimeClassifierModel(StartedModel, ProbabilityModel):
    """Trees on a lifetime model's log-odds; implements :class:`~tdml_assets.engines.protocol.FittedModel`.

    ``means_purchase``: whether the target is a purchase; else that there is none. Attributions are the exact TreeSHAP of the trees,
    and for the four columns of the history the Shapley values of the start in addition.
    """

    model_file: ClassVar[str] = "lifetime_xgboost_classifier.json"
    booster_files: ClassVar[Mapping[str, str]] = {BUYS: "buys.json"}

    means_purchase: bool

    def carried(self, then: StartedRows, today: StartedRows) -> Self:
        """Move the level to the ages of today's rows (``lifetime_start.py`` says why and by how much)."""
        where = "rows to score"
        batches = (split_batch(batch, today.source, where) for batch in today.source.batches())
        log_odds = np.concatenate([self._of_purchase(matrix, where) for matrix, _ in batches])
        level = level_for(log_odds, expected_share(then, today))
        return replace(
            self,
            starts={BUYS: replace(self.starts[BUYS], level=self.starts[BUYS].level + level)},
            recipe=replace(self.recipe, chosen={**self.recipe.chosen, "carried": {BUYS: level}}),
        )

    def _facts(self) -> dict[str, Any]:
        return {
            **super()._facts(),
            "means_purchase": self.means_purchase,
            "start": dataclasses.asdict(self.starts[BUYS]),
            "lifetime": self.lifetime.to_facts(),
        }

    @classmethod
    def _parts(cls, facts: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "means_purchase": facts["means_purchase"],
            "starts": {BUYS: Start(**facts["start"])},
            "lifetime": Lifetime.from_facts(facts["lifetime"]),
        }

    @property
    def _sign(self) -> int:
        return 1 if self.means_purchase else -1

    def _log_odds(self, matrix: Matrix, where: str) -> Floats:
        return self._sign * self._of_purchase(matrix, where)

    def _of_purchase(self, matrix: Matrix, where: str) -> Floats:
        """Log-odds of a purchase."""
        seen = self.lifetime.outlook(self._history(matrix, where))
        start = self.starts[BUYS].at(margin_of(seen, BUYS)).astype(np.float32)
        margin = self.boosters[BUYS].inplace_predict(matrix, base_margin=start, predict_type="margin")
        found: Floats = margin.astype(np.float64)
        return found

    def _attributions(self, matrix: Matrix) -> Floats:
        found = self._shap[BUYS](matrix)
        start, _, _ = self.lifetime.attributions(self._history(matrix, "rows to explain"))
        found[:, self._places] += self.starts[BUYS].weight * start
        return self._sign * found


class LifetimeClassifierLearner(BoostedLearner):
    """Trees that correct a lifetime model."""

    name = LifetimeClassifierParameters.estimator
    tasks = frozenset({"classification"})
    # The longest histories say most of a lifetime, and the level is carried to their ages.
    wants_unlabelled = True
    model = LifetimeClassifierModel

    def bytes_needed(self, rows: int, features: int) -> int:
        """Memory of a fit, in bytes: the trees' matrix, and margins and target of every row."""
        return bytes_of_matrix(rows, features) + rows * 8 * 3

    def fitted(
        self, train: FeatureSource, validation: FeatureSource | None, recipe: Recipe, spec: ModelSpec, threads: int
    ) -> LifetimeClassifierModel:
        """Fit the lifetime model and its stage, and carry the level. Raises ``ValueError`` if the target is not a purchase."""
        if spec.target_kind not in _MEANS_PURCHASE:
            raise ValueError(
                f"{self.name} learns whether a customer buys, the target is {spec.target_kind!r}: set target.kind to one of "
                f"{', '.join(sorted(_MEANS_PURCHASE))}, or model.estimator to xgboost_classifier"
            )
        means_purchase = _MEANS_PURCHASE[spec.target_kind]
        parameters = LifetimeClassifierParameters.from_mapping(spec.parameters)
        as_learnt = partial(_purchases, means_purchase=means_purchase)
        fit = fit_stages((BUYS,), train, validation, parameters, recipe, spec, threads=threads, as_learnt=as_learnt)
        model = LifetimeClassifierModel(
            features=train.features,
            recipe=fit.recipe,
            boosters=fit.boosters,
            threads=threads,
            lifetime=fit.lifetime,
            starts=fit.starts,
            means_purchase=means_purchase,
        )
        today = rows_of_today(spec, fit.lifetime)
        return model if today is None else model.carried(fit.rows, today)


def _purchases(source: FeatureSource, where: str, *, means_purchase: bool) -> FeatureSource:
    """A source whose target is 1 for a purchase."""

    def read() -> Iterator[pa.RecordBatch]:
        for batch in source.batches():
            target = batch.column(batch.num_columns - 1).cast(pa.float64()).to_numpy(zero_copy_only=False)
            others = int(target.size - np.isin(target, (0.0, 1.0)).sum())
            if others:
                raise ValueError(
                    f"{where}: {others} of {target.size} targets of a batch are neither 0 nor 1: drop them"
                )
            bought = pa.array(target if means_purchase else 1.0 - target)
            yield pa.RecordBatch.from_arrays([*batch.columns[:-1], bought], names=[*source.features, source.target])

    return BatchSource(source.features, source.target, source.row_count, read)
