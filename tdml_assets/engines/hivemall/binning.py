"""build_bins and feature_binning, chi2 and snr: functions that cut values into bins and weigh features.

Belongs here: these functions. Does not: other feature functions (``ftvec``).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.features import split_item
from tdml_assets.engines.hivemall.registry import DOUBLE, INT, STRING, Types, aggregate, scalar


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
            edge = float(distinct[found - 1] + share * (distinct[found] - distinct[found - 1]))
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
    if value is None:
        return None
    if isinstance(value, list):
        known = {name: list(bounds) for name, bounds in edges}
        result = []
        for item in value:
            name, colon, _ = item.partition(":")
            inside = colon and name in known
            result.append(f"{name}:{_bin(split_item(item)[1], known[name])}" if inside else item)
        return result
    return _bin(float(value), edges)


def _bin(value: float, edges: Sequence[float]) -> int:
    if math.isnan(value):
        return len(edges) - 1
    return max(0, bisect_left(edges[1:-1], value))


def _binning_type(types: Types) -> pa.DataType:
    return pa.list_(STRING) if pa.types.is_list(types[0]) else INT


def chi2(observed: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """Chi-squared and its p-value per feature, from (classes, features) matrices."""
    from scipy.special import gammaincc

    left, right = np.array(observed, np.float64), np.array(expected, np.float64)
    statistic = ((left - right) ** 2 / right).sum(axis=0)
    return {"chi2": statistic.tolist(), "pvalue": gammaincc((len(left) - 1) / 2, statistic / 2).tolist()}


def snr(vectors: Sequence[Sequence[float]], classes: Sequence[Sequence[int]]) -> list[float] | None:
    """Signal to noise per feature: distances of neighbouring classes' means over the sum of their standard deviations."""
    if not vectors:
        return None
    values, labels = np.array(vectors, np.float64), np.array(classes)
    count = labels.shape[1]
    means = [values[labels[:, place] == 1].mean(axis=0) for place in range(count) if (labels[:, place] == 1).any()]
    spreads = [values[labels[:, place] == 1].std(axis=0) for place in range(count) if (labels[:, place] == 1).any()]
    total = np.zeros(values.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        for one in range(len(means)):
            for other in range(one + 1, len(means)):
                total += np.abs(means[one] - means[other]) / (spreads[one] + spreads[other])
    return [float(value) for value in total]


_PAIR = pa.struct([("chi2", pa.list_(DOUBLE)), ("pvalue", pa.list_(DOUBLE))])
FUNCTIONS = {
    "build_bins": aggregate(build_bins, pa.list_(DOUBLE), (2, 3)),
    "feature_binning": scalar(feature_binning, _binning_type, (2, 2)),
    "chi2": scalar(chi2, _PAIR, (2, 2)),
    "snr": aggregate(snr, pa.list_(DOUBLE), (2, 2)),
}
