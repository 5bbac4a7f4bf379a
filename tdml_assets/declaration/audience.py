"""What ``audience`` in the settings may say: who is kept out of activation, to measure what activation does.

Elsewhere: the assignment (``stages/audience/control.py``), the comparison (``stages/realised/lift.py``).
"""

from __future__ import annotations

from pydantic import Field

from tdml_assets.declaration.base import Declaration


class ControlGroup(Declaration):
    """A random share of customers whom no destination is sent."""

    share: float = Field(
        gt=0,
        lt=1,
        description="Share of customers, such as 0.05. A changed share holds for customers who come later; the others "
        "stay where they are.",
    )
    seed: int = Field(
        default=1,
        ge=0,
        description="Another seed assigns everybody anew: a new comparison begins, the one before ends.",
    )
    detect: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Relative difference that should be detected; the number of customers that this takes is computed.",
    )


class AudienceSettings(Declaration):
    """Who is sent to destinations."""

    control: ControlGroup | None = Field(
        default=None, description="Customers kept out of activation; nobody unless given."
    )
