"""The correction of a level as it was rehearsed by a training: rows of ``monitoring.level_rehearsals``.

Belongs here: whether a workflow corrects its level, what is kept of rehearsals. Does not: the correction (``engines/level.py``),
the level of a session's predictions (``stages/predictions/level.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tdml_assets.declaration.workflow import LevelSpec
from tdml_assets.engines.level import Level, Rehearsal
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database


def read_histories(
    database: Database, table: Sequence[str], columns: Collection[str], day: date | None = None
) -> pa.Table | None:
    """Unprepared histories of a table's customers, of one day or of all; None where its ``columns`` lack them."""
    from tdml_assets.engines.lifetime_outlook import HISTORY

    if not {"snapshot_date", "customer_id", *HISTORY} <= set(columns):
        return None
    return database.arrow(render("training_table/histories", table=table, columns=HISTORY, snapshot_date=day))


def corrects(declared: LevelSpec) -> bool:
    """Whether the workflow moves its predictions."""
    return declared.correction == "auto"


def rehearsal_rows(rehearsals: Sequence[Rehearsal]) -> list[dict[str, Any]]:
    """Rows of ``monitoring.level_rehearsals``, without their key."""
    latest = max((one.snapshot.day for one in rehearsals), default=None)
    return [_rehearsal_row(one, is_test=one.snapshot.day == latest) for one in rehearsals]


def _rehearsal_row(one: Rehearsal, *, is_test: bool) -> dict[str, Any]:
    snapshot, level = one.snapshot, one.level
    corrected = _expected_total(level, snapshot.predicted, snapshot.customers)
    low, high = replace(level, gap=0.0).bounds(corrected, snapshot.customers, snapshot.variance)
    return {
        "snapshot_date": snapshot.day,
        "is_test": is_test,
        "customers": snapshot.customers,
        "predicted_total": snapshot.predicted,
        "corrected_total": corrected,
        "low_total": low,
        "high_total": high,
        "actual_total": snapshot.actual,
        "gap": snapshot.gap,
        "expected_gap": level.gap,
        "deviation": level.deviation,
        "basis": level.basis,
    }


def _expected_total(level: Level, total: float, customers: int) -> float:
    """The total after the correction, from the one before; for probabilities at the mean customer."""
    if level.kind == "amount" or not customers:
        return float(level.apply(np.array([total]))[0])
    return float(level.apply(np.array([total / customers]))[0]) * customers
