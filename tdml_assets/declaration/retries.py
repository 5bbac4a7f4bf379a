"""How often and how long something is tried again. Elsewhere: waiting (``platform/retrying.py``)."""

from __future__ import annotations

from pydantic import Field

from tdml_assets.declaration.base import Declaration


class Retries(Declaration):
    """How often and how long an answer that may be mended by waiting is tried again: 429, 5xx, no answer."""

    attempts: int = Field(default=6, ge=1, le=100, description="Of one batch, the first among them.")
    first_pause_seconds: float = Field(default=0.5, gt=0, le=600, description="Doubled by every further attempt.")
    longest_pause_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="Of one pause, unless the server asks."
    )
    deadline_seconds: float = Field(
        default=900.0, gt=0, le=86400, description="Of one batch, in all; a Retry-After beyond it ends the sync."
    )
