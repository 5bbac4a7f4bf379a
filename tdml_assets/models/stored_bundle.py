"""What the model store gives and raises.

Belongs here: the values and errors of a store. Does not: the store (``bundle_store.py``), what a version is (``bundles.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tdml_assets.models.bundles import Champion, Manifest


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
