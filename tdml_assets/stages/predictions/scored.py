"""What the predictions ask of a task.

Belongs here: how champions of tasks are loaded, score, and are checked, as values. Does not: scoring (``scoring.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from tdml_assets.models.bundles import Manifest
from tdml_assets.platform.per_task import StageOfTask

if TYPE_CHECKING:
    from tdml_assets.models.store import ModelStore
    from tdml_assets.platform.warehouse import Database


class HasManifest(Protocol):
    """A champion as one of the kinds of tasks loads it."""

    @property
    def manifest(self) -> Manifest:
        """What it is."""


Loaded = TypeVar("Loaded", bound=HasManifest)


@dataclass(frozen=True, kw_only=True)
class Scoring(StageOfTask, Generic[Loaded]):
    """How a task scores.

    ``check``, ``promise``: name of the blocking check, and what it holds in words. ``load``: the champion, from what was
    recorded of each version. ``score``: writes the predictions of a session, inside the caller's transaction; gives the rows.
    ``labels``: their title, and what reads rows of ``monitoring.label_stats`` without their key. ``profile``: whether the check
    holds, and the counts behind it, from the rows written and the champion; None for a fallback. ``look``: metadata of the
    asset, from the session and the counts.
    """

    check: str
    promise: str
    load: Callable[[ModelStore, Mapping[str, str]], Loaded]
    score: Callable[[Database, Loaded, str], int]
    labels: tuple[str, Callable[[Database], list[dict[str, Any]]]]
    profile: Callable[[Database, int, Loaded | None], tuple[bool, dict[str, Any]]]
    look: Callable[[Database, str, Mapping[str, Any]], dict[str, Any]]
