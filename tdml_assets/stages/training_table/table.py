"""The training table: features of labelled snapshots, the target observed after each, and the split.

Elsewhere: choosing snapshots (``stages/features/snapshots.py``), the statement (``sql/training_table/``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.target_kinds import kind_named
from tdml_assets.declaration.workflow import Split, WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.per_task import Done, StageOfTask
from tdml_assets.platform.refusals import RefusedError
from tdml_assets.stages.features.snapshots import SplitPlan

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Where spend is observed, and the column with its day.
_ORDERS = (("raw", "orders"), "ordered_on")


@dataclass(frozen=True, kw_only=True)
class TrainingTable(StageOfTask):
    """How a task makes its training table.

    ``write`` replaces it; ``prepare`` makes what the stages behind need in every session, also where the table is taken over. Both
    run inside the caller's transaction.
    """

    write: Callable[[Database], Done]
    prepare: Callable[[Database], None] = lambda _: None


class TooFewRowsError(RefusedError):
    """A split has too few rows to learn from or to measure on."""


def roles_of(plan: SplitPlan) -> dict[date, str]:
    """Part per labelled snapshot, as ``sql/training_table/build.sql`` knows them.

    ``by_customers`` splits the snapshot's customers three ways; ``train_and_validate`` holds some out for early stopping.
    """
    train = "train" if plan.validation else "train_and_validate"
    roles = dict.fromkeys(plan.refit_only, "refit") | dict.fromkeys(plan.train, train)
    if plan.validation:
        roles[plan.validation] = "validation"
    roles[plan.test] = "by_customers" if plan.by_customers else "test"
    return roles


def note_of(plan: SplitPlan | None, horizon_days: int) -> str:
    """What a reader of the metrics should know about the split; empty where it is the ordinary one."""
    if plan is None:
        return ""
    if plan.by_customers:
        return (
            f"history holds one snapshot with a whole {horizon_days}-day target: "
            f"tested on other customers of {plan.test}, not later in time"
        )
    if plan.validation is None:
        return "early stopping watched held-out customers: history has no snapshot to spare for it"
    return ""


def contract_of(workflow: str, types: Mapping[str, str], features: Sequence[str], target: str) -> TableContract:
    """Contract of ``<workflow>.training_table``; ``types`` are those of the feature table, ``target`` says what is predicted."""
    return TableContract(
        workflow,
        "training_table",
        "One row per labelled snapshot and customer: features then, and what the customer did after.",
        (
            Column("snapshot_date", "DATE", "Day at whose end the features were taken.", False),
            Column("customer_id", "VARCHAR", "Customer.", False),
            Column(
                "split", "VARCHAR", "train, validation, test, or refit for rows that only the final fit may use.", False
            ),
            Column("target", "DOUBLE", target, False),
            *(Column(name, types[name], "See features.customer_features.") for name in features),
        ),
    )


def observation(spec: WorkflowSpec) -> dict[str, Any]:
    """How the target is observed: what ``sql/training_table/parts/`` asks for, next to the days."""
    target = spec.target
    table, day = _ORDERS if spec.target_kind == "net_spend" else (target.events.table, target.events.day)
    return {
        "events_table": table,
        "day": day,
        "kind": kind_named(spec.target_kind),
        "column": target.column,
        "conditions": target.conditions,
        "horizon_days": target.horizon_days,
    }


def sample_share(labelled_rows: int, max_rows: float) -> float:
    """Share of customers to keep so that about ``max_rows`` rows remain; all of them where that is infinite."""
    return 1.0 if labelled_rows <= max_rows else max_rows / labelled_rows


def check_sizes(sizes: Sequence[Mapping[str, Any]], split: Split, *, looks_ahead: bool = True) -> None:
    """Refuse splits too small. Raises ``TooFewRowsError`` naming the split, its rows, the bound and the remedy.

    ``sizes``: rows with ``split`` and ``customers``, as ``sql/training_table/split_sizes.sql`` gives them. ``looks_ahead``: whether
    the workflow has a horizon, which could be shorter.
    """
    for name in ("train", "validation", "test"):
        found = sum(int(row["customers"]) for row in sizes if row["split"] == name)
        if found < split.min_rows:
            raise TooFewRowsError(
                f"the {name} split has {found} rows and training needs at least {split.min_rows} (split.min_rows)",
                f"give more customers or a longer history, or {'shorten target.horizon_days' if looks_ahead else 'lower that'}",
            )


def target_key(spec: WorkflowSpec) -> str:
    """What is predicted, as one comparable text: predictions of another target or horizon are never held against this one."""
    target = spec.target.model_dump(mode="json", exclude={"label", "kind"})
    return json.dumps({"kind": spec.target_kind, **target}, sort_keys=True)
