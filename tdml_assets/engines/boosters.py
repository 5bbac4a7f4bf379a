"""What learners on XGBoost share, apart from their rows: training, rounds of a refit, and what a booster gained by each feature.

Belongs here: small functions of a booster. Does not: rows (``xgboost_rows.py``), attributions (``tree_shap.py``), files
(``model_files.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import xgboost as xgb

from tdml_assets.engines.xgboost_rows import booster_name

# A refit on more rows may use this many times the rounds found: growth beyond it was not tried.
_LARGEST_ROUND_GROWTH = 1.5


def grown(rounds: int, growth_of_rows: float) -> int:
    """Give the rounds of a refit, which grow with its rows by at most half: each step learns less noise."""
    return round(rounds * min(max(growth_of_rows, 1.0), _LARGEST_ROUND_GROWTH))


def train_rounds(
    chosen: dict[str, Any], data: xgb.QuantileDMatrix, rounds: int, features: Sequence[str]
) -> xgb.Booster:
    """Train a booster for that many rounds, on rows without names."""
    return _named(xgb.train(chosen, data, rounds), features)


def train_until_best(
    chosen: dict[str, Any],
    data: xgb.QuantileDMatrix,
    held: xgb.QuantileDMatrix,
    rounds: int,
    patience: int,
    features: Sequence[str],
    metric: Callable[[Any, xgb.DMatrix], tuple[str, float]] | None = None,
) -> tuple[xgb.Booster, float]:
    """Train a booster, on rows without names, to the round that predicts validation rows best.

    Parameters
    ----------
    held : validation rows, in the bins of the training rows.
    rounds : at most.
    patience : rounds without improvement that end the fit.
    metric : loss of predictions and rows, less is better; the objective's own unless given.

    Returns
    -------
    The booster, cut at its best round, and its loss there.
    """
    booster = xgb.train(
        chosen,
        data,
        rounds,
        evals=[(held, "validation")],
        custom_metric=metric,
        maximize=None if metric is None else False,
        early_stopping_rounds=patience,
        verbose_eval=False,
    )
    loss = float(booster.best_score)
    return _named(booster[: booster.best_iteration + 1], features), loss


def _named(booster: xgb.Booster, features: Sequence[str]) -> xgb.Booster:
    # Only now: XGBoost compares the names of rows with those of the booster at every round, a tenth of the time of a small fit.
    booster.feature_names = [booster_name(feature) for feature in features]
    return booster


def gain_shares(booster: xgb.Booster, features: Sequence[str]) -> list[float]:
    """Give each feature's share of the loss reduction by splits, 0..1; all 0 without a split."""
    gain: dict[str, Any] = booster.get_score(importance_type="total_gain")
    total = sum(gain.values()) or 1.0
    return [float(gain.get(booster_name(feature), 0.0)) / total for feature in features]
