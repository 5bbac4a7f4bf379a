"""What the sync core asks of a destination's client: batches in, receipts out, and four kinds of errors.

Elsewhere: any one system (``destinations/``), deciding what is sent or tried again (``planning.py``, ``delivery.py``).

No reason in a receipt or an error holds a customer's value or a secret: reasons are kept in the warehouse and shown to people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from tdml_assets.platform.contracts import Column
from tdml_assets.platform.retrying import TransientError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TransientError"]  # which destinations raise, next to the errors below

Operation = Literal["upsert", "update", "create", "remove"]

Failpoint = Callable[[str], None]
"""Called with the name of a step that is done; tests end the process there."""


class RejectedBatchError(Exception):
    """The batch is refused as it is: it is cut in halves until the rows that are refused are found.

    ``code``: short and stable, such as ``400``. ``reason``: why, in words.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class DestinationError(RuntimeError):
    """Nothing can be sent at all: credentials, address, a table that is not there. Says what to do."""


@dataclass(frozen=True)
class Rejection:
    """Why one row was refused."""

    code: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Rows for one request.

    ``operation``: what is done with them there. ``key``: name of the column of keys. ``rows``: a column of keys and, unless
    they are removed, one per attribute, named as they are called there. ``session_id``, ``as_of``: session that published the
    attributes, and the day they are of. ``idempotency_key``: equal for equal batches, also after a restart.
    """

    operation: Operation
    key: str
    rows: pa.Table
    session_id: str
    as_of: date | None
    idempotency_key: str


@dataclass(frozen=True)
class Receipt:
    """What became of the rows of a batch; those not named were taken.

    ``rejected``: refused rows by their place in the batch. ``skipped``: places of rows that the mode leaves alone: not there for an
    update, there already for a create.
    """

    rejected: Mapping[int, Rejection] = field(default_factory=dict)
    skipped: Sequence[int] = ()


@dataclass(frozen=True)
class Opening:
    """What a client is opened with.

    ``name``: the destination's, in the settings. ``environment``: where secrets are. ``columns``: of the rows, without the key,
    named as they are called there. ``session_id``, ``as_of``: as of :class:`Batch`. ``scratch``: folder for files on their way.
    ``s3_client``: makes a boto3 client as the settings say.
    """

    name: str
    environment: Mapping[str, str]
    columns: Sequence[Column]
    session_id: str
    as_of: date | None
    scratch: Path
    s3_client: Callable[[], Any]


class Client(Protocol):
    """An open connection to a destination. Every method may raise the errors of this module."""

    def send(self, batch: Batch) -> Receipt:
        """Bring one batch there. The same batch again must leave the same rows."""

    def finish(self) -> Mapping[str, Any]:
        """Make the whole sync seen, where single batches are not: swap, pointer, manifest. Returns figures and a link for people.

        Called once behind the last batch, and with no batch before it where nothing is to send.
        """


class Erases(Protocol):
    """A client of a kind that removes no single row by a batch, and can take a customer out of all that it ever wrote."""

    def erase(self, customer: str) -> None:
        """Take a customer out. The same again changes nothing."""


class Opens(Protocol):
    """The part of a destination's settings that makes its client."""

    def open(self, opening: Opening) -> AbstractContextManager[Client]:
        """Connect. Raises :class:`DestinationError` with what to do."""


@runtime_checkable
class Checks(Protocol):
    """A destination that can be asked whether a sync could write there."""

    def check(self, opening: Opening) -> Mapping[str, Any]:
        """Look at credentials, table and rights, and write nothing. Gives what is there; raises the errors of this module."""
