"""Taking one customer back from every destination that holds them.

Elsewhere: the warehouse's own tables (``commands/forget.py``).

A destination's row in ``activation.sync_state`` stays until the deletion is acknowledged: a command that is killed is given
again, and the next sync removes the customer in any case, since plans ask the list of forgotten customers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from tdml_assets.activation.contracts import SYNC_STATE
from tdml_assets.activation.protocol import (
    Batch,
    Client,
    DestinationError,
    Erases,
    Opening,
    Opens,
    RejectedBatchError,
    TransientError,
)
from tdml_assets.activation.syncing import Surroundings
from tdml_assets.declaration.destinations import DestinationSettings
from tdml_assets.platform.retrying import attempted
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database, Warehouse


@dataclass(frozen=True)
class Erasure:
    """What became of a customer at one destination.

    ``is_done``: whether the destination acknowledged the deletion. ``words``: what is left to do; empty where it is done.
    """

    destination: str
    is_done: bool
    words: str = ""


def erase(
    warehouse: Warehouse,
    declared: Mapping[str, DestinationSettings],
    customer: str,
    around: Surroundings,
    note: Callable[[Database, Erasure], None],
) -> list[Erasure]:
    """Delete a customer at every destination that was sent them.

    ``note``: keeps what became of it, in the transaction that lets go of the destination's row.
    """
    with warehouse.read() as database:
        if not database.has_table(SYNC_STATE.path):
            return []
        rows = database.rows(render("activation/holders", state=SYNC_STATE.path, customer=customer))
    found = []
    for name in (row["destination"] for row in rows):
        done = _erase_at(name, declared.get(name), customer, around)
        with warehouse.write() as database:
            note(database, done)
            if done.is_done or name not in declared or not _can_leave(declared[name]):
                database.execute(
                    render("activation/erased", state=SYNC_STATE.path, destination=name, customer=customer)
                )
        found.append(done)
    return found


def _erase_at(name: str, settings: DestinationSettings | None, customer: str, around: Surroundings) -> Erasure:
    import pyarrow as pa

    if settings is None:
        return Erasure(name, False, "it is not declared any more: delete the customer there by hand")
    if not _can_leave(settings):
        return Erasure(name, False, "it cannot delete a row: delete the customer there by hand")
    if not (settings.removes or settings.erases):
        return Erasure(name, False, f"it is replaced as a whole: tdml-assets sync {name}, which leaves them out")
    key = hashlib.sha256(f"{name}|erase|{customer}".encode()).hexdigest()[:40]
    batch = Batch("remove", settings.key, pa.table({settings.key: [customer]}), "erasure", None, key)
    opening = Opening(name, around.environment, (), "erasure", None, around.scratch, around.s3_client)
    try:
        with cast("Opens", settings).open(opening) as client:
            call = (lambda: _removed(client, batch)) if settings.removes else (lambda: _erased(client, customer))
            receipt = attempted(call, settings.retries, around.clock)
    except (DestinationError, TransientError) as error:
        return Erasure(name, False, f"{error}; then tdml-assets sync {name}, which deletes them")
    except RejectedBatchError as error:
        return Erasure(name, False, f"{error.reason}: delete the customer there by hand")
    return Erasure(name, receipt)


def _can_leave(settings: DestinationSettings) -> bool:
    """Whether the customer can be taken out there: by a deletion, or by the next sync, since a replacement has them no more."""
    return settings.removes or settings.erases or settings.mode == "replace"


def _erased(client: Client, customer: str) -> bool:
    cast("Erases", client).erase(customer)
    return True


def _removed(client: Client, batch: Batch) -> bool:
    receipt = client.send(batch)
    if receipt.rejected:
        first = next(iter(receipt.rejected.values()))
        raise RejectedBatchError(first.code, first.reason)
    return True
