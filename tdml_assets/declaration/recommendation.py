"""What a workflow's YAML may say about recommendations. Elsewhere: carrying them out (``recommendation/``)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LearnerName = Literal["item_knn", "ease", "als"]


class Recommendation(BaseModel):
    """What is recommended, and what may be tried for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(
        default=10,
        ge=1,
        le=100,
        description="Ranks of the main list: what the customer bought before, then the best of what the customer never bought.",
    )
    discover_count: int = Field(
        default=10, ge=0, le=100, description="Ranks behind the main list, of products the customer never bought."
    )
    include: tuple[str, ...] = Field(
        default=("*",), min_length=1, description="Patterns of product_id to recommend, as in a shell."
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="Patterns of product_id to leave out again: postage, fees, vouchers."
    )
    learners: tuple[LearnerName, ...] = Field(
        default=("item_knn", "ease", "als"),
        description="Candidates for what the customer never bought; popularity always is one.",
    )
    max_items: int = Field(
        default=5_000,
        ge=20,
        le=50_000,
        description="Most popular products that a learner scores. The others are recommended to those who bought them.",
    )
    neighbours: int = Field(
        default=100, ge=1, le=5_000, description="Products that may speak for one product, in item_knn and ease."
    )
    ease_lambdas: tuple[float, ...] = Field(
        default=(100.0, 300.0), min_length=1, description="Ridge penalties that are tried for ease."
    )
    als_factors: int = Field(default=64, ge=2, le=512, description="Length of an als factor.")
    als_iterations: int = Field(default=15, ge=1, le=200, description="Sweeps of als.")
    als_regularization: float = Field(default=0.01, gt=0, description="Ridge penalty of als.")
    als_alpha: float = Field(
        default=2.0, gt=0, description="What a purchase adds to the confidence of als in a pair, which is 1 without."
    )
    half_lives_days: tuple[float, ...] = Field(
        default=(60.0, 180.0),
        min_length=1,
        description="Ages at which a purchase counts half for a learner; 0: it never ages. All are tried.",
    )
    popularity_half_lives_days: tuple[float, ...] = Field(
        default=(0.0, 30.0, 90.0),
        min_length=1,
        description="The same for the popularity that customers without history are shown.",
    )
    repeat_half_lives_days: tuple[float, ...] = Field(
        default=(0.0, 365.0), min_length=1, description="The same for the customer's own purchases."
    )
    popularity_weights: tuple[float, ...] = Field(
        default=(0.5, 1.0),
        min_length=1,
        description="Weights tried for a product's popularity (0..1) in addition to the times the customer bought it; "
        "below 1 it only breaks ties.",
    )
    learner_weights: tuple[float, ...] = Field(
        default=(0.0, 1.0, 2.0), min_length=1, description="Weights tried for the learner's score in addition to them."
    )
    choice_customers: int = Field(
        default=20_000, ge=100, description="Customers of the validation window that choices are made on, at most."
    )

    measured_customers: int = Field(
        default=50_000, ge=100, description="Customers of a window that lists are measured on, at most."
    )

    @property
    def length(self) -> int:
        """Ranks of one customer."""
        return self.count + self.discover_count

    @model_validator(mode="after")
    def _can_be_filled(self) -> Self:
        if self.max_items < self.length:
            raise ValueError(
                f"max_items {self.max_items} is less than count + discover_count = {self.length}: raise max_items"
            )
        negative = [
            name
            for name in (
                "ease_lambdas",
                "half_lives_days",
                "popularity_half_lives_days",
                "repeat_half_lives_days",
                "popularity_weights",
                "learner_weights",
            )
            if min(getattr(self, name)) < 0
        ]
        if negative:
            raise ValueError(f"{', '.join(negative)}: must not be negative")
        if min(self.ease_lambdas) == 0:
            raise ValueError("ease_lambdas: must be above 0, else the products' matrix cannot be inverted")
        return self
