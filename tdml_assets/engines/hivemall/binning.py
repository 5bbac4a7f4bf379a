"""build_bins and feature_binning, chi2 and snr: functions that cut values into bins and weigh features.

Elsewhere: other feature functions (``ftvec``).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import number_text, parse_float
from tdml_assets.engines.hivemall.registry import (
    INT,
    NUMBERS,
    TEXTS,
    Types,
    aggregate,
    null_pointer,
    scalar,
)

_LEAST_EDGES = 3
#: Sums that differ by less count as equal.
_EQUAL_SUMS = 1e-5


def build_bins(values: Sequence[float | None], counts: Sequence[int], *shrink: Sequence[bool]) -> list[float] | None:
    """Edges of bins with about equally many values, from -Infinity to Infinity.

    Quantiles are interpolated between distinct values. Equal quantiles are refused unless the third argument allows fewer bins.
    """
    if not counts:
        return None
    number, fewer = counts[0], bool(shrink and shrink[0][0])
    if number < 2:
        raise HivemallError(f"Only greater than or equal to 2 is accepted but {number} was passed as `num_of_bins`.")
    known = np.array([value for value in values if value is not None], np.float64)
    if not known.size:
        return None
    distinct, sizes = np.unique(known, return_counts=True)
    reached = np.cumsum(sizes)
    edges = [-math.inf]
    for place in range(1, number):
        wanted = place / number * known.size
        found = int(np.searchsorted(reached, wanted, side="left"))
        edge = float(distinct[found])
        if found > 0:
            share = (wanted - float(reached[found - 1])) / float(sizes[found])
            below, above = float(distinct[found - 1]), float(distinct[found])
            edge = below + share * (above - below)
        if edges[-1] == edge:
            if not fewer:
                raise HivemallError(
                    "Quantiles were repeated even though `auto_shrink` is false. Reduce `num_of_bins` or enable `auto_shrink`."
                )
            continue
        edges.append(edge)
    return [*edges, math.inf]


def feature_binning(value: Any, edges: Any) -> Any:
    """The bin of a number, or of each ``name:value`` whose name has edges; an edge belongs to the bin below it."""
    if edges is None:
        raise HivemallError("The second argument (i.e., quantiles) MUST be non-null value")
    if isinstance(value, list):
        if None in value:
            raise null_pointer("an item of the features")
        known = dict(edges)
        result = []
        for item in value:
            name, colon, text = item.partition(":")
            inside = colon and name in known
            result.append(f"{name}:{_bin(parse_float(text), known[name])}" if inside else item)
        return result
    return _bin(parse_float(value) if isinstance(value, str) else float(value), edges)


def _bin(value: float, edges: Sequence[float]) -> int:
    """The number of edges below the value, less one; -1 below all of them, unless it equals the first."""
    if edges is None or None in edges:
        raise null_pointer("an edge of feature_binning")
    if not all(isinstance(edge, int | float) for edge in edges):
        raise HivemallError("feature_binning takes edges that are numbers.")
    if len(edges) < _LEAST_EDGES:
        raise HivemallError(f"Length of `quantiles` should be greater than or equal to three but {len(edges)}.")
    if math.isnan(value):
        return len(edges) - 1
    below = bisect_left(edges, value)
    return max(below - 1, 0) if below < len(edges) and edges[below] == value else below - 1


def _binning_type(types: Types) -> pa.DataType:
    return TEXTS if pa.types.is_list(types[0]) else INT


def chi2(observed: Any, expected: Any) -> dict[str, list[float]] | None:
    """Chi-squared and its p-value per feature, from (classes, features) matrices.

    Expected numbers whose sum is another than that of the observed ones are scaled to it.
    """
    from scipy.special import gammainc

    if observed is None or expected is None:
        return None
    if len(observed) != len(expected):
        raise HivemallError(f"chi2 takes as many observed as expected rows: {len(observed)} and {len(expected)}")
    if len(observed) < 2:
        raise HivemallError(f"{len(observed)} != 2: chi2 takes at least two rows.")
    left, right = np.array(observed, np.float64), np.array(expected, np.float64)
    if (right <= 0).any():
        raise HivemallError(f"{number_text(float(right[right <= 0][0]))} is smaller than, or equal to, the minimum (0)")
    if (left < 0).any():
        raise HivemallError(f"{number_text(float(left[left < 0][0]))} is smaller than the minimum (0)")
    ratio = left.sum(axis=0) / right.sum(axis=0)
    right = right * np.where(abs(left.sum(axis=0) - right.sum(axis=0)) > _EQUAL_SUMS, ratio, 1.0)
    statistic = ((left - right) ** 2 / right).sum(axis=0)
    return {"chi2": statistic.tolist(), "pvalue": (1.0 - gammainc((len(left) - 1) / 2, statistic / 2)).tolist()}


def snr(vectors: Sequence[Any], classes: Sequence[Any]) -> list[float]:
    """Signal to noise per feature: distances of the means of each two classes over the sum of their standard deviations.

    Two classes of one row each are not compared, and what is no number does not count.
    """
    if None in vectors or None in classes or not vectors:
        raise null_pointer("a row of snr")
    for name, rows in (("features", vectors), ("labels", classes)):
        if len({len(row) for row in rows}) > 1 or any(None in row for row in rows):
            raise HivemallError(f"snr takes rows of equally many {name}, none of them null.")
    values, labels = np.array(vectors, np.float64), np.array([_hot(row) for row in classes])
    groups = [values[labels == place] for place in range(len(classes[0]))]
    total = np.zeros(values.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        for place, one in enumerate(groups):
            for other in groups[:place]:
                if len(one) and len(other) and len(one) + len(other) > 2:
                    shift = np.abs(one.mean(axis=0) - other.mean(axis=0)) / (one.std(axis=0) + other.std(axis=0))
                    total += np.where(np.isnan(shift), 0.0, shift)
    return [float(value) for value in total]


def _hot(labels: Sequence[Any]) -> int:
    """The place of the one 1 among zeros."""
    strange = [label for label in labels if label not in (0, 1)]
    if strange:
        raise HivemallError(f"Assumed one-hot encoding (0/1) but found an invalid label: {strange[0]}")
    if sum(labels) > 1:
        raise HivemallError("Specify one-hot vectorized array. Multiple hot elements found.")
    if sum(labels) == 0:
        raise HivemallError("Specify one-hot vectorized array for label. Hot element not found.")
    return list(labels).index(1)


_PAIR = pa.struct([("chi2", NUMBERS), ("pvalue", NUMBERS)])
FUNCTIONS = {
    "build_bins": aggregate(build_bins, NUMBERS, (2, 3)),
    "feature_binning": scalar(feature_binning, _binning_type, (2, 2), strict=True),
    "chi2": scalar(chi2, _PAIR, (2, 2)),
    "snr": aggregate(snr, NUMBERS, (2, 2)),
}
