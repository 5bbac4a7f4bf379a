"""Matrices of XGBoost: held rows are judged as a quantile matrix would judge them, bins of many rows are those of a sample."""

import numpy as np
import pyarrow as pa
import pytest
import xgboost as xgb

from tdml_assets.engines import row_samples
from tdml_assets.engines.protocol import split_batch, table_source
from tdml_assets.engines.xgboost_rows import StageRows, held_matrix, quantile_matrix
from tdml_assets.platform.refusals import RefusedError
from tests.engines.test_two_stage import customers

PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.3,
    "nthread": 2,
    "seed": 1,
}


def rows(buyers_only=False, where="rows", least=1):
    return StageRows(buyers_only, 2.0, where, least, 1)


def source(count, seed, batch_rows=700):
    return table_source(customers(count, seed), "target", batch_rows)


def judged(matrix, held, max_bin, objective="binary:logistic", rounds=25):
    found = {}
    parameters = {**PARAMETERS, "max_bin": max_bin, "objective": objective}
    xgb.train(parameters, matrix, rounds, evals=[(held, "held")], evals_result=found, verbose_eval=False)
    return found["held"]


@pytest.mark.parametrize(("buyers_only", "objective"), [(False, "binary:logistic"), (True, "reg:tweedie")])
def test_held_rows_are_judged_to_the_bit_as_in_the_bins_of_the_training_rows(buyers_only, objective):
    matrix, _ = quantile_matrix(source(3_000, 1), rows(buyers_only), max_bin=64, threads=2)
    held = held_matrix(source(1_000, 2), rows(buyers_only), threads=2)
    parts = [split_batch(batch, source(1_000, 2), "held") for batch in source(1_000, 2).batches()]
    features, label = rows(buyers_only).of(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    binned = xgb.QuantileDMatrix(features, label=label, ref=matrix, max_bin=64, nthread=2)
    assert held.num_row() == binned.num_row() == len(label)
    assert judged(matrix, held, 64, objective) == judged(matrix, binned, 64, objective)


def test_held_rows_that_cannot_be_judged_are_refused_with_the_counts():
    with pytest.raises(RefusedError, match="validation rows: 100 rows, .* 500 rows are needed"):
        held_matrix(source(100, 1), rows(where="validation rows", least=500), threads=1)
    nothing = customers(100, 1).set_column(4, "target", pa.array(np.zeros(100)))
    with pytest.raises(RefusedError, match="0 of them with a positive target"):
        held_matrix(table_source(nothing, "target"), rows(), threads=1)


def test_bins_of_many_rows_are_those_of_a_sample_and_every_row_is_learnt_from(monkeypatch):
    whole, _ = quantile_matrix(source(4_000, 1), rows(), max_bin=32, threads=2)
    monkeypatch.setattr(row_samples, "MANY_ROWS", 3_999)
    monkeypatch.setattr(row_samples, "_ROWS_OF_BINS", 1_000)
    sampled, facts = quantile_matrix(source(4_000, 1), rows(), max_bin=32, threads=2)
    again, _ = quantile_matrix(source(4_000, 1, batch_rows=333), rows(), max_bin=32, threads=2)
    assert (sampled.num_row(), facts.rows) == (4_000, 4_000)
    bounds = [matrix.get_quantile_cut()[1] for matrix in (whole, sampled, again)]
    np.testing.assert_array_equal(bounds[1], bounds[2])
    assert not np.array_equal(bounds[0], bounds[1])
    held = held_matrix(source(2_000, 2), rows(), threads=2)
    loss_of_all, loss_of_sample = (judged(matrix, held, 32)["logloss"][-1] for matrix in (whole, sampled))
    assert loss_of_sample == pytest.approx(loss_of_all, rel=0.02)


def test_a_sample_without_enough_buyers_to_learn_from_refuses_nothing(monkeypatch):
    monkeypatch.setattr(row_samples, "MANY_ROWS", 1_000)
    monkeypatch.setattr(row_samples, "_ROWS_OF_BINS", 100)
    least = StageRows(True, 1.0, "training rows", 1_500, 600)
    matrix, facts = quantile_matrix(source(2_000, 1), least, max_bin=32, threads=1)
    assert matrix.num_row() == facts.buyers
