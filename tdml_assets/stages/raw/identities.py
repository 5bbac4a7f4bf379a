"""Old ids of customers in place of which a table has the person they belong to.

Belongs here: reading the files of ``sources.identities``, and the order of the statements. Does not: the statements
(``sql/raw``), how a single id is read (``customer_ids.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.sources import CustomersSource, EventSource, IdentitiesSource, Source
from tdml_assets.platform.statements import render
from tdml_assets.stages.raw.customer_ids import plan_customer
from tdml_assets.stages.raw.faults import source_faults
from tdml_assets.stages.raw.files import SourceFile
from tdml_assets.stages.raw.headers import read_layout
from tdml_assets.stages.raw.moments import plan_moment
from tdml_assets.stages.raw.plan import reading_of
from tdml_assets.stages.raw.rules import FileLayout, SourceError, check_headers
from tdml_assets.stages.raw.values import find_value

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

#: Accounts merged into accounts that were merged: more steps than this are a circle.
_MOST_STEPS = 20


def merge_identities(
    database: Database, declaration: Source, files: Sequence[SourceFile], *, now: datetime, scratch_folder: Path
) -> None:
    """Put the person in place of every old id in ``staged_rows``, at the time of each row.

    Parameters
    ----------
    files : of the identities; none for a source without.

    Raises
    ------
    SourceError
        If a row of the identities cannot be used, or ids lead in a circle.
    """
    identities = declaration.identities
    if identities is None or not files:
        return
    _read_links(database, identities, declaration.customer.normalise, files, now=now, scratch_folder=scratch_folder)
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


def _read_links(
    database: Database,
    identities: IdentitiesSource,
    normalise: tuple[Any, ...],
    files: Sequence[SourceFile],
    *,
    now: datetime,
    scratch_folder: Path,
) -> None:
    layouts = [
        read_layout(database, identities, file, position=place, scratch_folder=scratch_folder)
        for place, file in enumerate(files)
    ]
    check_headers("identities", identities, layouts)
    for place, layout in enumerate(layouts):
        context = _plan(identities, normalise, layout, now)
        with source_faults(layout.name):
            for statement in ("raw/drop_csv_faults", "raw/drop_csv_scans"):
                database.execute(render(statement))
            database.execute(render("raw/read_identities", **context, is_first=place == 0))
            if context["source_format"] == "csv" and database.row(render("raw/csv_fault_count"))["row_count"]:
                raise SourceError(
                    f"{layout.name}: some of its lines have more or fewer fields than its header: correct them"
                )
    wrong = database.rows(render("raw/wrong_identities"))
    if wrong:
        raise SourceError(
            f"sources.identities: {wrong[0]['row_count']:,} rows have no old id, no person or no readable time, the first is row "
            f"{wrong[0]['line_number']:,} of {layouts[wrong[0]['file_position']].name}: correct them, or columns and "
            "timestamp_format"
        )
    database.execute(render("raw/link_identities"))


def _plan(
    identities: IdentitiesSource, normalise: tuple[Any, ...], layout: FileLayout, now: datetime
) -> Mapping[str, Any]:
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
        "key_columns": [],
    }
