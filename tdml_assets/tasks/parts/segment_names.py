"""Names of segments: what sets a group apart, in words, kept with its number.

Belongs here: the words, and that no two groups share a name. Does not: the groups (``engines/kmeans.py``), how numbers are carried
on (``engines/cluster_profile.py``), the statements (``sql/clustering/``).

A number is the same group from session to session and keeps the name it was first given, in ``<workflow>.segment_names``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tdml_assets.platform.contracts import Column, TableContract

#: Standard deviations of all customers, on logarithms, from which a group is called unlike the average.
_UNLIKE = 0.25
#: Figure of a group, and what it is called below and above the average; a middle one is not named.
_WORDS = (
    ("frequency", "infrequent", "frequent"),
    ("silence", "recent", "lapsed"),
    ("spend", "low spend", "high spend"),
)


def names_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.segment_names``."""
    return TableContract(
        workflow,
        "segment_names",
        "One row per number that a group was ever given.",
        (
            Column("cluster", "INTEGER", "Number of the group.", False),
            Column("segment_name", "VARCHAR", "What its customers were like when the number was first given.", False),
        ),
    )


def name_segments(standing: Sequence[Mapping[str, Any]], kept: Mapping[int, str]) -> dict[int, str]:
    """A name per number of a group. Returns the names of ``kept`` and of ``standing``, each once.

    ``standing``: per group ``cluster``, its number, and how far it lies from all customers in ``frequency`` (orders),
    ``silence`` (days since the last order) and ``spend``, in standard deviations of logarithms; None where unknown. ``kept``:
    names given before, per number.
    """
    names = dict(kept)
    for group in sorted(standing, key=lambda one: int(one["cluster"])):
        number = int(group["cluster"])
        if number not in names:
            name = _name_of(group)
            names[number] = f"{name} ({number})" if name in names.values() else name
    return names


def _name_of(group: Mapping[str, Any]) -> str:
    said = []
    for figure, below, above in _WORDS:
        distance = group[figure] or 0.0
        if abs(distance) >= _UNLIKE:
            said.append(above if distance > 0 else below)
    return ", ".join(said) or "average"
