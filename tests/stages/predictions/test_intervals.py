"""Intervals reach the predictions as the model's table says."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.intervals import BOUNDS, Intervals
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.predictions.contracts import scores_contract
from tdml_assets.stages.predictions.scoring import bounds_of
from tdml_assets.stages.training.intervals import interval_files
from tdml_assets.tasks.regression import TASK

SPEC = WorkflowSpec(name="cltv", horizons=[], model={"reasons": 0})
TABLE = Intervals(
    0.5,
    (0.0, 2.0, 50.0),
    {
        "lower_80": (0.0, 0.2, 0.5),
        "upper_80": (0.0, 2.0, 1.5),
        "lower_95": (0.0, 0.0, 0.25),
        "upper_95": (9.0, 4.0, 3.0),
    },
    300,
)


@pytest.mark.parametrize("taken", [TABLE, None])
def test_the_statement_gives_the_bounds_that_python_gives_and_none_without_a_table(tmp_path, taken):
    predicted = np.array([0.0, 0.1, 1.99, 2.0, 49.0, 50.0, 1e6])
    scores = scores_contract(SPEC)
    context = {"scores": scores.path, "session_id": "s", "as_of": date(2026, 6, 30), "reasons": []}
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path), wait_seconds=1)
    with warehouse.write() as database:
        ids = [str(place) for place in range(len(predicted))]
        database.replace(scores, pa.table({"customer_id": ids, "predicted_target": predicted}))
        statement = TASK.publish(SPEC, **context, **bounds_of(taken))
        assert database.replace(TASK.predictions_contract(SPEC), statement) == len(predicted)
        rows = database.rows(Statement("select * from cltv.predictions order by customer_id"))
    expected = None if taken is None else taken.of(predicted)
    for name in BOUNDS:
        found = [row[name] for row in rows]
        if expected is None:
            assert found == [None] * len(predicted)
        else:
            np.testing.assert_allclose(found, expected[name])


def test_a_bundle_holds_the_intervals_of_the_test_rows_of_amounts_alone():
    rng = np.random.default_rng(2)
    predicted = rng.lognormal(2, 1, 400)
    holdout = pa.table(
        {
            "split": ["train"] * 200 + ["test"] * 200,
            "predicted_target": predicted,
            "target": np.concatenate([np.full(200, 1e9), predicted[200:] * rng.lognormal(0, 0.3, 200)]),
        }
    )
    (content,) = interval_files(SPEC, holdout).values()
    taken = Intervals.from_json(content.decode())
    assert taken.rows == 200
    assert max(taken.bounds["upper_95"]) < 10
    assert interval_files(SPEC, holdout.slice(0, 250)) == {}
    assert interval_files(WorkflowSpec(name="churn", task="classification"), holdout) == {}


def test_a_total_that_the_test_missed_widens_nothing_where_today_s_level_is_corrected():
    rng = np.random.default_rng(3)
    predicted = rng.lognormal(2, 1, 400)
    target = predicted * rng.lognormal(0, 0.3, 400)

    def upper(spec: WorkflowSpec, factor: float) -> float:
        holdout = pa.table({"split": ["test"] * 400, "predicted_target": predicted, "target": target * factor})
        (content,) = interval_files(spec, holdout).values()
        return max(Intervals.from_json(content.decode()).bounds["upper_80"])

    uncorrected = WorkflowSpec(name="cltv", level={"correction": "none"})
    assert upper(SPEC, 1.5) == pytest.approx(upper(SPEC, 1.0))
    assert upper(uncorrected, 1.5) == pytest.approx(1.5 * upper(uncorrected, 1.0))
