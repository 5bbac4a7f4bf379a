"""An operator's word that no candidate replaces a workflow's champion, as a value and as bytes.

Belongs here: what is kept of it. Does not: where (``bundle_store.py``), what follows from it (``stages/evaluation/gate.py``).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tdml_assets.models.bundles import BundleDamagedError, require_workflow

HOLD_FILE = "hold.json"
_FORMAT = 1


@dataclass(frozen=True)
class Hold:
    """The champion stays until somebody releases it.

    ``reason``: why, for people. ``held_at``: since when, in naive UTC. ``active``: False once it was released; the record
    stays.
    """

    workflow: str
    reason: str
    held_at: datetime
    active: bool = True

    def __post_init__(self) -> None:
        require_workflow(self.workflow)
        if not self.reason.strip():
            raise ValueError(f"the hold of {self.workflow} has no reason: say why, for whoever meets it")

    def __str__(self) -> str:
        return f"an operator keeps the champion since {self.held_at:%Y-%m-%d %H:%M} UTC ({self.reason})"

    def to_bytes(self) -> bytes:
        """Give the hold as JSON with sorted keys."""
        record = {**asdict(self), "held_at": self.held_at.isoformat(), "format": _FORMAT}
        return json.dumps(record, sort_keys=True, indent=1).encode()


def parse_hold(data: bytes) -> Hold:
    """Read a hold. Raises ``BundleDamagedError`` if the bytes are not a hold of a format this code knows."""
    try:
        record = _known(json.loads(data))
        return Hold(**{**record, "held_at": datetime.fromisoformat(record["held_at"])})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BundleDamagedError(f"the hold cannot be read ({error}): hold the workflow again") from error


def _known(record: dict[str, Any]) -> dict[str, Any]:
    if record.pop("format", None) != _FORMAT:
        raise ValueError(f"it is not of format {_FORMAT}")
    return record
