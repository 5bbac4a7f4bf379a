"""One module per system that attributes are sent to.

A destination takes the published tables ``audience.parent_segment_attributes`` and ``audience.attribute_catalog`` from
an open warehouse and brings them to another system. Whatever the system, a delivery

* is repeatable: the same session sent again leaves the same rows at the other end, none of them twice;
* is all or nothing for a reader there: until it is complete, the delivery before stays visible;
* streams: no more than one batch of rows is in memory;
* says what it did in numbers only: customers' values appear neither in a :class:`Delivery` nor in an error.

Elsewhere: any one system (its own module), Dagster (``stages/audience/asset.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Failpoint = Callable[[str], None]
"""Called with the name of a step that is done; tests end the process there."""


def no_failpoint(step: str) -> None:
    """Go on."""


@dataclass(frozen=True)
class Delivery:
    """What one delivery did.

    ``destination``: name of the destination. ``location``: where the attributes are now, for a person to open. ``rows``:
    customers delivered. ``changed``: False where the same session had delivered the same rows before. ``details``: further
    numbers, for metadata. ``left_out``: published customers who may not be sent, by reason.
    """

    destination: str
    location: str
    rows: int
    changed: bool
    details: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
