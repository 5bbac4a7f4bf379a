"""Two real order logs, month after month: what the product calls natural, and what it sees of prices that went wrong.

Belongs here: features of consecutive snapshots from the product's own run, rescaled and judged session by session. Does not:
simulated worlds (``drift_worlds.py``), the page (``drift.py``).

Multiplying every amount of a log multiplies every spend feature by the same factor (``tests/e2e/test_properties.py`` holds the
product to that), so the features themselves are multiplied here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb

from benchmarks.accuracy_runs import Home, Log
from tdml_assets.declaration.monitor import Monitor
from tdml_assets.models.reference import build_reference, measure
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.drift.detection import BROKEN, DRIFTED, ColumnDrift, Earlier, judge

#: Columns of ``features.customer_features`` in currency that the price of every order moves.
SPEND = (
    "total_spend",
    "gross_spend",
    "avg_order_value",
    "first_order_value",
    "last_order_value",
    "max_order_value",
    "total_spend_30d",
    "total_spend_90d",
    "total_spend_365d",
)
FACTORS = (1.1, 1.25, 100.0)
STEP_DAYS = 30
#: Sessions before the first that is judged against a history.
WARM_UP = 2
#: A month has one of these sessions; six of them are half a year.
SESSIONS_IN_HALF_A_YEAR = 6


@dataclass(frozen=True)
class Judged:
    """One session of one log.

    Parameters
    ----------
    columns : of the natural data, by name.
    rescaled : of the same session with every amount multiplied, by factor and name.
    """

    day: date
    columns: dict[str, ColumnDrift]
    rescaled: dict[float, dict[str, ColumnDrift]]


def is_alarm(column: ColumnDrift) -> bool:
    """Whether a column is called drifted or broken."""
    return column.status in (*DRIFTED, *BROKEN)


def features_of(folder: Path, log: Log, as_of: date, sessions: int) -> Path:
    """Let the product compute the features of ``sessions`` snapshots, 30 days apart, up to ``as_of``. Returns its warehouse."""
    home = Home.new(folder, log, as_of)
    snapshots = {"count": sessions, "step_days": STEP_DAYS, "seasons": [], "min_history_days": 2 * STEP_DAYS}
    home.run(
        "features", {"cltv": {"target": {"horizon_days": STEP_DAYS}, "snapshots": snapshots}}, upto="training_table"
    )
    return home.warehouse


def judge_log(warehouse: Path, policy: Monitor) -> list[Judged]:
    """Judge every snapshot against the first and against the stable ones before it, naturally and rescaled."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
        days = [
            row[0]
            for row in connection.execute(
                "select distinct snapshot_date from warehouse.features.customer_features order by 1"
            ).fetchall()
        ]
        _copy(connection, days[0], 1.0)
        reader = Database(connection)
        reference = build_reference(reader, ("main", "session"), {}, _watched(reader))
        found: list[Judged] = []
        for day in days[1:]:
            earlier = _earlier(found, policy)
            by_factor = {}
            for factor in (1.0, *FACTORS):
                _copy(connection, day, factor)
                report = judge(reference, measure(reader, ("main", "session"), {}, reference), policy, earlier=earlier)
                by_factor[factor] = {column.column_name: column for column in report.columns}
            found.append(Judged(day, by_factor.pop(1.0), by_factor))
    return found


def _watched(reader: Database) -> list[str]:
    return [name for name in reader.columns(("main", "session")) if name not in ("snapshot_date", "customer_id")]


def _copy(connection: duckdb.DuckDBPyConnection, day: date, factor: float) -> None:
    scaled = ", ".join(f'"{name}" * {factor!r} as "{name}"' for name in SPEND)
    connection.execute(
        f"create or replace table session as select * replace ({scaled}) "
        "from warehouse.features.customer_features where snapshot_date = $day",
        {"day": day},
    )


def _earlier(found: Sequence[Judged], policy: Monitor) -> Earlier | None:
    """What stable sessions left: per column, since here every column is asked by itself."""
    counts, steps = {}, {}
    for name in found[-1].columns if found else ():
        stable = [one.columns[name] for one in found if not is_alarm(one.columns[name])][-policy.history :]
        if stable:
            counts[name] = stable[-1].counts
            steps[name] = tuple(column.psi_previous for column in stable if column.psi_previous is not None)
    return Earlier(counts, steps) if counts else None


def _worst_half_year(flags: Sequence[bool]) -> int:
    windows = range(max(1, len(flags) - SESSIONS_IN_HALF_A_YEAR + 1))
    return max(sum(flags[start : start + SESSIONS_IN_HALF_A_YEAR]) for start in windows)


def natural_alarms(found: Sequence[Judged], name: str) -> int:
    """Most alarms of one column that begin in any six sessions in a row; one that lasts is one."""
    alarms = [is_alarm(one.columns[name]) for one in found]
    return _worst_half_year([now and not before for before, now in pairwise([False, *alarms])])


def natural_sessions(found: Sequence[Judged], name: str) -> int:
    """Most sessions of any six in a row in which one column was in alarm."""
    return _worst_half_year([is_alarm(one.columns[name]) for one in found])


def seen_share(found: Sequence[Judged], factor: float) -> float:
    """Share of sessions, from :data:`WARM_UP` on, in which any spend column of the rescaled log raised an alarm."""
    judged = found[WARM_UP:]
    return sum(any(is_alarm(one.rescaled[factor][name]) for name in SPEND) for one in judged) / len(judged)
