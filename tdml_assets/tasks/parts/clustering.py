"""Segments of customers: when new ones may be used, and their names, kept with their numbers.

Elsewhere: settings (``declaration/clustering.py``), measures (``engines/cluster_quality.py``), how numbers are carried on
(``engines/cluster_profile.py``), the statements (``sql/clustering/``).

A number is the same group from session to session and keeps the name it was first given, in ``<workflow>.segment_names``. No two
groups share a name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tdml_assets.platform.contracts import Column, TableContract

#: A promoted clustering has no smaller and no larger segment than these, as shares of the held-out customers ...
PROMOTED_SMALLEST_SHARE, PROMOTED_LARGEST_SHARE = 0.01, 0.9
#: ... and resamples of the customers agree with it at least this far (adjusted Rand index): half-way from chance to sameness.
PROMOTED_STABILITY = 0.5


def may_be_promoted_clustering(test: Mapping[str, float | None]) -> tuple[bool, str]:
    """Whether new segments may be used, and why not.

    No segment may hold nearly everybody or nearly nobody, and fits to resampled customers must give about the same ones:
    the highest silhouette, which often parts a handful of wholesalers from the rest, decides nothing. ``test``: metrics of the
    held-out customers, as ``cluster_quality.evaluate_clusters`` gives them: clusters, smallest_share, largest_share, stability_ari.
    """
    names = ("clusters", "smallest_share", "largest_share", "stability_ari")
    clusters, smallest, largest, stability = (_known(test.get(name)) for name in names)
    if clusters is None or smallest is None or largest is None or stability is None:
        return False, "held: nobody was held out, so there is nothing to measure on"
    if clusters < 2:
        return False, f"held: {clusters:.0f} segment parts nobody"
    if largest > PROMOTED_LARGEST_SHARE:
        return False, (
            f"held: the largest segment has {largest:.1%} of the held-out customers (at most {PROMOTED_LARGEST_SHARE:.0%}): "
            "look for features that are not transformed and scaled"
        )
    if smallest < PROMOTED_SMALLEST_SHARE:
        return False, (
            f"held: the smallest segment has {smallest:.1%} of the held-out customers (at least "
            f"{PROMOTED_SMALLEST_SHARE:.0%}): take fewer segments"
        )
    if stability < PROMOTED_STABILITY:
        return False, (
            f"held: resampled customers fall into other segments (adjusted Rand index {stability:.2f}, at least "
            f"{PROMOTED_STABILITY:g}): take fewer segments or fewer features"
        )
    return True, (
        f"promoted: {clusters:.0f} segments of {smallest:.1%} to {largest:.1%} of the held-out customers, found again in "
        f"resamples (adjusted Rand index {stability:.2f})"
    )


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


#: Standard deviations of all customers, on logarithms, from which a group is called unlike the average.
_UNLIKE = 0.25
#: Figure of a group, and what it is called below and above the average; a middle one is not named.
_WORDS = (
    ("frequency", "infrequent", "frequent"),
    ("silence", "recent", "lapsed"),
    ("spend", "low spend", "high spend"),
)


def names_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.segment_names``."""
    return TableContract(
        workflow,
        "segment_names",
        "One row per number that a group was ever given.",
        (
            Column("cluster", "INTEGER", "Number of the group.", False),
            Column("segment_name", "VARCHAR", "What its customers were like when the number was first given.", False),
        ),
    )


def name_segments(standing: Sequence[Mapping[str, Any]], kept: Mapping[int, str]) -> dict[int, str]:
    """A name per number of a group. Returns the names of ``kept`` and of ``standing``, each once.

    ``standing``: per group ``cluster``, its number, and how far it lies from all customers in ``frequency`` (orders),
    ``silence`` (days since the last order) and ``spend``, in standard deviations of logarithms; None where unknown. ``kept``:
    names given before, per number.
    """
    names = dict(kept)
    for group in sorted(standing, key=lambda one: int(one["cluster"])):
        number = int(group["cluster"])
        if number not in names:
            name = _name_of(group)
            names[number] = f"{name} ({number})" if name in names.values() else name
    return names


def _name_of(group: Mapping[str, Any]) -> str:
    said = []
    for figure, below, above in _WORDS:
        distance = group[figure] or 0.0
        if abs(distance) >= _UNLIKE:
            said.append(above if distance > 0 else below)
    return ", ".join(said) or "average"
