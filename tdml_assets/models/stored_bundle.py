"""What the model store gives and raises: verified versions, the champion, an operator's hold.

Elsewhere: the store (``bundle_store.py``), what a version is (``bundles.py``), what a hold leads to
(``stages/evaluation/gate.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tdml_assets.models.bundles import BundleDamagedError, Champion, Manifest, require_workflow


class VersionConflictError(RuntimeError):
    """Another content is stored under the same version name."""


class PromotionConflictError(RuntimeError):
    """Somebody else moved the champion pointer first."""


@dataclass(frozen=True)
class Bundle:
    """A version whose every byte was verified.

    ``manifest``: what it is. ``manifest_sha256``: hash of the manifest as stored. ``files``: bytes per file name.
    """

    manifest: Manifest
    manifest_sha256: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class CurrentChampion:
    """The champion as read, with the tag by which it can be replaced."""

    champion: Champion
    tag: str


def before(version: str, replacing: CurrentChampion | None) -> str | None:
    """The version to go back to from ``version``: where it was stored anew, the one it had."""
    if replacing is None:
        return None
    return replacing.champion.previous if replacing.champion.version == version else replacing.champion.version


def same_choice(one: Champion, other: Champion) -> bool:
    """Whether two pointers name one version with one manifest."""
    return (one.version, one.manifest_sha256) == (other.version, other.manifest_sha256)


def lost_to(workflow: str, version: str, winner: CurrentChampion | None) -> PromotionConflictError:
    """The error of a promotion that came too late."""
    who = "there is none now" if winner is None else f"it is {winner.champion.version} of {winner.champion.session_id}"
    return PromotionConflictError(
        f"{version} was not promoted: the champion of {workflow} moved meanwhile, {who}; compare with that one again"
    )


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
            raise ValueError(f"the hold of {self.workflow} has no reason: say why, for whoever finds it")

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
