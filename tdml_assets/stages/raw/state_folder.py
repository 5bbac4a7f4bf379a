"""The state folder as a whole: whose data it holds, and setting it aside.

Elsewhere: the record, and what makes two sets of orders the same (``state_identity.py``), the run lock
(``platform/run_lock.py``).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tdml_assets.platform.monitoring import SESSIONS
from tdml_assets.platform.run_lock import hold_state
from tdml_assets.platform.statements import render
from tdml_assets.platform.warehouse import Database, Warehouse, WarehouseBusyError
from tdml_assets.settings import EVERY_OTHER, SAMPLE_HOME, Settings
from tdml_assets.stages.raw.contracts import ORDERS
from tdml_assets.stages.raw.reading import forget_staged
from tdml_assets.stages.raw.state_identity import (
    SKETCH_SIZE,
    Comparison,
    Declared,
    Sketch,
    StateConflictError,
    StateIdentity,
    asked_of,
    compare_sketch,
    earlier_as_of_message,
    kinds_conflict,
    other_data_message,
    read_record,
    sketch_of,
    write_record,
)

if TYPE_CHECKING:
    from tdml_assets.stages.raw.load_report import LoadReport


@dataclass(frozen=True)
class StateFolder:
    """A state folder and the orders that the settings want in it.

    ``home``: the folder. ``asked``: identity of the orders in the settings.
    """

    home: Path
    asked: Declared

    def read(self) -> StateIdentity | None:
        """The recorded identity; None where none is."""
        return read_record(self.home)

    def write(self, identity: StateIdentity) -> None:
        """Record an identity."""
        write_record(self.home, identity)

    def remembered(self, database: Database | None) -> StateIdentity | None:
        """The recorded identity; of a folder without a record, what its tables tell.

        ``database``: the open warehouse; None where there is no warehouse.
        """
        recorded = self.read()
        if recorded is not None or database is None or not database.has_table(ORDERS.path):
            return recorded
        # A folder of an earlier version. Only the sample's files lie inside a state folder.
        is_sample = (self.home / "sample" / "manifest.json").is_file()
        declared = Declared(kind="sample") if is_sample else None
        return StateIdentity(declared=declared, sketch=_look(database, None)[0])

    def require_declared(self, database: Database) -> None:
        """Refuse to load a table that belongs to other orders than those loaded last.

        Raises ``StateConflictError`` if the orders in the settings are not the recorded ones and there are models or sessions.
        """
        recorded = self.read()
        if recorded is None or recorded.declared is None or recorded.declared == self.asked:
            return
        if self.last_session(database):
            self.refuse(
                database, recorded, "the orders were not compared yet: materialise raw/orders in the same run", True
            )

    def recognise(
        self, database: Database, before: StateIdentity | None, *, is_unchanged: bool = False
    ) -> StateIdentity | None:
        """Compare the orders just loaded with those remembered; inside the transaction of the load.

        ``is_unchanged``: whether the load found the table as its files are. Raises ``StateConflictError`` if they are other
        orders, and the folder holds models or sessions of the remembered ones. Returns what is to be recorded once the transaction
        is committed; None where the record is up to date.
        """
        if is_unchanged and before is not None and before.declared == self.asked and before.sketch.is_telling:
            return None
        remembered = before.sketch if before is not None and self.last_session(database) else None
        sketch, first_days = _look(database, remembered)
        if before is not None and remembered is not None:
            if kinds_conflict(before.declared, self.asked):
                self.refuse(database, before, "", False)
            compared = compare_sketch(remembered, first_days)
            if compared is not None and not compared.is_same:
                self.refuse(database, before, compared.words(), True)
        note = before.note if before is not None else ""
        return StateIdentity(declared=self.asked, sketch=sketch, recorded_at=_now(), note=note)

    def last_session(self, database: Database | None, workflows: Sequence[str] | None = None) -> dict[str, object]:
        """Workflow and as_of of the latest session that has a model; empty where nothing needs protection."""
        if database is not None and database.has_table(SESSIONS.path):
            names = None if workflows is None else list(workflows)
            found = database.rows(render("raw/latest_session", sessions=SESSIONS.path, workflows=names))
            if found:
                return found[0]
        if workflows is None and (models := sorted((self.home / "models").glob("*/*/manifest.json"))):
            return {"workflow": models[-1].parent.parent.name, "as_of": None}
        return {}

    def require_order(self, database: Database, as_of: date, workflows: Sequence[str] | None) -> None:
        """Refuse a session whose as_of is before that of the last session of these workflows; None for all.

        Raises ``StateConflictError`` naming both days and the commands.
        """
        last = self.last_session(database, workflows)
        if last and isinstance(last["as_of"], date) and as_of < last["as_of"]:
            raise StateConflictError(
                earlier_as_of_message(
                    home=str(self.home), asked=as_of, last=last["as_of"], workflow=str(last["workflow"])
                )
            )

    def refuse(self, database: Database | None, recorded: StateIdentity, why: str, can_be_same: bool) -> NoReturn:
        """Raise the refusal: the folder holds other data than those asked for."""
        last = self.last_session(database)
        last_seen = f"last session: {last['workflow']} at {last['as_of']}" if last.get("as_of") else "it has models"
        raise StateConflictError(
            other_data_message(
                home=str(self.home),
                recorded=recorded.declared,
                asked=self.asked,
                last_session=last_seen,
                why=why,
                can_be_same=can_be_same,
            )
        )


def state_folder(settings: Settings) -> StateFolder:
    """The state folder of some settings."""
    return StateFolder(settings.home, asked_of(settings))


def load_recognised(
    warehouse: Warehouse, state: StateFolder | None, table: str, load: Callable[[Database], LoadReport]
) -> LoadReport:
    """Load a raw table in one transaction, and roll it back where the data are not those of the state folder.

    Raises ``StateConflictError`` if these are other data; the previous tables stay. ``state``: None compares nothing. ``load``:
    loads ``raw.<table>`` in the transaction that it is given.
    """
    identity = None
    with warehouse.write() as database:
        before = state.remembered(database) if state is not None else None
        if state is not None and table != ORDERS.name:
            state.require_declared(database)
        report = load(database)
        if state is not None and table == ORDERS.name:
            identity = state.recognise(database, before, is_unchanged=report.is_unchanged)
        forget_staged(database)
    if state is not None and identity is not None:
        state.write(identity)
    return report


def check_state(settings: Settings) -> None:
    """Refuse a run on a state folder of other data, before anything is written.

    Reads the declared orders only where they are declared differently from last time. Where another process writes to the
    warehouse, the check is left to the run's own first stage. Raises ``StateConflictError`` naming what the folder holds, what is
    asked and the commands. Raises ``SourceError`` if the orders had to be read and cannot be.
    """
    from tdml_assets.platform.resources import build_warehouse

    state = state_folder(settings)
    if not settings.warehouse_path.exists():
        _check_with(state, None, settings)
        return
    with suppress(WarehouseBusyError), build_warehouse(settings).read() as database:
        _check_with(state, database, settings)


def _check_with(state: StateFolder, database: Database | None, settings: Settings) -> None:
    recorded = state.remembered(database)
    if recorded is not None and recorded.declared != state.asked and state.last_session(database):
        if kinds_conflict(recorded.declared, state.asked):
            state.refuse(database, recorded, "", False)
        compared = _compare_declared(settings, recorded.sketch)
        if compared is not None and not compared.is_same:
            state.refuse(database, recorded, compared.words(), True)
    if database is not None:
        _require_order(state, database, settings)


def _require_order(state: StateFolder, database: Database, settings: Settings) -> None:
    if isinstance(settings.as_of, date):
        chosen = settings.workflows
        state.require_order(database, settings.as_of, None if chosen is None or EVERY_OTHER in chosen else list(chosen))


def _compare_declared(settings: Settings, remembered: Sketch) -> Comparison | None:
    """Load the declared orders into a database that is thrown away, and look for the remembered customers there."""
    from tdml_assets.platform.resources import build_warehouse, s3_client
    from tdml_assets.stages.raw.files import collect_files
    from tdml_assets.stages.raw.tables import load_table

    orders = settings.sources.orders
    if orders is None or not remembered.is_telling:
        return None
    cache = settings.home / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="compare-", dir=cache) as folder:
        found = collect_files(
            "orders",
            orders,
            base_folder=settings.base_folder,
            cache_folder=cache,
            s3_client=lambda: s3_client(settings),
        )
        scratch: Warehouse = build_warehouse(settings).model_copy(
            update={"database": str(Path(folder, "compare.duckdb")), "temp_directory": folder}
        )
        with scratch.write() as database:
            load_table(
                database,
                "orders",
                orders,
                found,
                session_id="compare",
                now=_now(),
                scratch_folder=Path(folder),
                bad_row_limit=settings.quality.unreadable_limit,
            )
            return compare_sketch(remembered, _look(database, remembered)[1])


def accept_same_customers(settings: Settings) -> str:
    """Record that the orders in the settings are those of the same customers; says what was recorded.

    Raises ``StateConflictError`` if one of the two is the sample, whose customers are simulated, or if as_of is before that of the
    last session.
    """
    from tdml_assets.platform.resources import build_warehouse

    state = state_folder(settings)
    if settings.warehouse_path.exists():
        with build_warehouse(settings).read() as database:
            recorded = state.remembered(database)
            if recorded is not None and kinds_conflict(recorded.declared, state.asked):
                state.refuse(database, recorded, "", False)
            _require_order(state, database, settings)
    else:
        recorded = state.read()
    before = recorded.declared.words() if recorded is not None and recorded.declared is not None else "no record"
    note = f"the same customers as before, as a person said on {_now():%Y-%m-%d}; before: {before}"
    # Without a sketch the next load is not compared: it records what it finds.
    state.write(StateIdentity(declared=state.asked, recorded_at=_now(), note=note))
    return f"recorded: {state.asked.words()} are the same customers as before ({before})"


def set_aside(settings: Settings) -> Path | None:
    """Move the state folder to ``<home>.old-<time>``; nothing is deleted. None where there is no state.

    Raises ``StateConflictError`` if models are kept outside the folder: they would meet the new data. Raises ``StateBusyError`` if
    a run uses the folder.
    """
    home = settings.home
    outside = settings.models_url is not None and not Path(settings.effective_models_url).is_relative_to(home)
    if outside and state_folder(settings).read() is not None:
        raise StateConflictError(
            f"models are kept outside the state folder, at {settings.effective_models_url}, and have learnt from the data "
            "there are now: set another models_url for the new data, then run --fresh again"
        )
    if not any(entry.name != SAMPLE_HOME for entry in home.glob("*")):
        return None
    target = home.with_name(f"{home.name}.old-{_now():%Y%m%dT%H%M%SZ}")
    with hold_state(home / "run.lock", f"fresh-{os.getpid()}", 0.0):
        home.rename(target)
    home.mkdir()
    if (target / SAMPLE_HOME).exists():
        # The sample's state lies inside the default folder and belongs to nobody else's data.
        (target / SAMPLE_HOME).rename(home / SAMPLE_HOME)
    return target


def _look(database: Database, remembered: Sketch | None) -> tuple[Sketch, dict[str, date]]:
    """Sketch of the orders, and the first days of the remembered customers among them; one pass for both."""
    wanted = sorted(remembered.first_days) if remembered is not None else []
    rows = database.rows(render("raw/sketch", orders=ORDERS.path, wanted=wanted, size=SKETCH_SIZE))
    found = sketch_of(rows).first_days
    # By hash, so that the first ones are the sketch, whoever else was asked for.
    return sketch_of(rows[:SKETCH_SIZE]), {customer: found[customer] for customer in wanted if customer in found}


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
