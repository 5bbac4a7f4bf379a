"""The online regressors: passive-aggressive, AROW, and the logistic ones whose targets lie between 0 and 1.

Elsewhere: the update rules (``online_kernels``).
"""

from __future__ import annotations

import numpy as np

from tdml_assets.engines.hivemall import losses
from tdml_assets.engines.hivemall import online_kernels as ok
from tdml_assets.engines.hivemall.compiled import f32
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import SparseRows, numbers
from tdml_assets.engines.hivemall.general import batch_size
from tdml_assets.engines.hivemall.java_text import float_text
from tdml_assets.engines.hivemall.online import (
    AGGRESSIVENESS,
    REGULARISATION,
    LinearState,
    Trainer,
    aggressiveness,
    linear_learner,
    regularisation,
)
from tdml_assets.engines.hivemall.options import Options
from tdml_assets.engines.hivemall.registry import Function

_EPSILON = "e,epsilon= "


def _targets(labels: list[object]) -> np.ndarray:
    return np.array(numbers(labels), np.float32)


def _shares(labels: list[object]) -> np.ndarray:
    targets = _targets(labels)
    for target in targets:
        if target < 0 or target > 1:
            raise HivemallError(f"target must be in range 0 to 1: {float_text(target)}")
    return targets


def _trainer(rule: int, band_rule: int, default_c: float) -> Trainer:
    def train(rows: SparseRows, label: np.ndarray, state: LinearState, options: Options) -> None:
        first = regularisation(options) if rule == ok.AROW else aggressiveness(options, default_c)
        band = f32(options.number("e", 0.1))
        arrays = (rows.indptr, rows.index, rows.value, label, state.weight, state.covar, state.seen)
        ok.regression_pass(rule, band_rule, *arrays, first, band)

    return train


def _logistic(rule: int, known: str, eta0: float, eps: float) -> Function:
    def train(rows: SparseRows, label: np.ndarray, state: LinearState, options: Options) -> None:
        size = len(rows.names)
        rate = options.number("eta", eta0) if rule == ok.ADAGRAD else options.number("eta0", eta0)
        scheme = losses.FIXED
        if rule == ok.LOGRESS:
            scheme = losses.SIMPLE if options.has("t") else losses.INVERSE
        ok.logistic_pass(
            *(rule, rows.indptr, rows.index, rows.value, label, state.weight),
            *(np.zeros(size, np.float32), np.zeros(size, np.float32), state.seen),
            *(np.zeros(size), np.zeros(size, np.int64), batch_size(options) if rule == ok.LOGRESS else 1, scheme),
            *(float(f32(rate)), options.number("power_t", 0.1), float(options.integer("t", 0, bits=64))),
            *(f32(options.number("eps", eps)), f32(options.number("scale", 100.0)), f32(options.number("rho", 0.95))),
        )

    return linear_learner(known, train, _shares, covariance=False, refuses_batches=False)


_LARGEST = float(np.finfo(np.float32).max)
#: Rule, rule of the band, options and default of ``-c`` of the learners whose state passes from batch to batch.
_RULES = {
    "train_pa1_regr": (ok.PA1, ok.EPSILON, AGGRESSIVENESS + _EPSILON, _LARGEST),
    "train_pa1a_regr": (ok.PA1, ok.ADAPTIVE, AGGRESSIVENESS + _EPSILON, _LARGEST),
    "train_pa2_regr": (ok.PA2, ok.EPSILON, AGGRESSIVENESS + _EPSILON, 1.0),
    "train_pa2a_regr": (ok.PA2, ok.ADAPTIVE, AGGRESSIVENESS + _EPSILON, 1.0),
    "train_arow_regr": (ok.AROW, ok.PLAIN, REGULARISATION, 1.0),
    "train_arowe_regr": (ok.AROW, ok.EPSILON, REGULARISATION + _EPSILON, 1.0),
    "train_arowe2_regr": (ok.AROW, ok.ADAPTIVE, REGULARISATION + _EPSILON, 1.0),
}
STREAMED = tuple(_RULES)


def regression_trainer_of(function: str) -> tuple[Trainer, bool]:
    """What trains the learner of :data:`STREAMED` on some rows, and whether it keeps covariances."""
    rule, band_rule, _, default_c = _RULES[function]
    return _trainer(rule, band_rule, default_c), rule == ok.AROW


def _regression(function: str) -> Function:
    train, covariance = regression_trainer_of(function)
    return linear_learner(_RULES[function][2], train, _targets, covariance=covariance, refuses_batches=False)


FUNCTIONS = {name: _regression(name) for name in _RULES} | {
    "logress": _logistic(ok.LOGRESS, "t,total_steps= power_t= eta0= ", 0.1, 1.0),
    "train_adagrad_regr": _logistic(ok.ADAGRAD, "eta,eta0= eps= scale= ", 1.0, 1.0),
    "train_adadelta_regr": _logistic(ok.ADADELTA, "rho,decay= eps= scale= ", 1.0, 1e-6),
}
