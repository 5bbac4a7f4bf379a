"""What the statement needs to know of statuses and kinds of lines, and what a load reports of statuses.

Elsewhere: the declaration (``declaration/statuses.py``, ``declaration/order_rules.py``), judging rows
(``sql/raw/parts/meanings.sql``).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.sources import OrdersSource, Source
from tdml_assets.declaration.statuses import COMMON_STATUSES, REFUNDED_STATUSES, split_patterns
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import ORDER_STATUSES

if TYPE_CHECKING:
    from tdml_assets.platform.statistics import Reader
    from tdml_assets.platform.warehouse import Database

#: Statuses that are kept, the most frequent ones: more than these are not statuses.
MOST_STATUSES = 200


@dataclass(frozen=True)
class StatusCount:
    """Rows of one status at the last load.

    ``order_status``: as the source writes it; ``None`` for rows without one. ``meaning``: ``sale``, ``return``, ``void`` or
    ``ignore``. ``meaning_from``: ``declared`` in ``statuses``, one of the ``common`` ones, or ``none``: not known, and counted
    as a sale. ``row_count``: rows, accepted or not. ``amount``: their money in the reporting currency, as it would count if
    they were sales or returns.
    """

    order_status: str | None
    meaning: str
    meaning_from: str
    row_count: int
    amount: Decimal

    @property
    def is_unknown(self) -> bool:
        """Whether rows have a status that nothing names."""
        return self.meaning_from == "none" and self.order_status is not None


@dataclass(frozen=True)
class Meanings:
    """Meaning per status: ``keys``, ``values`` and ``declared`` are of one length; ``patterns`` are those of LIKE."""

    keys: tuple[str, ...]
    values: tuple[str, ...]
    declared: tuple[bool, ...]
    patterns: tuple[tuple[str, str], ...]
    empty: str | None
    refunded: tuple[str, ...]


@dataclass(frozen=True)
class OtherStatus:
    """What a further column says of its rows: ``exact`` values and ``patterns`` of LIKE, each with its meaning.

    ``column``: of the statement. ``empty``: meaning of a row without a value; ``None`` where it says nothing.
    """

    column: str
    exact: tuple[tuple[str, str], ...]
    patterns: tuple[tuple[str, str], ...]
    empty: str | None


@dataclass(frozen=True)
class Kinds:
    """(code, kind, is_spend) per declared code, and per pattern of LIKE."""

    exact: tuple[tuple[str, str, bool], ...]
    patterns: tuple[tuple[str, str, bool], ...]


def plan_meanings(declaration: OrdersSource) -> Meanings | None:
    """Meanings of the statuses of a source; ``None`` without a column of statuses."""
    columns = declaration.columns
    if columns.order_status is None:
        return None
    exact, patterns = split_patterns(declaration.statuses)
    empty = exact.pop("", None)
    common = dict(COMMON_STATUSES)
    if columns.refunded_amount is not None:
        # How much was given back has a column of its own, which nets the sale; without it the order is void again (priced.sql).
        common |= dict.fromkeys(REFUNDED_STATUSES, "sale")
    declared = {key.lower(): meaning for key, meaning in exact.items()}
    undeclared = {key: meaning for key, meaning in common.items() if key not in declared}
    return Meanings(
        keys=(*declared, *undeclared),
        values=(*declared.values(), *undeclared.values()),
        declared=(*(True for _ in declared), *(False for _ in undeclared)),
        patterns=tuple(patterns.items()),
        empty=empty,
        refunded=REFUNDED_STATUSES if columns.refunded_amount is not None else (),
    )


def plan_others(declaration: OrdersSource) -> tuple[OtherStatus, ...]:
    """Meanings of the further columns, in the order of the declaration."""
    found = []
    for place, meanings in enumerate(declaration.other_statuses.values()):
        exact, patterns = split_patterns(meanings)
        empty = exact.pop("", None)
        found.append(OtherStatus(f"other_{place}_given", tuple(exact.items()), tuple(patterns.items()), empty))
    return tuple(found)


def plan_kinds(declaration: OrdersSource) -> Kinds | None:
    """Kinds of lines; ``None`` if none are declared."""
    exact, patterns = split_patterns(declaration.line_kinds.values)
    if not exact and not patterns:
        return None
    return Kinds(
        exact=tuple((code, item.kind, item.is_spend) for code, item in exact.items()),
        patterns=tuple((code, item.kind, item.is_spend) for code, item in patterns.items()),
    )


def read_statuses(reader: Reader) -> tuple[StatusCount, ...]:
    """Statuses of the orders at the last load, the most frequent first; empty if no column of statuses is mapped."""
    rows: list[dict[str, Any]] = reader.rows(render("raw/order_statuses", statuses=ORDER_STATUSES.path))
    return tuple(StatusCount(**row) for row in rows)


def write_statuses(database: Database, declaration: Source, *, has_dropped: bool) -> None:
    """Keep the statuses of the rows that are staged."""
    if not isinstance(declaration, OrdersSource) or declaration.columns.order_status is None:
        database.replace(ORDER_STATUSES, [])
        return
    counts = render(
        "raw/status_counts",
        is_shared=declaration.amount_level == "order",
        has_dropped=has_dropped,
        is_recorded=declaration.recorded_at is not None,
        most=MOST_STATUSES,
    )
    database.replace(ORDER_STATUSES, counts)
