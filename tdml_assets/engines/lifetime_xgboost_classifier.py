"""Whether a customer buys, by gradient boosting that starts from a lifetime model.

Belongs here: parameters, fit, refit, score, reasons and files of one stage of trees and the lifetime model it corrects.
Does not: the lifetime model (``lifetime.py``), fitting a stage (``lifetime_stages.py``), spend (``lifetime_xgboost.py``).

The first stage of ``lifetime_xgboost.py`` by itself: rows start at weight x the log-odds that the lifetime model gives a purchase
in the horizon, trees learn what is left, and the level is carried to the ages of the rows to score. Where the target is that
nothing is bought, the probability of a purchase is taken from 1.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost as xgb

from tdml_assets.engines.boosters import gain_shares
from tdml_assets.engines.bounds import require_known
from tdml_assets.engines.lifetime import history_of, history_places
from tdml_assets.engines.lifetime_outlook import Lifetime
from tdml_assets.engines.lifetime_stages import Found, expected_share, fit_stage, level_for, said
from tdml_assets.engines.lifetime_start import Start, StartedRows, StartParameters, margin_of
from tdml_assets.engines.model_files import read_booster, read_facts
from tdml_assets.engines.probabilities import logistic
from tdml_assets.engines.protocol import (
    BatchSource,
    FeatureImportance,
    FeatureSource,
    ModelSpec,
    Recipe,
    chained,
    feature_matrix,
    require_same_columns,
)
from tdml_assets.engines.spend import BUYS
from tdml_assets.engines.tree_shap import TreeShap
from tdml_assets.engines.two_stage import OBJECTIVES, TwoStageParameters
from tdml_assets.engines.xgboost_rows import (
    Floats,
    Matrix,
    booster_name,
    bytes_of_matrix,
    evenly_spaced,
    split_batch,
)

_NAME = "lifetime_xgboost_classifier"
_BOOSTER_FILE, _MODEL_FILE = "buys.json", "lifetime_xgboost_classifier.json"
_FORMAT = 1
#: Targets it can learn, and whether 1 means a purchase.
_MEANS_PURCHASE = {"purchase": True, "no_purchase": False}
#: Parameters of the second stage, which is not there.
_OF_THE_AMOUNT = ("tweedie_power", "calibrate")


@dataclass(frozen=True)
class LifetimeClassifierParameters(StartParameters):
    """Parameters of the start, and those of the trees, which are named as in ``two_stage.py``."""

    trees: TwoStageParameters = field(default_factory=TwoStageParameters)

    @classmethod
    def from_mapping(cls, parameters: Mapping[str, Any]) -> LifetimeClassifierParameters:
        """Defaults overridden by ``parameters``. Raises ``ValueError`` naming a key that is not a parameter."""
        own = {one.name for one in dataclasses.fields(cls)} - {"trees"}
        of_trees = {one.name for one in dataclasses.fields(TwoStageParameters)} - set(_OF_THE_AMOUNT)
        require_known(parameters, sorted(own | of_trees), _NAME)
        trees = TwoStageParameters(**{name: value for name, value in parameters.items() if name in of_trees})
        return cls(trees=trees, **{name: value for name, value in parameters.items() if name in own})


class LifetimeClassifierModel:
    """Trees on a lifetime model's log-odds; implements :class:`~tdml_assets.engines.protocol.FittedModel`.

    Parameters
    ----------
    means_purchase : whether the target is a purchase; else that there is none.
    """

    def __init__(
        self,
        features: tuple[str, ...],
        lifetime: Lifetime,
        booster: xgb.Booster,
        start: Start,
        recipe: Recipe,
        *,
        means_purchase: bool,
        threads: int,
    ) -> None:
        self.features = features
        self.recipe = recipe
        self.lifetime = lifetime
        self.means_purchase = means_purchase
        self._booster, self._start, self._threads = booster, start, threads
        self._booster.set_param({"nthread": threads})
        self._places = history_places(features, "the model")

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
            If features are missing, extra, reordered, of another type, infinite, or the history is scaled.
        """
        where = "rows to score"
        log_odds = self._sign * self._log_odds(feature_matrix(batch, self.features, where), where)
        return pa.RecordBatch.from_arrays([pa.array(logistic(log_odds))], names=["predicted_target"])

    def reasons(self, batch: pa.RecordBatch) -> Floats:
        """Give what each feature added to the log-odds of each row, (rows, features).

        Exact TreeSHAP of the trees, and for the four columns of the history the Shapley values of the start in addition.

        Raises
        ------
        ValueError
            As :meth:`score`.
        """
        return self._attributions(feature_matrix(batch, self.features, "rows to explain"))

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """Give importances on at most ``rows`` evenly spaced rows; gain is that of the trees."""
        size = np.abs(self._attributions(evenly_spaced(source, rows))).mean(axis=0)
        shares = gain_shares(self._booster, self.features)
        return [
            FeatureImportance(feature, BUYS, shares[place], float(size[place]))
            for place, feature in enumerate(self.features)
        ]

    def files(self) -> dict[str, bytes]:
        """Give the model as bytes per file name: XGBoost JSON, and one file with all else."""
        facts = {
            "format": _FORMAT,
            "features": self.features,
            "means_purchase": self.means_purchase,
            "start": dataclasses.asdict(self._start),
            "lifetime": self.lifetime.to_facts(),
            "recipe": dataclasses.asdict(self.recipe),
        }
        return {
            _BOOSTER_FILE: bytes(self._booster.save_raw("json")),
            _MODEL_FILE: json.dumps(facts, sort_keys=True, indent=1, allow_nan=False).encode(),
        }

    def carried(self, then: StartedRows, today: StartedRows) -> LifetimeClassifierModel:
        """Move the level to the ages of today's rows (``lifetime_stages.py`` says why and by how much)."""
        where = "rows to score"
        batches = (split_batch(batch, today.source, where) for batch in today.source.batches())
        log_odds = np.concatenate([self._log_odds(matrix, where) for matrix, _ in batches])
        level = level_for(log_odds, expected_share(then, today))
        return LifetimeClassifierModel(
            self.features,
            self.lifetime,
            self._booster,
            replace(self._start, level=self._start.level + level),
            replace(self.recipe, chosen={**self.recipe.chosen, "carried": {BUYS: level}}),
            means_purchase=self.means_purchase,
            threads=self._threads,
        )

    @property
    def _sign(self) -> int:
        return 1 if self.means_purchase else -1

    def _log_odds(self, matrix: Matrix, where: str) -> Floats:
        """Log-odds of a purchase."""
        seen = self.lifetime.outlook(history_of(matrix, self._places, where))
        start = self._start.at(margin_of(seen, BUYS)).astype(np.float32)
        found: Floats = self._booster.inplace_predict(matrix, base_margin=start, predict_type="margin").astype(
            np.float64
        )
        return found

    def _attributions(self, matrix: Matrix) -> Floats:
        found: Floats = TreeShap(self._booster)(matrix).astype(np.float64)
        start, _, _ = self.lifetime.attributions(history_of(matrix, self._places, "rows to explain"))
        found[:, self._places] += self._start.weight * start
        return self._sign * found


