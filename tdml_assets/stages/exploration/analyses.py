"""Exploration of a training table: the five analyses that come before modelling.

Elsewhere: train against test (``split.py``), single-table statistics (``platform/statistics.py``), sizes of clusters
(``engines/cluster_profile.py``), drift over time (``stages/drift/detection.py``), figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tdml_assets.platform import statistics
from tdml_assets.platform.statements import render


def correlations(
    reader: statistics.Reader, table: Sequence[str], where: Mapping[str, Any], columns: Sequence[str], target: str
) -> list[dict[str, Any]]:
    """Pearson's correlation of numeric columns with the target, strongest first; one pass.

    Returns rows of column_name, n (rows with both values), correlation (None where undefined) and status: ``ok``, ``constant``,
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
    reader: statistics.Reader, table: Sequence[str], where: Mapping[str, Any], column: str
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
    edges = histogram_edges(low, high, 10)
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
    """Products ordered most next to products recommended most.

    ``rows``: place, ordered, ordered_customers, recommended, recommended_customers; None where a list is shorter. ``shared``:
    products on both lists. ``share``: of the shorter list; None if a list is empty.
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

    ``where``: value per column that predictions must have. ``top``: length of both lists.
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
