"""One customer's rows out of every table, file and destination, for good.

Elsewhere: words and exit codes (``forget.py``), the receipt (``receipts.py``), keeping the customer out of later loads
(``stages/raw/forgotten.py``).

The customer is listed as forgotten first: whatever happens afterwards, no plan sends them and no load takes them in. Every step can
be done again; the links between old ids and the customer go last of all rows, since a later attempt needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.commands.common import UnknownNameError
from tdml_assets.commands.erased_files import drop_sketch, files_still_held, holds_row, remade_files
from tdml_assets.commands.receipts import HELD, LEARNT, Entry, Erasure, begin_erasure, write_receipt
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database, Warehouse
    from tdml_assets.settings import Settings

Failpoint = Callable[[str], None]


def no_failpoint(step: str) -> None:
    """Go on."""


@dataclass(frozen=True)
class Forgotten:
    """What an erasure did.

    ``entries``: the receipt, by place. ``receipt``: its file. ``resumed``: whether an earlier process had begun it.
    """

    entries: list[dict[str, Any]]
    receipt: Path
    resumed: bool

    def of(self, kind: str, status: str | None = None) -> list[dict[str, Any]]:
        """Entries of one kind."""
        return [row for row in self.entries if row["kind"] == kind and status in (None, row["status"])]

    @property
    def is_held(self) -> bool:
        """Whether somebody still has to remove the customer somewhere."""
        return any(row["status"] == HELD for row in self.entries)


def forget_everywhere(
    settings: Settings, warehouse: Warehouse, customer: str, *, failpoint: Failpoint = no_failpoint
) -> Forgotten:
    """Remove a customer from everything that the settings name. The caller holds the state folder.

    ``failpoint``: called with the name of every step that is done. Raises ``UnknownNameError`` if nothing holds the customer, who
    is not listed either.
    """
    from tdml_assets.activation.trail import assume_sent
    from tdml_assets.platform.compaction import compact

    with warehouse.write() as database:
        ids = ids_of(database, customer)
        assume_sent(database, ids, _now())
        erasure = list_as_forgotten(database, ids, now=_now())
        erasure.note(database, _learnt(settings, database, ids), _now())
    failpoint("listed")
    # What is about to be removed is written down first: a process that ends in between removes it the next time.
    _keep(warehouse, erasure, found := remade_files(settings.home, ids))
    for entry in found:
        (settings.home / entry.place).unlink(missing_ok=True)
    failpoint("files")
    with warehouse.write() as database:
        erasure.note(database, [Entry("table", table, rows) for table, rows in delete_rows(database, ids)], _now())
    failpoint("tables")
    _erase_at_destinations(settings, warehouse, ids, erasure)
    failpoint("destinations")
    _erase_exports(settings, warehouse, ids, erasure)
    failpoint("exports")
    _keep(warehouse, erasure, files_still_held(settings.home, ids))
    drop_sketch(settings.home, ids)
    with warehouse.write() as database:
        _delete_links(database, ids)
    failpoint("links")
    # Deleted rows stay in the file's free blocks.
    compact(settings.warehouse_path)
    failpoint("compacted")
    with warehouse.read() as database:
        entries = erasure.receipt(database)
    path = write_receipt(settings.home / "erasures", erasure, entries)
    with warehouse.write() as database:
        erasure.end(database, _now())
    return Forgotten(entries, path, erasure.resumed)


def ids_of(database: Database, customer: str) -> list[str]:
    """Every id of the person that an id leads to, the person's own first.

    Raises ``UnknownNameError`` if the id belonged to several persons in turn.
    """
    from tdml_assets.stages.raw.contracts import IDENTITY_LINKS

    links = IDENTITY_LINKS.path
    persons = database.rows_if(links, render("forget/persons", links=links, customer=customer))
    if len(persons) > 1:
        raise UnknownNameError(f"this id belonged to {len(persons)} persons in turn: give the id of one of them")
    person = persons[0]["customer_id"] if persons else customer
    found = database.rows_if(links, render("forget/ids", links=links, customer=person))
    return [person, *(row["customer_id"] for row in found if row["customer_id"] != person)]


def list_as_forgotten(database: Database, ids: Sequence[str], *, now: datetime) -> Erasure:
    """List the ids, so that no load takes them in and no plan sends them.

    Raises ``UnknownNameError`` if no table holds them and they are not listed.
    """
    from tdml_assets.stages.raw.forgotten import remember, salt_of

    is_held = any(_count(database, path, column, ids) for path, column in _places(database))
    if not remember(database, ids, now=now) and not is_held:
        raise UnknownNameError("no table holds this customer: give the id as the files write it")
    return begin_erasure(database, ids[0], salt_of(database) or "")


def delete_rows(database: Database, ids: Sequence[str]) -> list[tuple[str, int]]:
    """Delete the rows of a person. Returns the tables that held them, with the number of rows."""
    from tdml_assets.activation.contracts import SYNC_STATE
    from tdml_assets.stages.raw.contracts import IDENTITY_LINKS, LOADS, REJECTED_ROWS

    _expect_fewer(database, ids)
    found: dict[str, int] = {}
    for path, column in _places(database):
        if path in (SYNC_STATE.path, IDENTITY_LINKS.path):
            # Which destinations hold the customer, and under which ids: kept until each has deleted them.
            continue
        rows = _count(database, path, column, ids)
        if rows:
            database.execute(render("forget/delete_customer", table=path, column=column, customers=list(ids)))
            name = ".".join(path)
            found[name] = found.get(name, 0) + rows
    if database.has_table(REJECTED_ROWS.path):
        database.execute(render("forget/clear_content", rejected=REJECTED_ROWS.path, customers=list(ids)))
    if database.has_table(LOADS.path):
        # The next run reads the files again, without the customer.
        database.execute(render("forget/clear_loads", loads=LOADS.path))
    return list(found.items())


def _expect_fewer(database: Database, ids: Sequence[str]) -> None:
    """Lower what later sessions must find again of the orders, which would take the missing lines for lost history."""
    from tdml_assets.platform.monitoring import DATA_QUALITY, SESSIONS
    from tdml_assets.stages.data_quality.arrival import kept_history
    from tdml_assets.stages.raw.contracts import ORDERS

    if all(map(database.has_table, (DATA_QUALITY.path, SESSIONS.path, ORDERS.path))):
        database.execute(
            render(
                "forget/lower_lost_rows",
                quality=DATA_QUALITY.path,
                sessions=SESSIONS.path,
                orders=ORDERS.path,
                customers=list(ids),
                source=kept_history(".".join(ORDERS.path)),
            )
        )


def _delete_links(database: Database, ids: Sequence[str]) -> None:
    from tdml_assets.stages.raw.contracts import IDENTITY_LINKS

    if database.has_table(IDENTITY_LINKS.path):
        for column in ("old_id", "customer_id"):
            database.execute(
                render("forget/delete_customer", table=IDENTITY_LINKS.path, column=column, customers=list(ids))
            )


def _places(database: Database) -> list[tuple[tuple[str, str], str]]:
    return [
        ((row["schema_name"], row["table_name"]), row["column_name"]) for row in database.rows(render("forget/tables"))
    ]


def _count(database: Database, path: tuple[str, str], column: str, ids: Sequence[str]) -> int:
    counted = render("forget/count_customer", table=path, column=column, customers=list(ids))
    return int(database.row(counted)["row_count"])


def _learnt(settings: Settings, database: Database, ids: Sequence[str]) -> list[Entry]:
    """Champions that learnt from the person: those of a later day than the first order."""
    from tdml_assets.models.bundles import BundleDamagedError
    from tdml_assets.platform.resources import build_model_store
    from tdml_assets.stages.raw.contracts import ORDERS

    if not database.has_table(ORDERS.path):
        return []
    first = database.row(render("forget/first_day", orders=ORDERS.path, customers=list(ids)))["first_day"]
    if first is None:
        return []
    store = build_model_store(settings).open()
    found = []
    for workflow in store.workflows():
        try:
            champion = store.champion(workflow)
            if champion is None or store.manifest(workflow, champion.champion.version).as_of < first:
                continue
        except BundleDamagedError as error:
            found.append(Entry("model", workflow, 0, LEARNT, str(error)))
            continue
        found.append(Entry("model", f"{workflow}/{champion.champion.version}", 0, LEARNT, "train and promote another"))
    return found


def _erase_at_destinations(settings: Settings, warehouse: Warehouse, ids: Sequence[str], erasure: Erasure) -> None:
    from tdml_assets.activation.erasure import Erasure as Done
    from tdml_assets.activation.erasure import erase
    from tdml_assets.activation.syncing import Surroundings
    from tdml_assets.platform.resources import s3_client

    def note(database: Database, done: Done) -> None:
        status = {} if done.is_done else {"status": HELD, "words": done.words}
        erasure.note(database, [Entry("destination", done.destination, int(done.is_done), **status)], _now())

    around = Surroundings(settings.home / "scratch", s3_client=lambda: s3_client(settings))
    for customer in ids:
        erase(warehouse, settings.destinations.others, customer, around, note)


def _erase_exports(settings: Settings, warehouse: Warehouse, ids: Sequence[str], erasure: Erasure) -> None:
    from tdml_assets.platform.resources import s3_client
    from tdml_assets.stages.audience.destinations._export_content import ATTRIBUTES_TABLE
    from tdml_assets.stages.audience.destinations.files import FilesDestination
    from tdml_assets.stages.audience.exports import KEEP_DEFAULT, ExportError
    from tdml_assets.stages.audience.permitted import read_permission

    url = settings.effective_exports_url
    if "://" not in url and not Path(url).is_dir():
        return
    try:
        client = s3_client(settings) if url.startswith("s3://") else None
        files = settings.destinations.files
        keep = KEEP_DEFAULT if files is None else files.keep
        exports = FilesDestination(
            url,
            scratch=settings.home / "scratch",
            s3_client=client,
            keep=keep,
            permission=read_permission(settings, warehouse),
        )
        held = exports.holding(lambda path: holds_row(path, ids))
        _keep(warehouse, erasure, [Entry("export", export.name, 1) for export in held])
        with warehouse.read() as database:
            if held and database.has_table(ATTRIBUTES_TABLE):
                exports.erase(database, held)
    except ExportError as error:
        _keep(warehouse, erasure, [Entry("export", url, 0, HELD, str(error))])


def _keep(warehouse: Warehouse, erasure: Erasure, entries: list[Entry]) -> None:
    if entries:
        with warehouse.write() as database:
            erasure.note(database, entries, _now())


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
