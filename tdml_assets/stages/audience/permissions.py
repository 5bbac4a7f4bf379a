"""What a session says about a list of consent or suppression. Elsewhere: Dagster (``permission_asset.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tdml_assets.activation.permission import unreadable_fault
from tdml_assets.activation.reach import ListFacts, Reach, odd_lists, read_lists, read_reach
from tdml_assets.platform.statements import render
from tdml_assets.stages.audience.activation import load_permissions
from tdml_assets.stages.raw.contracts import LOADS, ORDERS, PERMISSION_LISTS
from tdml_assets.stages.raw.rules import SourceError

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Warehouse
    from tdml_assets.settings import Settings
    from tdml_assets.stages.raw.load_report import LoadReport


@dataclass(frozen=True)
class ListState:
    """A list as it is now.

    ``report``, ``facts``: None where it could not be read. ``loaded_at``, ``written_at``: when it was loaded, and when its
    newest file was written, in UTC; None where that is not known. ``faults``: why it cannot be asked, so that nobody is sent.
    ``notes``: what is probably not meant.
    """

    report: LoadReport | None = None
    facts: ListFacts | None = None
    reach: tuple[Reach, ...] = ()
    loaded_at: datetime | None = None
    written_at: datetime | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """In one line."""
        if self.facts is None:
            return "could not be read"
        return (
            f"{self.facts.line_count:,} lines of {self.facts.customers:,} customers, {self.facts.known_customers:,} of them with "
            "orders"
        )


def read_list_state(settings: Settings, warehouse: Warehouse, name: str) -> ListState:
    """Load the lists as they are now, and read the figures of one; whatever keeps it from being read is a fault."""
    from tdml_assets.platform.resources import s3_client

    def client() -> Any:
        return s3_client(settings)

    destinations = settings.destinations.asking
    try:
        reports = load_permissions(settings, warehouse, client)
    except SourceError as error:
        return ListState(faults=(str(error),))
    with warehouse.read() as database:
        lists = {table: PERMISSION_LISTS[table].path for table in reports}
        (facts,) = read_lists(database, {name: lists[name]}, ORDERS.path)
        loads = database.rows(render("raw/loads_of_source", loads=LOADS.path, source=name))
        reach = read_reach(database, destinations, lists, ORDERS.path)
    fault = unreadable_fault(name, facts.unreadable)
    return ListState(
        reports[name],
        facts,
        reach,
        max((load["committed_at"] for load in loads), default=None),
        max((load["written_at"] for load in loads if load["written_at"] is not None), default=None),
        tuple(filter(None, [fault])),
        tuple(odd_lists([facts], destinations)),
    )
