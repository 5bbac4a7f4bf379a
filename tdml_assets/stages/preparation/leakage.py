"""Columns that tell the target too well to be honest.

Elsewhere: constant and empty columns (``parameters.py``), reading the training table, what happens to a column found.

A feature that holds some of the future ranks the target almost perfectly; the past does not. On real purchase logs the
best single column reaches an AUC of about .7, so a limit of .98 leaves room for strong features and for small samples. Each
column is judged alone and by rank: a leak spread over several columns, or one that is not monotone, is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from tdml_assets.platform.metrics import average_ranks

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
LIMIT = 0.98
#: Rows looked at; the error of an AUC near 1 on as many is about .001.
MAX_ROWS = 20_000
#: Rows of each class, or with a value, below which a high figure may be chance.
MIN_ROWS = 20


@dataclass(frozen=True)
class _Ranking:
    """How well a column ranks a target: ``strength`` from 0 to 1, and the same in words."""

    strength: float
    words: str


_NOTHING = _Ranking(0.0, "")


@dataclass(frozen=True)
class _Goal:
    """A target, ranked once for all columns.

    ``positive``: whether each row's target is above 0. ``ranks``: average ranks of all rows, their mean subtracted.
    ``ranks_among``: the same of the positive rows alone.
    """

    values: Floats
    positive: NDArray[np.bool_]
    ranks: Floats
    ranks_among: Floats

    @classmethod
    def of(cls, values: Floats) -> _Goal:
        positive = values > 0
        among = _centred(average_ranks(values[positive])) if positive.any() else np.empty(0)
        return cls(values, positive, _centred(average_ranks(values)), among)


def _strength(ranking: _Ranking) -> float:
    return ranking.strength


def find_leaks(
    columns: pa.Table, target: ArrayLike, *, limit: float = LIMIT, max_rows: int = MAX_ROWS, min_rows: int = MIN_ROWS
) -> dict[str, str]:
    """Find the columns that rank the target better than ``limit``.

    Three rankings are looked at, each up or down: of target > 0 against the rest (ROC AUC), of the target over all rows,
    and of the target among rows where it is positive (absolute Spearman correlations); ties are averaged. A missing value
    is placed below and above all others, and whichever ranks better counts: that a value is missing may be the leak. A
    text column is ranked by the mean target of its levels, measured on the other half of the rows, so that a column with a
    level per row is not mistaken for a leak.

    Returns the reason per column found, in the order of the columns: ``ranks the target with AUC 0.998``. Raises ``ValueError`` if
    rows or targets are of different number, a target is not finite, or the limit is out of bounds. ``columns``: raw features of
    training rows: numbers, truth values or text. Others are not judged. ``target``: of the same rows; all finite. ``limit``:
    above .5, at most 1; 1 finds nothing. A Spearman correlation is compared with it as an AUC is. ``max_rows``: more rows are
    thinned out evenly; rows in the same order give the same answer. ``min_rows``: a ranking needs as many rows on either side
    of 0, or with a positive target.
    """
    goal = np.asarray(target, dtype=np.float64)
    if len(goal) != columns.num_rows:
        raise ValueError(f"{len(goal)} targets for {columns.num_rows} rows: give one target per row")
    if not np.isfinite(goal).all():
        raise ValueError(
            f"{int((~np.isfinite(goal)).sum())} of {len(goal)} targets are missing or infinite: drop the rows"
        )
    if not 0.5 < limit <= 1:
        raise ValueError(f"limit is {limit}: it must be above 0.5 and at most 1")
    kept = np.arange(0, len(goal), max(1, -(-len(goal) // max_rows)))
    found: dict[str, str] = {}
    ranked = _Goal.of(goal[kept])
    for name in columns.column_names:
        best = _best(columns.column(name).take(pa.array(kept)), ranked, min_rows)
        # Rounding may carry a correlation past 1, and a limit of 1 finds nothing.
        if min(best.strength, 1.0) > limit:
            found[name] = best.words
    return found


def _best(column: pa.ChunkedArray, goal: _Goal, min_rows: int) -> _Ranking:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        encodings = (goal.positive, goal.values)
        return max((_of_levels(column, one, goal, min_rows) for one in encodings), key=_strength)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return _NOTHING
    numbers = column.cast(pa.float64()).to_numpy()
    present = np.isfinite(numbers)
    # Places among the distinct values, so that there is one below and above all others whatever the values are.
    places = np.zeros(len(numbers), dtype=np.int64)
    places[present] = np.unique(numbers[present], return_inverse=True)[1] + 1
    below = _ranking(places, goal, min_rows)
    if present.all():
        return below
    above = _ranking(np.where(present, places, places.max(initial=0) + 1), goal, min_rows)
    return max(below, above, key=_strength)


def _of_levels(column: pa.ChunkedArray, encoding: ArrayLike, goal: _Goal, min_rows: int) -> _Ranking:
    """Rank each half of the rows by what its levels mean in the other half; the weaker of the two counts.

    The halves are never ranked together: their overall means differ by chance, the higher on the side of the lower.
    """
    import pyarrow.compute as pc

    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    level = encoded.indices.to_numpy(zero_copy_only=False)
    size, values = len(encoded.dictionary), np.asarray(encoding, dtype=np.float64)
    # Knuth's multiplicative hash of the row's number: halves that no order of the rows agrees with.
    half = (np.arange(len(level), dtype=np.uint64) * np.uint64(2654435761) >> np.uint64(16)) % np.uint64(2) == 0
    found = []
    for mine, other in ((half, ~half), (~half, half)):
        counts = np.bincount(level[other], minlength=size)
        sums = np.bincount(level[other], weights=values[other], minlength=size)
        overall = values[other].mean() if other.any() else 0.0
        means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
        places = np.unique(means[level[mine]], return_inverse=True)[1].astype(np.int64)
        found.append(_ranking(places, _Goal.of(goal.values[mine]), min_rows))
    return min(found, key=_strength)


def _ranking(places: Places, goal: _Goal, min_rows: int) -> _Ranking:
    """The best of the three rankings of a column, given by the place of each row's value among the distinct ones."""
    events, rows = int(goal.positive.sum()), len(places)
    ranks = _ranks(places)
    rankings = [_NOTHING]
    if min(events, rows - events) >= min_rows:
        area = (float(ranks[goal.positive].sum()) - events * (events + 1) / 2.0) / (events * (rows - events))
        area = max(area, 1.0 - area)
        rankings.append(_Ranking(area, f"ranks the target with AUC {_shown(area)}"))
    if rows >= min_rows:
        everywhere = _correlation(_centred(ranks), goal.ranks)
        rankings.append(_Ranking(everywhere, f"ranks the target with a Spearman correlation of {_shown(everywhere)}"))
    if min_rows <= events < rows:
        among = _correlation(_centred(_ranks(places[goal.positive])), goal.ranks_among)
        rankings.append(_Ranking(among, f"ranks the targets above 0 with a Spearman correlation of {_shown(among)}"))
    return max(rankings, key=_strength)


def _ranks(places: Places) -> Floats:
    """Ranks from 1, ties averaged. The values are in order already, so that nothing is sorted."""
    size = np.bincount(places)
    mean_rank: Floats = np.cumsum(size) - (size - 1) / 2.0
    return mean_rank[places]


def _centred(ranks: Floats) -> Floats:
    return ranks - (len(ranks) + 1) / 2.0


def _correlation(one: Floats, other: Floats) -> float:
    """Absolute correlation of centred ranks; 0 where either does not vary."""
    # By einsum: a dot product of BLAS waits for threads, which on a busy machine takes longer than the product.
    below = float(np.sqrt(np.einsum("i,i", one, one) * np.einsum("i,i", other, other)))
    return abs(float(np.einsum("i,i", one, other))) / below if below else 0.0


def _shown(figure: float) -> str:
    # Never rounded up to a perfect 1.
    return f"{np.floor(figure * 1000) / 1000:.3f}"
