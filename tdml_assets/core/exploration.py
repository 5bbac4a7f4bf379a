"""Exploration of a training table: the five analyses that come before modelling.

Belongs here: variation of train against test and whether their difference is more than chance, correlation with the
target, the target's histogram, products recommended against products ordered.
Does not: single-table statistics (``statistics.py``), sizes of clusters (``cluster_profile.py``), drift over time
(``drift.py``), figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np

from tdml_assets.core import statistics
from tdml_assets.core.evenness import Evenness, resplit
from tdml_assets.core.statements import render

DECK_LIMIT_POINTS = 3.0
"""Largest difference of the coefficients of variation by the common rule of thumb, in percentage points."""

_MIN_SPLIT_ROWS = 30


@dataclass(frozen=True)
class SplitComparison:
    """One column of train against test.

    Parameters
    ----------
    cv_train, cv_test : coefficient of variation, 100 sd / |mean|, over the whole table.
    difference : their distance, in percentage points.
    within_deck_limit : whether it is below :data:`DECK_LIMIT_POINTS`. Information: fair splits of money fail it nearly
        always.
    sampled_difference, difference_limit : the distance over the checked rows, and what no fair split would pass.
    shift, shift_limit : distance of the means of log(1 + x), in pooled standard deviations, and what no fair split
        would pass.
    scale, scale_limit : the same of log x over what is not zero. Sees what a coefficient of variation cannot: the unit.
    status : ``ok``, ``differs`` (a limit is passed), ``constant``, ``all_null``, ``no_cv`` (mean 0, or too few values
        that are not 0: judged by the others alone) or ``too_few``.
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
    status: Literal["ok", "differs", "constant", "all_null", "no_cv", "too_few"]