class LifetimeClassifierLearner:
    """Trees that correct a lifetime model; implements :class:`~tdml_assets.engines.protocol.Learner`."""

    name = _NAME
    tasks = frozenset({"classification"})
    # The longest histories say most of a lifetime, and the level is carried to their ages.
    wants_unlabelled = True
    divides_threads = False

    def fit(
        self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, *, threads: int
    ) -> LifetimeClassifierModel:
        """Fit the lifetime model to histories, and trees to ``train`` that stop where ``validation`` says.

        Raises
        ------
        ValueError
            If the target is not a purchase, rows are too few, of one class, or hold scaled histories; with the counts.
        """
        require_same_columns(
            (*train.features, train.target),
            (*validation.features, validation.target),
            "validation against training rows",
        )
        return _fitted(train, validation, Recipe({}, {}), spec, threads)

    def refit(self, source: FeatureSource, recipe: Recipe, spec: ModelSpec, *, threads: int) -> LifetimeClassifierModel:
        """Fit on all rows, with the rounds an earlier fit found; they grow with the rows as in ``two_stage.py``."""
        return _fitted(source, None, recipe, spec, threads)

    def load(self, files: Mapping[str, bytes], *, threads: int) -> LifetimeClassifierModel:
        """Bring back a model from the verified bytes of its files.

        Raises
        ------
        ValueError
            If a file is missing, of another format, or the parts do not belong together.
        """
        facts = read_facts(files, _MODEL_FILE, (_BOOSTER_FILE,), version=_FORMAT)
        features, recipe = tuple(facts["features"]), Recipe(**facts["recipe"])
        booster = read_booster(
            files, _BOOSTER_FILE, objective=OBJECTIVES[BUYS], rounds=recipe.rounds[BUYS], model_file=_MODEL_FILE
        )
        require_same_columns(
            [booster_name(feature) for feature in features], booster.feature_names or (), _BOOSTER_FILE
        )
        return LifetimeClassifierModel(
            features,
            Lifetime.from_facts(facts["lifetime"]),
            booster,
            Start(**facts["start"]),
            recipe,
            means_purchase=facts["means_purchase"],
            threads=threads,
        )

    def bytes_needed(self, rows: int, features: int) -> int:
        """Memory of a fit, in bytes: the trees' matrix, and margins and target of every row."""
        return bytes_of_matrix(rows, features) + rows * 8 * 3


