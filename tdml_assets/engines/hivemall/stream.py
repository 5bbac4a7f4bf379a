"""Learners fed by Arrow batches of numeric columns, so that no whole table is in memory.

Elsewhere: reading a table, scoring, text features (``entry``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.catalogue import functions
from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import SparseRows
from tdml_assets.engines.hivemall.general import Training, resolve
from tdml_assets.engines.hivemall.losses import Convergence
from tdml_assets.engines.hivemall.online import STREAMED, LinearState, trainer_of
from tdml_assets.engines.hivemall.online_regression import STREAMED as STREAMED_REGRESSORS
from tdml_assets.engines.hivemall.online_regression import regression_trainer_of
from tdml_assets.engines.hivemall.options import Options, parse
from tdml_assets.engines.hivemall.registry import FLOAT, STRING, table_of

Batches = Callable[[], Iterable[pa.RecordBatch]]
#: Learners of a yes or no, and of a number, that take batches.
CLASSIFIERS = ("train_classifier", *STREAMED)
REGRESSORS = ("train_regressor", *STREAMED_REGRESSORS)


def read_options(function: str, options: str) -> Options:
    """Read the option string of a learner that takes batches.

    Raises ``HivemallError``: another function, an unknown option, a value that the learner refuses, or ``-mini_batch`` above 1.
    """
    if function not in (*CLASSIFIERS, *REGRESSORS):
        offered = f"Offered: {', '.join((*CLASSIFIERS, *REGRESSORS))}."
        raise HivemallError(f"{function} is not offered for batches. {offered}")
    parsed = parse(options, functions()[function].options, function)
    if parsed.integer("mini_batch", 1) > 1:
        raise HivemallError("-mini_batch above 1 is not offered for batches. Leave it out.")
    # Without rows, so that impossible values are refused before any are read.
    if function in ("train_classifier", "train_regressor"):
        resolve(parsed, "hinge", regression=False) if function == "train_classifier" else resolve(
            parsed, "squared", regression=True
        )
    else:
        trainer, _ = trainer_of(function) if function in CLASSIFIERS else regression_trainer_of(function)
        trainer(_empty([]), np.zeros(0, np.float32), LinearState(0), parsed)
    return parsed


def train_batches(function: str, batches: Batches, features: Sequence[str], label: str, options: str = "") -> pa.Table:
    """Train a linear learner from batches; ``batches`` is called once per pass and gives the same rows each time.

    Every feature is a numeric column without nulls and an item of every row, also where its value is 0. The model equals that of
    ``run`` on the same rows as text, up to the float32 rounding of the values. Raises ``HivemallError``: a learner whose rule needs
    all rows at once, ``-mini_batch`` above 1, or what the learner refuses.
    """
    parsed = read_options(function, options)
    if function in ("train_classifier", "train_regressor"):
        return _general(function, batches, features, label, parsed)
    is_classifier = function in CLASSIFIERS
    trainer, covariance = trainer_of(function) if is_classifier else regression_trainer_of(function)
    state = LinearState(len(features))
    for rows, labels in _rows(batches(), features, label):
        trainer(rows, _signs(labels) if is_classifier else labels.astype(np.float32), state, parsed)
    return state.table(_empty(features), dense=False, covariance=covariance)


def _empty(features: Sequence[str]) -> SparseRows:
    none = np.zeros(0, np.int64)
    return SparseRows(
        np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), list(features), STRING, none
    )


def _general(function: str, batches: Batches, features: Sequence[str], label: str, options: Options) -> pa.Table:
    regression = function == "train_regressor"
    plan = resolve(options, "squared" if regression else "hinge", regression=regression)
    training = Training(len(features), plan)
    convergence = Convergence(plan.rate, check=plan.check)
    for _ in range(plan.iterations):
        loss = 0.0
        for rows, labels in _rows(batches(), features, label):
            loss += training.one_pass(rows, labels.astype(np.float32) if regression else _signs(labels))
        if convergence.reached(loss):
            break
    places = np.flatnonzero(training.weight)
    columns = {"feature": [features[int(place)] for place in places], "weight": training.weight[places]}
    return table_of(columns, {"feature": STRING, "weight": FLOAT})


def _rows(
    batches: Iterable[pa.RecordBatch], features: Sequence[str], label: str
) -> Iterator[tuple[SparseRows, np.ndarray]]:
    width = len(features)
    for batch in batches:
        count = batch.num_rows
        values = np.empty((count, width), np.float32)
        for place, name in enumerate(features):
            column = batch.column(name)
            if column.null_count:
                raise HivemallError(f"The feature {name} has nulls. Fill them first.")
            values[:, place] = column.to_numpy(zero_copy_only=False)
        indptr = np.arange(count + 1, dtype=np.int64) * width
        index = np.tile(np.arange(width, dtype=np.int32), count)
        kept = np.arange(count, dtype=np.int64)
        yield (
            SparseRows(indptr, index, values.ravel(), list(features), STRING, kept),
            _labels(batch.column(label), label),
        )


def _labels(column: pa.Array, name: str) -> np.ndarray:
    if column.null_count:
        raise HivemallError(f"The label {name} has nulls.")
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def _signs(labels: np.ndarray) -> np.ndarray:
    """-1 and 0 are negative, 1 is positive."""
    strange = labels[~np.isin(labels, (-1.0, 0.0, 1.0))]
    if strange.size:
        raise HivemallError(f"Invalid label value for classification: {strange[0]}. Write -1, 0 or 1.")
    return np.where(labels > 0, 1, -1).astype(np.float32)
