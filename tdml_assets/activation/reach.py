"""Who may be sent where, counted before anything is: the lists of consent and suppression, and what they leave each destination.

Elsewhere: the plan of a sync (``planning.py``), when a list cannot be asked (``permission.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tdml_assets.activation.permission import GRANTED, permission_context, permission_faults, unreadable_lines
from tdml_assets.declaration.destinations import AsksPermission
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

Path = tuple[str, str]


@dataclass(frozen=True)
class ListFacts:
    """A list in figures.

    ``name``: ``consent`` or ``suppression``. ``line_count``, ``customers``: lines that were accepted, and whom they are about.
    ``known_customers``: of these, customers of the orders. ``granted_lines``: lines that give a consent; all of a list that
    does not say. ``purposes``, ``destinations``: lines by what they name, the most frequent first; None names every one.
    ``unreadable``: lines that were set aside for what is in them, by reason.
    """

    name: str
    line_count: int
    customers: int
    known_customers: int
    granted_lines: int
    purposes: Mapping[str | None, int] = field(default_factory=dict)
    destinations: Mapping[str | None, int] = field(default_factory=dict)
    unreadable: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reach:
    """Customers of the orders whom a destination may be sent, and why not the others: the first reason that applies.

    ``refused``, ``unknown``: without consent to the purpose: some line refuses it; there is no line. ``faults``: why the lists
    cannot be asked, so that nobody is sent; empty where they can.
    """

    destination: str
    purpose: str | None
    known: int
    forgotten: int
    suppressed: int
    refused: int
    unknown: int
    left_to_send: int
    faults: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        found = asdict(self)
        found.pop("faults")
        return {**found, "purpose": self.purpose or "-"}


def read_lists(database: Database, lists: Mapping[str, Path], known: Path) -> tuple[ListFacts, ...]:
    """Figures of every loaded list.

    ``lists``: table per list. ``known``: table of the customers who are known, such as the orders.
    """
    found = []
    for name, path in lists.items():
        counts = database.row(
            render("activation/list_counts", list_table=path, known_table=known, granted=list(GRANTED))
        )
        named = {
            column: {
                row["name"]: row["line_count"]
                for row in database.rows(render("activation/list_names", list_table=path, column=column))
            }
            for column in ("purpose", "destination")
        }
        found.append(
            ListFacts(
                name,
                **counts,
                purposes=named["purpose"],
                destinations=named["destination"],
                unreadable=unreadable_lines(database, name),
            )
        )
    return tuple(found)


def read_reach(
    database: Database, destinations: Mapping[str, AsksPermission], lists: Mapping[str, Path], known: Path
) -> tuple[Reach, ...]:
    """What the lists leave every destination, by the rules of a plan. ``destinations``: settings by name."""
    found = []
    for name, settings in destinations.items():
        context = permission_context(database, settings, lists)
        counts = database.row(
            render("activation/reach", **context, control_column=None, destination=name, known_table=known)
        )
        faults = permission_faults(database, settings, lists)
        found.append(Reach(name, settings.purpose, **counts, faults=faults))
    return tuple(found)


def odd_lists(lists: Sequence[ListFacts], destinations: Mapping[str, AsksPermission]) -> list[str]:
    """What is probably not meant, with what to do."""
    notes = []
    for one in lists:
        key = f"sources.{one.name}"
        if one.customers and not one.known_customers:
            notes.append(
                f"none of the {one.customers:,} customers of {key} has an order: map columns.customer_id to the id that orders have"
            )
        others = sorted(name for name in one.destinations if name is not None and name not in destinations)
        if others:
            count = sum(one.destinations[name] for name in others)
            notes.append(
                f"{count:,} lines of {key} are about {len(others):,} destinations that are not declared: they hold for none. "
                f"Declared: {', '.join(sorted(destinations)) or 'none'}"
            )
        if one.name != "consent":
            continue
        if one.line_count and not one.granted_lines:
            notes.append(
                f"no line of {key} gives consent: columns.allowed has to hold one of {', '.join(GRANTED)}, in any case"
            )
        notes += [
            f"purpose {settings.purpose} of destination {name} is in no line of {key}: columns.purpose has other names"
            for name, settings in destinations.items()
            if settings.purpose is not None
            and one.line_count
            and None not in one.purposes
            and settings.purpose.lower() not in one.purposes
        ]
    return notes
