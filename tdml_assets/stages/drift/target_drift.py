"""The target as it turned out, against the target the champion was tested on: information, once a horizon has passed.

It decides nothing. A season moves every target; whether predictions still hold is what the realised error says.
"""

from __future__ import annotations

from typing import Any

from tdml_assets.assets.champions import TARGET_FILE, read_reference
from tdml_assets.assets.realised import known_until
from tdml_assets.assets.references import GoneLive
from tdml_assets.core.contracts import Column, TableContract
from tdml_assets.core.drift import DriftReport, judge
from tdml_assets.core.realised import target_key
from tdml_assets.core.reference import Reference, build_reference, measure
from tdml_assets.core.statements import render
from tdml_assets.core.tasks import foresight_of
from tdml_assets.core.training import holdout_contract
from tdml_assets.core.training_table import observation
from tdml_assets.core.workflow import WorkflowSpec
from tdml_assets.resources.warehouse import Database


def describe_target(database: Database, spec: WorkflowSpec) -> dict[str, bytes]:
    """The tested target as a reference file; nothing for a task that foretells nothing."""
    if foresight_of(spec) is None:
        return {}
    found = build_reference(database, holdout_contract(spec.name).path, {"split": "test"}, ["target"])
    return {TARGET_FILE: found.to_json().encode()}


def measure_target(database: Database, spec: WorkflowSpec, live: GoneLive) -> DriftReport:
    """What happened to the customers of the newest day whose horizon has passed; empty where there is none yet."""
    # Shown, and never an alarm.
    policy = spec.monitor.model_copy(update={"watch_only": ("*",)})
    nothing = judge(Reference(()), [], policy, kind="target")
    foresight, until = foresight_of(spec), known_until(database)
    if foresight is None or until is None or TARGET_FILE not in live.files:
        return nothing
    history = foresight.history(spec).path
    asked = observation(spec)
    wanted: dict[str, Any] = {"target": target_key(spec), "horizon_days": asked["horizon_days"], "until": until}
    days = database.rows(render("realised/slices", history=history, **wanted)) if database.has_table(history) else []
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