@dataclass(frozen=True)
class SplitCheck:
    """Whether train and test could be a random split of the same rows.

    Parameters
    ----------
    rows_train, rows_test : checked rows, one per customer.
    resplits : random splits of the same sizes it was compared with.
    family_wise_rate : chance that a fair split is called different in any column.
    p_value : share of splits (this one included) at least as uneven as this one; None if there was nothing to compare.
    """

    columns: tuple[SplitComparison, ...]
    rows_train: int
    rows_test: int
    resplits: int
    family_wise_rate: float
    p_value: float | None
    sentence: str

    @property
    def differing(self) -> tuple[str, ...]:
        """Columns that passed a limit."""
        return tuple(column.column_name for column in self.columns if column.status == "differs")

    def rows(self) -> list[dict[str, Any]]:
        """Return the comparisons as rows of a table."""
        return [asdict(column) for column in self.columns]


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
    resplits: int = 200,
    family_wise_rate: float = 0.01,
    seed: int = 0,
) -> SplitCheck:
    """Compare the training and the test rows of a training table.

    The coefficients of variation are those of the whole table. Whether a difference is more than chance is tested on at
    most ``rows`` customers, one row each (rows of one customer at several snapshots are not independent). Where the
    test rows lie later in time a difference can be real: it is news about the season, not a fault of the split.

    Parameters
    ----------
    columns : numeric columns, the target among them; text columns are refused.
    resplits, family_wise_rate, seed : as for :func:`resplit`.
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
    found = None
    if min(tested, trained) >= _MIN_SPLIT_ROWS and columns:
        values = np.column_stack([sample.column(f"v{index}").to_numpy().astype(float) for index in range(len(columns))])
        found = resplit(values, is_test, resplits=resplits, family_wise_rate=family_wise_rate, seed=seed)
    compared = tuple(
        _comparison(column, by_split.get("train", {}).get(column), by_split.get("test", {}).get(column), found, index)
        for index, column in enumerate(columns)
    )
    p_value = None if found is None else statistics.finite(found.p_value)
    return SplitCheck(
        compared, trained, tested, resplits, family_wise_rate, p_value, _sentence(compared, trained, tested, resplits)
    )


def _comparison(
    column: str, train: statistics.Moments | None, test: statistics.Moments | None, found: Evenness | None, index: int
) -> SplitComparison:
    cv_train, cv_test = (None if side is None else variation(side) for side in (train, test))
    difference = None if cv_train is None or cv_test is None else abs(cv_train - cv_test)
    observed: list[float | None] = [None] * 3
    limits: list[float | None] = [None] * 3
    if found is not None:
        observed = [statistics.significant(value) for value in found.observed[:, index]]
        limits = [statistics.significant(value) for value in found.limits[:, index]]
    status: Literal["ok", "differs", "constant", "all_null", "no_cv", "too_few"] = "ok"
    if train is None or test is None or found is None:
        status = "too_few"
    elif not train.n and not test.n:
        status = "all_null"
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
        status=status,
    )


def _sentence(compared: Sequence[SplitComparison], trained: int, tested: int, resplits: int) -> str:
    differing = [column.column_name for column in compared if column.status == "differs"]
    if all(column.status == "too_few" for column in compared):
        return (
            f"Too few rows to compare: {trained:,} train, {tested:,} test, at least {_MIN_SPLIT_ROWS} each are needed."
        )
    if not differing:
        return f"Train and test look alike: no difference beyond those of {resplits} random splits of the same rows."
    named = ", ".join(differing[:5]) + (f" and {len(differing) - 5} more" if len(differing) > 5 else "")
    return (
        f"Train and test differ beyond chance in {len(differing)} of {len(compared)} columns: {named}. "
        "Expected where the test rows are of another season; otherwise look for a unit or a source that changed."
    )


def correlations(
    reader: statistics.Reader, table: Sequence[str], where: Mapping[str, Any], columns: Sequence[str], target: str
) -> list[dict[str, Any]]:
    """Pearson's correlation of numeric columns with the target, strongest first; one pass.

    Returns
    -------
    Rows of column_name, n (rows with both values), correlation (None where undefined) and status: ``ok``, ``constant``,
    ``all_null``, ``constant_target``, ``too_few`` (fewer than 3 rows) or ``undefined`` (values too large to square).
    """
    if not columns:
        return []
    row = reader.row(render("exploration/correlations", table=list(table), where=where, columns=columns, target=target))
    found = []
    for index, column in enumerate(columns):
        n, value = int(row[f"v{index}_n"]), statistics.finite(row[f"v{index}_corr"])
        if row[f"v{index}_min"] is None:
            status = "all_null"
        elif row[f"v{index}_min"] == row[f"v{index}_max"]:
            status = "constant"
        elif row["target_min"] == row["target_max"]:
            status = "constant_target"
        elif n < 3:
            status = "too_few"
        else:
            status = "undefined" if value is None else "ok"
        correlation = (
            statistics.significant(min(1.0, max(-1.0, value))) if status == "ok" and value is not None else None
        )
        found.append({"column_name": column, "n": n, "correlation": correlation, "status": status})
    return sorted(found, key=lambda one: (-abs(one["correlation"] or 0.0), one["column_name"]))


def histogram_edges(low: float, high: float, bins: int) -> tuple[float, ...]:
    """Place at most ``bins + 1`` equally spaced edges around ``low`` and ``high``; one if they are equal.

    The step is round: 1, 2, 2.5 or 5 times a power of ten.
    """
    if not low < high:
        return (low,)
    power = 10.0 ** math.floor(math.log10((high - low) / bins))
    for factor in (1, 2, 2.5, 5, 10, 20):
        step = factor * power
        first, last = math.floor(low / step), math.ceil(high / step)
        if last - first <= bins:
            break
    return tuple(float(f"{place * step:.12g}") for place in range(first, last + 1))


def target_histogram(
    reader: statistics.Reader, table: Sequence[str], where: Mapping[str, Any], column: str, *, bins: int = 10
) -> list[dict[str, Any]]:
    """Rows of ``monitoring.target_histogram`` without their key: zero by itself, then ranges of equal width.

    The ranges span the middle 98 % of what is not zero; the outer ones are open, so that a single large customer
    neither squeezes the rest into one bar nor can be read off. ``label_num`` is a bin's lower bound; a bin holds its
    upper bound.
    """
    row = reader.row(render("statistics/distribution", table=list(table), where=where, column=column))
    found = [{"label_str": "0", "label_num": 0.0, "bin_cnt": int(row["zeros"])}] if row["zeros"] else []
    if row["n"] == row["zeros"]:
        return found
    low, high = row["tails_without_zero"]
    if low == high:
        low, high = row["minimum_without_zero"], row["maximum_without_zero"]
    edges = histogram_edges(low, high, bins)
    if len(edges) == 1:
        return [*found, {"label_str": f"{low:,.6g}", "label_num": float(low), "bin_cnt": int(row["n"] - row["zeros"])}]
    inner = edges[1:-1]
    counts = list(statistics.bin_counts(reader, table, where, {column: inner})[column][:-1])
    zero_bin = sum(edge < 0 for edge in inner)
    counts[zero_bin] -= int(row["zeros"])
    last = len(counts) - 1
    for index, (lower, upper, count) in enumerate(zip(edges[:-1], edges[1:], counts, strict=True)):
        label = f"{lower:,.6g} to {upper:,.6g}"
        if index == 0 and row["minimum_without_zero"] < lower:
            label = f"up to {upper:,.6g}"
        elif index == last and row["maximum_without_zero"] > upper:
            label = f"over {lower:,.6g}"
        found.append({"label_str": label, "label_num": lower, "bin_cnt": count})
    return found


@dataclass(frozen=True)
class ProductOverlap:
    """Products ordered most beside products recommended most.

    Parameters
    ----------
    rows : place, ordered, ordered_customers, recommended, recommended_customers; None where a list is shorter.
    shared : products on both lists.
    share : of the shorter list; None if a list is empty.
    """

    rows: tuple[dict[str, Any], ...]
    shared: tuple[str, ...]
    share: float | None


def product_overlap(
    reader: statistics.Reader,
    orders_table: Sequence[str],
    predictions_table: Sequence[str],
    where: Mapping[str, Any],
    *,
    after: date,
    until: date,
    top: int = 10,
) -> ProductOverlap:
    """Compare the products ordered most in ``(after, until]`` with those recommended most, both by customers.

    Parameters
    ----------
    where : value per column that predictions must have.
    top : length of both lists.
    """
    lists: dict[str, list[dict[str, Any]]] = {"ordered": [], "recommended": []}
    statement = render(
        "exploration/top_products",
        orders_table=list(orders_table),
        predictions_table=list(predictions_table),
        where=where,
        after=after,
        until=until,
        top=int(top),
    )
    for row in reader.rows(statement):
        lists[row["list"]].append(row)
    rows = tuple(
        {"place": place + 1}
        | {name: held[place]["product_id"] if place < len(held) else None for name, held in lists.items()}
        | {f"{name}_customers": held[place]["customers"] if place < len(held) else None for name, held in lists.items()}
        for place in range(max(map(len, lists.values())))
    )
    ordered = [row["product_id"] for row in lists["ordered"]]
    shared = tuple(product for product in ordered if product in {row["product_id"] for row in lists["recommended"]})
    shortest = min(map(len, lists.values()))
    return ProductOverlap(rows, shared, len(shared) / shortest if shortest else None)
