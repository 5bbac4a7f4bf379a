"""Which columns of the feature table a workflow uses, and how they are grouped.

Elsewhere: computing features (``dbt_project/``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tdml_assets.declaration.workflow import Features, WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract

FEATURES_TABLE = ("features", "customer_features")
CUSTOMERS_TABLE = ("raw", "customers")
KEYS = ("snapshot_date", "customer_id")
_TEXT = ("VARCHAR",)


@dataclass(frozen=True)
class FeatureColumns:
    """Columns a workflow learns from, in the order of the feature table.

    ``numeric``: numbers. ``text``: categories, encoded before a model sees them.
    """

    numeric: tuple[str, ...]
    text: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every column, numbers first."""
        return (*self.numeric, *self.text)


def choose_features(columns: Mapping[str, str], spec: Features) -> FeatureColumns:
    """Choose by the workflow's patterns. Raises ``ValueError`` if a pattern matches no column, or nothing is left.

    ``columns``: type per column of ``features.customer_features``. ``spec``: the workflow's ``features``.
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


def features_table(spec: WorkflowSpec) -> tuple[str, str]:
    """Where a workflow's features are read: the table all share, or its own view of eligible customers and their columns."""
    return (spec.name, "features") if spec.features.customers or spec.eligible.words else FEATURES_TABLE


def eligibility_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.eligibility``, the rule that the workflow's view of the features applies."""
    return TableContract(
        workflow,
        "eligibility",
        "One row: who is scored and learnt from.",
        (
            Column(
                "ordered_within_days", "BIGINT", "Days before the snapshot with an order of the customer; NULL: any."
            ),
            Column("min_orders", "BIGINT", "Orders at least.", False),
        ),
    )


def customer_columns(spec: Features, columns: Mapping[str, str]) -> dict[str, str]:
    """Type per column of ``raw.customers`` that a workflow takes.

    Raises ``ValueError`` if the customers source has no such column.
    """
    missing = sorted(set(spec.customers) - set(columns))
    if missing:
        raise ValueError(
            f"features.customers: the customers source has no column {', '.join(missing)}; it has {', '.join(columns)}"
        )
    return {name: {"text": "VARCHAR", "number": "DOUBLE"}[kind] for name, kind in spec.customers.items()}
