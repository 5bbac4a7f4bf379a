"""When a change of the data is called drift, and what follows: the policy of a workflow's YAML.

Elsewhere: statistics (``stages/drift/detection.py``), the decision of a session (``stages/triage/decision.py``), episodes
(``stages/triage/episodes.py``).
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Monitor(BaseModel):
    """Three floors make a spike: more than chance, unlike the history of sessions, and enough to matter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="Declared false-alarm rate: the chance that sampling alone raises any alarm in a session.",
    )
    psi_limit: float = Field(
        default=0.25, gt=0, description="PSI against the champion's reference from which a column has drifted."
    )
    step_limit: float = Field(
        default=0.02, gt=0, description="PSI against the last stable session from which a column may spike."
    )
    z_limit: float = Field(
        default=3.0, gt=0, description="Robust z of that PSI among earlier sessions from which a column has spiked."
    )
    history: int = Field(
        default=30, ge=2, le=1000, description="Earlier stable sessions that a spike is judged against."
    )
    min_history: int = Field(
        default=3,
        ge=2,
        description="Earlier sessions from which that z is a floor; below, the spread of so few says nothing and the other "
        "floors decide alone.",
    )
    min_rows: int = Field(default=200, ge=2, description="Rows a side must have to be judged.")
    watch_only: tuple[str, ...] = Field(
        default=(
            "days_since_*",
            "recency_days",
            "tenure_days",
            "*_history_length",
            "*_days_between_orders",
            "email_sends",
            "distinct_emails_sent",
        ),
        description="Patterns of columns that follow the calendar: measured and shown, never an alarm.",
    )
    important_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of the model's importance from which a feature calls for a retraining.",
    )
    confirm: int = Field(
        default=2, ge=1, le=30, description="Consecutive sessions that must drift before a retraining is called for."
    )
    close_after: int = Field(default=3, ge=1, le=100, description="Stable sessions in a row that close an episode.")
    renew_days: int = Field(
        default=90,
        ge=1,
        description="Days after which an episode that still goes on is a new one: by then there is more to learn from.",
    )
    hysteresis: float = Field(
        default=0.7, gt=0, le=1, description="Share of the limits below which a session counts as stable again."
    )
    cool_down_days: int | None = Field(
        default=None,
        ge=0,
        description="Days after a retraining in which no other is started; the horizon unless given.",
    )
    monthly_cap: int = Field(default=2, ge=0, description="Retrainings started for drift in any 30 days, at most.")
    max_age_days: int | None = Field(
        default=365, ge=1, description="Age of a champion from which it is retrained; null for no limit."
    )
    realised_tolerance: float = Field(
        default=0.25,
        ge=0,
        description="Share by which the realised error may exceed the interval that the champion's test gave.",
    )
    kept_customers: int = Field(
        default=100_000,
        ge=0,
        description="Customers whose predictions are kept until their horizon has passed, to be met by what happened; 0 for none.",
    )
    statistics: tuple[str, ...] = Field(
        default=(),
        description="Import paths of modules with a STATISTIC of your own: a column of monitoring.drift, which decides nothing.",
    )
    report: bool = Field(
        default=True,
        description="Draw the columns that moved farthest with Evidently, in some seconds, in a session in which one moved.",
    )
    report_always: bool = Field(default=False, description="Draw them in every session, moved or not.")

    @model_validator(mode="after")
    def _enough_history(self) -> Self:
        if self.min_history > self.history:
            raise ValueError(
                f"min_history: {self.min_history} is more than history: {self.history}; at most {self.history}"
            )
        return self
