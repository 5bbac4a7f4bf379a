"""Which data a state folder belongs to, and whether other data are about to be put into it.

Elsewhere: comparing it with data (``state_folder.py``), the guard inside a run (``platform/guards.py``).

Two things make an identity: the declaration (where the orders are and how they are read) and a sketch of the data (some
customers with the day of their first order). The declaration alone is not enough in either direction: a file may be replaced
under its path, and the same orders may be found under another path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tdml_assets.declaration.addresses import redacted
from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.platform.files import replacing
from tdml_assets.settings import Settings
from tdml_assets.simulation import SimulationSettings

FORMAT_VERSION = 1
#: Customers remembered: enough to tell two sets of orders apart, few enough to read at once.
SKETCH_SIZE = 256
#: Below this many customers a sketch says nothing.
_FEWEST_CUSTOMERS = 5
#: Of the remembered customers, the share that must be found again, and of those the share with the same first order. Erased
#: customers, corrected files and an export that begins some days later stay far above; another shop's orders stay far below, even
#: where both number their customers from 1.
_LEAST_FOUND = 0.5
_LEAST_SAME_DAY = 0.5
#: A corrected time zone moves a first order to the day next to it.
_DAY_TOLERANCE = 1

Kind = Literal["sample", "declared"]


class StateConflictError(ValueError):
    """The state folder belongs to other data; names what it holds, what is asked and the commands that resolve it."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Declared(_Frozen):
    """The orders as the settings declare them, without secrets."""

    kind: Kind = Field(description="sample, or declared in the settings.")
    locations: tuple[str, ...] = Field(default=(), description="Paths and addresses, without user names and queries.")
    base_folder: str = Field(default="", description="Folder that relative paths start from.")
    format: str = Field(default="", description="File format.")
    columns: dict[str, str] = Field(default={}, description="Source column per contract column.")
    currency: str = Field(default="", description="Reporting currency.")
    sample: str = Field(default="", description="Hash of the settings of the sample; empty for declared orders.")

    def words(self) -> str:
        """The declaration in one line."""
        if self.kind == "sample":
            return "the sample data"
        columns = ", ".join(f"{ours}: {theirs}" for ours, theirs in sorted(self.columns.items()))
        return f"orders from {', '.join(self.locations)} ({self.format}; {self.currency}; {columns})"


class Sketch(_Frozen):
    """Some customers of the orders: those whose hashed ids come first.

    ``first_days``: day of the first order per hashed customer id.
    """

    first_days: dict[str, date] = {}

    @property
    def is_telling(self) -> bool:
        """Whether there are enough customers to recognise data by."""
        return len(self.first_days) >= _FEWEST_CUSTOMERS


class StateIdentity(_Frozen):
    """Content of ``<home>/state.json``."""

    format_version: int = FORMAT_VERSION
    declared: Declared | None = Field(default=None, description="None: taken over from a folder that recorded none.")
    sketch: Sketch = Sketch()
    recorded_at: datetime | None = Field(default=None, description="When it was written, UTC.")
    note: str = Field(default="", description="How the identity came to be where a person decided it.")

    def without(self, customers: Sequence[str]) -> StateIdentity:
        """The identity, with some customers taken out of its sketch."""
        gone = {_hashed(customer) for customer in customers}
        kept = {key: day for key, day in self.sketch.first_days.items() if key not in gone}
        return self.model_copy(update={"sketch": Sketch(first_days=kept)})


def declared_orders(
    orders: OrdersSource | None, base_folder: str, sample: SimulationSettings | None = None
) -> Declared:
    """Identity of the orders of some settings; ``orders`` is None where the sample is used."""
    if orders is None:
        content = sample.model_dump_json() if sample is not None else ""
        return Declared(kind="sample", sample=hashlib.sha256(content.encode()).hexdigest()[:16])
    return Declared(
        kind="declared",
        locations=tuple(redacted(location) for location in orders.locations),
        base_folder=base_folder,
        format=orders.format,
        columns=orders.mapped,
        currency=orders.reporting,
    )


class Comparison(_Frozen):
    """How many customers of a sketch were found in other orders.

    ``remembered``: customers in the sketch. ``found``: of these, with an order in the data asked for. ``same_day``: of these,
    with the same first day, one day of tolerance.
    """

    remembered: int
    found: int
    same_day: int

    @property
    def is_same(self) -> bool:
        """Whether these are the same customers."""
        enough = self.found >= _LEAST_FOUND * self.remembered
        return enough and self.same_day >= _LEAST_SAME_DAY * self.found

    def words(self) -> str:
        """The comparison in one sentence."""
        return (
            f"of {self.remembered} customers remembered, {self.found} are in these orders, {self.same_day} of them with the "
            "same first order"
        )


