"""Rows for XGBoost: from Arrow batches of a source to a quantile matrix, in memory or on the disk, without a copy of the table.

Elsewhere: parameters and training (``boosted.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost as xgb
from numpy.typing import NDArray

from tdml_assets.engines.protocol import FeatureSource, ModelSpec, split_batch
from tdml_assets.engines.row_samples import rows_of_bins, spread
from tdml_assets.platform.refusals import RefusedError

# Measured with xgboost 3.2 on QuantileDMatrix: 2 bytes per cell without missing values (bin index by row and by
# column), 5.5 with them (four-byte index and row pointers). Missing values are the rule: the latter, rounded up.
_BYTES_PER_CELL = 6
# Label, prediction, gradient pair, node of the row, row index; for train and validation alike.
_BYTES_PER_ROW = 64

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StageRows:
    """What one stage of a spend model learns from.

    ``buyers_only``: learn the amount from rows with a positive target; else, from all rows, whether it is positive. ``scale``:
    the amount is given in this unit. ``where``: what the rows are, for messages. ``min_rows``, ``min_buyers``: fewer rows, or
    rows with a positive target, are refused.
    """

    buyers_only: bool
    scale: float
    where: str
    min_rows: int
    min_buyers: int

    def of(self, features: Matrix, target: Floats) -> tuple[Matrix, Floats]:
        """Features and labels of the rows that the stage learns from."""
        bought = target > 0
        if self.buyers_only:
            return features[bought], target[bought] / self.scale
        return features, bought.astype(np.float64)


@dataclass
class TargetFacts:
    """What one pass over a source learns about its target."""

    rows: int = 0
    buyers: int = 0
    total: float = 0.0

    def add(self, target: Floats, where: str) -> None:
        """Count a batch. Raises ``ValueError`` if targets are missing, infinite or negative; with how many."""
        bad = int(target.size - np.isfinite(target).sum())
        if bad:
            raise ValueError(f"{where}: {bad} of {target.size} targets of a batch are NULL, NaN or infinite: drop them")
        negative = int((target < 0).sum())
        if negative:
            raise ValueError(f"{where}: {negative} targets of a batch are negative: floor net spend at 0")
        self.rows += target.size
        self.buyers += int((target > 0).sum())
        self.total += float(target.sum())

    def require(self, rows: StageRows) -> None:
        """Refuse what is too little to learn from. Raises ``ValueError`` with the counts and the remedy."""
        counts = f"{rows.where}: {self.rows} rows, {self.buyers} of them with a positive target"
        if self.rows < rows.min_rows:
            raise RefusedError(f"{counts}; {rows.min_rows} rows are needed", "take more snapshots or more customers")
        if self.buyers < rows.min_buyers:
            raise RefusedError(
                f"{counts}; {rows.min_buyers} such rows are needed", "lengthen the horizon or add snapshots"
            )
        if self.buyers == self.rows:
            raise RefusedError(f"{counts}; nobody is left who did not buy", "shorten the horizon")


@dataclass(frozen=True)
class Pages:
    """Rows on the disk. ``folder``: of the file, which XGBoost removes with its matrix. ``rows``: of a page."""

    folder: str
    rows: int


def pages_of(spec: ModelSpec) -> Pages | None:
    """The pages that the engine decided on; None for rows in memory."""
    return Pages(spec.spill_folder, spec.page_rows) if spec.page_rows else None


def quantile_matrix(
    source: FeatureSource, rows: StageRows, *, max_bin: int, threads: int, pages: Pages | None = None
) -> tuple[xgb.DMatrix, TargetFacts]:
    """Build the matrix of one stage, and tell what its source holds.

    Raises ``ValueError`` if the source cannot be learnt from. ``pages``: on the disk; in memory unless given.
    """
    bins, looked_at = None, rows_of_bins(source.row_count)
    if looked_at < source.row_count:
        bins, _ = _pulled(spread(source, looked_at), replace(rows, min_rows=1, min_buyers=1), max_bin, threads)
    return _pulled(source, rows, max_bin, threads, bins, pages)


def _pulled(
    source: FeatureSource,
    rows: StageRows,
    max_bin: int,
    threads: int,
    bins: xgb.DMatrix | None = None,
    pages: Pages | None = None,
) -> tuple[xgb.DMatrix, TargetFacts]:
    reader = _Reader(source, rows, pages)
    kind = xgb.QuantileDMatrix if pages is None else xgb.ExtMemQuantileDMatrix
    try:
        matrix = kind(reader, ref=bins, max_bin=max_bin, nthread=threads)
    finally:
        reader.close()
    return matrix, reader.facts


def held_matrix(source: FeatureSource, rows: StageRows, *, threads: int) -> xgb.DMatrix:
    """Build the matrix of one stage's held rows, which are predicted after every round.

    Not a quantile matrix: trees read values out of its bins at five times the cost, and say the same of them. Raises ``ValueError``
    if the source cannot be learnt from.
    """
    facts = TargetFacts()

    def read() -> Iterator[tuple[Matrix, Floats]]:
        for batch in source.batches():
            features, target = split_batch(batch, source, rows.where)
            facts.add(target, rows.where)
            yield rows.of(features, target)
        facts.require(rows)

    features, label = (np.concatenate(columns) for columns in zip(*read(), strict=True))
    return xgb.DMatrix(features, label=label, nthread=threads)


def evenly_spaced(source: FeatureSource, rows: int) -> Matrix:
    """Take the features of at most ``rows`` evenly spaced rows. Raises ``ValueError`` if the source is empty."""
    step = max(1, -(-source.row_count // rows))
    parts, first = [], 0
    for batch in source.batches():
        features, _ = split_batch(batch, source, "rows to explain")
        parts.append(features[first::step])
        first = (first - len(features)) % step
    if not parts:
        raise ValueError("rows to explain: the source is empty")
    return np.concatenate(parts)[:rows]


def bytes_of_matrix(rows: int, features: int) -> int:
    """Memory that training on ``rows`` x ``features`` takes, in bytes."""
    return rows * features * _BYTES_PER_CELL + rows * _BYTES_PER_ROW


def booster_name(feature: str) -> str:
    """Encode what XGBoost refuses in names: brackets and <, which one-hot columns of free text may hold. Reversible."""
    for character in "%[]<":
        feature = feature.replace(character, f"%{ord(character):02X}")
    return feature


class _Reader(xgb.DataIter):
    """What XGBoost pulls batches from, about five times over; in pages where they go to the disk."""

    def __init__(self, source: FeatureSource, rows: StageRows, pages: Pages | None = None) -> None:
        super().__init__(cache_prefix=None if pages is None else str(Path(pages.folder) / "rows"))
        self.facts = TargetFacts()
        self._source, self._rows = source, rows
        self._page_rows = None if pages is None else pages.rows
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._parts: Iterator[tuple[Matrix, Floats]] = iter(())
        self._examined = False

    def reset(self) -> None:
        self.close()
        self._batches = self._source.batches()
        self._parts = self._read() if self._page_rows is None else self._paged(self._page_rows)

    def next(self, input_data: Any) -> bool:
        for features, label in self._parts:
            input_data(data=features, label=label)
            return True
        return False

    def _read(self) -> Iterator[tuple[Matrix, Floats]]:
        for batch in self._batches:
            features, target = split_batch(batch, self._source, self._rows.where)
            if not self._examined:
                self.facts.add(target, self._rows.where)
            features, label = self._rows.of(features, target)
            if len(label):
                yield features, label
        if not self._examined:
            self.facts.require(self._rows)
        self._examined = True

    def _paged(self, rows: int) -> Iterator[tuple[Matrix, Floats]]:
        """The same rows, so many at a time. XGBoost has read a page before it asks for the next, so that all share their memory."""
        page, labels = np.empty((rows, len(self._source.features)), dtype=np.float32), np.empty(rows)
        filled = 0
        for features, label in self._read():
            first = 0
            while first < len(label):
                end = min(len(label), first + rows - filled)
                into = slice(filled, filled + end - first)
                page[into], labels[into] = features[first:end], label[first:end]
                filled, first = into.stop, end
                if filled == rows:
                    yield page, labels
                    filled = 0
        if filled:
            yield page[:filled], labels[:filled]

    def close(self) -> None:
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()
