"""What activation does: treated customers against the control group, once the horizon has passed.

Elsewhere: who is in the control group (``stages/audience/control.py``), the statistics (``lift_statistics.py``).

Every customer counts in the group that was drawn, sent or not: who later opted out, or was sent by hand, did so in both groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from tdml_assets.declaration.target_kinds import kind_named
from tdml_assets.declaration.targets import words_of
from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.monitoring import LIFT
from tdml_assets.platform.statements import render
from tdml_assets.stages.realised.lift_statistics import Comparison, Stratum, compare_table
from tdml_assets.stages.realised.performance import forget_before
from tdml_assets.stages.training_table.horizon import known_until
from tdml_assets.stages.training_table.table import observation, target_key
from tdml_assets.tasks import realised_performance_of

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Row of ``monitoring.lift`` about all bands together.
ALL = "all"
_SEED = 20_261


def has_lift(spec: WorkflowSpec) -> bool:
    """Whether the workflow predicts a number per customer that comes true or not."""
    return realised_performance_of(spec) is not None and kind_named(spec.target_kind).observed is not None


def lift_history_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.control_history``."""
    return TableContract(
        workflow,
        "control_history",
        "One row per customer of a published day: band and group, kept until the horizon has passed.",
        (
            Column("session_id", "VARCHAR", "Session that published.", False),
            Column("as_of", "DATE", "Day that was published.", False),
            Column("target", "VARCHAR", "What was predicted, as declared, horizon included: JSON.", False),
            Column("customer_id", "VARCHAR", "Customer.", False),
            Column("band", "VARCHAR", "Grade or decile of the prediction.", False),
            Column("prediction", "DOUBLE", "What was predicted; NULL for days that an older version kept."),
            Column("share", "DOUBLE", "Share of the control group when the customer was assigned.", False),
            Column("in_control_group", "BOOLEAN", "Whether the customer was kept out.", False),
        ),
        ("as_of",),
    )


def measure_lift(database: Database, spec: WorkflowSpec, detect: float) -> list[date]:
    """Compare the groups of every kept day whose horizon has passed, inside the caller's transaction.

    Days are compared again for as long as they are kept, so that orders which arrive late are counted. ``detect``: relative
    difference that should be detected. Returns days compared, ascending.
    """
    until = known_until(database)
    history = lift_history_contract(spec.name).path
    if until is None or not has_lift(spec) or not database.has_table(history):
        return []
    horizon = spec.target.horizon_days
    found = {"history": history, "target": target_key(spec), "horizon_days": horizon, "until": until}
    database.ensure(lift_history_contract(spec.name))
    slices = database.rows(render("realised/lift_slices", **found))
    for kept in slices:
        rows = database.arrow(render("realised/lift", history=history, as_of=kept["as_of"], **observation(spec)))
        key = {"session_id": kept["session_id"], "workflow": spec.name}
        lines = lift_rows(spec, {name: rows.column(name).to_numpy() for name in rows.column_names}, detect)
        database.replace_slice(LIFT, key, [{**key, "as_of": kept["as_of"], **line} for line in lines])
    database.execute(render("realised/prune", history=history, before=forget_before(until, horizon)))
    return [kept["as_of"] for kept in slices]


def lift_rows(spec: WorkflowSpec, rows: Mapping[str, Any], detect: float) -> list[dict[str, Any]]:
    """Rows of ``monitoring.lift``: all bands together, then each.

    ``rows``: (customers,) band, prediction, share, in_control_group and outcome.
    """
    names = sorted(set(rows["band"]))
    whole, bands = compare_table(
        _strata(rows, np.ones(len(rows["band"]), dtype=bool)),
        [_strata(rows, rows["band"] == name) for name in names],
        detect=detect,
        seed=_SEED,
    )
    return [_row(spec, name, one, detect) for name, one in zip([ALL, *names], [whole, *bands], strict=True)]


def _strata(rows: Mapping[str, Any], chosen: Any) -> list[Stratum]:
    found = []
    control = rows["in_control_group"].astype(bool)
    outcome, predicted = (rows[name].astype(np.float64) for name in ("outcome", "prediction"))
    for share in np.unique(rows["share"][chosen]):
        those = chosen & (rows["share"] == share)
        treated, kept_out = those & ~control, those & control
        found.append(
            Stratum(outcome[treated], outcome[kept_out], predicted[treated], predicted[kept_out], float(share))
        )
    return found


def _row(spec: WorkflowSpec, band: str, one: Comparison, detect: float) -> dict[str, Any]:
    return {
        "band": band,
        "outcome": words_of(spec.target_kind, spec.target),
        "horizon_days": spec.target.horizon_days,
        **{name: getattr(one, name) for name in ("treated", "control", "treated_mean", "control_mean", "difference")},
        "low": one.low,
        "high": one.high,
        "is_shown": one.is_shown,
        "needed": one.needed,
        "sentence": lift_sentence(one, words_of(spec.target_kind, spec.target), spec.target.horizon_days, detect),
    }


def lift_sentence(one: Comparison, outcome: str, horizon_days: int, detect: float) -> str:
    """The comparison in one plain line."""
    groups = (
        f"{one.treated:,} customers who were sent against {one.control:,} who were kept out, over {horizon_days} days"
    )
    wanted = f"to show a difference of {detect:.0%} it takes about {one.needed:,} customers" if one.needed else ""
    if one.difference is None or one.low is None or one.high is None:
        return f"{outcome}: too few customers to tell: {groups}" + (f"; {wanted}" if wanted else "")
    means = f"{outcome} {one.treated_mean:,.3g} against {one.control_mean:,.3g} a customer"
    figures = f"{means}, a difference of {one.difference:+,.3g} ({one.low:+,.3g} to {one.high:+,.3g})"
    if one.is_shown:
        return f"{figures}: {groups}"
    return f"{figures}, which chance alone explains: {groups}" + (f"; {wanted}" if wanted else "")


def lift_lines(database: Database) -> Sequence[Mapping[str, Any]]:
    """The latest comparison of every workflow: workflow, as_of, sentence."""
    return database.rows_if(LIFT.path, render("realised/lift_lines", lift=LIFT.path))
