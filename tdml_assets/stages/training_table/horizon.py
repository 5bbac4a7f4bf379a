"""How far a session may look for what happened. Elsewhere: what happened (``sql/realised/``)."""

from datetime import date

from tdml_assets.platform.sessions import as_of
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features.snapshots import ORDERS_TABLE


def known_until(database: Database) -> date | None:
    """Day up to which the session may know what happened: its as_of, or the day the orders end if that is earlier.

    Orders after as_of only say that those before it have arrived: as_of itself may be a day on which nobody buys.
    """
    day = as_of(database)
    last: date | None = database.row(render("features/orders_span", table=ORDERS_TABLE, as_of=None))["last_order_on"]
    return None if last is None else min(day, last)
