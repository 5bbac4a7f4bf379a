"""The control group: customers whom no destination is sent, so that what activation does can be measured.

Elsewhere: excluding them (``activation/planning.py``), the comparison (``stages/realised/lift.py``).

Whether a customer is in it depends on a hash of the id and the seed, and on the share that was declared when the customer came: a
session that runs again, new customers and a changed share move nobody who was assigned before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from tdml_assets.activation.selection import CONTROL_COLUMN
from tdml_assets.declaration.audience import ControlGroup
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render
from tdml_assets.stages.realised.lift import has_lift, lift_history_contract
from tdml_assets.stages.training_table.table import target_key

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

CONTROL_GROUPS = TableContract(
    "audience",
    "control_groups",
    "One row per customer and seed: who is kept out of activation, assigned once.",
    (
        Column("customer_id", "VARCHAR", "Customer.", False),
        Column("seed", "BIGINT", "As declared.", False),
        Column("share", "DOUBLE", "Share that was declared when the customer came.", False),
        Column(CONTROL_COLUMN, "BOOLEAN", "Whether the customer is kept out.", False),
        Column("assigned_on", "DATE", "as_of of the session that assigned the customer.", False),
    ),
)
CONTROL_ATTRIBUTE = Column(
    CONTROL_COLUMN, "BOOLEAN", "Whether the customer is kept out of activation: a control group to measure it by."
)


def assign(database: Database, control: ControlGroup, workflows: Sequence[Mapping[str, Any]], as_of: date) -> int:
    """Assign customers who were not assigned before, inside the caller's transaction. Returns how many.

    ``workflows``: name, ``table`` and ``session_id`` of the predictions that are published.
    """
    database.ensure(CONTROL_GROUPS)
    statement = render(
        "audience/assign_control",
        workflows=workflows,
        groups=CONTROL_GROUPS.path,
        seed=control.seed,
        share=control.share,
        as_of=as_of,
    )
    return database.insert(CONTROL_GROUPS, statement)


def control_row() -> dict[str, Any]:
    """Row of the attribute in ``audience.attribute_catalog``."""
    return {
        "column": CONTROL_COLUMN,
        "type": "boolean",
        "grouping": "activation",
        "workflow": "audience",
        "description": CONTROL_ATTRIBUTE.description,
        "as_of": None,
        "note": None,
        "changed_by": None,
    }


def keep_bands(
    database: Database, control: ControlGroup, specs: Sequence[WorkflowSpec], sessions: Mapping[str, str], as_of: date
) -> dict[str, int]:
    """Keep band and group of every customer published, once a horizon, until it is known what happened.

    Comparisons of one workflow do not overlap: a slice is kept when the horizon of the one before has passed. Returns rows
    kept, by workflow. ``sessions``: session of the predictions that are published, by workflow.
    """
    kept = {}
    for spec in specs:
        if spec.name not in sessions or not has_lift(spec):
            continue
        contract = lift_history_contract(spec.name)
        database.ensure(contract)
        columns = database.columns((spec.name, "predictions"))
        statement = render(
            "audience/keep_bands",
            predictions=(spec.name, "predictions"),
            history=contract.path,
            groups=CONTROL_GROUPS.path,
            has_grade="grade" in columns,
            prediction="predicted_target" if "predicted_target" in columns else "probability",
            session_id=sessions[spec.name],
            target=target_key(spec),
            seed=control.seed,
            horizon_days=spec.target.horizon_days,
            as_of=as_of,
        )
        kept[spec.name] = database.replace_slice(contract, {"as_of": as_of}, statement)
    return kept
