"""Drift of recommendations: what customers are shown now against what they were shown on the day the champion was trained.

Elsewhere: the statistics (``stages/drift/detection.py``).

The first choice is mostly the customer's own habit; the first product never bought is the model's own word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.declaration.recommendation import Recommendation
from tdml_assets.models.reference import ColumnMeasure, Reference, build_reference, measure
from tdml_assets.platform import statistics
from tdml_assets.stages.drift.detection import DriftReport, Earlier, judge

#: Columns that are watched of a rank, under the names they are watched by, for each file of a version with their reference: of the
#: first rank, and of the first behind the main list, which holds something never bought.
WATCHED = {
    "reference_habits.json": {"product_id": "first_choice"},
    "reference_discoveries.json": {"product_id": "first_discovery", "score": "first_discovery_score"},
}


def watched_ranks(settings: Recommendation) -> dict[str, int]:
    """The first rank, and the first behind the main list (the first again where there is none), as :data:`WATCHED` has them."""
    return dict(zip(WATCHED, (1, settings.count + 1 if settings.discover_count else 1), strict=True))


def describe(
    reader: statistics.Reader, table: Sequence[str], where: Mapping[str, Any], settings: Recommendation
) -> dict[str, Reference]:
    """Describe lists as they are now, by file. ``where``: value per column that the rows must have, in addition to their rank."""
    ranks = watched_ranks(settings)
    return {
        file: _renamed(build_reference(reader, table, {**where, "rank": ranks[file]}, list(names)), names)
        for file, names in WATCHED.items()
    }


def compare(
    reader: statistics.Reader,
    table: Sequence[str],
    references: Mapping[str, Reference],
    policy: Monitor,
    settings: Recommendation,
    earlier: Mapping[str, Earlier],
    *,
    is_first: bool = False,
) -> tuple[DriftReport, DriftReport]:
    """Reports of the first choices and of the discoveries in a table of predictions.

    Both are what the model says, so both are predictions; the first report, of features, is empty. ``references``: by file, as
    :func:`describe` gave them.
    """
    ranks = watched_ranks(settings)
    watched = Reference(tuple(column for found in references.values() for column in found.columns))
    measured = [
        one
        for file, reference in references.items()
        for one in _measured(reader, table, ranks[file], reference, WATCHED[file])
    ]
    said = judge(watched, measured, policy, kind="prediction", earlier=earlier.get("prediction"), is_first=is_first)
    return judge(Reference(()), [], policy), said


def _measured(
    reader: statistics.Reader, table: Sequence[str], rank: int, reference: Reference, names: Mapping[str, str]
) -> list[ColumnMeasure]:
    stored = _renamed(reference, {shown: name for name, shown in names.items()})
    return [replace(one, name=names[one.name]) for one in measure(reader, table, {"rank": rank}, stored)]


def _renamed(reference: Reference, names: Mapping[str, str]) -> Reference:
    return Reference(tuple(replace(column, name=names[column.name]) for column in reference.columns))
