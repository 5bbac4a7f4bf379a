"""Sending a plan batch by batch: check, send, mark, in this order and never another.

Elsewhere: deciding what is sent (``planning.py``), how long to wait (``platform/retrying.py``), the tables (``trail.py``).

A batch is marked behind its acknowledgement, in one row; the end of the sync writes the state of its rows. A process that ends
in between sends the same batch again, with the same idempotency key: at least once, and never lost. The warehouse is closed
while a batch is on its way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tdml_assets.activation.ahead import OneAhead
from tdml_assets.activation.contracts import PLANNED
from tdml_assets.activation.planning import Plan
from tdml_assets.activation.protocol import (
    Batch,
    Client,
    DestinationError,
    Failpoint,
    Operation,
    Receipt,
    RejectedBatchError,
    Rejection,
    TransientError,
)
from tdml_assets.activation.trail import mark_batch, mark_swap
from tdml_assets.platform.retrying import Clock, attempted
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    import pyarrow as pa

    from tdml_assets.platform.warehouse import Warehouse

#: Rows that are refused one by one before anything is taken, from which the sync ends.
_MOST_REFUSED = 50
_Answer = TypeVar("_Answer")
_OPERATIONS: Mapping[str, Operation] = {"update_only": "update", "create_only": "create"}


def no_failpoint(step: str) -> None:
    """Go on."""


@dataclass
class Tally:
    """What a sync did so far."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    failed: int = 0
    skipped: int = 0
    attempts: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


