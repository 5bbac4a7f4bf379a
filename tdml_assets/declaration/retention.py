"""What of earlier sessions is kept: how many pages, logs, runs and model versions.

Belongs here: the settings, and the choice of what may go. Does not: removing it (``resources/housekeeping.py``), exports, whose
destination has a ``keep`` of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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


def removable_files(written_at: Mapping[str, float], keep: int) -> list[str]:
    """Names of all but the ``keep`` files written last, the oldest first.

    Parameters
    ----------
    written_at : seconds since the epoch per name.
    """
    order = sorted(written_at, key=lambda name: (written_at[name], name))
    return order[: max(len(order) - keep, 0)]


def removable_versions(
    stored: Sequence[str], scored: Sequence[str], protected: Collection[str], keep: int
) -> list[str]:
    """Model versions that may go, in the order of ``stored``.

    Parameters
    ----------
    stored : complete versions, the oldest first.
    scored : versions that scored, the latest first; they are kept before those that never did.
    protected : versions that stay whatever ``keep`` says; they count.
    """
    wanted = [*(name for name in stored if name in protected), *scored, *reversed(stored)]
    known = [name for name in dict.fromkeys(wanted) if name in stored]
    kept = {*known[:keep], *protected}
    return [name for name in stored if name not in kept]
