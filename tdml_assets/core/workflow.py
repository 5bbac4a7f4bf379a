"""What a workflow's YAML may say: one frozen, validated model.

Belongs here: the keys of a workflow, their units, bounds and defaults.
Does not: how a stage carries them out (the stage's own module), Dagster (``component.py`` turns a workflow into assets).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tdml_assets.core.attributes import AttributeSpec


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Frozen):
    """What is predicted."""

    kind: Literal["net_spend"] = Field(
        default="net_spend",
        description="net_spend: what a customer spends in the horizon, net of cancellations, never below 0.",
    )
    horizon_days: int = Field(
        default=90, ge=1, le=1830, description="Length of the predicted window, in days after a snapshot."
    )


class Snapshots(_Frozen):
    """Cut dates that training looks back from. Each lies at least one horizon before ``as_of``."""

    count: int = Field(default=2, ge=1, le=60, description="Snapshots going back from one horizon before as_of.")
    step_days: int | None = Field(default=None, ge=1, description="Days between them; the horizon unless given.")
    seasons: tuple[int, ...] = Field(
        default=(1, 2),
        description="Years back at which the same seasons as the scoring's and the test's are added; empty for none.",
    )
    min_history_days: int | None = Field(
        default=None, ge=0, description="Days of orders a snapshot must have behind it; the horizon unless given."
    )


class Features(_Frozen):
    """Which columns of ``features.customer_features`` a model may use. Patterns as in a shell: ``email_*``."""

    include: tuple[str, ...] = Field(default=("*",), min_length=1, description="Patterns of columns to take.")
    exclude: tuple[str, ...] = Field(default=(), description="Patterns of columns to leave out again.")
    one_hot_limit: int = Field(
        default=8,
        ge=0,
        le=200,
        description="Levels of a text column that get a column of their own; the rest is 'other'.",
    )


class Outliers(_Frozen):
    """Bounds outside of which a value is an outlier, and what happens to it."""

    rule: Literal["none", "iqr", "quantile"] = Field(default="none", description="iqr: quartiles -/+ factor x IQR.")
    factor: float = Field(default=1.5, gt=0, description="Of the IQR rule.")
    low: float = Field(default=0.001, ge=0, lt=0.5, description="Lower quantile of the quantile rule.")
    high: float = Field(default=0.999, gt=0.5, le=1, description="Upper quantile of the quantile rule.")
    action: Literal["clip", "drop", "flag"] = Field(
        default="clip",
        description="clip to the bound; drop the row from training (never from scoring); flag in a column of its own.",
    )


class Prepare(_Frozen):
    """How features are prepared. Statistics are fitted on the training split only."""

    nulls: Literal["keep", "zero", "median"] = Field(
        default="keep", description="What a missing number becomes; keep only for learners that take missing values."
    )
    outliers: Outliers = Outliers()
    scaling: Literal["none", "minmax", "zscore", "robust"] = "none"


class Split(_Frozen):
    """What is held out."""

    holdout_share: float = Field(
        default=0.2,
        gt=0,
        lt=0.9,
        description="Share of customers held out where history is too short to hold out a later date.",
    )
    max_rows: int = Field(
        default=1_000_000,
        ge=100,
        description="Training rows at most; above it customers are sampled, the same at every snapshot.",
    )
    min_rows: int = Field(default=50, ge=2, description="Rows a split must have, else training is refused.")


class Model(_Frozen):
    """What learns."""

    estimator: Literal["two_stage_xgboost"] = Field(
        default="two_stage_xgboost", description="two_stage_xgboost: buys or not x how much."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Passed to the estimator; unknown ones are refused."
    )
    seed: int = Field(default=7, ge=0)


class Monitor(_Frozen):
    """When drift is called a spike."""

    psi_limit: float = Field(
        default=0.25, gt=0, description="Population stability index from which a column may spike."
    )
    alpha: float = Field(
        default=0.01, gt=0, lt=0.5, description="Chance of any false spike in a session by sampling alone."
    )
    min_rows: int = Field(default=200, ge=2, description="Rows a side must have to be judged.")
    spiked_share: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Share of watched columns that must spike for the verdict 'drift'; predictions alone suffice.",
    )
    cool_down_days: int = Field(default=7, ge=0, description="Days after a retraining in which drift starts no other.")


class WorkflowSpec(_Frozen):
    """One use case."""

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]{1,40}$", description="Schema, group and key prefix of its tables.")
    ]
    task: Literal["regression"] = "regression"
    label: str | None = Field(default=None, description="Name that people read; the name unless given.")
    description: str = ""
    target: Target = Target()
    snapshots: Snapshots = Snapshots()
    features: Features = Features()
    prepare: Prepare = Prepare()
    split: Split = Split()
    engine: Literal["auto", "python"] = "auto"
    tier: Literal["tier1", "tier2", "machine"] | None = Field(
        default=None, description="The settings' tier unless given."
    )
    model: Model = Model()
    monitor: Monitor = Monitor()
    attributes: tuple[AttributeSpec, ...] = Field(default=(), description="Columns published in the parent segment.")
    batch_rows: int = Field(default=500_000, ge=1, description="Customers scored at a time.")
    schedule: str | None = Field(
        default=None, description="Cron line of the training job, in UTC; none: trained by hand or sensor."
    )

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        reserved = {"raw", "staging", "features", "monitoring", "audience", "main", "information_schema"}
        if name in reserved:
            raise ValueError(f"{name!r} is the name of a schema this project uses: choose another")
        return name

    @property
    def title(self) -> str:
        """Name that people read."""
        return self.label or self.name
