"""What a stage is for the task of a workflow: the facts of its asset, and what it did.

Elsewhere: what one stage asks besides (in that stage, a class made of :class:`StageOfTask`), what a task answers
(``asset.py`` for a row per customer, ``recommendation.py`` for baskets).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import TableContract


class AssetFacts(TypedDict):
    """What ``dagster.asset`` takes, without checks."""

    key: list[str]
    deps: list[list[str]]
    group_name: str
    kinds: set[str]
    owners: list[str]
    pool: str
    description: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StageOfTask:
    """The facts of an asset that differ between tasks.

    ``description``, ``metadata``: of the asset. ``deps``: keys of the assets that it is made from. ``reads``: schema and name
    of the tables that have a part in the result. ``tables``: schema and name of the tables that it replaces as a whole.
    ``slices``: tables of which it writes the session's slice.
    """

    description: str
    metadata: Mapping[str, Any]
    deps: Sequence[Sequence[str]]
    reads: Sequence[tuple[str, str]] = ()
    tables: Sequence[tuple[str, str]] = ()
    slices: Sequence[TableContract] = ()

    def asset(self, spec: WorkflowSpec, stage: str, kinds: set[str]) -> AssetFacts:
        """What ``dagster.asset`` takes."""
        # Tasks, which know this class, load without Dagster.
        from tdml_assets.platform.metadata import OWNER

        return {
            "key": [spec.name, stage],
            "deps": [list(key) for key in self.deps],
            "group_name": spec.name,
            "kinds": kinds,
            "owners": [OWNER],
            "pool": "warehouse",
            "description": self.description,
            "metadata": self.metadata,
        }


@dataclass(frozen=True)
class Done:
    """What a stage did: rows of its table, a sentence for the log, metadata, and a note that the session keeps."""

    rows: int
    sentence: str
    shown: Mapping[str, Any]
    note: str = ""
