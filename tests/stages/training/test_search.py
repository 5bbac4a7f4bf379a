"""A declared grid is tried on days later than those learnt from, and never on the test."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.declaration.workflow import Search
from tdml_assets.engines.protocol import TIER1, ModelSpec
from tdml_assets.engines.python import PythonEngine
from tdml_assets.stages.training.fit import search_parameters

DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=30 * place) for place in range(3)]
MODEL = ModelSpec("sklearn.linear_model.Ridge", {"alpha": 1.0}, 3, horizon_days=30)


def rows(day: datetime.date, seed: int, slope: float) -> pa.Table:
    random = np.random.default_rng(seed)
    x = random.normal(size=120)
    return pa.table(
        {
            "snapshot_date": pa.array([day] * 120, pa.date32()),
            "customer_id": [f"c{number}" for number in range(120)],
            "target": slope * x + random.normal(size=120) / 10,
            "x": x.astype(np.float32),
        }
    )


@pytest.mark.parametrize("days", [DAYS[:1] * 3, DAYS], ids=["one day", "later days"])
def test_the_point_that_errs_least_on_what_was_held_out_is_taken(days: list[datetime.date]) -> None:
    learnt = pa.concat_tables([rows(day, place, 3.0) for place, day in enumerate(days[:2])])
    # A slope that the test alone has would choose the strongest shrinking.
    splits = {"train": learnt, "validation": rows(days[2], 9, 3.0), "test": rows(DAYS[-1], 10, 0.0)}
    search = Search(grid={"alpha": [0.1, 1_000.0]}, folds=2)
    found = search_parameters(PythonEngine(), splits, MODEL, TIER1, search)
    assert found is not None
    assert found.best == {"alpha": 0.1}
    assert search_parameters(PythonEngine(), splits, MODEL, TIER1, Search()) is None
