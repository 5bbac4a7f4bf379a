"""Old ids of customers in place of which a table has the person they belong to.

Elsewhere: the statements (``sql/raw``), how a single id is read (``customer_ids.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.sources import CustomersSource, EventSource, IdentitiesSource, Source
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.contracts import IDENTITY_LINKS, REJECTED_ROWS
from tdml_assets.stages.raw.csv_records import read_csv_records
from tdml_assets.stages.raw.customer_ids import plan_customer
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.forgotten import FORGOTTEN, salted
from tdml_assets.stages.raw.headers import read_layout
from tdml_assets.stages.raw.moments import plan_moment
from tdml_assets.stages.raw.plan import reading_of
from tdml_assets.stages.raw.reading import FileReading, Stage
from tdml_assets.stages.raw.rules import BAD_ROW_LIMIT, FileLayout, SourceError, check_headers, refuse_empty
from tdml_assets.stages.raw.values import find_value

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Accounts merged into accounts that were merged: more steps than this are a circle.
_MOST_STEPS = 20
#: Rows that cannot be used from which their share is judged, but for a file that mostly holds such.
_MANY_ROWS = 10
_SOURCE = "identities"


def merge_identities(
    database: Database,
    declaration: Source,
    files: Sequence[SourceFile],
    *,
    session_id: str,
    now: datetime,
    scratch_folder: Path,
    bad_row_limit: float = BAD_ROW_LIMIT,
) -> None:
    """Put the person in place of every old id in ``staged_rows``, at the time of each row.

    Raises ``SourceError`` if too many rows of the identities cannot be used, or ids lead in a circle. ``files``: of the
    identities; none for a source without. ``session_id``: kept with rows of the identities that cannot be used.
    ``bad_row_limit``: share of these rows from which the identities are refused.
    """
    identities = declaration.identities
    if identities is None or not files:
        database.replace_slice(REJECTED_ROWS, {"source": _SOURCE}, [])
        return
    reading = _reading(identities, declaration.customer.normalise, files, now, scratch_folder, bad_row_limit)
    layouts = [
        read_layout(
            database, identities, file, position=place, scratch_folder=scratch_folder, bad_row_limit=bad_row_limit
        )
        for place, file in enumerate(files)
    ]
    refuse_empty(layouts)
    check_headers(_SOURCE, identities, layouts)
    _read_links(database, layouts, reading, bad_row_limit)
    database.replace_slice(REJECTED_ROWS, {"source": _SOURCE}, render("raw/rejected_identities", session_id=session_id))
    _keep_links(database)
    moment = declaration.moment if isinstance(declaration, EventSource) else None
    for _ in range(_MOST_STEPS):
        if not database.row(render("raw/count_old_ids", moment=moment))["row_count"]:
            break
        database.execute(render("raw/replace_old_ids", moment=moment))
    else:
        raise SourceError(
            "sources.identities: ids lead in a circle: an old id belongs to a person who belongs to that id. Correct the file"
        )
    if isinstance(declaration, CustomersSource) and declaration.line_key == ("customer_id",):
        database.execute(render("raw/key_by_customer"))


def _keep_links(database: Database) -> None:
    """Keep to whom old ids belong: who asks to be forgotten is forgotten under every id."""
    is_known = salted(database)
    if is_known:
        database.execute(
            render(
                "raw/clear_forgotten_identities",
                rejected=REJECTED_ROWS.path,
                source=_SOURCE,
                forgotten=FORGOTTEN.path,
            )
        )
    database.replace(IDENTITY_LINKS, render("raw/kept_links", forgotten=FORGOTTEN.path if is_known else None))


def _reading(
    identities: IdentitiesSource,
    normalise: tuple[Any, ...],
    files: Sequence[SourceFile],
    now: datetime,
    scratch_folder: Path,
    bad_row_limit: float,
) -> FileReading:
    """How the files become statements, and how one is read that the warehouse cannot cut into rows."""

    def by_record(layout: FileLayout) -> FileLayout:
        file = files[layout.position]
        text = file if layout.text_path is None else replace(file, path=layout.text_path)
        return read_csv_records(text, identities, layout, limit=bad_row_limit, scratch_folder=scratch_folder)

    return FileReading(lambda layout: _plan(identities, normalise, layout, now), by_record)


def _read_links(database: Database, layouts: Sequence[FileLayout], reading: FileReading, bad_row_limit: float) -> None:
    def run(stage: Stage, is_again: bool) -> None:
        position = stage["layout"].position
        if is_again:
            place = {"table": "identity_rows", "column": "file_position", "position": position}
            database.execute(render("raw/forget_staged", **place))
        database.execute(render("raw/read_identities", **stage, is_first=position == 0 and not is_again))

    for layout in layouts:
        reading.read(database, layout, run)
    found = database.row(render("raw/wrong_identities"))
    rows, wrong = found["row_count"], found["wrong_count"]
    if wrong > bad_row_limit * rows and (wrong >= _MANY_ROWS or 2 * wrong > rows):
        raise SourceError(
            f"sources.identities: {wrong:,} of {rows:,} rows have no old id, no person or no readable time, the first is row "
            f"{found['line_number']:,} of {found['file']}: correct them, or columns and timestamp_format"
        )
    database.execute(render("raw/link_identities"))


def _plan(identities: IdentitiesSource, normalise: tuple[Any, ...], layout: FileLayout, now: datetime) -> Stage:
    columns = {"customer_id": identities.columns.person, "old_id": identities.columns.old_id}
    values, plans = [], {}
    for output, column in columns.items():
        given = find_value(f"{output}_given", column, layout, identities.format, plain=True)
        given = replace(given, is_trimmed=False)
        rule = identities.customer.model_copy(update={"column": (column,), "normalise": normalise})
        plans[output] = plan_customer(rule, [given], layout, output=output, always=True)
        values.append(given)
    moment = None
    if identities.columns.valid_from is not None:
        found = find_value("moment_given", identities.columns.valid_from, layout, identities.format, plain=False)
        values.append(found)
        moment = plan_moment(identities, found.family, now)
    return {
        **reading_of(identities, layout),
        "values": values,
        "customer": plans["customer_id"],
        "old_customer": plans["old_id"],
        "moment": moment,
        "money": None,
        "updated": None,
        "recorded": None,
        "key_columns": [],
    }
