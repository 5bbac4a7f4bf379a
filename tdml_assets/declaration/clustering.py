"""Segments of customers: what a workflow may say about them, and when new ones may be used.

Belongs here: the ``clustering`` section of a workflow, and the promotion rule. Light, because every command reads it.
Does not: measures (``cluster_quality.py``), profiles and lasting numbers (``cluster_profile.py``), learning
(``engines/kmeans.py``), RFM scores (``sql/clustering/rfm.sql``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: A promoted clustering has no smaller and no larger segment than these, as shares of the held-out customers ...
PROMOTED_SMALLEST_SHARE, PROMOTED_LARGEST_SHARE = 0.01, 0.9
#: ... and resamples of the customers agree with it at least this far (adjusted Rand index): half-way from chance to sameness.
PROMOTED_STABILITY = 0.5


class Clustering(BaseModel):
    """How many segments there may be, and which are worth having."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: int | None = Field(
        default=None,
        ge=2,
        le=50,
        description="Segments; chosen from k_min to k_max unless given. A given one is not judged.",
    )
    k_min: int = Field(default=3, ge=2, le=50, description="Fewest segments to try.")
    k_max: int = Field(default=6, ge=2, le=50, description="Most segments to try; the most that hold are taken.")
    smallest_share: float = Field(default=0.02, ge=0, lt=0.5, description="Share of customers the smallest must have.")
    largest_share: float = Field(default=0.9, gt=0, le=1, description="Share of customers the largest may have.")
    min_stability: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="Agreement (mean adjusted Rand index) that fits to resampled customers must reach.",
    )
    refits: int = Field(default=10, ge=2, le=200, description="Resamples of the customers that are clustered again.")
    order_by: str = Field(
        default="total_spend", description="Prepared feature that numbers the first segments: 1 has the highest mean."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.k_min > self.k_max:
            raise ValueError(f"k_min is {self.k_min}, above k_max {self.k_max}: lower the one or raise the other")
        fewest = self.k_min if self.k is None else self.k
        if self.k is None and self.smallest_share * fewest > 1:
            raise ValueError(
                f"smallest_share is {self.smallest_share:g}: {fewest} segments of that size are more than everybody; lower it"
            )
        return self

    def learner_parameters(self) -> dict[str, Any]:
        """The section as parameters of the learner ``minibatch_kmeans``."""
        return self.model_dump()


def may_be_promoted_clustering(test: Mapping[str, float | None]) -> tuple[bool, str]:
    """Whether new segments may be used, and why not.

    No segment may hold nearly everybody or nearly nobody, and fits to resampled customers must give about the same ones:
    the highest silhouette, which often parts a handful of wholesalers from the rest, decides nothing.

    Parameters
    ----------
    test : metrics of the held-out customers, as ``cluster_quality.evaluate_clusters`` gives them: clusters, smallest_share,
        largest_share, stability_ari.
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
