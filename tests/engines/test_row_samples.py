"""Samples of many rows: as many as asked for, over all of them, the same whatever the batches."""

import numpy as np
import pyarrow as pa
import pytest

from tdml_assets.engines.protocol import table_source
from tdml_assets.engines.row_samples import spread, spread_rows


def table(rows):
    return pa.table({"place": pa.array(np.arange(rows), pa.float32()), "target": pa.array(np.zeros(rows))})


def places(source):
    return [place for batch in source.batches() for place in batch["place"].to_pylist()]


@pytest.mark.parametrize(("rows", "most"), [(10, 10), (10, 11), (1, 5)])
def test_rows_that_are_not_many_are_taken_as_they_are(rows, most):
    source, whole = table_source(table(rows), "target"), table(rows)
    assert spread(source, most) is source
    assert spread_rows(whole, most) is whole


@pytest.mark.parametrize(("rows", "most"), [(11, 10), (1_000, 7), (100_001, 1_000), (5, 1), (1_000, 999)])
@pytest.mark.parametrize("batch_rows", [1, 97, 65_536])
def test_of_many_rows_as_many_as_asked_for_are_spread_over_all(rows, most, batch_rows):
    if batch_rows == 1 and rows > 1_000:
        batch_rows = 13
    source = spread(table_source(table(rows), "target", batch_rows), most)
    found = places(source)
    assert source.row_count == len(found) == most
    assert found == sorted(set(found))
    assert found[0] == 0
    assert max(np.diff([*found, rows])) <= -(-rows // most)
    assert places(source) == found
    assert spread_rows(table(rows), most)["place"].to_pylist() == found
