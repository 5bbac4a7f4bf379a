"""Rows that another row of the same line key replaces, and sources that tell when their rows were recorded.

Elsewhere: how ``recorded_at`` is read (``moments.py``), what a snapshot sees of it (``dbt_project/``), the statements
(``sql/raw``).

A load sees what was recorded by the end of ``as_of``. A row counted until another one of its ``line_key`` replaced it: such rows
are kept in ``raw.replaced_<table>``, if they counted at the end of a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.sources import OrdersSource, Source, is_recorded
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import LOADED, ORDERS, replaced_contract
from tdml_assets.stages.raw.latest_day import known_day, read_latest_day

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database


#: Tables whose rows may be recorded later than they happened.
RECORDED_TABLES = ("orders", "pageviews", "email_events")


def known_by(database: Database, table: str, declaration: Source | None, as_of: date | None) -> date | None:
    """Last day whose records a load may read; ``None`` where that follows from its own rows, or all are read.

    ``as_of``: the settings' day; ``None`` for the latest, which the orders decide: they are loaded first.
    """
    if not is_recorded(declaration):
        return None
    if as_of is not None or table == ORDERS.name or not database.has_table(ORDERS.path):
        return as_of
    latest = read_latest_day(database)
    return latest.day if latest is not None else None


def latest_staged_day(database: Database, declaration: Source) -> date | None:
    """Of the orders just read, the day that ``as_of: latest`` means, if rows were recorded after it; else ``None``."""
    rows = database.rows(render("raw/staged_days", has_key=bool(declaration.line_key)))
    if not rows:
        return None
    day = known_day(rows).day
    later = database.row(render("raw/count_recorded_later", known_on=day))["row_count"]
    return day if later else None


def find_repeated_keys(database: Database, declaration: Source) -> None:
    """Fill ``repeated_keys`` from ``staged_rows``: the line keys of several rows. Every step below looks at their rows alone."""
    if declaration.line_key:
        database.execute(render("raw/find_repeated_keys"))


def date_states(database: Database, declaration: Source) -> None:
    """Date repeated rows back to where their state was recorded first; after ``find_repeated_keys``."""
    if is_recorded(declaration) and declaration.line_key:
        database.execute(render("raw/find_states"))
        database.execute(render("raw/date_states"))


def keep_replaced(
    database: Database, table: str, declaration: Source | None, constants: dict[str, Any], files: Sequence[str]
) -> TableContract | None:
    """Write the earlier states of a load's rows; without ``recorded_at`` there is no such table."""
    if table not in RECORDED_TABLES:
        return None
    contract = replaced_contract(LOADED[table])
    if not is_recorded(declaration):
        if database.has_table(contract.path):
            database.execute(render("warehouse/drop_table", table=contract.path))
        return None
    has_states = declaration is not None and bool(declaration.line_key)
    states = render("raw/replaced", contract=contract, constants=constants, files=list(files))
    database.replace(contract, states if has_states else [])
    return contract


#: Keys that several different lines of one file share, from where this is not a slip of the source.
FEWEST_GROUPED_KEYS = 20


def find_dropped(database: Database, declaration: Source, file_count: int) -> int:
    """Fill ``dropped_rows`` from ``staged_rows``. Returns the keys that name several lines; 0 where each names one.

    Of the rows of a key the latest stays. But where one file has different lines under a key, such as a product twice in an order,
    the key does not tell lines apart: then nothing collapses within a file, and of several files the latest that holds the key
    gives all its lines. Where updates or records are declared, rows of a key are states of one line.
    """
    keys = 0
    has_states = isinstance(declaration, OrdersSource) and (declaration.updated_at or declaration.recorded_at)
    if isinstance(declaration, OrdersSource) and not has_states and file_count > 1:
        keys = int(database.row(render("raw/grouped_keys"))["key_count"])
    if keys < FEWEST_GROUPED_KEYS:
        database.execute(render("raw/find_dropped"))
        return 0
    database.execute(render("raw/find_dropped_groups"))
    return keys
