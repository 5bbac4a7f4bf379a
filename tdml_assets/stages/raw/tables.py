"""Loading a raw table: one transaction that makes it mirror the files declared for it now.

Elsewhere: the statements (``sql/raw``), what a declaration may say (``declaration/sources.py``), Dagster (``asset.py``).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.sources import OrdersSource, Source, is_recorded
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.appending import Appending, MustReadAllError, add_statuses, holds, may_append
from tdml_assets.stages.raw.contracts import (
    LOADED,
    LOADS,
    ORDER_STATUSES,
    ORDERS,
    REJECTED_ROWS,
    customers_contract,
    recorded_contract,
)
from tdml_assets.stages.raw.csv_records import read_csv_records
from tdml_assets.stages.raw.files import FoundFiles, SourceFile
from tdml_assets.stages.raw.forgotten import keep_out_forgotten
from tdml_assets.stages.raw.headers import read_layout
from tdml_assets.stages.raw.identities import merge_identities
from tdml_assets.stages.raw.load_report import FileLoad, LoadReport
from tdml_assets.stages.raw.meanings import read_statuses, write_statuses
from tdml_assets.stages.raw.order_rows import is_by_order, reject_by_order, share_amounts, stage_by_order
from tdml_assets.stages.raw.plan import plan_stage
from tdml_assets.stages.raw.reading import FileReading, forget_staged, is_large, stage_rows
from tdml_assets.stages.raw.recorded import (
    date_states,
    find_dropped,
    find_repeated_keys,
    keep_replaced,
    known_by,
    latest_staged_day,
)
from tdml_assets.stages.raw.row_counts import count_rows
from tdml_assets.stages.raw.rules import (
    BAD_ROW_LIMIT,
    LONGEST_AHEAD,
    FileLayout,
    check_headers,
    combined,
    declaration_sha256,
    lacking_columns,
    refuse_empty,
    table_contract,
)

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database


def load_table(
    database: Database,
    table: str,
    declaration: Source | None,
    found: FoundFiles,
    *,
    session_id: str,
    now: datetime,
    scratch_folder: Path | None = None,
    bad_row_limit: float = BAD_ROW_LIMIT,
    as_of: date | None = None,
) -> LoadReport:
    """Make ``raw.<table>``, its rejected rows and its rows of ``raw.loads`` mirror ``found``.

    Runs inside the caller's transaction; if it raises, roll back and the previous table is kept. If the contents of the
    files and the declaration are those of the last load, nothing is written. Raises ``SourceError`` if the files cannot be loaded
    as declared. Raises ``ConservationError`` if accepted and rejected rows do not add up to the rows read.

    ``database``: an open ``Warehouse.write()``.
    ``table``: ``orders``, ``pageviews``, ``email_events`` or ``customers``.
    ``declaration``: how the files are read; ``None`` empties the table.
    ``found``: the files, in the order in which later ones win over earlier ones.
    ``session_id``: kept with rejected rows and loads.
    ``now``: naive UTC; rows more than a day after it are quarantined.
    ``scratch_folder``: where text that is not UTF-8 is rewritten for the time of the load; the system's unless given.
    ``bad_row_limit``: share of the rows of a file that may be set aside because they cannot be cut into fields.
    ``as_of``: of a source with ``recorded_at``, rows recorded after it are set aside; ``None`` for the latest day.
    """
    database.ensure(REJECTED_ROWS)
    database.ensure(LOADS)
    earlier = database.rows(render("raw/loads_of_source", loads=LOADS.path, source=table))
    declared = declaration_sha256(table, declaration) if declaration is not None else ""
    if found.identities:
        declared = hashlib.sha256(
            " ".join([declared, *(file.sha256 for file in found.identities)]).encode()
        ).hexdigest()
    known_on = known_by(database, table, declaration, as_of)
    if known_on is not None:
        declared = hashlib.sha256(f"{declared} {known_on}".encode()).hexdigest()
    is_current = _is_current(database, table, earlier, now)
    if is_current and holds(earlier, found.files, declared):
        return _report(database, table, declaration, found, earlier, is_unchanged=True)
    if declaration is None:
        database.replace(LOADED[table], [])
        keep_replaced(database, table, None, {}, ())
        database.replace_slice(REJECTED_ROWS, {"source": table}, [])
        database.replace_slice(LOADS, {"source": table}, [])
        if table == ORDERS.name:
            database.replace(ORDER_STATUSES, [])
        return _report(database, table, None, found, [])
    kept = may_append(declaration, found, earlier, declared) if is_current else None
    load = partial(
        _load_files,
        *(database, table, declaration, found),
        session_id=session_id,
        now=now,
        scratch_folder=scratch_folder,
        bad_row_limit=bad_row_limit,
        known_on=known_on,
    )
    loaded = None
    if kept is not None:
        with suppress(MustReadAllError):
            loaded = load(kept)
    loads, grouped_keys = loaded or load(None)
    of_load = {"declaration_sha256": declared, "source": table, "session_id": session_id, "committed_at": now}
    database.replace_slice(LOADS, {"source": table}, [{**load, **of_load} for load in loads])
    return replace(_report(database, table, declaration, found, earlier), grouped_keys=grouped_keys)


def _load_files(
    database: Database,
    table: str,
    declaration: Source,
    found: FoundFiles,
    kept: Appending | None,
    *,
    session_id: str,
    now: datetime,
    scratch_folder: Path | None,
    bad_row_limit: float,
    known_on: date | None,
) -> tuple[list[dict[str, Any]], int]:
    """Load every file, or those that are not ``kept``. Returns the rows of ``raw.loads`` and the grouped keys.

    Raises ``MustReadAllError`` if rows cannot be added to those that are kept. Nothing was written.
    """
    with tempfile.TemporaryDirectory(prefix="tdml-", dir=scratch_folder) as scratch:
        layouts = [
            read_layout(
                database, declaration, file, position=place, scratch_folder=Path(scratch), bad_row_limit=bad_row_limit
            )
            for place, file in enumerate(found.files)
            if kept is None or file.name not in kept.files
        ]
        if kept is None:
            refuse_empty(layouts)
        else:
            kept.require_headers(layouts)
        check_headers(table, declaration, layouts)
        whole = combined(layouts)
        reading = FileReading(
            plan=lambda layout: plan_stage(table, declaration, layout, whole, now=now, known_on=known_on),
            by_record=lambda layout: read_csv_records(
                _unpacked(found.files[layout.position], layout),
                declaration,
                layout,
                limit=bad_row_limit,
                scratch_folder=Path(scratch),
            ),
        )

        def merge() -> None:
            merge_identities(
                database,
                declaration,
                found.identities,
                session_id=session_id,
                now=now,
                scratch_folder=Path(scratch),
                bad_row_limit=bad_row_limit,
            )

        def until(day: date) -> FileReading:
            return replace(
                reading, plan=lambda layout: plan_stage(table, declaration, layout, whole, now=now, known_on=day)
            )

        finds_day = known_on is None and is_recorded(declaration)
        names = [file.name for file in found.files]
        layouts, grouped_keys = _write_rows(
            database,
            table,
            declaration,
            layouts,
            reading,
            names,
            kept,
            session_id=session_id,
            now=now,
            is_large=is_large(declaration, (found.files[layout.position] for layout in layouts)),
            merge=merge,
            until=until if finds_day else None,
        )
    files = [found.files[layout.position] for layout in layouts]
    loads = count_rows(database, table, files, layouts, declaration)
    return [*(kept.files.values() if kept is not None else ()), *loads], grouped_keys


def _unpacked(file: SourceFile, layout: FileLayout) -> SourceFile:
    return file if layout.text_path is None else replace(file, path=layout.text_path)


def _is_current(database: Database, table: str, earlier: Sequence[dict[str, Any]], now: datetime) -> bool:
    """Whether the table is still what the load before made of its files."""
    path = LOADED[table].path
    if not database.has_table(path):
        return False
    if not earlier and list(database.columns(path)) != list(LOADED[table].column_names):
        return False
    # Rows that were in the future may have become past. A load by an older version does not say when that is.
    rejected = database.rows(render("raw/reasons_of_source", rejected=REJECTED_ROWS.path, source=table))
    if any(row["reason"] == "future_timestamp" for row in rejected):
        moments = [load["waits_until"] for load in earlier if load["waits_until"] is not None]
        if not moments or min(moments) <= now + LONGEST_AHEAD:
            return False
    rows_accepted: int = sum(load["rows_accepted"] for load in earlier)
    return database.count(path) == rows_accepted


def _write_rows(
    database: Database,
    table: str,
    declaration: Source,
    layouts: Sequence[FileLayout],
    reading: FileReading,
    files: Sequence[str],
    kept: Appending | None,
    *,
    session_id: str,
    now: datetime,
    is_large: bool,
    merge: Callable[[], None],
    until: Callable[[date], FileReading] | None,
) -> tuple[list[FileLayout], int]:
    """Fill the tables; ``merge`` puts persons in place of old ids. ``files`` are the names of all files, by their position.

    ``until`` reads what was recorded by a day, where the rows themselves tell which day that is.

    Returns the files as they were read, and the line keys that name several lines.
    """
    contract = table_contract(table, declaration, layouts)
    by_order = is_by_order(declaration)
    has_statuses = declaration.mapped.get("order_status") is not None
    constants = {"source": table, "file": None}
    if isinstance(declaration, OrdersSource):
        constants["currency"] = declaration.reporting
    created = render(
        "raw/create_staged",
        contract=contract,
        constants=constants,
        has_key=bool(declaration.line_key),
        has_currencies=isinstance(declaration, OrdersSource) and declaration.currency is None,
        has_statuses=has_statuses,
        by_order=by_order,
        is_large=is_large,
    )
    forget_staged(database)
    database.execute(created)
    database.execute(render("raw/create_dropped"))
    stage_files = partial(stage_by_order, is_large=is_large) if by_order else stage_rows
    stages = stage_files(database, layouts, reading, now=now)
    if until is not None and (latest := latest_staged_day(database, declaration)) is not None:
        database.execute(created)
        stages = stage_files(database, layouts, until(latest), now=now)
    merge()
    find_repeated_keys(database, declaration)
    date_states(database, declaration)
    grouped_keys = find_dropped(database, declaration, len(layouts)) if declaration.line_key else 0
    if kept is not None:
        kept.require_apart(database, declaration)
    if by_order:
        reject_by_order(database)
    dropped = {row["file_position"] for row in database.rows(render("raw/dropped_counts"))}
    has_shares = share_amounts(database, declaration)
    shape = {"contract": contract, "constants": constants, "files": files}
    accepted = render("raw/accepted", **shape, has_dropped=bool(dropped), has_shares=has_shares)
    rejected = render("raw/rejected", table=table, files=files, session_id=session_id)
    if kept is not None:
        database.insert(contract, accepted)
        database.insert(REJECTED_ROWS, rejected)
    else:
        database.replace(contract, accepted)
        database.replace_slice(REJECTED_ROWS, {"source": table}, [] if by_order else rejected)
    for stage in stages:
        if stage["layout"].position in dropped:
            database.insert(REJECTED_ROWS, render("raw/dropped_content", **stage, session_id=session_id))
    replaced = keep_replaced(database, table, declaration, constants, files)
    keep_out_forgotten(database, table, session_id, files, replaced)
    if table == ORDERS.name:
        before = kept.statuses(database) if kept is not None else []
        write_statuses(database, declaration, has_dropped=bool(dropped))
        add_statuses(database, before)
    return [stage["layout"] for stage in stages], grouped_keys


def _report(
    database: Database,
    table: str,
    declaration: Source | None,
    found: FoundFiles,
    earlier: Sequence[dict[str, Any]],
    *,
    is_unchanged: bool = False,
) -> LoadReport:
    loads = database.rows(render("raw/loads_of_source", loads=LOADS.path, source=table))
    reasons = database.rows(render("raw/reasons_of_source", rejected=REJECTED_ROWS.path, source=table))
    contract = LOADED[table]
    day = next((column.name for column in contract.columns if column.type == "DATE"), None)
    covered = database.row(render("raw/days_covered", table=contract.path, day=day)) if day else {}
    return LoadReport(
        contract=_as_written(database, contract),
        files=tuple(
            FileLoad(
                load["file"], load["content_sha256"], load["rows_read"], load["rows_accepted"], load["rows_rejected"]
            )
            for load in loads
        ),
        reasons={row["reason"]: row["row_count"] for row in reasons},
        first_day=covered.get("first_day"),
        last_day=covered.get("last_day"),
        months=covered.get("months", 0),
        is_unchanged=is_unchanged,
        is_declared=declaration is not None,
        duplicate_files=found.duplicates,
        new_columns=_new_columns(loads, earlier),
        lacking_columns=() if declaration is None else _lacking_columns(declaration, loads),
        statuses=read_statuses(database) if table == ORDERS.name and declaration is not None else (),
    )


def _as_written(database: Database, contract: TableContract) -> TableContract:
    """Give the contract the columns the table has: ``raw.customers`` has those of its source."""
    if contract.name != "customers":
        return recorded_contract(contract) if "recorded_on" in database.columns(contract.path) else contract
    fixed = set(contract.column_names)
    return customers_contract([name for name in database.columns(contract.path) if name not in fixed])


def _new_columns(loads: Sequence[dict[str, Any]], earlier: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    known = {name for load in earlier for name in json.loads(load["header"])}
    found = dict.fromkeys(name for load in loads for name in json.loads(load["header"]))
    return tuple(name for name in found if name not in known) if earlier else ()


def _lacking_columns(declaration: Source, loads: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"{load['file']}: {name}" for load in loads for name in lacking_columns(declaration, json.loads(load["header"]))
    )
