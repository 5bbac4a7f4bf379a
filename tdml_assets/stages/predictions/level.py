"""The level of a session's predictions: what the model that scores missed at earlier snapshots, and what is made of it today.

Elsewhere: the correction itself (``engines/level.py``), its rehearsals by a training (``stages/training/level.py``), the comparison
(``stages/training/fit.py``), words (``level_words.py``).

What a champion says of the labelled rows is kept from one session to the next: scoring them again is most of what scoring costs
in a session that trains nothing, and gives the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.level import (
    Kind,
    Level,
    Rehearsal,
    Snapshot,
    find_level,
    level_by_lifetime,
    rehearse,
    slope_of,
)
from tdml_assets.engines.level_windows import Floats, kept_digits
from tdml_assets.engines.protocol import FittedModel
from tdml_assets.engines.row_samples import MANY_ROWS
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.environment import code_version, library_versions
from tdml_assets.platform.monitoring import LEVEL
from tdml_assets.platform.reuse import hash_of
from tdml_assets.platform.sessions import as_of
from tdml_assets.platform.statements import render
from tdml_assets.stages.features.columns import features_table
from tdml_assets.stages.predictions.level_words import level_sentence
from tdml_assets.stages.preparation.parameters import Parameters
from tdml_assets.stages.training.fit import KEYS, compare_snapshots, snapshot_expectations
from tdml_assets.stages.training.level import corrects, read_histories, read_level_history
from tdml_assets.stages.training_table.table import sample_share
from tdml_assets.tasks import task_of

if TYPE_CHECKING:
    from tdml_assets.engines.level_lifetime import Expectation, LifetimeBase
    from tdml_assets.models.bundles import Manifest
    from tdml_assets.models.champions import LoadedChampion
    from tdml_assets.platform.warehouse import Database

# Labelled rows: a view of all of them, or a table of a share.
_VIEW, _SAMPLE = ("labelled_rows",), ("labelled_sample",)


@dataclass(frozen=True)
class FoundLevel:
    """What earlier snapshots say of today's predictions.

    ``level``: to be added where the workflow corrects its level. ``snapshots``: what the model says of them, and what happened.
    ``rehearsals``: the correction of each from those known on its day.
    """

    level: Level
    snapshots: tuple[Snapshot, ...]
    rehearsals: tuple[Rehearsal, ...]

    def row(self, given: Snapshot, moved: float, *, corrected: bool, luck: float | None = None) -> dict[str, Any]:
        """The row of ``monitoring.level``, without its key.

        ``given``: the predictions as the model gives them. ``moved``: the total with the level added. ``luck``: variance of the
        gap, if the customers were drawn again; as at earlier snapshots unless given.
        """
        level = self.level
        if luck is None:
            luck = min((one.variance * one.customers / given.customers for one in self.snapshots), default=0.0)
        low, high = level.bounds(moved, given.customers, luck)
        return {
            "snapshot_date": level.day,
            "kind": level.kind,
            "corrected": corrected,
            "gap": level.gap,
            "deviation": level.deviation,
            "basis": level.basis,
            "basis_date": level.basis_date,
            "basis_gap": level.basis_gap,
            "ageing": level.ageing,
            "customers": given.customers,
            "uncorrected_total": given.predicted,
            "total": moved if corrected else given.predicted,
            "expected_total": moved,
            "low_total": low,
            "high_total": high,
            "rehearsals": len(self.rehearsals),
        }


def find_workflow_level(
    database: Database, spec: WorkflowSpec, champion: LoadedChampion, kind: Kind, given: Snapshot
) -> FoundLevel | None:
    """Compare a champion with what happened after the snapshots of the training table; None where it cannot be compared.

    ``given``: today's predictions as the model gives them.
    """
    from tdml_assets.engines.level_lifetime import fit_base
    from tdml_assets.engines.lifetime_outlook import HISTORY

    day, parameters, columns = given.day, champion.parameters, database.columns(features_table(spec))
    needed = {column.name for column in parameters.numeric} | {level.source for level in parameters.levels}
    if not needed <= columns.keys() or not database.has_table((spec.name, "training_table")):
        return None
    tables = {"training_table": (spec.name, "training_table"), "features_table": features_table(spec)}
    # A session that trains nothing takes features at its own day alone; the training table holds those of its days.
    is_there = needed | set(HISTORY) <= database.columns(tables["training_table"]).keys()
    share = sample_share(database.count(tables["training_table"]), MANY_ROWS)
    sampled = {"view": _VIEW, "sample": _SAMPLE, "sample_share": share}
    database.execute(render("predictions/labelled", is_there=is_there, **sampled, **tables))
    labelled = _VIEW if share == 1 else _SAMPLE
    rows = database.arrow(render("predictions/labelled_keys", view=labelled))
    horizon = spec.target.horizon_days
    days = [one for one in rows["snapshot_date"].unique().to_pylist() if (day - one).days >= horizon]
    known = read_level_history(database, horizon, day)
    base = None if known is None else fit_base(known, target_kind=spec.target_kind, horizon_days=horizon)
    expected = expectations_of(database, spec, labelled, rows, [*days, day], base)

    def compare() -> list[Snapshot]:
        prepared = _prepared(database, labelled, champion.model, parameters)
        return compare_snapshots(champion.model, prepared, days, kind)

    snapshots = kept_snapshots(database, champion.manifest, days, kind, compare) if is_there else compare()
    rehearsals = rehearse(snapshots, horizon, kind, expected)
    return FoundLevel(
        find_level(given, snapshots, rehearsals, kind, expected.get(day)), tuple(snapshots), tuple(rehearsals)
    )


def _prepared(database: Database, labelled: Sequence[str], model: FittedModel, parameters: Parameters) -> pa.Table:
    statement = render(
        "preparation/apply",
        table=labelled,
        parameters=parameters,
        keys=list(KEYS),
        carried=[],
        snapshot_date=None,
        drop_outliers=False,
        ordered=False,
    )
    rows = database.arrow(statement)
    features = rows.select(list(model.features)).cast(pa.schema([(name, pa.float32()) for name in model.features]))
    return pa.table({**{name: rows[name] for name in KEYS}, **{name: features[name] for name in model.features}})


def expectations_of(
    database: Database,
    spec: WorkflowSpec,
    labelled: Sequence[str],
    rows: pa.Table,
    days: Collection[date],
    base: LifetimeBase | None,
) -> dict[date, Expectation]:
    """What a lifetime model fitted to today's histories expects of every labelled snapshot and of today; empty without one.

    ``labelled``: table of the labelled rows. ``rows``: their keys.
    """
    columns, day = database.columns(features_table(spec)), max(days)
    then = read_histories(database, labelled, columns)
    counted = render("training_table/labelled_rows", features_table=features_table(spec), dates=[day])
    customers = int(database.row(counted)["row_count"])
    # As many as a training may have in memory; what is expected of them is expected of all in proportion.
    share = sample_share(customers, spec.split.most_read)
    now = read_histories(database, features_table(spec), columns, day, share)
    if base is None or then is None or now is None:
        return {}
    keys = ["snapshot_date", "customer_id"]
    known = rows.select(keys)
    everybody = pa.concat_tables([known, now.select(keys).cast(known.schema)])
    found = snapshot_expectations(everybody, pa.concat_tables([then, now.cast(then.schema)]), days, base)
    return {one: replace(of_day, customers=customers) if one == day else of_day for one, of_day in found.items()}


def uncorrected_contract(spec: WorkflowSpec) -> TableContract:
    """Contract of ``<workflow>.uncorrected_predictions``, which drift is measured on: a season is not drift."""
    return TableContract(
        spec.name,
        "uncorrected_predictions",
        "Predictions of the session as the model gives them, before their level is corrected.",
        (Column(task_of(spec).prediction, "DOUBLE", "The amount, or the probability of the event.", False),),
    )


def move_scores(
    database: Database,
    spec: WorkflowSpec,
    champion: LoadedChampion,
    scores: TableContract,
    session_id: str,
) -> None:
    """Add the level to the scores table where the workflow says so; keep what was done in ``monitoring.level``."""
    kind, session = task_of(spec).level_kind, {"session_id": session_id, "workflow": spec.name}
    if kind is None:
        return
    plain = uncorrected_contract(spec)
    database.replace(plain, render("predictions/uncorrected", table=scores.path, column=plain.columns[0].name))
    counted = database.row(render("predictions/totals", table=scores.path, kind="amount", factor=1.0))
    count, total = int(counted["customers"]), kept_digits(float(counted["given"]))
    slope = slope_of(count, total, float(counted["spread"])) if kind == "probability" else 1.0
    given = Snapshot(as_of(database), count, total, total, 0.0, 0.0, slope)
    found = find_workflow_level(database, spec, champion, kind, given) if count else None
    rows = []
    if found is not None:
        moved, corrected = {"kind": kind, "factor": math.exp(found.level.gap)}, corrects(spec.level)
        expected = kept_digits(float(database.row(render("predictions/totals", table=scores.path, **moved))["moved"]))
        if corrected and found.level.gap:
            database.execute(render("predictions/move", table=scores.path, **moved))
        rows = [{**session, **found.row(given, expected, corrected=corrected)}]
    database.replace_slice(LEVEL, session, rows)


def move_fallback(
    database: Database, spec: WorkflowSpec, customers: pa.Table, predicted: Floats, session_id: str, day: date
) -> Floats:
    """Add the level to what a lifetime model predicts, where past windows say it; keep what was done in ``monitoring.level``.

    ``customers``: their histories as of ``day``, one a prediction.
    """
    session = {"session_id": session_id, "workflow": spec.name}
    found, rows = _level_of_fallback(database, spec, customers, predicted, day), []
    if found is not None:
        level, given, base = found
        moved, corrected = level.apply(predicted), corrects(spec.level)
        chance = max(float((predicted * (1.0 - predicted)).sum()), 1.0)
        luck = base.luck(given.customers) if level.kind == "amount" else 1.0 / chance
        total = kept_digits(float(moved.sum()))
        rows = [{**session, **FoundLevel(level, (), ()).row(given, total, corrected=corrected, luck=luck)}]
        predicted = moved if corrected else predicted
    database.replace_slice(LEVEL, session, rows)
    return predicted


def fallback_at(database: Database, spec: WorkflowSpec, customers: pa.Table, predicted: Floats, day: date) -> Floats:
    """What :func:`move_fallback` would have published on an earlier day, from what was known then."""
    found = _level_of_fallback(database, spec, customers, predicted, day) if corrects(spec.level) else None
    return predicted if found is None else found[0].apply(predicted)


def _level_of_fallback(
    database: Database, spec: WorkflowSpec, customers: pa.Table, predicted: Floats, day: date
) -> tuple[Level, Snapshot, LifetimeBase] | None:
    """The level of a lifetime model's predictions, these, and what past windows said; None where they say nothing."""
    from tdml_assets.engines.level_lifetime import fit_base

    kind, horizon = task_of(spec).level_kind, spec.target.horizon_days
    known = read_level_history(database, horizon, day) if kind else None
    base = None if known is None else fit_base(known, target_kind=spec.target_kind, horizon_days=horizon)
    if kind is None or base is None:
        return None
    count, total = len(predicted), kept_digits(float(predicted.sum()))
    slope = slope_of(count, total, float((predicted * (1.0 - predicted)).sum())) if kind == "probability" else 1.0
    given = Snapshot(day, count, total, total, 0.0, 0.0, slope)
    level = level_by_lifetime(base.expect(day, customers), given, kind)
    return None if level is None else (level, given, base)


