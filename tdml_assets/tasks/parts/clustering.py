"""Segments of customers: when new ones may be used.

Belongs here: the promotion rule. Does not: settings (``declaration/clustering.py``), measures (``engines/cluster_quality.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

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
