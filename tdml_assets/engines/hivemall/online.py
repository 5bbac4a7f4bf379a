"""The binary online learners: perceptron, passive-aggressive, confidence-weighted, AROW, soft confidence-weighted, AdaGrad-RDA.

Elsewhere: the update rules (``online_kernels``).
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall import online_kernels as ok
from tdml_assets.engines.hivemall.compiled import f32
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import SparseRows, read_features, read_labels, signs
from tdml_assets.engines.hivemall.general import SHARED, batch_size
from tdml_assets.engines.hivemall.java_text import float_text
from tdml_assets.engines.hivemall.options import Options, declare
from tdml_assets.engines.hivemall.registry import FLOAT, Function, table_of

AGGRESSIVENESS = "c,aggressiveness= "
REGULARISATION = "r,regularization= "
CONFIDENCE = "phi,confidence= eta,hyper_c= "
#: Above this a normal quantile is cut off.
_LARGEST_PHI = 5.0
BINARY_LABEL = "Invalid label value for classification:  + label (write -1, 0 or 1)"


class LinearState:
    """What an online learner holds per feature: weight, covariance and whether it was ever updated."""

    def __init__(self, size: int) -> None:
        self.weight = np.zeros(size, np.float32)
        self.covar = np.ones(size, np.float32)
        self.seen = np.zeros(size, np.int8)

    def table(self, rows: SparseRows, *, dense: bool, covariance: bool) -> pa.Table:
        """The model table: every feature ever updated; a dense model leaves out those that are as at the start."""
        kept = self.seen > 0
        if dense:
            kept = (self.weight != 0) | (self.covar != 1) if covariance else self.weight != 0
        places = np.flatnonzero(kept)
        columns: dict[str, object] = {
            "feature": [rows.names[place] for place in places],
            "weight": self.weight[places],
        }
        kinds = {"feature": rows.kind, "weight": FLOAT}
        if covariance:
            columns["covar"], kinds["covar"] = self.covar[places], FLOAT
        return table_of(columns, kinds)


Trainer = Callable[[SparseRows, np.ndarray, LinearState, Options], None]


def aggressiveness(options: Options, default: float = 1.0) -> np.float32:
    """The option ``-c``, above 0."""
    c = options.number("c", default)
    if not c > 0:
        raise HivemallError(f"Aggressiveness parameter C must be C > 0: {float_text(c)}")
    return f32(c)


def regularisation(options: Options) -> np.float32:
    """The option ``-r`` of AROW, above 0."""
    r = options.number("r", 0.1)
    if not r > 0:
        raise HivemallError(f"Regularization parameter must be greater than 0: {options.text('r')}")
    return f32(r)


def confidence(options: Options) -> np.float32:
    """Phi of ``-phi``, else the normal quantile of ``-eta``, which lies above 0.5 and up to 1."""
    if options.has("phi"):
        return f32(options.number("phi", 1.0))
    if not options.has("eta"):
        return f32(1.0)
    eta = options.number("eta", 0.85)
    if not 0.5 < eta <= 1:
        raise HivemallError(f"Confidence hyperparameter eta must be in range (0.5, 1]: {options.text('eta')}")
    return f32(_LARGEST_PHI if eta == 1 else min(NormalDist().inv_cdf(eta), _LARGEST_PHI))


def linear_learner(
    known: str,
    train: Trainer,
    labels: Callable[[list[object]], np.ndarray],
    *,
    covariance: bool,
    refuses_batches: bool,
) -> Function:
    """A learner of one pass whose model is (feature, weight[, covar])."""

    def call(rows: pa.Table, options: Options) -> pa.Table:
        batch = batch_size(options)
        dense = options.has("dense")
        # Wrong options are refused even where there are no rows.
        train(_no_rows(), np.zeros(0, np.float32), LinearState(0), options)
        features = read_features(rows.column(0), dense=dense)
        label = labels(read_labels(rows.column(1), features.kept))
        if batch > 1 and refuses_batches:
            raise HivemallError(
                "UnsupportedOperationException: this learner has no model for -mini_batch above 1. Leave it out."
            )
        state = LinearState(len(features.names))
        train(features, label, state, options)
        return state.table(features, dense=dense, covariance=covariance)

    return Function(call, declare(SHARED + known), 2, 2)


def _no_rows() -> SparseRows:
    return read_features(pa.chunked_array([pa.array([], pa.list_(pa.string()))]))


def binary_labels(labels: list[object]) -> np.ndarray:
    """Labels of the online classifiers."""
    return signs(labels, message=BINARY_LABEL)


def _passive_trainer(rule: int, known: str = "") -> Trainer:
    def train(rows: SparseRows, label: np.ndarray, state: LinearState, options: Options) -> None:
        c = aggressiveness(options) if known else f32(1.0)
        arrays = (rows.indptr, rows.index, rows.value, label, state.weight, state.covar, state.seen)
        ok.passive_pass(rule, *arrays, c)

    return train


def _covariance_trainer(rule: int, known: str) -> Trainer:
    def train(rows: SparseRows, label: np.ndarray, state: LinearState, options: Options) -> None:
        first = regularisation(options) if rule <= ok.AROWH else confidence(options)
        second = aggressiveness(options) if AGGRESSIVENESS in known else f32(1.0)
        arrays = (rows.indptr, rows.index, rows.value, label, state.weight, state.covar, state.seen)
        ok.covariance_pass(rule, *arrays, first, second)

    return train


def _train_rda(rows: SparseRows, label: np.ndarray, state: LinearState, options: Options) -> None:
    eta, strength, scale = options.number("eta", 0.1), options.number("lambda", 1e-6), options.number("scale", 100.0)
    squares, totals = np.zeros_like(state.weight), np.zeros_like(state.weight)
    ok.rda_pass(
        *(rows.indptr, rows.index, rows.value, label, state.weight, squares, totals, state.seen),
        *(f32(eta), f32(strength), f32(scale)),
    )


#: Rule and options of the learners whose state passes from batch to batch; those up to pa2 keep no covariance.
_RULES = {
    "train_perceptron": (ok.PERCEPTRON, ""),
    "train_pa": (ok.PA, ""),
    "train_pa1": (ok.PA1, AGGRESSIVENESS),
    "train_pa2": (ok.PA2, AGGRESSIVENESS),
    "train_arow": (ok.AROW, REGULARISATION),
    "train_arowh": (ok.AROWH, REGULARISATION + AGGRESSIVENESS),
    "train_cw": (ok.CW, CONFIDENCE),
    "train_scw": (ok.SCW, CONFIDENCE + AGGRESSIVENESS),
    "train_scw2": (ok.SCW2, CONFIDENCE + AGGRESSIVENESS),
}
STREAMED = tuple(_RULES)
_FIRST_ORDER = ("train_perceptron", "train_pa", "train_pa1", "train_pa2")


def trainer_of(function: str) -> tuple[Trainer, bool]:
    """What trains the learner of :data:`STREAMED` on some rows, and whether it keeps covariances."""
    rule, known = _RULES[function]
    covariance = function not in _FIRST_ORDER
    return (_covariance_trainer if covariance else _passive_trainer)(rule, known), covariance


def _learner(function: str) -> Function:
    trainer, covariance = trainer_of(function)
    return linear_learner(_RULES[function][1], trainer, binary_labels, covariance=covariance, refuses_batches=True)


FUNCTIONS = {name: _learner(name) for name in _RULES} | {
    "train_adagrad_rda": linear_learner(
        "eta,eta0= lambda= scale= ", _train_rda, binary_labels, covariance=False, refuses_batches=True
    ),
}
