"""What the raw tables look like: the small frozen inputs that their quality is judged on.

Elsewhere: judgement (``arrival.py``, ``content.py``), policy (``declaration/quality.py``), writing.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.monitoring import DATA_QUALITY, SESSIONS
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader, significant
from tdml_assets.stages.raw.contracts import EMAIL_EVENTS, LINEAGE, LOADS, ORDERS, PAGEVIEWS, REJECTED_ROWS

if TYPE_CHECKING:
    from tdml_assets.declaration.quality import QualityPolicy
    from tdml_assets.stages.data_quality.first_load_measures import FirstLoad
    from tdml_assets.stages.data_quality.order_rules import OrderTotals, PartialStatuses
    from tdml_assets.stages.data_quality.recorded import RecordLag
    from tdml_assets.stages.data_quality.unreadable import Unreadable
    from tdml_assets.stages.raw.latest_day import LatestDay
    from tdml_assets.stages.raw.meanings import StatusCount

WORKFLOW = "all"
_WATCHED = (ORDERS, PAGEVIEWS, EMAIL_EVENTS)
_SCALED = {ORDERS: ("amount", "unit_price")}
_LEVELS = ((ORDERS, "product_category"), (ORDERS, "order_status"), (EMAIL_EVENTS, "event_type"))


@dataclass(frozen=True)
class Logs:
    """A column's values that are not 0, per day: how many, and the sum of the natural logarithms of their sizes."""

    counts: tuple[int, ...]
    sums: tuple[float, ...]