def read_level_sentence(database: Database, session_id: str, workflow: str) -> str | None:
    """What was done to the level of a session's predictions; None where nothing is known of it."""
    key = {"session_id": session_id, "workflow": workflow}
    rows = database.rows_if(LEVEL.path, render("predictions/level", table=LEVEL.path, **key))
    return level_sentence(rows[0]) if rows else None


def kept_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.level_snapshots``."""
    return TableContract(
        workflow,
        "level_snapshots",
        "One row per labelled snapshot: what the champion says of its customers before the level is corrected, and what happened.",
        (
            Column(
                "identity", "VARCHAR", "SHA-256 over the model, code, libraries and rows that were compared.", False
            ),
            Column("day", "DATE", "Day of the snapshot.", False),
            Column("customers", "BIGINT", "Customers compared.", False),
            Column("predicted", "DOUBLE", "Total predicted: money, or customers to whom it happens.", False),
            Column("actual", "DOUBLE", "Total that happened.", False),
            Column(
                "gap", "DOUBLE", "What agrees when added to the logarithm of predictions, or to their log-odds.", False
            ),
            Column("variance", "DOUBLE", "Variance of the gap, if the customers were drawn again.", False),
            Column(
                "slope",
                "DOUBLE",
                "Rise of the log-odds of the mean per rise of every customer's; 1 for amounts.",
                False,
            ),
        ),
    )


def kept_snapshots(
    database: Database,
    manifest: Manifest,
    days: Sequence[date],
    kind: Kind,
    compare: Callable[[], list[Snapshot]],
) -> list[Snapshot]:
    """The snapshots as they were compared before; compared and kept where the model, the rows or the code are others.

    ``compare``: compares the model with the rows of ``days`` in the training table, of many with the same share every time.
    """
    contract = kept_contract(manifest.workflow)
    rows = database.content((manifest.workflow, "training_table"))
    files = [[file.name, file.sha256] for file in manifest.files]
    identity = hash_of([code_version(), library_versions(), files, rows, kind, sorted(map(str, days))])
    if database.has_table(contract.path):
        kept = database.rows(render("predictions/level_snapshots", table=contract.path, identity=identity))
        if kept:
            return [Snapshot(**row) for row in kept]
    found = compare()
    database.replace(contract, [{"identity": identity, **asdict(one)} for one in found])
    return found
