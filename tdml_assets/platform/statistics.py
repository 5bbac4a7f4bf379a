"""Statistics of whole tables: asked of the warehouse in one pass, returned as small frozen values.

Elsewhere: what any of it means (``stages/exploration/analyses.py``, ``stages/drift/detection.py``), connections, figures.

Every standard deviation here is the population's. What is not finite counts as missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from tdml_assets.platform.statements import Statement, render

_NUMERIC_TYPES = frozenset(
    ("BIGINT", "BOOLEAN", "DOUBLE", "FLOAT", "HUGEINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER")
)

# Exact quantiles keep every value of a column in memory: 8 bytes each, so this is about 130 MB at a time.
_VALUES_AT_ONCE = 16_000_000
# Columns whose logarithms are measured in one pass: what is calculated of more leaves a processor's cache and takes five times
# as long.
_SHAPES_AT_ONCE = 8


class Reader(Protocol):
    """What this module asks of an open warehouse (``platform.warehouse.Database`` is one)."""

    def rows(self, statement: Statement) -> list[dict[str, Any]]:
        """Return all rows as dictionaries."""

    def row(self, statement: Statement) -> dict[str, Any]:
        """Return the only row."""

    def arrow(self, statement: Statement) -> pa.Table:
        """Return the whole result as an Arrow table."""

    def columns(self, path: Sequence[str]) -> dict[str, str]:
        """Return the type per column of a table."""


@dataclass(frozen=True)
class Moments:
    """Moments of one column.

    ``rows``: rows of the table, missing values included. ``n``: rows with a finite value. ``mean``, ``sd``, ``minimum``,
    ``maximum``: over those; None where there are none or where they overflow. ``sd`` is the population's and exactly 0 for a
    constant.
    """

    rows: int
    n: int
    mean: float | None
    sd: float | None
    minimum: float | None
    maximum: float | None

    @property
    def is_constant(self) -> bool:
        """Whether there is a value and only one."""
        return self.n > 0 and self.minimum == self.maximum


@dataclass(frozen=True)
class Shape:
    """Moments of a column's logarithms, which money and counts have where their own are ruled by a few customers.

    ``low``, ``high``: bounds that values were clipped to. ``log_mean``, ``log_sd``: of ``sign(x) ln(1 + |x|)``, clipped; the
    population's standard deviation. ``filled``: values that are not 0. ``log_scale``, ``log_spread``: mean and standard
    deviation of ``ln |x|`` over those, not clipped: the logarithm of their geometric mean, and a spread that no unit changes.
    ``outside``: rows outside the bounds.
    """

    low: float
    high: float
    log_mean: float | None
    log_sd: float | None
    log_scale: float | None
    log_spread: float | None
    filled: int
    outside: int


def finite(value: Any) -> float | None:
    """Turn a number into a Python float; None for None, NaN and infinities."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def significant(value: Any, digits: int = 12) -> float | None:
    """:func:`finite`, rounded to significant digits: the order in which threads add up shows beyond them."""
    number = finite(value)
    return None if number is None else float(f"{number:.{digits - 1}e}")


def is_numeric(sql_type: str) -> bool:
    """Whether a warehouse type holds numbers (truth values count as 0 and 1)."""
    return sql_type in _NUMERIC_TYPES or sql_type.startswith("DECIMAL")


