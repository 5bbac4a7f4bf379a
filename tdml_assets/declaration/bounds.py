"""The values that numbers of an order line may take.

Belongs here: the keys of bounds. Does not: how numbers are written (``numbers.py``), judging rows (``sql/raw``).
"""

from __future__ import annotations

from pydantic import Field, model_validator

from tdml_assets.declaration.base import Declaration


class Bounds(Declaration):
    """The values a number may take, in the source's currency; a row outside is quarantined."""

    min: float = Field(default=-1e9, description="Smallest value allowed.")
    max: float = Field(default=1e9, description="Largest value allowed.")
    above: float | None = Field(default=None, description="Values must be greater than this.")
    below: float | None = Field(default=None, description="Values must be less than this.")

    @model_validator(mode="after")
    def _not_empty(self) -> Bounds:
        low = self.min if self.above is None else max(self.min, self.above)
        high = self.max if self.below is None else min(self.max, self.below)
        if low > high:
            raise ValueError(f"no value lies between {low:g} and {high:g}: correct the bounds")
        if max(abs(self.min), abs(self.max)) > 1e12:
            raise ValueError("bounds beyond 1e12 do not fit the warehouse's decimals: choose smaller ones")
        return self


class OrderBounds(Declaration):
    """Bounds of the numbers of an order line."""

    quantity: Bounds = Field(default=Bounds(), description="Units on the line.")
    unit_price: Bounds = Field(default=Bounds(), description="Price of one unit.")
    amount: Bounds = Field(default=Bounds(), description="Total of the line.")
