"""Train against test of a training table: whether they differ by more than chance and, where the test is later, than time.

The comparison is with random splits: the same rows are split again and again. Elsewhere: the other analyses (``analyses.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tdml_assets.platform import statistics
from tdml_assets.platform.per_task import Done, StageOfTask
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Warehouse

DECK_LIMIT_POINTS = 3.0
"""Largest difference of the coefficients of variation by the common rule of thumb, in percentage points."""

_MIN_SPLIT_ROWS = 30
#: A geometric mean that many times as large, or as small, is a change of unit and not of season.
_UNIT_RATIO = 8.0
_NAMED = 5


@dataclass(frozen=True)
class SplitComparison:
    """One column of train against test.

    ``cv_train``, ``cv_test``: coefficient of variation, 100 sd / |mean|, over the whole table.
    ``difference``: their distance, in percentage points.
    ``within_deck_limit``: whether it is below :data:`DECK_LIMIT_POINTS`. Information: fair splits of money fail it nearly
      always.
    ``sampled_difference``, ``difference_limit``: the distance over the checked rows, and what no fair split would pass.
    ``shift``, ``shift_limit``: distance of the means of log(1 + x), in pooled standard deviations, and what no fair split would
      pass.
    ``scale``, ``scale_limit``: the same of log x over what is not zero. Sees what a coefficient of variation cannot: the unit.
    ``scale_ratio``: geometric mean of the absolute values that are not 0, test to train, over the checked rows.
    ``status``: ``ok``, ``differs`` (a limit is passed), ``one_side`` (values on one side alone), ``constant``, ``all_null``,
      ``no_cv`` (mean 0, or too few values that are not 0: judged by the others alone) or ``too_few``.
    """

    column_name: str
    cv_train: float | None
    cv_test: float | None
    difference: float | None
    within_deck_limit: bool | None
    sampled_difference: float | None
    difference_limit: float | None
    shift: float | None
    shift_limit: float | None
    scale: float | None
    scale_limit: float | None
    scale_ratio: float | None
    status: Literal["ok", "differs", "one_side", "constant", "all_null", "no_cv", "too_few"]


@dataclass(frozen=True)
class SplitCheck:
    """Whether train and test could be a random split of the same rows, or of rows of different days.

    ``rows_train``, ``rows_test``: checked rows, one per customer. ``p_value``: share of splits (this one included) at least as
    uneven as this one; None if there was nothing to compare. ``is_later``: whether every test row is
    of a later day than every training row. Season and age then make columns differ.
    """

    columns: tuple[SplitComparison, ...]
    rows_train: int
    rows_test: int
    p_value: float | None
    is_later: bool
    sentence: str

    @property
    def differing(self) -> tuple[str, ...]:
        """Columns that passed a limit."""
        return tuple(column.column_name for column in self.columns if column.status in ("differs", "one_side"))

    @property
    def unexplained(self) -> tuple[str, ...]:
        """Columns whose difference neither chance nor, where the test is of a later day, time explains."""
        return _unexplained(self.columns, is_later=self.is_later)

    def rows(self) -> list[dict[str, Any]]:
        """Return the comparisons as rows of a table."""
        return [asdict(column) for column in self.columns]


@dataclass(frozen=True, kw_only=True)
class Exploration(StageOfTask):
    """How a task looks at its training table.

    ``explore`` writes, given the values of the session's key; ``checks_split``: whether it compares train with test.
    """

    explore: Callable[[Warehouse, Mapping[str, str]], tuple[Done, SplitCheck | None]]
    checks_split: bool = False


def variation(moments: statistics.Moments) -> float | None:
    """Coefficient of variation in percent, 100 sd / |mean|; None without values or for a mean of 0."""
    if moments.mean is None or moments.sd is None or moments.mean == 0:
        return None
    return statistics.significant(100 * moments.sd / abs(moments.mean))


def split_check(
    reader: statistics.Reader,
    table: Sequence[str],
    columns: Sequence[str],
    *,
    rows: int = 20_000,
    seed: int = 0,
) -> SplitCheck:
    """Compare the training and the test rows of a training table.

    The coefficients of variation are those of the whole table. Whether a difference is more than chance is tested on at
    most ``rows`` customers, one row each (rows of one customer at several snapshots are not independent). Where the
    test rows are of a later day, columns differ by season and age; then only a change of unit, or values on one side alone,
    is left unexplained. ``columns``: numeric columns, the target among them; text columns are refused.
    """
    _, texts = statistics.split_by_kind(reader.columns(table), columns, table)
    if texts:
        raise ValueError(
            f"{'.'.join(table)}: text columns {list(texts)} have no coefficient of variation: leave them out"
        )
    by_split = {
        row["split"]: statistics.unpack_moments(row, columns)
        for row in reader.rows(render("exploration/moments_by_split", table=list(table), columns=columns))
    }
    sample = reader.arrow(render("exploration/split_sample", table=list(table), columns=columns, rows=int(rows)))
    is_test = np.array([split == "test" for split in sample.column("split").to_pylist()], dtype=bool)
    tested, trained = int(is_test.sum()), int((~is_test).sum())
    found: Evenness | None = None
    ratios: list[float | None] = [None] * len(columns)
    if min(tested, trained) >= _MIN_SPLIT_ROWS and columns:
        values = np.column_stack([sample.column(f"v{index}").to_numpy().astype(float) for index in range(len(columns))])
        found = resplit(values, is_test, seed=seed)
        ratios = [_scale_ratio(values[is_test, index], values[~is_test, index]) for index in range(len(columns))]
    compared = tuple(
        _comparison(
            column,
            by_split.get("train", {}).get(column),
            by_split.get("test", {}).get(column),
            found,
            index,
            ratios[index],
        )
        for index, column in enumerate(columns)
    )
    p_value = None if found is None else statistics.finite(found.p_value)
    days = reader.row(render("exploration/split_days", table=list(table)))
    is_later = bool(days["is_later"])
    sentence = _sentence(compared, trained, tested, days)
    return SplitCheck(compared, trained, tested, p_value, is_later, sentence)


def _scale_ratio(test: Any, train: Any) -> float | None:
    """Ratio of geometric means of the absolute values that are not 0; None where a side has none."""
    sides = [np.abs(side[np.isfinite(side) & (side != 0)]) for side in (test, train)]
    if not all(len(side) for side in sides):
        return None
    logs = [float(np.log(side).mean()) for side in sides]
    return math.exp(max(-700.0, min(700.0, logs[0] - logs[1])))


def _comparison(
    column: str,
    train: statistics.Moments | None,
    test: statistics.Moments | None,
    found: Evenness | None,
    index: int,
    scale_ratio: float | None,
) -> SplitComparison:
    cv_train, cv_test = (None if side is None else variation(side) for side in (train, test))
    difference = None if cv_train is None or cv_test is None else abs(cv_train - cv_test)
    observed: list[float | None] = [None] * 3
    limits: list[float | None] = [None] * 3
    if found is not None:
        observed = [statistics.significant(value) for value in found.observed[:, index]]
        limits = [statistics.significant(value) for value in found.limits[:, index]]
    status: Literal["ok", "differs", "one_side", "constant", "all_null", "no_cv", "too_few"] = "ok"
    if train is None or test is None or found is None:
        status = "too_few"
    elif not train.n and not test.n:
        status = "all_null"
    elif not train.n or not test.n:
        status = "one_side"
    elif train.is_constant and test.is_constant and train.minimum == test.minimum:
        status = "constant"
    elif found.differs[index]:
        status = "differs"
    elif limits[0] is None:
        status = "no_cv"
    return SplitComparison(
        column_name=column,
        cv_train=cv_train,
        cv_test=cv_test,
        difference=difference,
        within_deck_limit=None if difference is None else difference < DECK_LIMIT_POINTS,
        sampled_difference=observed[0],
        difference_limit=limits[0],
        shift=observed[1],
        shift_limit=limits[1],
        scale=observed[2],
        scale_limit=limits[2],
        scale_ratio=statistics.significant(scale_ratio),
        status=status,
    )


def _unexplained(compared: Sequence[SplitComparison], *, is_later: bool) -> tuple[str, ...]:
    found = [column for column in compared if column.status in ("differs", "one_side")]
    if is_later:
        found = [column for column in found if column.status == "one_side" or _is_rescaled(column)]
    return tuple(column.column_name for column in found)


def _is_rescaled(column: SplitComparison) -> bool:
    return column.scale_ratio is not None and not 1 / _UNIT_RATIO < column.scale_ratio < _UNIT_RATIO


def _sentence(compared: Sequence[SplitComparison], trained: int, tested: int, days: Mapping[str, Any]) -> str:
    """What was found, why, and what to do."""
    differing = [column for column in compared if column.status in ("differs", "one_side")]
    if all(column.status == "too_few" for column in compared):
        return (
            f"Too few rows to compare: {trained:,} train, {tested:,} test, at least {_MIN_SPLIT_ROWS} each are needed."
        )
    if not differing:
        return f"Train and test look alike: no difference beyond those of {RESPLITS} random splits of the same rows."
    unexplained = set(_unexplained(compared, is_later=days["is_later"]))
    of = f"of {len(compared)} columns"
    if not days["is_later"]:
        return (
            f"Train and test are other customers of the same days and still differ beyond chance in {len(differing)} {of}: "
            f"{_named(differing)}. Look in raw.orders for duplicated or missing customers before you trust the measures."
        )
    when = f"The test is of {days['test_from']}, later than the training rows (up to {days['train_until']})"
    if not unexplained:
        return f"{when}: {len(differing)} {of} differ, as season and age explain ({_named(differing)}). Nothing to do."
    odd = [column for column in differing if column.column_name in unexplained]
    return (
        f"{when}, but time does not explain the difference in {len(odd)} {of}: {_named(odd)}. Check the unit and the "
        "source of these columns on both days."
    )


def _named(columns: Sequence[SplitComparison]) -> str:
    def words(column: SplitComparison) -> str:
        if column.status == "one_side":
            return f"{column.column_name} (values on one side only)"
        return f"{column.column_name} (x{column.scale_ratio:,.3g})" if _is_rescaled(column) else column.column_name

    more = f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else ""
    return ", ".join(map(words, columns[:_NAMED])) + more


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