@dataclass(frozen=True)
class Days:
    """A raw table day by day, up to as_of.

    ``table``: schema and name, as people write it: ``raw.orders``. ``days``: days with rows, in order. ``rows``: rows per day,
    of the same length as ``days``; so are all that follow. ``filled``: rows with a value, per column that may be null.
    ``logs``: per column of money.
    """

    table: str
    days: tuple[date, ...]
    rows: tuple[int, ...]
    filled: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    logs: Mapping[str, Logs] = field(default_factory=dict)

    def span(self, first: date, last: date) -> slice:
        """Places of the days after ``first`` up to and including ``last``."""
        return slice(bisect_right(self.days, first), bisect_right(self.days, last))

    def row_count(self, first: date, last: date) -> int:
        """Rows after ``first`` up to and including ``last``."""
        return sum(self.rows[self.span(first, last)])

    def windows(self, end: date, days: int, most: int) -> list[int]:
        """Rows of the window of ``days`` days ending at ``end`` and of up to ``most`` whole ones before it, latest first.

        Windows that begin before the table does are left out; without rows the list is empty.
        """
        if not self.days:
            return []
        whole = min(most + 1, ((end - self.days[0]).days + 1) // days)
        starts = [end - timedelta(days=days * (place + 1)) for place in range(whole)]
        return [self.row_count(start, start + timedelta(days=days)) for start in starts]

    def geometric_mean(self, column: str, span: slice) -> tuple[int, float | None]:
        """How many values of a money column are not 0, and the geometric mean of their sizes; ``None`` without any."""
        logs = self.logs[column]
        count = sum(logs.counts[span])
        return count, significant(math.exp(math.fsum(logs.sums[span]) / count)) if count else None

    def latest_days(self, column: str, span: slice, least: int) -> int | None:
        """Fewest of the latest days of ``span`` that hold ``least`` values of a money column; ``None`` for too few."""
        totals = accumulate(reversed(self.logs[column].counts[span]))
        return next((place for place, total in enumerate(totals, start=1) if total >= least), None)


def longest_gap(days: Sequence[date]) -> int:
    """Days from one of ``days`` to the next, at most; 0 for fewer than two."""
    return max(((later - former).days for former, later in pairwise(days)), default=0)


@dataclass(frozen=True)
class Repeats:
    """Order lines that equal another one of their window, in the last window and in those before it."""

    last_rows: int
    last_repeats: int
    earlier_rows: int
    earlier_repeats: int


@dataclass(frozen=True)
class Repeated:
    """Order lines of all history, and how many of them equal another one."""

    found: int
    rows: int


@dataclass(frozen=True)
class Overlap:
    """A file of orders with lines that equal a line of another file.

    ``file``, ``other_file``: the file, and one that holds such lines too. ``lines``, ``found``: its order lines, and those that
    the other files hold as well. ``money``: sum of the amounts of the latter. ``surplus_lines``, ``surplus_money``: of all
    files together, lines counted once too often, and their amounts. ``surplus_order_lines``: of these lines, those with an
    order id: such a line is in two files by no chance.
    """

    file: str
    other_file: str
    lines: int
    found: int
    money: float
    surplus_lines: int = 0
    surplus_money: float = 0.0
    surplus_order_lines: int = 0


@dataclass(frozen=True)
class CustomerIds:
    """Ids of customers up to a day.

    ``alike``, ``people``: ids that differ from another by case, blanks or a trailing ``.0`` alone, and how many they are
    without that. ``folded``, ``plain``: ids without case and blanks, and without a trailing ``.0`` too. ``lines``,
    ``most_lines``: order lines in all, and of the customer with most. ``money``, ``most_money``: the same of amounts, by their
    size. ``largest_line``: the largest amount of one line.
    """

    customers: int
    lines: int
    most_lines: int
    money: float
    most_money: float
    alike: int
    people: int
    folded: int = 0
    plain: int = 0
    largest_line: float = 0.0


@dataclass(frozen=True)
class Levels:
    """Levels of a text column: those known before the last window, rows of the window, and rows of a level never seen."""

    source: str
    known_levels: int
    last_rows: int
    new_rows: int


@dataclass(frozen=True)
class Intake:
    """What became of a source's rows at its last load.

    ``source``: raw table. ``declaration``: hash of what the settings declare about it and of the loader's rules.
    ``judged_rows``: rows read, but for those that another row of the same key replaced. ``refused_rows``: of these, the rows
    refused for a fault. ``file_count``: files it was loaded from. ``void_rows``: of the rows judged, those that count as nothing
    by their status.
    """

    source: str
    declaration: str
    judged_rows: int
    refused_rows: int
    file_count: int = 1
    void_rows: int = 0


@dataclass(frozen=True)
class Measured:
    """The raw data of one session.

    ``as_of``: last day of data that the session reads; no row after it is counted.
    ``fingerprint``: hash of the raw data as it is loaded.
    ``tables``: orders first.
    ``unreadable``: per declared source, rows that could not be read.
    ``latest``: what ``as_of: latest`` was found to be; ``None`` where the settings give a day.
    ``today``: the day of the clock, where the last order is to be held against it.
    ``overlaps``: files of orders that repeat lines of others, the largest share first.
    ``customers``: their ids, and how much one of them holds.
    ``order_totals``: orders of several lines whose amounts are equal; ``None`` where the declaration says what amounts are of.
    ``statuses``: of the orders, what each counts as.
    ``partial_statuses``: lines without a status whose order has one; ``None`` where they are not looked for.
    ``first_load``: what the absolute limits are judged on besides.
    ``record_lags``: of the tables whose sources tell when rows were recorded.
    """

    as_of: date
    fingerprint: str
    tables: tuple[Days, ...]
    repeats: Repeats
    levels: tuple[Levels, ...]
    intakes: tuple[Intake, ...]
    unreadable: tuple[Unreadable, ...] = ()
    repeated: Repeated | None = None
    latest: LatestDay | None = None
    today: date | None = None
    overlaps: tuple[Overlap, ...] = ()
    customers: CustomerIds | None = None
    order_totals: OrderTotals | None = None
    statuses: tuple[StatusCount, ...] = ()
    partial_statuses: PartialStatuses | None = None
    first_load: FirstLoad | None = None
    record_lags: tuple[RecordLag, ...] = ()


@dataclass(frozen=True)
class Earlier:
    """What the session before found: its day, and the value per check and source."""

    as_of: date
    values: Mapping[tuple[str, str], float]

    def value(self, check: str, source: str) -> float | None:
        """What a check found; ``None`` if it was not made."""
        return self.values.get((check, source))


def measure(reader: Reader, as_of: date, fingerprint: str, policy: QualityPolicy) -> Measured:
    """Read the raw tables up to ``as_of``."""
    window_start = as_of - timedelta(days=policy.window_days)
    baseline_start = window_start - timedelta(days=policy.window_days * policy.windows)
    repeats = render(
        "data_quality/repeats",
        orders=ORDERS.path,
        window_start=window_start,
        baseline_start=baseline_start,
        as_of=as_of,
    )
    intakes = reader.rows(render("data_quality/intake", loads=LOADS.path, rejected=REJECTED_ROWS.path))
    has_files = any(row["source"] == ORDERS.name and row["file_count"] > 1 for row in intakes)
    overlaps = reader.rows(render("data_quality/overlaps", orders=ORDERS.path, as_of=as_of)) if has_files else []
    return Measured(
        as_of=as_of,
        fingerprint=fingerprint,
        tables=tuple(_days(reader, contract, as_of) for contract in _WATCHED),
        repeats=Repeats(**reader.row(repeats)),
        levels=tuple(_levels(reader, *watched, window_start, as_of) for watched in _LEVELS),
        intakes=tuple(
            Intake(
                f"raw.{row['source']}",
                row["declaration_sha256"],
                row["judged_rows"],
                row["refused_rows"],
                row["file_count"],
                row["void_rows"],
            )
            for row in intakes
        ),
        overlaps=tuple(Overlap(**row) for row in overlaps),
        repeated=Repeated(**reader.row(render("data_quality/repeated", orders=ORDERS.path, as_of=as_of))),
        customers=CustomerIds(**reader.row(render("data_quality/customers", orders=ORDERS.path, as_of=as_of))),
    )


def read_earlier(reader: Reader, session_id: str, as_of: date) -> Earlier | None:
    """The latest other session up to ``as_of`` that raised no alarm; ``None`` if there is none."""
    tables = {"table": DATA_QUALITY.path, "sessions_table": SESSIONS.path}
    rows = reader.rows(render("data_quality/earlier", **tables, workflow=WORKFLOW, session_id=session_id, as_of=as_of))
    if not rows:
        return None
    return Earlier(rows[0]["as_of"], {(row["check_name"], row["source"]): row["value"] for row in rows})


def _day_column(contract: TableContract) -> str:
    return next(column.name for column in contract.columns if column.type == "DATE")


def _days(reader: Reader, contract: TableContract, as_of: date) -> Days:
    lineage = {column.name for column in LINEAGE}
    filled = [column.name for column in contract.columns if column.nullable and column.name not in lineage]
    scaled = _SCALED.get(contract, ())
    rows = reader.rows(
        render(
            "data_quality/days",
            table=contract.path,
            day=_day_column(contract),
            filled=filled,
            scaled=scaled,
            as_of=as_of,
        )
    )

    def column(name: str) -> tuple[int, ...]:
        return tuple(row[name] for row in rows)

    return Days(
        table=f"{contract.schema}.{contract.name}",
        days=tuple(row["day"] for row in rows),
        rows=column("row_count"),
        filled={name: column(f"filled_{name}") for name in filled},
        logs={
            name: Logs(column(f"scaled_{name}"), tuple(row[f"log_sum_{name}"] or 0.0 for row in rows))
            for name in scaled
        },
    )


def _levels(reader: Reader, contract: TableContract, column: str, window_start: date, as_of: date) -> Levels:
    found = reader.row(
        render(
            "data_quality/levels",
            table=contract.path,
            day=_day_column(contract),
            column=column,
            window_start=window_start,
            as_of=as_of,
        )
    )
    return Levels(f"{contract.schema}.{contract.name}.{column}", **found)
