"""Which learner ``estimator: auto`` chose, and why, in a sentence for people.

Elsewhere: the choice (``engines/learner_choice.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tdml_assets.engines.learner_choice import OPTIONS

_WORDS = {option.name: option.words for options in OPTIONS.values() for option in options}
_WHY = {
    "simplest": "the simplest of those within one standard error of the lowest loss",
    "best": "the lowest loss",
    "kept": "as before, since no other is better by more than its standard error",
    "only": "the only one that these rows allow",
    "unrehearsed": "not rehearsed",
}


def choice_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was chosen and why, with the losses of the others.

    ``rows``: of ``monitoring.estimator_choices``, all of one session and workflow.
    """
    chosen = next(row for row in rows if row["chosen"])
    others = sorted((row for row in rows if row["loss"] is not None and not row["chosen"]), key=lambda row: row["loss"])
    compared = ", ".join(f"{_WORDS[row['option']]} {_percent(row['loss'], chosen['loss'])}" for row in others)
    losses = f"; loss of {compared}" if compared else ""
    return f"{_WORDS[chosen['option']]}: {_WHY[chosen['why']]}{losses} ({chosen['seen']})"


def _percent(loss: float, of: float) -> str:
    return f"{loss / of - 1.0:+.1%}" if of else "-"
