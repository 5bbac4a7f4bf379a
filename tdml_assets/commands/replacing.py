"""Champions that learnt from a customer who was forgotten, replaced by versions that did not.

Belongs here: which version takes whose place. Does not: training (a run does), the gate, which compares quality alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tdml_assets.models.bundle_store import BundleStore

_REASON = "replaces a version that learnt from a customer who was forgotten"


@dataclass(frozen=True)
class Replacement:
    """What became of one champion. ``words``: which version scores now, or why the old one stays."""

    workflow: str
    is_done: bool
    words: str


def replace_champions(
    store: BundleStore,
    learnt: Sequence[str],
    since: datetime,
    now: datetime,
    recorded: Mapping[str, Mapping[str, str]],
) -> list[Replacement]:
    """Let the newest version trained after the erasure score, where a champion that learnt from the customer still does.

    ``learnt``: champions as ``workflow/version``. ``since``: when the customer was forgotten, in naive UTC. ``recorded``: hash
    of the content of each version, by workflow and version.
    """
    found = []
    for place in learnt:
        workflow, _, version = place.partition("/")
        found.append(_replace(store, workflow, version, since, now, recorded.get(workflow, {})))
    return found


def _replace(
    store: BundleStore, workflow: str, version: str, since: datetime, now: datetime, recorded: Mapping[str, str]
) -> Replacement:
    current = store.champion(workflow)
    if current is None or current.champion.version != version:
        other = "none" if current is None else current.champion.version
        return Replacement(workflow, True, f"{other} scores already")
    held = store.held(workflow)
    if held is not None:
        return Replacement(workflow, False, f"{version} is held ({held.reason}): tdml-assets release {workflow}")
    trained = [store.manifest(workflow, name) for name in store.versions(workflow)]
    newer = [one for one in trained if one.created_at >= since and one.version != version]
    if not newer:
        return Replacement(workflow, False, f"no version was trained since, {version} stays: see the run's summary")
    newest = max(newer, key=lambda one: one.created_at).version
    store.promote(
        workflow,
        newest,
        replacing=current,
        reason=_REASON,
        session_id="operator",
        promoted_at=now,
        recorded=recorded.get(newest),
    )
    return Replacement(workflow, True, f"{newest} scores from the next run on")
