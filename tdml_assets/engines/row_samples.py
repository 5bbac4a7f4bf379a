"""Samples of many rows, for what many rows say no better.

Up to :data:`MANY_ROWS` rows nothing is a sample. docs/decisions/0066 says what is, and what it was measured to cost.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.engines.protocol import BatchSource, FeatureSource

#: Of more rows than these a sample of as many is taken.
MANY_ROWS = 200_000
# Rows that bins are taken from where there are many: XGBoost sorts every column for their bounds, in one thread.
_ROWS_OF_BINS = 100_000


def spread(source: FeatureSource, most: int = MANY_ROWS) -> FeatureSource:
    """At most ``most`` rows of a source, evenly spread over it and in its order."""
    if source.row_count <= most:
        return source

    def read() -> Iterator[pa.RecordBatch]:
        first = 0
        for batch in source.batches():
            places = _places(source.row_count, most, first, first + batch.num_rows)
            first += batch.num_rows
            if len(places):
                yield batch.take(pa.array(places))

    return BatchSource(source.features, source.target, most, read)


def spread_rows(table: pa.Table, most: int = MANY_ROWS) -> pa.Table:
    """The rows of a table that :func:`spread` takes of a source."""
    if table.num_rows <= most:
        return table
    return table.take(pa.array(_places(table.num_rows, most, 0, table.num_rows)))


def _places(count: int, most: int, first: int, end: int) -> NDArray[np.int64]:
    """Places from ``first`` to before ``end`` of the ``most`` of ``count`` rows that are taken, counted from ``first``."""
    low, high = -(-first * most // count), -(-end * most // count)
    found: NDArray[np.int64] = np.arange(low, high, dtype=np.int64) * count // most - first
    return found


def rows_of_bins(rows: int) -> int:
    """Of how many of ``rows`` rows the bounds of bins are taken."""
    return _ROWS_OF_BINS if rows > MANY_ROWS else rows
