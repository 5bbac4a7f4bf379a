"""From the verified bytes of a model's files back to what they hold.

Elsewhere: which files a model has and what is made of them (the learners), hashes and versions (``models/bundles.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xgboost as xgb

from tdml_assets.engines.booster_check import checked_booster


def read_facts(files: Mapping[str, bytes], model_file: str, others: tuple[str, ...] = (), *, version: int) -> Any:
    """Parse the JSON file that binds the files of a model. Raises ``ValueError`` if a file is missing, or the format is another.

    ``others``: files that must be there too. ``version``: its ``format``.
    """
    missing = sorted({model_file, *others} - set(files))
    if missing:
        raise ValueError(f"the model lacks {', '.join(missing)}: promote another version")
    facts = json.loads(files[model_file])
    if facts.get("format") != version:
        raise ValueError(f"{model_file} has format {facts.get('format')!r}, this code reads {version}: train again")
    return facts


def read_booster(files: Mapping[str, bytes], name: str, *, objective: str, rounds: int, model_file: str) -> xgb.Booster:
    """Parse a booster. ``objective``, ``rounds``: what ``model_file`` says of it. Raises ``ValueError`` if it is another."""
    import xgboost as xgb

    booster = xgb.Booster()
    booster.load_model(checked_booster(files[name], name))
    found = json.loads(booster.save_config())["learner"]["objective"]["name"]
    if found != objective or booster.num_boosted_rounds() != rounds:
        raise ValueError(
            f"{name} holds {booster.num_boosted_rounds()} rounds of {found}, {model_file} says {rounds} of {objective}: "
            "files of two models are mixed, take another version"
        )
    return booster
