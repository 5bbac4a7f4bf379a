"""The shift test: deleting every later row must not change a feature.

Elsewhere: running the models (``shift_asset.py``), computing features (``dbt_project/``).

The features of snapshot S are computed again from the rows up to S alone, by the very statements that made the stored
ones. A feature that looked past S comes out different.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Comparison:
    """Stored features of one snapshot against those computed from the rows up to it.

    ``snapshot_date``: the snapshot. ``later_rows``: rows of the sampled customers that were left out because they are later.
    ``compared_rows``: customers found on both sides. ``only_stored``, ``only_recomputed``: customers found on one side alone.
    ``different``: customers that differ, per feature; features that agree are absent. ``features``: number of features
    compared.
    """

    snapshot_date: date
    later_rows: int
    compared_rows: int
    only_stored: int
    only_recomputed: int
    different: Mapping[str, int]
    features: int

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not (self.only_stored or self.only_recomputed or self.different)


def snapshots_to_check(snapshots: Sequence[date]) -> tuple[date, ...]:
    """Choose the earliest snapshot (most rows lie after it), the latest, and the one before that."""
    ordered = sorted(set(snapshots))
    return tuple(sorted({*ordered[:1], *ordered[-2:]}))


def read_comparison(snapshot_date: date, later_rows: int, counts: Mapping[str, int]) -> Comparison:
    """Make a comparison of the row that ``sql/features/compare.sql`` returns."""
    prefix = "different "
    per_feature = {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}
    return Comparison(
        snapshot_date=snapshot_date,
        later_rows=later_rows,
        compared_rows=counts["compared_rows"],
        only_stored=counts["only_stored"],
        only_recomputed=counts["only_recomputed"],
        different={name: count for name, count in per_feature.items() if count},
        features=len(per_feature),
    )


def judge(comparisons: Sequence[Comparison]) -> tuple[bool, str]:
    """Say whether every comparison agrees, and if not, what differs and what to do.

    No customer is named: columns and counts alone.
    """
    wrong = [comparison for comparison in comparisons if not comparison.agrees]
    if not wrong:
        rows = sum(comparison.compared_rows for comparison in comparisons)
        return True, f"{rows} rows of {len(comparisons)} snapshots are the same without the rows that came later"
    parts = []
    for comparison in wrong:
        worst_first = sorted(comparison.different.items(), key=lambda item: (-item[1], item[0]))
        said = [f"{name} for {count}" for name, count in worst_first]
        if comparison.only_stored:
            said.append(f"{comparison.only_stored} stored that should not be there")
        if comparison.only_recomputed:
            said.append(f"{comparison.only_recomputed} missing")
        parts.append(
            f"{comparison.snapshot_date}, of {comparison.compared_rows} customers: {', '.join(said[:10])}"
            + (f" and {len(said) - 10} more" if len(said) > 10 else "")
        )
    return False, (
        "features.customer_features is not what the rows up to the snapshot give; "
        f"{'; '.join(parts)}. Either a feature looks past its snapshot (see its model in dbt_project/models/features), "
        "or raw rows changed after the features were built: build them again"
    )
