"""What a workflow's YAML may say about segments of customers.

Elsewhere: when segments may be used (``tasks/parts/clustering.py``), measures (``engines/cluster_quality.py``), profiles and
lasting numbers (``engines/cluster_profile.py``), learning (``engines/kmeans.py``), RFM scores (``sql/clustering/rfm.sql``).
Light, because every command reads it.
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
