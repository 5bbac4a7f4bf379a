"""A training on many rows: what of it is a sample, and what is not."""

import pyarrow.compute as pc
import pytest

from tdml_assets.engines.protocol import TIER1, ModelSpec
from tdml_assets.engines.python import PythonEngine
from tdml_assets.engines.row_samples import MANY_ROWS, spread_rows
from tdml_assets.stages.training.fit import train_candidate
from tests.stages.training.test_rehearsal import EARLY, rows, splits

PLAIN = ModelSpec("pareto_nbd_gamma_gamma", horizon_days=91)


@pytest.fixture(scope="module")
def many():
    return {**splits(), "train": rows(MANY_ROWS + 1_000, 1, EARLY)}


def test_of_many_training_rows_a_sample_is_predicted_and_the_test_is_whole(many):
    found = train_candidate(PythonEngine(), many, PLAIN, TIER1, kind="amount")
    of_split = {name: found.holdout.filter(pc.equal(found.holdout["split"], name)) for name in ("train", "test")}
    assert {name: table.num_rows for name, table in of_split.items()} == {"train": MANY_ROWS, "test": 500}
    assert of_split["train"]["customer_id"].to_pylist() == spread_rows(many["train"])["customer_id"].to_pylist()
    assert of_split["test"]["customer_id"].to_pylist() == many["test"]["customer_id"].to_pylist()


def test_up_to_the_bound_every_training_row_is_predicted(many):
    few = {**many, "train": many["train"].slice(0, MANY_ROWS)}
    found = train_candidate(PythonEngine(), few, PLAIN, TIER1)
    assert found.holdout.num_rows == MANY_ROWS + 500
