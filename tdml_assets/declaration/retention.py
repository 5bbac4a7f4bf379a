"""What of earlier sessions is kept: how many pages, logs, runs and model versions.

Elsewhere: removing the rest (``platform/housekeeping.py``), exports, whose destination has a ``keep`` of its own.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Retention(BaseModel):
    """How much of earlier sessions is kept; the rest is removed at the end of a session that publishes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reports: int = Field(
        default=60, ge=1, description="Pages of sessions kept per workflow, and as many of drift; the latest always."
    )
    logs: int = Field(default=60, ge=1, description="Logs of runs kept.")
    models: int = Field(
        default=20,
        ge=2,
        description="Model versions kept per workflow, those that scored last first. The champion, the version before it and "
        "those of open episodes always.",
    )
    runs_days: int = Field(
        default=180,
        ge=1,
        description="Age in days up to which Dagster's runs are kept. The latest run of every asset and those of open episodes "
        "always.",
    )
