"""Which columns of the feature table a workflow uses, and how they are grouped.

Belongs here: choosing columns by pattern, telling numbers from text. Does not: computing features (``dbt_project/``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tdml_assets.core.workflow import Features

KEYS = ("snapshot_date", "customer_id")
_TEXT = ("VARCHAR",)


@dataclass(frozen=True)
class FeatureColumns:
    """Columns a workflow learns from, in the order of the feature table.

    Parameters
    ----------
    numeric : numbers.
    text : categories, encoded before a model sees them.
    """

    numeric: tuple[str, ...]
    text: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every column, numbers first."""
        return (*self.numeric, *self.text)


def choose_features(columns: Mapping[str, str], spec: Features) -> FeatureColumns:
    """Choose by the workflow's patterns.

    Parameters
    ----------
    columns : type per column of ``features.customer_features``.
    spec : the workflow's ``features``.

    Raises
    ------
    ValueError
        If a pattern matches no column, or nothing is left.
    """
    candidates = [name for name in columns if name not in KEYS]
    for pattern in (*spec.include, *spec.exclude):
        if not any(fnmatchcase(name, pattern) for name in candidates):
            raise ValueError(
                f"features: pattern {pattern!r} matches no column of features.customer_features; it has {', '.join(candidates)}"
            )
    chosen = [
        name
        for name in candidates
        if any(fnmatchcase(name, pattern) for pattern in spec.include)
        and not any(fnmatchcase(name, pattern) for pattern in spec.exclude)
    ]
    if not chosen:
        raise ValueError(f"features: include {spec.include} less exclude {spec.exclude} leaves no column")
    text = tuple(name for name in chosen if columns[name] in _TEXT)
    return FeatureColumns(numeric=tuple(name for name in chosen if columns[name] not in _TEXT), text=text)
