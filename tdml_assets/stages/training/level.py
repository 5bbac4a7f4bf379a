"""The correction of a level as it was rehearsed by a training: rows of ``monitoring.level_rehearsals``.

Elsewhere: the correction (``engines/level.py``), the level of a session's predictions (``stages/predictions/level.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tdml_assets.declaration.workflow import LevelSpec, WorkflowSpec
from tdml_assets.engines.level import Level, Rehearsal
from tdml_assets.engines.row_samples import MANY_ROWS
from tdml_assets.platform.statements import render
from tdml_assets.stages.features.columns import FEATURES_TABLE
from tdml_assets.stages.features.past_rows import replaced_rows
from tdml_assets.stages.features.snapshots import ORDERS_TABLE
from tdml_assets.stages.training_table.table import sample_share

if TYPE_CHECKING:
    from tdml_assets.engines.level_lifetime import LevelHistory, LifetimeBase
    from tdml_assets.engines.level_pauses import Pause
    from tdml_assets.platform.warehouse import Database

#: Customers whose histories a lifetime model is fitted to at most: more move no parameter by anything that counts.
FITTED_CUSTOMERS = 5_000


def read_histories(
    database: Database, table: Sequence[str], columns: Collection[str], day: date | None = None, share: float = 1.0
) -> pa.Table | None:
    """Unprepared histories of a share of a table's customers, of one day or of all; None where its ``columns`` lack them."""
    from tdml_assets.engines.lifetime_outlook import HISTORY

    if not {"snapshot_date", "customer_id", *HISTORY} <= set(columns):
        return None
    return database.arrow(
        render("training_table/histories", table=table, columns=HISTORY, snapshot_date=day, sample_share=share)
    )


def read_pauses(database: Database, day: date) -> list[Pause]:
    """Weeks without any order before a day, on days of the year that had orders in another year."""
    from tdml_assets.engines.level_pauses import find_pauses

    days = database.arrow(render("training/order_days", table=ORDERS_TABLE, as_of=day))
    return find_pauses(days["ordered_on"].to_pylist())


def read_level_history(database: Database, horizon_days: int, day: date) -> LevelHistory | None:
    """What was known on a day for the lifetime model that a correction asks; None where histories or orders are not there."""
    from tdml_assets.engines.level_lifetime import LevelHistory
    from tdml_assets.engines.level_windows import window_days
    from tdml_assets.engines.lifetime_outlook import HISTORY

    if not {"snapshot_date", "customer_id", *HISTORY} <= set(database.columns(FEATURES_TABLE)):
        return None
    if not database.has_table(ORDERS_TABLE):
        return None
    first = database.row(render("features/orders_span", table=ORDERS_TABLE, as_of=day))["first_order_on"]
    if first is None:
        return None
    pauses = read_pauses(database, day)
    every = window_days(day, first, horizon_days)
    windows = [(begin, days) for begin, days in every if not any(pause.meets(begin, days) for pause in pauses)]
    reads = {"features_table": FEATURES_TABLE, "day": day, "most": FITTED_CUSTOMERS}
    histories = database.arrow(render("training/level_histories", columns=HISTORY, **reads))
    begins, lengths = [begin for begin, _ in windows], [days for _, days in windows]
    reads |= {"orders_table": ORDERS_TABLE, "replaced_orders": replaced_rows(database)}
    past = render("training/level_windows", begins=begins, lengths=lengths, **reads)
    return LevelHistory(day, first, histories, windows, database.arrow(past))


@dataclass(frozen=True)
class KnownThen:
    """What the correction of the level asks: unprepared histories of labelled rows, and what was known on the day of the test."""

    histories: pa.Table | None = None
    then: LevelHistory | None = None

    def base(self, spec: WorkflowSpec) -> LifetimeBase | None:
        """The lifetime model fitted to what was known on the day of the test; None without one."""
        from tdml_assets.engines.level_lifetime import fit_base

        if self.then is None:
            return None
        return fit_base(self.then, target_kind=spec.target_kind, horizon_days=spec.target.horizon_days)


def read_known(database: Database, spec: WorkflowSpec, test_day: date) -> KnownThen:
    """Read what the correction of the level asks of a training table, and of the day of its test."""
    table = (spec.name, "training_table")
    then = read_level_history(database, spec.target.horizon_days, test_day)
    # Where every row is learnt from, memory need not hold the histories of all of them.
    share = sample_share(database.count(table), MANY_ROWS) if spec.split.takes_all else 1.0
    return KnownThen(read_histories(database, table, database.columns(table), share=share), then)


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
