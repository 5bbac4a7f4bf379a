"""A linear model scores in SQL as in Python: wide, joined, and to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.linear_model import LinearModel
from tdml_assets.engines.protocol import Recipe
from tdml_assets.engines.score_map import ScoreMap
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.predictions.in_sql import insert_scores, keep_weights, scoring_statement, weights_contract
from tdml_assets.stages.predictions.scoring import score_batch
from tdml_assets.stages.preparation.parameters import Level, NumericColumn, Parameters

TABLE = TableContract(
    "wf",
    "features",
    "Raw features.",
    (
        Column("customer_id", "VARCHAR", "Customer."),
        Column("spend", "DECIMAL(12,2)", "Money."),
        Column("days", "INTEGER", "Days."),
        Column("category", "VARCHAR", "Text."),
    ),
)
SCORES = TableContract(
    "wf", "scores", "Scores.", (Column("customer_id", "VARCHAR", ""), Column("predicted_target", "DOUBLE", ""))
)
PARAMETERS = Parameters(
    (
        NumericColumn("spend", 12.5, 0.0, 900.0, 3.1, 1.7, log1p=True),
        NumericColumn("days", 30.0, None, None, 41.3, 19.9),
    ),
    (
        Level("category__its_a", "category", "it's a \\ category"),
        Level("category__other", "category", None, ("it's a \\ category",)),
    ),
    "clip",
    {},
)
MAP = ScoreMap((-1.3, -0.2, 0.4, 2.0), (0.0, 3.25, 3.25, 71.5))
PREPARED = {
    "table": TABLE.path,
    "parameters": PARAMETERS,
    "keys": ["customer_id"],
    "carried": [],
    "snapshot_date": None,
    "drop_outliers": False,
    "ordered": False,
}


def model_with(score_map: ScoreMap | None, weight_of_days: float = -0.37) -> LinearModel:
    weights = pa.table(
        {
            "feature": ["days", "0", "category__its_a", "spend", "category__other"],
            "weight": pa.array([weight_of_days, 0.1234567, 0.77, 1.9, 0.0], pa.float32()),
        }
    )
    centre = (0.0,) * len(PARAMETERS.feature_names)
    return LinearModel(PARAMETERS.feature_names, Recipe({}, {}), "train_classifier", "", weights, centre, score_map)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder: Path = tmp_path_factory.mktemp("in_sql")
    house = Warehouse(database=str(folder / "w.duckdb"), temp_directory=str(folder / "spill"))
    draw = np.random.default_rng(3)
    count = 500
    spend = np.round(draw.lognormal(3, 2, count), 2)
    table = pa.table(
        {
            "customer_id": [f"c{place:04d}" for place in range(count)],
            "spend": pa.array(np.where(draw.random(count) < 0.1, np.nan, spend), from_pandas=True),
            "days": pa.array(draw.integers(0, 400, count), pa.int32()),
            "category": [("it's a \\ category", "b", None)[place] for place in draw.integers(0, 3, count)],
        }
    )
    with house.write() as database:
        database.replace(TABLE, table)
    return house


@pytest.mark.parametrize("score_map", [None, MAP], ids=["logistic", "knots"])
def test_wide_joined_and_python_scores_are_the_same_bits(warehouse: Warehouse, score_map: ScoreMap | None) -> None:
    model = model_with(score_map)
    with warehouse.write() as database:
        keep_weights(database, "wf", model)
        found = {
            wide: database.arrow(scoring_statement(model, "wf", PREPARED, wide=wide)).sort_by("customer_id")
            for wide in (True, False)
        }
        prepared = database.arrow(render("preparation/apply", **{**PREPARED, "ordered": True}))
        assert database.count(weights_contract("wf").path) == 5
    (batch,) = prepared.combine_chunks().to_batches()
    in_python = score_batch(model, batch, None, []).select(["customer_id", "predicted_target"])
    assert found[True].equals(found[False])
    assert found[True]["customer_id"].to_pylist() == in_python["customer_id"].to_pylist()
    if score_map is not None:
        assert found[True]["predicted_target"].to_pylist() == in_python["predicted_target"].to_pylist()
    # The exponential is the library's, and may differ in its last bit.
    np.testing.assert_allclose(found[True]["predicted_target"], in_python["predicted_target"], rtol=1e-15, atol=0)
    assert len(set(found[True]["predicted_target"].to_pylist())) > 50


def test_scores_are_inserted_without_a_row_in_python(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_with(MAP)
    with warehouse.write() as database:
        monkeypatch.setattr(type(database), "batches", None)
        database.replace(SCORES, [])
        insert_scores(database, SCORES, model, PREPARED, rows=100)
        assert database.count(SCORES.path) == 500


def test_a_sum_beyond_all_bounds_is_a_probability(warehouse: Warehouse) -> None:
    with warehouse.read() as database:
        statement = scoring_statement(model_with(None, 1e6), "wf", PREPARED, wide=True)
        found = database.arrow(statement)["predicted_target"].to_numpy()
    assert 0 <= found.min() < 1e-300
    assert found.max() == 1
