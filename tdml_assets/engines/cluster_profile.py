"""What segments are like, and how they keep their numbers from one model to the next.

Elsewhere: fitting (``engines/kmeans.py``), measures of a clustering (``cluster_quality.py``), the statement
(``sql/clustering/profile.sql``).

Prepared features move from session to session, because their means and scales are fitted anew. What two sessions share is
the unit of the features before scaling, so segments are matched by their centroids in that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tdml_assets.platform import statistics
from tdml_assets.platform.statements import render

#: Farther apart than this (root mean square over the features, in standard deviations of all customers), two segments are
#: not the same one. Neighbouring segments of the order logs lie .6 to 1.5 apart, the same one a quarter later mostly below .4.
FARTHEST = 0.75


@dataclass(frozen=True)
class ClusterProfile:
    """Segments side by side.

    ``groups``: one per segment, in order of its label: ``label`` (text), ``customers``, ``share``, ``spend``, ``spend_share``
    and, per feature, ``mean``, ``median`` and ``log_mean``, the mean of sign(x) ln(1 + abs(x)); None where nothing is known.
    ``spread``: standard deviation of sign(x) ln(1 + abs(x)) over all customers, per feature; 0 where it is constant.
    """

    groups: tuple[Mapping[str, Any], ...]
    spread: Mapping[str, float]

    @property
    def features(self) -> tuple[str, ...]:
        """Features in the order asked for."""
        return tuple(self.spread)

    def rows(self) -> list[dict[str, Any]]:
        """One row per segment and feature, for a table.

        ``standardised`` is how far the segment's mean of log(1 + x) lies from that of all customers, in standard
        deviations; None for a constant feature.
        """
        keys = ("label", "customers", "share", "spend", "spend_share")
        return [
            {
                **{key: group[key] for key in keys},
                "feature": feature,
                "mean": group["mean"][feature],
                "median": group["median"][feature],
                "standardised": self._standardised(group, feature),
            }
            for group in self.groups
            for feature in self.features
        ]

    def _standardised(self, group: Mapping[str, Any], feature: str) -> float | None:
        known = [one for one in self.groups if one["log_mean"][feature] is not None]
        if group["log_mean"][feature] is None or not self.spread[feature]:
            return None
        customers = sum(one["customers"] for one in known)
        mean = sum(one["log_mean"][feature] * one["customers"] for one in known) / customers
        return statistics.significant((group["log_mean"][feature] - mean) / self.spread[feature], 6)


def cluster_profile(
    reader: statistics.Reader,
    labels_table: Sequence[str],
    where: Mapping[str, Any],
    columns: Sequence[str],
    *,
    features_table: Sequence[str],
    group: str = "cluster",
) -> ClusterProfile:
    """Measure the segments of customers that a table labels; one pass.

    ``labels_table``, ``where``: table of as_of, customer_id and ``group``, and the value per column its rows must
    have. ``columns``: numeric columns of ``features_table``; text columns are refused. ``features_table``: features per
    snapshot_date and customer_id. ``group``: column of the labels: ``cluster``, ``rfm_segment``, or ``predicted_target`` of the
    holdout.
    """
    _, texts = statistics.split_by_kind(reader.columns(features_table), [*columns, "total_spend"], features_table)
    if texts:
        raise ValueError(f"{'.'.join(features_table)}: text columns {list(texts)} have no mean: leave them out")
    statement = render(
        "clustering/profile",
        labels_table=list(labels_table),
        features_table=list(features_table),
        where=where,
        columns=list(columns),
        group=group,
    )
    found = reader.rows(statement)
    groups = [
        {
            "label": row["label"],
            "customers": int(row["customers"]),
            **{key: statistics.significant(row[key]) for key in ("share", "spend", "spend_share")},
            **{
                key: {column: statistics.significant(row[f"{key}{index}"]) for index, column in enumerate(columns)}
                for key in ("mean", "median", "log_mean")
            },
        }
        for row in sorted(found, key=lambda row: _in_order(row["label"]))
    ]
    return ClusterProfile(tuple(groups), {column: _spread(found, index) for index, column in enumerate(columns)})


def cluster_sizes(
    reader: statistics.Reader, table: Sequence[str], where: Mapping[str, Any], column: str
) -> list[dict[str, Any]]:
    """List segments, largest first: label, count, share, status ``ok``, ``too_small`` or ``too_large``."""
    sizes = statistics.label_stats(reader, table, where, column)
    total = sum(size["count"] for size in sizes)
    found = []
    for size in sizes:
        share = size["count"] / total
        status = "too_large" if share > 0.9 else "too_small" if share < 0.01 else "ok"
        found.append({"label": size["prediction_category"], "count": size["count"], "share": share, "status": status})
    return found


def match_labels(
    previous: Sequence[Mapping[str, Any]],
    current: Sequence[Mapping[str, Any]],
    spread: Mapping[str, float],
    *,
    highest: int = 0,
    farthest: float = FARTHEST,
) -> tuple[dict[int, int], int]:
    """Give new segments the numbers of the old ones they continue, so that a customer who did not move keeps a number.

    Returns the number to carry per label of ``current``, and the highest number ever given, which the next match needs.

    The pairs are those with the least total distance (Hungarian method) over the features both sides have; a pair
    farther apart than ``farthest`` is none. Other new segments get numbers that were never given before, in the order of
    ``current``: a number that is gone is not used again, because an audience built on it would silently get other people. Raises
    ``ValueError`` if labels are repeated, or both sides have segments and no feature in common.

    ``previous``, ``current``: segments as {label: whole number, means: {feature: value}}; the values in the same, lasting unit,
    such as that of features before scaling. ``spread``: standard deviation per feature over all customers, in that unit;
    features without one, or with 0, are left out. ``highest``: the highest number ever given; never below those of
    ``previous``. ``farthest``: largest distance of a pair, root mean square over the features, in standard deviations.
    """
    from scipy.optimize import linear_sum_assignment

    for name, side in (("previous", previous), ("current", current)):
        labels = [group["label"] for group in side]
        if len(labels) != len(set(labels)):
            raise ValueError(f"the {name} segments repeat a label among {labels}: give each once")
    highest = max([highest, *(group["label"] for group in previous)])
    carried: dict[int, int] = {}
    if previous and current:
        features = _shared(previous, current, spread)
        old, new = (_scaled(side, features, spread) for side in (previous, current))
        distance = np.sqrt(np.square(new[:, None, :] - old[None, :, :]).mean(axis=2))
        # Beyond the farthest all pairs cost the same: one that is not made must not part another that fits.
        for row, column in zip(*linear_sum_assignment(np.minimum(distance, farthest)), strict=True):
            if distance[row, column] <= farthest:
                carried[current[row]["label"]] = previous[column]["label"]
    fresh = [group["label"] for group in current if group["label"] not in carried]
    carried |= {label: highest + place for place, label in enumerate(fresh, start=1)}
    return {group["label"]: carried[group["label"]] for group in current}, highest + len(fresh)


def _shared(
    previous: Sequence[Mapping[str, Any]], current: Sequence[Mapping[str, Any]], spread: Mapping[str, float]
) -> list[str]:
    sides = [*previous, *current]
    found = [name for name, sd in spread.items() if sd and all(side["means"].get(name) is not None for side in sides)]
    if not found:
        raise ValueError(
            f"no feature that varies is known of all old and new segments (asked: {sorted(spread)}): "
            "start with new numbers, or keep a feature of the model before"
        )
    return sorted(found)


def _scaled(side: Sequence[Mapping[str, Any]], features: Sequence[str], spread: Mapping[str, float]) -> Any:
    return np.array([[group["means"][name] / spread[name] for name in features] for group in side], dtype=np.float64)


def _spread(rows: Sequence[Mapping[str, Any]], index: int) -> float:
    known = [row for row in rows if row[f"n{index}"]]
    n = sum(row[f"n{index}"] for row in known)
    if not n:
        return 0.0
    mean = sum(row[f"n{index}"] * row[f"log_mean{index}"] for row in known) / n
    between = sum(row[f"n{index}"] * (row[f"log_mean{index}"] - mean) ** 2 for row in known)
    within = sum(row[f"n{index}"] * row[f"log_variance{index}"] for row in known)
    return statistics.significant(math.sqrt((between + within) / n)) or 0.0


def _in_order(label: str) -> tuple[float, str]:
    try:
        return float(label), label
    except ValueError:
        return math.inf, label
