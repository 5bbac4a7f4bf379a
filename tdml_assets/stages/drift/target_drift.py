"""The target as it turned out, against the target the champion was tested on: information, once a horizon has passed.

It decides nothing. A season moves every target; whether predictions still hold is what the realised error says.
"""

from __future__ import annotations

from typing import Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.champions import TARGET_FILE, read_reference
from tdml_assets.models.reference import GoneLive, Reference, measure
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.drift.detection import DriftReport, judge
from tdml_assets.stages.training_table.horizon import known_until
from tdml_assets.stages.training_table.table import observation, target_key
from tdml_assets.tasks import realised_performance_of


def measure_target(database: Database, spec: WorkflowSpec, live: GoneLive) -> DriftReport:
    """What happened to the customers of the newest day whose horizon has passed; empty where there is none yet."""
    # Shown, and never an alarm.
    policy = spec.monitor.model_copy(update={"watch_only": ("*",)})
    nothing = judge(Reference(()), [], policy, kind="target")
    performance, until = realised_performance_of(spec), known_until(database)
    if performance is None or until is None or TARGET_FILE not in live.files:
        return nothing
    history = performance.history(spec).path
    asked = observation(spec)
    wanted: dict[str, Any] = {"target": target_key(spec), "horizon_days": asked["horizon_days"], "until": until}
    days = database.rows_if(history, render("realised/slices", history=history, **wanted))
    if not days:
        return nothing
    reference = read_reference(live.files, TARGET_FILE)
    contract = TableContract(
        spec.name, "happened", "What happened; of use while it is measured.", (Column("target", "DOUBLE", "Target."),)
    )
    rows = database.arrow(render("realised/happened", history=history, as_of=days[-1]["as_of"], **asked))
    database.replace(contract, rows.select(["target"]))
    found = judge(reference, measure(database, contract.path, {}, reference), policy, kind="target")
    database.execute(render("warehouse/drop_table", table=contract.path))
    return found
