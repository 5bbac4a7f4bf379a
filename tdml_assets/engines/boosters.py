"""What learners on XGBoost share, apart from their rows: training, rounds of a refit, and what a booster gained by each feature.

Elsewhere: rows (``xgboost_rows.py``), attributions (``tree_shap.py``), files (``model_files.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import xgboost as xgb

from tdml_assets.engines.xgboost_rows import booster_name

# A refit on more rows may use this many times the rounds found: growth beyond it was not tried.
_LARGEST_ROUND_GROWTH = 1.5


def grown(rounds: int, growth_of_rows: float) -> int:
    """Give the rounds of a refit, which grow with its rows by at most half: each step learns less noise."""
    return round(rounds * min(max(growth_of_rows, 1.0), _LARGEST_ROUND_GROWTH))


def trained(
    chosen: Mapping[str, Any],
    data: xgb.DMatrix,
    held: xgb.DMatrix | None,
    rounds: int,
    patience: int,
    features: Sequence[str],
    metric: Callable[..., Any] | None = None,
    device: str = "cpu",
) -> tuple[xgb.Booster, float | None]:
    """Train a booster on rows without names: stopped where ``held`` is predicted best, or for exactly ``rounds`` without it.

    ``features``: what the columns are. ``metric``: judged instead of the objective's own, the lower the better. ``device``: of the
    training; the booster scores on the CPU. Returns the booster and its best loss on ``held``.
    """
    if device != "cpu":
        chosen = {**chosen, "device": device}
    if held is None:
        booster, loss = xgb.train(dict(chosen), data, rounds), None
    else:
        booster = xgb.train(
            dict(chosen),
            data,
            rounds,
            evals=[(held, "validation")],
            custom_metric=metric,
            maximize=False,
            early_stopping_rounds=patience,
            verbose_eval=False,
        )
        booster, loss = booster[: booster.best_iteration + 1], float(booster.best_score)
    if device != "cpu":
        booster.set_param({"device": "cpu"})
    # Only now: XGBoost compares the names of rows with those of the booster at every round, a tenth of the time of a small fit.
    booster.feature_names = [booster_name(feature) for feature in features]
    return booster, loss


def gain_shares(booster: xgb.Booster, features: Sequence[str]) -> list[float]:
    """Give each feature's share of the loss reduction by splits, 0..1; all 0 without a split."""
    gain: dict[str, Any] = booster.get_score(importance_type="total_gain")
    total = sum(gain.values()) or 1.0
    return [float(gain.get(booster_name(feature), 0.0)) / total for feature in features]
