"""Drift of recommendations: what customers are shown now against what they were shown on the day the champion was trained.

Belongs here: which columns of which rank are watched, under which names. Does not: the statistics (``stages/drift/detection.py``).

The first choice is mostly the customer's own habit; the first product never bought is the model's own word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.declaration.recommendation import Recommendation
from tdml_assets.models.reference import ColumnMeasure, Reference, build_reference, measure
from tdml_assets.platform import statistics
from tdml_assets.stages.drift.detection import DriftReport, Earlier, judge

_HABIT = {"product_id": "first_choice"}
_DISCOVERY = {"product_id": "first_discovery", "score": "first_discovery_score"}


@dataclass(frozen=True)
class Watched:
    """References of the two kinds.

    ``habits``: of the first rank. ``discoveries``: of the first rank behind the main list, which holds something never bought.
    """

    habits: Reference
    discoveries: Reference


def watched_ranks(settings: Recommendation) -> tuple[int, int]:
    """The first rank, and the first behind the main list (the first again where there is none)."""
    return 1, settings.count + 1 if settings.discover_count else 1


def describe(
    reader: statistics.Reader, table: Sequence[str], where: Mapping[str, Any], settings: Recommendation
) -> Watched:
    """Describe lists as they are now. ``where``: value per column that the rows must have, in addition to their rank."""
    first, later = watched_ranks(settings)
    habits = build_reference(reader, table, {**where, "rank": first}, list(_HABIT))
    discoveries = build_reference(reader, table, {**where, "rank": later}, list(_DISCOVERY))
    return Watched(_renamed(habits, _HABIT), _renamed(discoveries, _DISCOVERY))


def compare(
    reader: statistics.Reader,
    table: Sequence[str],
    watched: Watched,
    policy: Monitor,
    settings: Recommendation,
    earlier: Mapping[str, Earlier],
    *,
    is_first: bool = False,
) -> tuple[DriftReport, DriftReport]:
    """Reports of the first choices and of the discoveries in a table of predictions.

    Both are what the model says, so both are predictions; the first report, of features, is empty.
    """
    first, later = watched_ranks(settings)
    references = Reference((*watched.habits.columns, *watched.discoveries.columns))
    measured = [
        *_measured(reader, table, first, watched.habits, _HABIT),
        *_measured(reader, table, later, watched.discoveries, _DISCOVERY),
    ]
    return (
        judge(Reference(()), [], policy),
        judge(
            references,
            measured,
            policy,
            kind="prediction",
            earlier=earlier.get("prediction"),
            is_first=is_first,
        ),
    )


def _measured(
    reader: statistics.Reader, table: Sequence[str], rank: int, reference: Reference, names: Mapping[str, str]
) -> list[ColumnMeasure]:
    stored = _renamed(reference, {shown: name for name, shown in names.items()})
    return [replace(one, name=names[one.name]) for one in measure(reader, table, {"rank": rank}, stored)]


def _renamed(reference: Reference, names: Mapping[str, str]) -> Reference:
    return Reference(tuple(replace(column, name=names[column.name]) for column in reference.columns))
