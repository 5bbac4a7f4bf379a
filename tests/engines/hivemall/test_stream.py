"""Learners fed by batches give the model that they give on the whole."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.hivemall import HivemallError, compiled, run
from tdml_assets.engines.hivemall.stream import train_batches

NAMES = ["a", "b", "c"]


@pytest.fixture(autouse=True)
def _without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_HAS_NUMBA", False)


def columns() -> pa.Table:
    draw = np.random.default_rng(5)
    values = draw.normal(size=(40, 3)).astype(np.float32)
    values[::7, 1] = 0.0
    label = pa.array((values[:, 0] > 0).astype(np.int32))
    return pa.table([*(pa.array(values[:, place]) for place in range(3)), label], names=[*NAMES, "label"])


@pytest.mark.parametrize(
    ("function", "options"),
    [
        ("train_arow", ""),
        ("train_scw2", "-phi 0.5"),
        ("train_pa1", "-c 0.1"),
        ("train_classifier", "-loss logloss -opt adam -reg l2 -iters 3"),
        ("train_regressor", "-iters 2"),
    ],
)
def test_batches_give_the_model_of_the_whole(function: str, options: str) -> None:
    table = columns()
    texts = [[f"{name}:{row[name]!r}" for name in NAMES] for row in table.to_pylist()]
    whole = run(function, pa.table({"features": texts, "label": table["label"]}), options)
    parts = train_batches(function, lambda: table.to_batches(max_chunksize=7), NAMES, "label", options)
    assert parts.equals(whole)


def test_nulls_labels_mini_batches_and_other_learners_are_refused() -> None:
    table = columns()
    with pytest.raises(HivemallError, match="not offered for batches"):
        train_batches("train_fm", table.to_batches, NAMES, "label")
    with pytest.raises(HivemallError, match="-mini_batch above 1"):
        train_batches("train_classifier", table.to_batches, NAMES, "label", "-mini_batch 5")
    with pytest.raises(HivemallError, match="The feature a has nulls"):
        train_batches("train_arow", table.set_column(0, "a", pa.nulls(40, pa.float32())).to_batches, NAMES, "label")
    with pytest.raises(HivemallError, match="Invalid label value for classification: 3.0"):
        train_batches("train_arow", table.set_column(3, "label", pa.array([3.0] * 40)).to_batches, NAMES, "label")
