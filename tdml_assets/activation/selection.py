"""Which columns a destination is sent, under which names, and which of them make a row changed.

Elsewhere: rows (``planning.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from tdml_assets.activation.protocol import DestinationError
from tdml_assets.declaration.destinations import DestinationSettings, Identifier
from tdml_assets.platform.contracts import Column

ATTRIBUTES_TABLE = ("audience", "parent_segment_attributes")
CATALOG_TABLE = ("audience", "attribute_catalog")
CUSTOMERS_TABLE = ("raw", "customers")
#: Attribute of who is kept out of activation: the rows that are sent are those where it is false.
CONTROL_COLUMN = "in_control_group"
_NOT_ATTRIBUTES = ("customer_id", "as_of", CONTROL_COLUMN)


@dataclass(frozen=True)
class SentColumn:
    """One column of the rows that are sent.

    ``source``: attribute, or column of ``raw.customers``. ``name``: what it is called there. ``type``: DuckDB type. ``counts``:
    whether a change of it sends the row again. ``identifier``: how it is normalised and hashed; None for an attribute.
    """

    source: str
    name: str
    type: str
    counts: bool = True
    identifier: Identifier | None = None


@dataclass(frozen=True)
class Selection:
    """The columns of one destination, without the key.

    ``compared_with``: further attributes that make a row changed and are not sent themselves.
    """

    key: str
    columns: tuple[SentColumn, ...]
    compared_with: tuple[SentColumn, ...] = ()

    @property
    def sha256(self) -> str:
        """Equal for equal columns, names, types and comparison."""
        content = [
            self.key,
            [
                [c.source, c.name, c.type, c.counts, c.identifier.model_dump() if c.identifier else None]
                for c in (*self.columns, *self.compared_with)
            ],
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def described(self) -> list[Column]:
        """The columns, as a client gets them."""
        return [Column(column.name, column.type, "") for column in self.columns]


def select_columns(
    settings: DestinationSettings,
    published: Mapping[str, str],
    customers: Mapping[str, str],
    changed_by: Mapping[str, str] | None = None,
) -> Selection:
    """Resolve what a destination is sent.

    Raises ``DestinationError`` if an attribute or a column is not there: names those that are. ``published``: type per column
    of ``audience.parent_segment_attributes``. ``customers``: type per column of ``raw.customers``. ``changed_by``: what the
    attributes' own declarations say; the destination's settings go before.
    """
    known = {name: kind for name, kind in published.items() if name not in _NOT_ATTRIBUTES}
    wanted = settings.attributes or {name: name for name in known}
    rules = {name: band for name, band in (changed_by or {}).items() if name in wanted and band in known}
    rules |= settings.changed_by
    unknown = sorted({*wanted, *settings.changed_by, *settings.changed_by.values()} - set(known))
    if unknown:
        raise DestinationError(f"{', '.join(unknown)}: not published; correct the name. Known: {', '.join(known)}")
    # A band that follows another band would never send anything.
    in_circles = sorted(set(rules) & set(rules.values()))
    if in_circles:
        raise DestinationError(
            f"changed_by: {', '.join(in_circles)} is compared by another attribute itself: name that one"
        )
    columns = [SentColumn(name, there, known[name], counts=name not in rules) for name, there in wanted.items()]
    bands = [name for name in dict.fromkeys(rules.values()) if name not in wanted]
    missing = sorted({one.column for one in settings.identifiers.values()} - set(customers))
    if missing:
        raise DestinationError(
            f"identifiers: {', '.join(missing)}: raw.customers has no such column: map it in sources.customers"
        )
    columns += [SentColumn(one.column, name, "VARCHAR", identifier=one) for name, one in settings.identifiers.items()]
    names = [settings.key, *(column.name for column in columns)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DestinationError(f"two columns would be called {', '.join(twice)} there: rename one under attributes")
    return Selection(settings.key, tuple(columns), tuple(SentColumn(name, name, known[name]) for name in bands))
