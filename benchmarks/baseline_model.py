"""The baseline's model: preparation, two stages of gradient boosting, measures. See ``baseline_session.py``.

Belongs here: what is learnt from rows in memory, with the parameters of our own model. Does not: making the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.metrics import log_loss, mean_absolute_error, r2_score, roc_auc_score, root_mean_squared_error

from benchmarks.baseline_orders import TEXT

Array = NDArray[Any]
SHAP_ROWS = 2_000
CLIP, TOP_LEVELS = (0.001, 0.999), 8
SEED, ROUNDS, PATIENCE, LARGEST_GROWTH = 7, 400, 30, 1.5
BOOSTING: dict[str, Any] = {
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 20.0,
    "lambda": 1.0,
    "max_bin": 256,
    "seed": SEED,
}
STAGES: dict[str, dict[str, Any]] = {
    "buys": {"objective": "binary:logistic", "eval_metric": "logloss"},
    "amount": {"objective": "reg:tweedie", "eval_metric": "tweedie-nloglik@1.5", "tweedie_variance_power": 1.5},
}


@dataclass(frozen=True)
class Preparation:
    """What is learnt from the training rows: bounds per number, most frequent levels per category."""

    bounds: dict[str, tuple[float, float]]
    levels: dict[str, list[str]]

    @classmethod
    def fit(cls, train: pd.DataFrame) -> Preparation:
        """Learn from the training rows; what is constant there is left out."""
        numbers = train.drop(columns=[*TEXT, "target", "split"])
        varying = numbers.columns[(numbers.max() > numbers.min()) | numbers.isna().any()]
        # One column at a time: a quantile of all of them copies the table in twice the width.
        bounds = {name: tuple(np.nanquantile(train[name].to_numpy(), CLIP)) for name in varying}
        levels = {name: list(train[name].value_counts().index[:TOP_LEVELS]) for name in TEXT}
        return cls(bounds, levels)

    @property
    def names(self) -> list[str]:
        """Columns of the matrix."""
        one_hot = [f"{name}__{level}" for name, levels in self.levels.items() for level in (*levels, "other")]
        return [*self.bounds, *one_hot]

    def apply(self, frame: pd.DataFrame) -> Array:
        """Clip and encode into one matrix of float32; missing numbers stay missing."""
        matrix = np.empty((len(frame), len(self.names)), dtype=np.float32)
        for place, (name, (low, high)) in enumerate(self.bounds.items()):
            np.clip(frame[name].to_numpy(), low, high, out=matrix[:, place])
        place = len(self.bounds)
        for name, levels in self.levels.items():
            codes, known = frame[name].cat.codes.to_numpy(), list(frame[name].cat.categories)
            top = [known.index(level) for level in levels]
            for code in top:
                matrix[:, place] = codes == code
                place += 1
            matrix[:, place] = (codes >= 0) & ~np.isin(codes, top)
            place += 1
        return matrix


@dataclass
class Model:
    """Expected spend: probability to buy times the amount if so."""

    boosters: dict[str, xgb.Booster]
    scale: float
    rounds: dict[str, int]
    rows: dict[str, int]

    def predict(self, matrix: Array) -> tuple[Array, Array]:
        """Predict spend and the probability to buy."""
        buys = self.boosters["buys"].inplace_predict(matrix).astype(np.float64)
        return buys * self.boosters["amount"].inplace_predict(matrix) * self.scale, buys


def stage_rows(stage: str, matrix: Array, target: Array, scale: float) -> tuple[Array, Array]:
    """Rows and labels of one stage: everybody's purchase, or the buyers' amount."""
    if stage == "buys":
        return matrix, target > 0
    return matrix[target > 0], target[target > 0] / scale


def fit(matrix: Array, target: Array, held: tuple[Array, Array] | None, found: Model | None = None) -> Model:
    """Fit both stages: stopped early on ``held``, or with the rounds of ``found``, grown with the rows."""
    boosters, rounds, rows = {}, {}, {}
    scale = float(target[target > 0].mean())
    for stage, objective in STAGES.items():
        base = float((target > 0).mean()) if stage == "buys" else 1.0
        data, labels = stage_rows(stage, matrix, target, scale)
        train = xgb.QuantileDMatrix(data, labels, max_bin=BOOSTING["max_bin"])
        rows[stage] = len(labels)
        del data, labels
        parameters = BOOSTING | objective | {"base_score": base}
        if found is not None:
            growth = min(max(rows[stage] / found.rows[stage], 1.0), LARGEST_GROWTH)
            rounds[stage] = round(found.rounds[stage] * growth)
            boosters[stage] = xgb.train(parameters, train, rounds[stage])
            continue
        assert held is not None
        data, labels = stage_rows(stage, *held, scale)
        watched = [(xgb.QuantileDMatrix(data, labels, ref=train, max_bin=BOOSTING["max_bin"]), "validation")]
        del data, labels
        booster = xgb.train(
            parameters, train, ROUNDS, evals=watched, early_stopping_rounds=PATIENCE, verbose_eval=False
        )
        rounds[stage] = booster.best_iteration + 1
        boosters[stage] = booster[: rounds[stage]]
    return Model(boosters, scale, rounds, rows)


def measures(actual: Array, predicted: Array) -> dict[str, float]:
    """Measure predictions of spend."""
    ranks, ranks_actual = (pd.Series(values).rank().to_numpy() for values in (predicted, actual))
    middle = (len(actual) + 1) / 2
    return {
        "mae": float(mean_absolute_error(actual, predicted)),
        "rmse": float(root_mean_squared_error(actual, predicted)),
        "r2": float(r2_score(actual, predicted)),
        "spearman": float(np.corrcoef(ranks, ranks_actual)[0, 1]),
        "normalised_gini": float(actual @ (ranks - middle) / (actual @ (ranks_actual - middle))),
        "total_bias": float(predicted.sum() / actual.sum() - 1),
    }


def evaluate(model: Model, matrix: Array, table: pd.DataFrame) -> dict[str, Any]:
    """Measure a model on the training and the test rows, next to spend carried on at the rate of the training rows."""
    found: dict[str, Any] = {}
    train = table[table["split"] == "train"]
    carried_on = train["target"].sum() / np.maximum(train["total_spend"], 0).sum()
    for split in ("train", "test"):
        chosen = (table["split"] == split).to_numpy()
        actual = table["target"].to_numpy()[chosen]
        predicted, buys = model.predict(matrix[chosen])
        naive = np.maximum(table["total_spend"].to_numpy()[chosen], 0) * carried_on
        pairs = pd.DataFrame({"predicted": predicted, "actual": actual})
        deciles = pairs.groupby(pairs["predicted"].rank(method="first").mul(10).floordiv(len(pairs) + 1)).mean()
        found[split] = measures(actual, predicted)
        found[split] |= {
            "buys_auc": float(roc_auc_score(actual > 0, buys)),
            "buys_log_loss": float(log_loss(actual > 0, buys)),
            "baseline": measures(actual, naive),
            "deciles": deciles.to_dict("records"),
        }
    return found


def importances(model: Model, matrix: Array, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean absolute SHAP value of every feature, by stage."""
    sample = xgb.DMatrix(matrix[np.linspace(0, len(matrix) - 1, SHAP_ROWS).astype(int)])
    found = {}
    for stage, booster in model.boosters.items():
        values = booster.predict(sample, pred_contribs=True)[:, :-1]
        found[stage] = dict(zip(names, np.abs(values).mean(axis=0).tolist(), strict=True))
    return found