def split_by_kind(
    types: Mapping[str, str], columns: Sequence[str], table: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Separate ``columns`` into numeric and text ones, each in their order.

    Raises ``ValueError`` if a column is missing from the table, or is neither (a date, a list).
    """
    missing = [column for column in columns if column not in types]
    if missing:
        raise ValueError(f"{'.'.join(table)} has no column {missing}: rebuild it, or take them off the list of columns")
    other = [
        f"{column} {types[column]}"
        for column in columns
        if not is_numeric(types[column]) and types[column] != "VARCHAR"
    ]
    if other:
        raise ValueError(f"{'.'.join(table)} has columns that are neither numbers nor text: {other}; exclude them")
    numeric = tuple(column for column in columns if is_numeric(types[column]))
    return numeric, tuple(column for column in columns if types[column] == "VARCHAR")


def unpack_moments(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Moments]:
    """Moments per column from a row of ``statistics/moments`` or ``exploration/moments_by_split``."""
    found = {}
    for index, column in enumerate(columns):
        low, high = finite(row[f"v{index}_min"]), finite(row[f"v{index}_max"])
        constant = low is not None and low == high
        found[column] = Moments(
            rows=int(row["row_count"]),
            n=int(row[f"v{index}_n"]),
            mean=low if constant else significant(row[f"v{index}_mean"]),
            sd=0.0 if constant else significant(row[f"v{index}_sd"]),
            minimum=low,
            maximum=high,
        )
    return found


def moments(
    reader: Reader, table: Sequence[str], where: Mapping[str, Any], columns: Sequence[str]
) -> dict[str, Moments]:
    """Moments of numeric columns over the rows where every column of ``where`` has its value; one pass."""
    if not columns:
        return {}
    return unpack_moments(
        reader.row(render("statistics/moments", table=list(table), where=where, columns=columns)), columns
    )


def shapes(
    reader: Reader, table: Sequence[str], where: Mapping[str, Any], bounds: Mapping[str, tuple[float, float]]
) -> dict[str, Shape]:
    """Moments of logarithms of numeric columns, clipped to ``bounds``."""
    found: dict[str, Shape] = {}
    for first in range(0, len(bounds), _SHAPES_AT_ONCE):
        found |= _shapes(reader, table, where, dict(list(bounds.items())[first : first + _SHAPES_AT_ONCE]))
    return found


def _shapes(
    reader: Reader, table: Sequence[str], where: Mapping[str, Any], bounds: Mapping[str, tuple[float, float]]
) -> dict[str, Shape]:
    row = reader.row(render("statistics/shapes", table=list(table), where=where, bounds=bounds))
    return {
        column: Shape(
            low=low,
            high=high,
            log_mean=significant(row[f"v{index}_mean"]),
            log_sd=0.0 if low == high else significant(row[f"v{index}_sd"]),
            log_scale=significant(row[f"v{index}_scale"]),
            log_spread=significant(row[f"v{index}_spread"]),
            filled=int(row[f"v{index}_filled"]),
            outside=int(row[f"v{index}_outside"]),
        )
        for index, (column, (low, high)) in enumerate(bounds.items())
    }


def quantiles(
    reader: Reader,
    table: Sequence[str],
    where: Mapping[str, Any],
    counts: Mapping[str, int],
    probabilities: Sequence[float],
) -> dict[str, tuple[float, ...]]:
    """Exact quantiles, each an observed value, of numeric columns; empty for a column without values.

    ``counts``: values per column, which bound how many columns are looked at together.
    """
    found: dict[str, tuple[float, ...]] = {}
    columns = list(counts)
    while columns:
        together = max(1, _VALUES_AT_ONCE // max(1, *counts.values()) if len(counts) > 1 else 1)
        chunk, columns = columns[:together], columns[together:]
        row = reader.row(
            render(
                "statistics/quantiles", table=list(table), where=where, columns=chunk, probabilities=list(probabilities)
            )
        )
        found |= {column: tuple(map(float, row[f"v{index}"] or ())) for index, column in enumerate(chunk)}
    return found


def bin_counts(
    reader: Reader, table: Sequence[str], where: Mapping[str, Any], edges: Mapping[str, Sequence[float]]
) -> dict[str, tuple[int, ...]]:
    """Rows per bin of numeric columns, one pass: up to the first edge, ..., over the last edge, missing.

    ``edges``: increasing edges per column, k of them; there are k + 2 counts. A bin is open on the left, closed on the right.
    """
    if not edges:
        return {}
    bound = {column: [float(edge) for edge in values] for column, values in edges.items()}
    row = reader.row(render("statistics/bin_counts", table=list(table), where=where, edges=bound))
    found = {}
    for index, (column, values) in enumerate(bound.items()):
        held: Mapping[float, int] = row[f"v{index}"] or {}
        counts = [int(held.get(edge, 0)) for edge in (*values, math.inf)]
        found[column] = (*counts, int(row["row_count"]) - sum(counts))
    return found


def top_levels(
    reader: Reader, table: Sequence[str], where: Mapping[str, Any], columns: Sequence[str], *, top: int, min_rows: int
) -> dict[str, tuple[str, ...]]:
    """Find at most ``top`` levels of each text column that ``min_rows`` rows or more share, most frequent first."""
    if not columns:
        return {}
    statement = render(
        "statistics/top_levels", table=list(table), where=where, columns=columns, top=int(top), min_rows=int(min_rows)
    )
    found: dict[str, list[str]] = {column: [] for column in columns}
    for row in reader.rows(statement):
        found[columns[int(row["slot"][1:])]].append(row["level"])
    return {column: tuple(levels) for column, levels in found.items()}


def level_counts(
    reader: Reader, table: Sequence[str], where: Mapping[str, Any], levels: Mapping[str, Sequence[str]]
) -> dict[str, tuple[int, ...]]:
    """Rows per level of text columns, one pass: each level of ``levels``, any other, missing."""
    if not levels:
        return {}
    row = reader.row(render("statistics/level_counts", table=list(table), where=where, levels=levels))
    found = {}
    for index, (column, values) in enumerate(levels.items()):
        counts = [int(row[f"v{index}_{place}"]) for place in range(len(values))]
        filled = int(row[f"v{index}_n"])
        found[column] = (*counts, filled - sum(counts), int(row["row_count"]) - filled)
    return found


def prediction_stats(
    reader: Reader, table: Sequence[str], where: Mapping[str, Any], datasets: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows of ``monitoring.prediction_stats`` without their key.

    ``datasets``: column per dataset, for instance ``{"Original": "target", "Predicted": "predicted_target"}``. ``stdev`` is the
    population's, so that drift can be computed from this table; ``skew`` and ``kurt`` (excess) are corrected for the sample size.
    What is not defined (skew of a constant) is None.
    """
    found = []
    for dataset, column in datasets.items():
        row = reader.row(render("statistics/distribution", table=list(table), where=where, column=column))
        constant = row["n"] > 0 and row["minimum"] == row["maximum"]
        low, middle, high = (finite(value) for value in row["quartiles"] or (None, None, None))
        found.append(
            {
                "dataset": dataset,
                "count": int(row["n"]),
                "mean": significant(row["mean"]),
                "stdev": 0.0 if constant else significant(row["sd"]),
                "min_val": finite(row["minimum"]),
                "q1_25": low,
                "q2_50": middle,
                "q3_75": high,
                "max_val": finite(row["maximum"]),
                "iqr": None if low is None or high is None else high - low,
                "skew": None if constant else significant(row["skew"], 9),
                "kurt": None if constant else significant(row["kurt"], 9),
            }
        )
    return found


def label_stats(reader: Reader, table: Sequence[str], where: Mapping[str, Any], column: str) -> list[dict[str, Any]]:
    """Count the categories (or clusters) of predictions: rows of ``monitoring.label_stats`` without their key."""
    rows = reader.rows(render("statistics/label_counts", table=list(table), where=where, column=column))
    return [{"prediction_category": row["label"], "count": int(row["row_count"])} for row in rows]


def chi2_p_value(statistic: float, degrees: int) -> float:
    """Chance of at least ``statistic`` under chi-square; 1 without a degree of freedom."""
    from scipy.special import chdtrc

    return float(chdtrc(degrees, max(0.0, statistic))) if degrees > 0 else 1.0


def holm(p_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Which hypotheses Holm's step-down rule rejects: any false rejection at all has a chance of at most ``alpha``.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979).
    """
    rejected = [False] * len(p_values)
    for step, index in enumerate(np.argsort(np.asarray(p_values, dtype=float), kind="stable")):
        if p_values[index] > alpha / (len(p_values) - step):
            break
        rejected[index] = True
    return tuple(rejected)
