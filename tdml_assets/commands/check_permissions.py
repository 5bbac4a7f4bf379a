"""Who may be sent where, as ``check`` shows it: the lists of consent and suppression, and what they leave each destination.

Elsewhere: the figures (``activation/reach.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tdml_assets.activation.permission import unreadable_fault
from tdml_assets.activation.reach import ListFacts, Reach, odd_lists, read_lists, read_reach
from tdml_assets.commands.common import table_lines
from tdml_assets.declaration.destinations import AsksPermission
from tdml_assets.stages.raw.contracts import ORDERS, PERMISSION_LISTS

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

_NAMES = 6


@dataclass(frozen=True)
class Permissions:
    """The declared lists, and the declared destinations. ``notes``: what is probably not meant."""

    lists: tuple[ListFacts, ...] = ()
    reach: tuple[Reach, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """Why nobody could be sent, each with its remedy."""
        found = [fault for one in self.lists if (fault := unreadable_fault(one.name, one.unreadable))]
        for one in self.reach:
            found += [fault if fault in found else f"destinations.{one.destination}: {fault}" for fault in one.faults]
        return list(dict.fromkeys(found))


def read_permissions(
    database: Database, names: Sequence[str], destinations: Mapping[str, AsksPermission]
) -> Permissions:
    """Read them all. ``names``: lists that are declared and loaded. ``destinations``: settings by name."""
    lists = {name: PERMISSION_LISTS[name].path for name in names}
    found = read_lists(database, lists, ORDERS.path)
    wants_consent = any(settings.purpose is not None for settings in destinations.values())
    reach = read_reach(database, destinations, lists, ORDERS.path) if lists or wants_consent else ()
    return Permissions(found, reach, tuple(odd_lists(found, destinations)))


def permission_lines(permissions: Permissions) -> list[str]:
    """As text; empty where no list is declared."""
    if not permissions.lists and not permissions.reach:
        return []
    lines = ["Who may be sent"]
    for one in permissions.lists:
        lines.append(
            f"  {one.name}: {one.line_count:,} lines of {one.customers:,} customers, {one.known_customers:,} of them with orders"
        )
        if one.name == "consent":
            lines.append(
                f"    {one.granted_lines:,} lines give consent, {one.line_count - one.granted_lines:,} refuse it"
            )
        lines += [
            f"    {title}: {_named(names, every)}"
            for title, names, every in (
                ("purposes", one.purposes, "every purpose"),
                ("destinations", one.destinations, "every destination"),
            )
            if names
        ]
    if not permissions.reach:
        return [*lines, "  no destination is declared, and the exports are off"]
    titles = {"known": "customers", "refused": "consent refused", "unknown": "consent unknown", "left_to_send": "left"}
    rows = [{titles.get(name, name): value for name, value in one.row().items()} for one in permissions.reach]
    return [*lines, *table_lines(rows)]


def _named(names: Mapping[str | None, int], every: str) -> str:
    shown = [f"{every if name is None else name} ({count:,} lines)" for name, count in list(names.items())[:_NAMES]]
    more = len(names) - len(shown)
    return ", ".join([*shown, f"{more:,} more"] if more else shown)


def permissions_dict(permissions: Permissions) -> dict[str, Any]:
    """As JSON."""

    def named(names: Mapping[str | None, int]) -> list[dict[str, Any]]:
        return [{"name": name, "lines": count} for name, count in names.items()]

    return {
        "lists": {
            one.name: {
                "lines": one.line_count,
                "customers": one.customers,
                "known_customers": one.known_customers,
                "lines_that_give_consent": one.granted_lines,
                "purposes": named(one.purposes),
                "destinations": named(one.destinations),
                "unreadable": dict(one.unreadable),
            }
            for one in permissions.lists
        },
        "destinations": {
            one.destination: {name: value for name, value in asdict(one).items() if name != "destination"}
            for one in permissions.reach
        },
    }
