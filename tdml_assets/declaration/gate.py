"""What a workflow's YAML may say about replacing the champion.

Elsewhere: the decision (``stages/evaluation/gate.py``).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Gate(BaseModel):
    """How much worse than the champion a candidate may look before it is held."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="Share of the champion's loss by which the candidate may be worse, at the bound of the confidence interval.",
    )
    confidence: float = Field(
        default=0.9, gt=0.5, lt=1, description="Two-sided confidence of the paired bootstrap over customers."
    )
    resamples: int = Field(default=1000, ge=100, le=100_000, description="Bootstrap resamples.")
    slice_tolerance: float = Field(
        default=0.1, ge=0, description="Share of the champion's loss by which a guard slice may be worse, beyond noise."
    )
    min_slice_rows: int = Field(default=100, ge=10, description="Customers a guard slice must have to be judged.")
    max_bias: float = Field(
        default=0.5,
        gt=0,
        description="Total bias of the candidate beyond which it must at least not be farther off than the champion.",
    )