def _purchases(source: FeatureSource, *, means_purchase: bool, where: str) -> FeatureSource:
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


def _fitted(
    train: FeatureSource, validation: FeatureSource | None, recipe: Recipe, spec: ModelSpec, threads: int
) -> LifetimeClassifierModel:
    """Fit with the rounds that ``validation`` predicts best, or without it with those of ``recipe``."""
    if spec.target_kind not in _MEANS_PURCHASE:
        raise ValueError(
            f"{_NAME} learns whether a customer buys, the target is {spec.target_kind!r}: set target.kind to one of "
            f"{', '.join(sorted(_MEANS_PURCHASE))}, or model.estimator to xgboost_classifier"
        )
    means_purchase = _MEANS_PURCHASE[spec.target_kind]
    parameters = LifetimeClassifierParameters.from_mapping(spec.parameters)
    where = "rows of the refit" if validation is None else "training rows"
    everything = train if validation is None else chained([train, validation])
    lifetime, histories = parameters.fit(everything, spec, where)

    def started(source: FeatureSource, where: str, least_rows: int, least_buyers: int) -> StartedRows:
        bought = _purchases(source, means_purchase=means_purchase, where=where)
        rows = StartedRows.of(bought, lifetime, shown=False, where=where, estimator=_NAME)
        rows.require(where, least_rows, least_buyers)
        return rows

    trees = parameters.trees
    rows = started(train, where, trees.min_rows, trees.min_buyers)
    rounds = (
        Found(recipe.rounds[BUYS], recipe.rows[BUYS])
        if validation is None
        else started(validation, "validation rows", 2, 1)
    )
    stage = fit_stage(
        BUYS,
        rows,
        rounds,
        trees,
        weight=parameters.lifetime_weight,
        scale=1.0,
        seed=spec.seed,
        threads=threads,
        where=where,
    )
    grown, sizes, losses = said({BUYS: stage})
    found = replace(
        recipe,
        rounds=grown,
        rows={"histories": histories, **sizes},
        validation_loss={**recipe.validation_loss, **losses},
    )
    model = LifetimeClassifierModel(
        train.features,
        lifetime,
        stage.booster,
        stage.start,
        found,
        means_purchase=means_purchase,
        threads=threads,
    )
    if spec.unlabelled is None:
        return model
    today = StartedRows.of(spec.unlabelled, lifetime, shown=False, where="rows to score", estimator=_NAME)
    return model.carried(rows, today)
