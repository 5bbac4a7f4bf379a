"""What a session is measured against: the references of the champion that scored until now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tdml_assets.models.bundles import Manifest
from tdml_assets.models.store import ModelStore


@dataclass(frozen=True)
class GoneLive:
    """A champion's files, as drift sees them.

    ``manifest``: what it is. ``files``: verified bytes per name. ``scores``: whether the session's predictions are its own.
    ``is_first``: whether its references were taken in this session, so that there is nothing to compare with.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    scores: bool
    is_first: bool = False


def scored_until_now(models: ModelStore, workflow: str, session_id: str) -> GoneLive:
    """The champion before this session, or this session's where there was none.

    A session that trains and promotes, measured against its own champion, would compare its data with themselves. Raises
    ``LookupError`` if nothing was promoted yet.
    """
    store = models.open()
    current = store.champion(workflow)
    if current is None:
        raise LookupError(f"workflow {workflow} has no champion: train and promote a model first")
    champion = current.champion
    if champion.session_id == session_id and champion.previous in store.versions(workflow):
        bundle = store.read(workflow, champion.previous)
        return GoneLive(bundle.manifest, bundle.files, scores=False)
    bundle = store.read_champion(workflow)
    return GoneLive(bundle.manifest, bundle.files, scores=True, is_first=bundle.manifest.session_id == session_id)