class Delivery:
    """One sync on its way.

    ``client``: open connection to the destination. ``failpoint``: called with the name of every step that is done.
    """

    def __init__(
        self, warehouse: Warehouse, plan: Plan, client: Client, *, clock: Clock, failpoint: Failpoint = no_failpoint
    ) -> None:
        self._warehouse, self._plan, self._client = warehouse, plan, client
        self._clock, self._failpoint = clock, failpoint
        self._last_request = -1e9
        self._rejected: dict[str, Rejection] = {}
        self._refused, self._has_taken = 0, False
        self.tally = Tally()

    def run(self) -> Tally:
        """Send every batch of ``activation.planned_changes``.

        Raises ``DestinationError`` if the destination cannot be used, or gave no answer in time. What was acknowledged until then
        is marked.
        """
        statement = render("activation/batches", planned=PLANNED.path, destination=self._plan.destination)
        with self._warehouse.read() as database:
            batches = database.rows(statement)
        with OneAhead((found, self._read(found)) for found in batches) as read:
            for found, batch in read:
                self._one(found, batch, read.settle)
        self.tally.details = dict(self._attempted(self._client.finish))
        self._failpoint("finished")
        if self._plan.swaps and batches:
            with self._warehouse.write() as database:
                mark_swap(database, self._plan, rejected=self._rejected, now=self._clock.now())
            self.tally.removed = self._plan.count("removed") + self._plan.count("held_there")
            self._failpoint("marked swap")
        return self.tally

    def _read(self, found: Mapping[str, Any]) -> Batch:
        """Read a batch; the thread reads one ahead."""
        plan, number = self._plan, found["batch"]
        removing = found["removed"] > 0
        operation: Operation = "remove" if removing else _OPERATIONS.get(plan.settings.mode, "upsert")
        columns = [] if removing else list(plan.selection.columns)
        context = {**plan.context, "columns": columns, "batch": number}
        if removing:
            context["has_identifiers"] = False
        with self._warehouse.read() as database:
            rows = database.arrow(render("activation/batch", **context))
        if rows.num_rows != found["row_count"]:
            raise DestinationError("the published attributes changed while they were sent: sync again")
        key = _idempotency_key(plan, operation, found["digest"])
        return Batch(operation, plan.settings.key, rows, plan.session_id, plan.as_of, key)

    def _one(self, found: Mapping[str, Any], batch: Batch, settle: Callable[[], None]) -> None:
        """Send and mark a batch. ``settle``: waits until the warehouse is read no more, so that it can be written."""
        plan, number = self._plan, found["batch"]
        self._failpoint(f"read {number}")
        receipt = self._sent(batch)
        self._failpoint(f"sent {number}")
        customers = batch.rows.column(0).to_pylist() if receipt.rejected or receipt.skipped else []
        rejected = {customers[place]: why for place, why in receipt.rejected.items()}
        skipped = [customers[place] for place in receipt.skipped]
        self._rejected |= rejected
        settle()
        self._count(found, rejected, skipped)
        if plan.swaps:
            return
        # Who was there already for a create is there now; who was not for an update is not.
        unmarked, unlogged = (skipped, []) if batch.operation == "update" else ([], skipped)
        with self._warehouse.write() as database:
            mark_batch(
                database,
                plan,
                number,
                rejected=rejected,
                unmarked=unmarked,
                unlogged=unlogged,
                now=self._clock.now(),
            )
        self._failpoint(f"marked {number}")

    def _count(self, found: Mapping[str, Any], rejected: Mapping[str, Rejection], skipped: list[str]) -> None:
        tally, changes = self.tally, {}
        if rejected or skipped:
            with self._warehouse.read() as database:
                planned = database.rows(_planned(self._plan.destination, found["batch"]))
            changes = {row["customer_id"]: row["action"] for row in planned}
        for action in ("added", "changed", "removed"):
            lost = sum(changes.get(customer) == action for customer in (*rejected, *skipped))
            setattr(tally, action, getattr(tally, action) + found[action] - lost)
        tally.failed += len(rejected)
        tally.skipped += len(skipped)
        for rejection in rejected.values():
            tally.codes[rejection.code] = tally.codes.get(rejection.code, 0) + 1

    def _sent(self, batch: Batch, offset: int = 0) -> Receipt:
        """Send a batch; one that is refused is cut in halves down to the refused rows."""
        try:
            receipt = self._attempted(lambda: self._client.send(batch))
        except RejectedBatchError as error:
            size = batch.rows.num_rows
            if size == 1:
                self._note_refusal(error)
                return Receipt({offset: Rejection(error.code, error.reason)})
            half = size // 2
            first = self._sent(_part(batch, 0, half), offset)
            second = self._sent(_part(batch, half, size - half), offset + half)
            return Receipt({**first.rejected, **second.rejected}, [*first.skipped, *second.skipped])
        self._has_taken |= len(receipt.rejected) < batch.rows.num_rows
        rejected = {place + offset: why for place, why in receipt.rejected.items()}
        return Receipt(rejected, [place + offset for place in receipt.skipped])

    def _note_refusal(self, error: RejectedBatchError) -> None:
        """End a sync of which nothing is taken: then it is not the rows, and cutting on would ask for each of them."""
        self._refused += 1
        if self._refused >= _MOST_REFUSED and not self._has_taken:
            raise DestinationError(
                f"the first {self._refused} rows were refused one by one ({error.code}: {error.reason}): correct the names "
                "and types of the columns"
            )

    def _attempted(self, call: Callable[[], _Answer]) -> _Answer:
        def paced() -> _Answer:
            self._keep_pace()
            self.tally.attempts += 1
            return call()

        try:
            return attempted(paced, self._plan.settings.retries, self._clock)
        except TransientError as error:
            raise DestinationError(f"{error}: sync again later, what was taken is kept") from error

    def _keep_pace(self) -> None:
        most = self._plan.settings.most_requests_per_second
        if most is not None:
            wait = self._last_request + 1 / most - self._clock.monotonic()
            if wait > 0:
                self._clock.sleep(wait)
        self._last_request = self._clock.monotonic()


def _planned(destination: str, batch: int) -> Any:
    return render("activation/planned_of_batch", planned=PLANNED.path, destination=destination, batch=batch)


def _idempotency_key(plan: Plan, operation: Operation, digest: str) -> str:
    text = f"{plan.destination}|{plan.selection.sha256}|{operation}|{digest}"
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _part(batch: Batch, start: int, size: int) -> Batch:
    rows: pa.Table = batch.rows.slice(start, size)
    key = hashlib.sha256(f"{batch.idempotency_key}|{start}|{size}".encode()).hexdigest()[:40]
    return Batch(batch.operation, batch.key, rows, batch.session_id, batch.as_of, key)
