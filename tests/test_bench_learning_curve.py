"""The learning curve: every training is measured against the one on all rows, on the same rows."""

import json

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.learning_curve import ALL, DISK, MEMORY, page_of, rows_of
from benchmarks.learning_curve_fit import measures, read_rows, tier_for
from benchmarks.measure import write_results
from tdml_assets.engines.protocol import ModelSpec
from tdml_assets.engines.python import PythonEngine, estimate_fit
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.preparation.parameters import NumericColumn, Parameters

TARGET = np.array([0.0, 10.0, 0.0, 30.0])


def scored(predicted):
    return pa.table({"predicted_target": predicted, "p_buy": [0.2, 0.7, 0.4, 0.9]})


def test_errors_are_those_of_predictions_at_the_total_that_came_next_to_those_of_all_rows(tmp_path):
    others = tmp_path / "errors.npy"
    whole = measures(TARGET, scored([0.0, 5.0, 0.0, 15.0]), others, is_whole=True)
    assert (whole["mae"], whole["rmse"], whole["difference"], whole["error"]) == (0.0, 0.0, 0.0, 0.0)
    share = measures(TARGET, scored([1.0, 1.0, 1.0, 1.0]), others, is_whole=False)
    assert share["mae"] == share["difference"] == 10.0
    assert share["error"] == pytest.approx(np.std([10, 0, 10, 20]) / 2)
    assert share["log_loss"] == whole["log_loss"] > 0


def test_a_share_of_the_customers_is_the_same_at_every_snapshot_and_in_files_or_in_memory(tmp_path):
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as database:
        database.execute(Statement("create schema cltv"))
        database.execute(
            Statement(
                "create table cltv.prepared as select 'c' || i as customer_id, i::float as worth, i::double as target, split, "
                "date '2024-01-01' as snapshot_date from range(400) as t(i), "
                "(values ('train'), ('validation'), ('test')) as s(split)"
            )
        )
    parameters = Parameters((NumericColumn("worth", 0.0, None, None, 0.0, 1.0, False),), (), "clip", {})
    with warehouse.read() as database:
        here, there = (read_rows(database, parameters, 0.5, folder) for folder in (None, str(tmp_path / "spill")))
    drawn = [here[name]["customer_id"].to_pylist() for name in ("train", "validation", "test")]
    assert drawn[0] == drawn[1] == drawn[2]
    assert 150 < len(drawn[0]) < 250
    assert all(there[name].equals(here[name]) for name in here)


def test_the_tier_of_the_disk_holds_what_is_kept_of_each_row_and_not_all_bins():
    model = ModelSpec("lifetime_xgboost", spill_folder="spill")
    tier = tier_for(DISK, model, 2_000_000, 50)
    found = estimate_fit(PythonEngine().learner(model), model, 2_000_000, 50, tier)
    assert found.fits
    assert found.page_rows > 0


def training(size, way, mae, model="a"):
    one = {"mae": mae, "rmse": 80.0, "normalised_gini": 0.75, "log_loss": 0.34, "difference": mae - 32.0, "error": 0.01}
    return {
        "size": size,
        "way": way,
        "measures": {"test": one, "validation": one},
        "rows": {"train": 1_000, "validation": 300, "test": 400, "refit": 0},
        "rounds": {"buys": 40, "amount": 160},
        "features": 50,
        "memory_gb": 1.5,
        "model": model,
        "costs": {"cpu_seconds": 10.0, "seconds": 8.0, "peak_memory_gb": 0.5},
    }


def test_the_page_says_what_each_sample_costs_and_whether_pages_change_the_model(tmp_path):
    trainings = [training(50_000, MEMORY, 32.64), training(ALL, MEMORY, 32.0), training(ALL, DISK, 32.0)]
    page = page_of(trainings, 500_000, "python -m benchmarks.learning_curve")
    assert "| 50,000 | 1,000 | 32.640 | 1.0200 | +0.6400 | 0.0100 |" in page
    assert "| `all` | 1,000 | 32.000 | 1.0000 | +0.0000 |" in page
    assert "| `all` | disk | 1,700 | 40, 160 | 10 | 8 | 0.50 |" in page
    assert "its model is the same to the byte" in page
    assert "its model is another one" in page_of([*trainings[:2], training(ALL, DISK, 32.0, "b")], 500_000, "")
    write_results("learning_curve", page, rows_of(trainings), tmp_path)
    rows = json.loads((tmp_path / "results" / "learning_curve.json").read_text())
    assert {"case": "50,000 rows, test", "metric": "mae", "ours": 32.64, "rival": 32.0, "ratio": 1.02} in rows
    assert {"case": "all rows, disk", "metric": "peak_memory_gb", "ours": 0.5, "rival": 0.5, "ratio": 1.0} in rows
