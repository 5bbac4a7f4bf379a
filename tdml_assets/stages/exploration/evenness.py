"""Whether a split of rows could be a random one: a test by splitting the same rows again and again.

Belongs here: the statistics of a split and their distribution over random splits, on arrays.
Does not: reading the rows, words about the result (``analyses.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RESPLITS = 200
"""Random splits that a split is compared with: enough for :data:`FAMILY_WISE_RATE`, whose inverse is the least."""
FAMILY_WISE_RATE = 0.01
"""Chance that a fair split passes a limit in any column."""


@dataclass(frozen=True)
class Evenness:
    """What :func:`resplit` found. NaN where a statistic is not defined.

    ``observed``: (3, columns), distances of the two sides: of the coefficients of variation, in percentage points; of the means
    of log(1 + x) and of the means of log x over what is not zero, both in pooled standard deviations. ``limits``: (3, columns),
    what a fair split passes anywhere with the family-wise rate at most. ``p_value``: share of splits, the observed one
    included, at least as uneven in their most uneven statistic; NaN if none is defined.
    """

    observed: Floats
    limits: Floats
    p_value: float

    @property
    def differs(self) -> npt.NDArray[np.bool_]:
        """(columns,), whether a column passes any of its limits."""
        with np.errstate(invalid="ignore"):
            # Equal sums in another order differ in the last digits.
            return np.asarray((self.observed > self.limits * (1 + 1e-9)).any(axis=0))


def resplit(values: Floats, is_test: npt.NDArray[np.bool_], *, seed: int = 0) -> Evenness:
    """Compare a split with random splits of the same rows into the same sizes.

    Every statistic is divided by the 95 % point of its own distribution over the splits, the observed one among them,
    and the largest of a split counts (Westfall & Young, Resampling-Based Multiple Testing, 1993). So the rate holds
    exactly for any number of columns, dependent or not, of any distribution, as long as the rows are independent.

    ``values``: (rows, columns), NaN where missing. ``is_test``: (rows,), True for the rows of the test split.
    """
    rng = np.random.default_rng(seed)
    # Row 0 is the split as it is.
    sides = np.zeros((RESPLITS + 1, len(is_test)))
    sides[0] = is_test
    for side in sides[1:]:
        side[rng.permutation(len(is_test))[: int(is_test.sum())]] = 1.0
    columns = values.shape[1]
    found = np.stack([_unevenness(values[:, index], sides) for index in range(columns)], axis=2)
    found = found.reshape(RESPLITS + 1, 3 * columns)
    # What some split leaves undefined (a handful of non-zero rows, all on one side) has no distribution to judge by.
    usable = np.isfinite(found).all(axis=0)
    unit = np.full(3 * columns, np.nan)
    unit[usable] = np.quantile(found[:, usable], 0.95, axis=0)
    unit[unit <= 1e-9] = np.nan
    judged = np.isfinite(unit)
    observed = np.where(np.isfinite(found[0]), found[0], np.nan).reshape(3, columns)
    if not judged.any():
        return Evenness(observed, np.full((3, columns), np.nan), math.nan)
    largest = (found[:, judged] / unit[judged]).max(axis=1)
    # The largest value that is not among those that the rate allows to pass.
    limits = np.sort(largest)[::-1][int(FAMILY_WISE_RATE * (RESPLITS + 1))] * unit
    p_value = float((largest >= largest[0] * (1 - 1e-9)).mean())
    return Evenness(observed, limits.reshape(3, columns), p_value)


def _unevenness(column: Floats, sides: Floats) -> Floats:
    """Compute (splits, 3): the distances for one column, per row of ``sides`` (1 where a row is on the test side)."""
    filled = np.isfinite(column)
    if not filled.any():
        return np.full((len(sides), 3), np.nan)
    # In units of the largest value and around the mean: squares neither overflow nor cancel.
    largest = float(np.abs(column[filled]).max()) or 1.0
    relative = np.where(filled, column / largest, 0.0)
    centre = float(relative[filled].mean())
    offsets = np.where(filled, relative - centre, 0.0)
    sizes = np.abs(np.where(filled, column, 0.0))
    other_than_zero = sizes > 0
    signed = np.sign(np.where(filled, column, 0.0)) * np.log1p(sizes)
    logs = np.log(sizes, out=np.zeros_like(sizes), where=other_than_zero)
    spread = _spread(logs[other_than_zero])
    parts = np.column_stack([filled, offsets, offsets**2, signed, other_than_zero, logs])
    test = sides @ parts
    train = parts.sum(axis=0) - test
    with np.errstate(divide="ignore", invalid="ignore"):
        variation = np.abs(_variation(train, centre) - _variation(test, centre))
        shift = np.abs(train[:, 3] / train[:, 0] - test[:, 3] / test[:, 0]) / _spread(signed[filled])
        scale = np.abs(train[:, 5] / train[:, 4] - test[:, 5] / test[:, 4]) / spread
    return np.column_stack([variation, shift, scale])


def _spread(values: Floats) -> float:
    # Equal values may differ from their own mean in the last digit.
    return float(values.std()) if values.size and np.ptp(values) > 0 else math.nan


def _variation(side: Floats, centre: float) -> Floats:
    offset = side[:, 1] / side[:, 0]
    variance = np.maximum(side[:, 2] / side[:, 0] - offset**2, 0.0)
    mean = np.abs(centre + offset)
    # A mean that is rounding noise next to the largest value has no coefficient of variation.
    return np.asarray(100 * np.sqrt(variance) / np.where(mean > 1e-12, mean, np.nan))
