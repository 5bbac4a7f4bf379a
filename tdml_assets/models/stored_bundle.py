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

    Parameters
    ----------
    manifest : what it is.
    manifest_sha256 : hash of the manifest as stored.
    files : bytes per file name.
    """

    manifest: Manifest
    manifest_sha256: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class CurrentChampion:
    """The champion as read, with the tag by which it can be replaced."""

    champion: Champion
    tag: str