def compare_sketch(remembered: Sketch, first_days: Mapping[str, date]) -> Comparison | None:
    """Look for the remembered customers in other orders; None where too few are remembered to judge.

    ``first_days``: day of the first order per hashed customer id, of those remembered that have one.
    """
    if not remembered.is_telling:
        return None
    shared = [(day, first_days[key]) for key, day in remembered.first_days.items() if key in first_days]
    same = sum(abs((before - now).days) <= _DAY_TOLERANCE for before, now in shared)
    return Comparison(remembered=len(remembered.first_days), found=len(shared), same_day=same)


def kinds_conflict(recorded: Declared | None, asked: Declared) -> bool:
    """Whether one is the sample and the other is not, which no comparison of data can reconcile."""
    return recorded is not None and recorded.kind != asked.kind


def other_data_message(
    *, home: str, recorded: Declared | None, asked: Declared, last_session: str, why: str, can_be_same: bool = True
) -> str:
    """Words of a refusal: what the folder holds, what is asked, and the commands.

    ``last_session``: what was run on the folder, in words; empty for nothing. ``why``: what was compared; empty where the
    declarations say it. ``can_be_same``: whether a person may declare that these are the same customers.
    """
    holds = recorded.words() if recorded is not None else "orders loaded by an earlier version"
    lines = [
        "this state folder belongs to other data; nothing was changed",
        f"  folder  {home}",
        f"  holds   {holds}{f'; {last_session}' if last_session else ''}",
        f"  asked   {asked.words()}",
        *([f"  found   {why}"] if why else []),
        "Models and figures of one must not be mixed with the other's. Choose one:",
        *_remedies(home, can_be_same=can_be_same),
    ]
    return "\n".join(lines)


def earlier_as_of_message(*, home: str, asked: date, last: date, workflow: str) -> str:
    """Words of a refusal to go back in time."""
    lines = [
        f"as_of {asked} is before the last session on this state folder ({workflow} at {last}); nothing was changed",
        f"  folder  {home}",
        "Its models have learnt from days after as_of, and its monitoring compares each session with the one before. Choose one:",
        f"  as_of: {last}, or later, or latest        go on from where the folder is",
        *_remedies(home, can_be_same=False),
    ]
    return "\n".join(lines)


def _remedies(home: str, *, can_be_same: bool) -> list[str]:
    lines = [
        f"  tdml-assets run --fresh                   start anew; the old state is moved to {home}.old-<time>",
        "  TDML_HOME=.tdml-other tdml-assets run     keep both, each in a folder of its own",
    ]
    if can_be_same:
        lines.append(
            "  tdml-assets run --same-customers          these are the same customers: keep models and history"
        )
    return lines


def parse_identity(text: str) -> StateIdentity:
    """Read the content of ``state.json``. Raises ``ValueError`` if it is not what this version writes."""
    found = StateIdentity.model_validate(json.loads(text))
    if found.format_version != FORMAT_VERSION:
        raise ValueError(
            f"format_version is {found.format_version}, this version reads {FORMAT_VERSION}: update tdml-assets"
        )
    return found


def _hashed(customer: str) -> str:
    """As ``sql/raw/sketch.sql`` hashes an id: no secret, a short name for it."""
    return hashlib.md5(customer.encode(), usedforsecurity=False).hexdigest()[:16]


def sketch_of(rows: Sequence[Mapping[str, Any]]) -> Sketch:
    """Sketch from rows of ``sql/raw/sketch.sql``."""
    return Sketch(first_days={row["customer"]: row["first_day"] for row in rows})


IDENTITY_FILE = "state.json"


def asked_of(settings: Settings) -> Declared:
    """Identity of the orders that the settings want."""
    return declared_orders(settings.sources.orders, str(settings.base_folder), settings.sample)


def read_record(home: Path) -> StateIdentity | None:
    """The recorded identity; None where none is. Raises ``StateConflictError`` if the file cannot be read."""
    path = home / IDENTITY_FILE
    if not path.is_file():
        return None
    try:
        return parse_identity(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise StateConflictError(
            f"{path} cannot be read ({error}): restore it, or start anew with tdml-assets run --fresh"
        ) from None


def write_record(home: Path, identity: StateIdentity) -> None:
    """Record an identity; a reader sees the old one or the new one."""
    home.mkdir(parents=True, exist_ok=True)
    with replacing(home / IDENTITY_FILE) as file:
        file.write((identity.model_dump_json(indent=1) + "\n").encode())


def is_as_recorded(settings: Settings) -> bool:
    """Whether the declaration is the recorded one, so that only the data could differ, which their load compares."""
    recorded = read_record(settings.home)
    return recorded is not None and recorded.declared == asked_of(settings)
