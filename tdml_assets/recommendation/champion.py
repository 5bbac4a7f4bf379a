"""The champion of a recommendation as the stages that use it see it: verified, parsed, and proven on its golden baskets.

Belongs here: from the verified files of a version to recommenders. Does not: the files of one (``model.py``), reading a version
(``models/bundle_store.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tdml_assets.models.bundle_store import Bundle
from tdml_assets.models.bundles import Manifest, evaluated_of, refusing_damage
from tdml_assets.models.golden import GOLDEN_FILE, check_golden
from tdml_assets.recommendation.model import FILES, Recommender, score_golden

if TYPE_CHECKING:
    from tdml_assets.models.store import ModelStore


@dataclass(frozen=True)
class LoadedRecommender:
    """A champion ready to recommend."""

    manifest: Manifest
    model: Recommender


def load_recommender(models: ModelStore, workflow: str, recorded: Mapping[str, str] | None = None) -> LoadedRecommender:
    """Read the champion; every byte is verified before it is parsed.

    ``recorded``: what each version was when it was trained, as the warehouse keeps it. Raises ``LookupError`` if nothing was
    promoted yet. Raises ``BundleDamagedError`` if a file is not what was stored, or the model no longer gives its golden scores.
    """
    bundle = models.open().read_champion(workflow, recorded)
    return LoadedRecommender(bundle.manifest, _load_final(bundle))


def load_measured(bundle: Bundle) -> Recommender | None:
    """The model that was measured; None where the version keeps none.

    Raises ``BundleDamagedError`` if the model that recommends no longer gives its golden scores.
    """
    _load_final(bundle)
    files = evaluated_of(bundle.files)
    return _load(files) if files else None


def _load_final(bundle: Bundle) -> Recommender:
    model = _load(bundle.files)
    with refusing_damage(GOLDEN_FILE):
        check_golden(bundle.files[GOLDEN_FILE], lambda batch: score_golden(model, batch))
    return model


def _load(files: Mapping[str, bytes]) -> Recommender:
    return Recommender.from_files({name: files[name] for name in FILES if name in files})
