"""Expected spend in two parts: the probability of buying, times the amount of those who buy.

Elsewhere: how each finds its parts (``two_stage.py``, ``lifetime.py``, ``lifetime_xgboost.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import xgboost as xgb

from tdml_assets.engines.boosters import gain_shares
from tdml_assets.engines.protocol import FeatureImportance, FeatureSource, split_batch
from tdml_assets.engines.xgboost_rows import Floats, Matrix

BUYS, AMOUNT, EXPECTED_SPEND = "buys", "amount", "expected_spend"
_CALIBRATION_RANGE = (0.5, 2.0)


def scored(p_buy: Floats, amount: Floats) -> pa.RecordBatch:
    """Give DOUBLE columns ``predicted_target`` = ``p_buy`` x ``amount``, ``p_buy`` and ``amount``, one row a customer."""
    columns = {"predicted_target": p_buy * amount, "p_buy": p_buy, "amount": amount}
    return pa.RecordBatch.from_arrays([pa.array(values) for values in columns.values()], names=list(columns))


def calibration_factor(validation: FeatureSource, total_of: Callable[[Matrix], float], before: float = 1.0) -> float:
    """Find the factor in [0.5, 2] of the amount that makes total predicted equal total actual on ``validation``.

    ``total_of``: predicts the total spend of the rows of a matrix, calibrated by the factor ``before``.
    """
    actual = predicted = 0.0
    for batch in validation.batches():
        features, target = split_batch(batch, validation, "validation rows")
        actual, predicted = actual + float(target.sum()), predicted + total_of(features)
    return float(np.clip(before * actual / predicted, *_CALIBRATION_RANGE))


def log_spend(buys: Floats, amount: Floats, p_buy: Floats) -> Floats:
    """Attribute log expected spend = log p + log amount, to the first order.

    Since d log p / d logit = 1 - p, that is phi_amount + (1 - p) phi_buys: a purchase that is certain anyway owes nothing to
    the first part. ``buys``, ``amount``: attributions of the log-odds of buying and of the log of the amount, shape (rows,
    features). ``p_buy``: shape (rows,).
    """
    combined: Floats = amount + (1.0 - p_buy)[:, None] * buys
    return combined


def stage_importances(
    features: Sequence[str], boosters: Mapping[str, xgb.Booster], shap: Mapping[str, Floats], p_buy: Floats
) -> list[FeatureImportance]:
    """Give importances per booster, and of log expected spend.

    ``boosters``, ``shap``: of the stages :data:`BUYS` and :data:`AMOUNT`; attributions have the shape (rows, features). ``p_buy``:
    shape (rows,).
    """
    found = []
    for stage, booster in boosters.items():
        shares = gain_shares(booster, features)
        for place, feature in enumerate(features):
            strength = float(np.abs(shap[stage][:, place]).mean())
            found.append(FeatureImportance(feature, stage, shares[place], strength))
    combined = np.abs(log_spend(shap[BUYS], shap[AMOUNT], p_buy)).mean(axis=0)
    return found + [
        FeatureImportance(feature, EXPECTED_SPEND, None, float(combined[place]))
        for place, feature in enumerate(features)
    ]
