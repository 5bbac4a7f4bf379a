"""The plan of a sync: what becomes of every customer at one destination, in figures, and whether it may be sent.

Elsewhere: sending (``delivery.py``), the file that a plan is reviewed in (``plan_file.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tdml_assets.activation.contracts import DEAD_LETTERS, PLANNED, SYNC_MAPPINGS, SYNC_RUNS, SYNC_STATE
from tdml_assets.activation.guards import Figures, Verdict, judge, read_published, refusals
from tdml_assets.activation.permission import permission_context, permission_faults
from tdml_assets.activation.protocol import DestinationError
from tdml_assets.activation.selection import (
    ATTRIBUTES_TABLE,
    CATALOG_TABLE,
    CONTROL_COLUMN,
    CUSTOMERS_TABLE,
    Selection,
    select_columns,
)
from tdml_assets.declaration.destinations import DestinationSettings
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

_UNKNOWN_CONTROL = "audience.control is declared, and what is published does not say who is in it: tdml-assets run"


@dataclass(frozen=True)
class Plan:
    """What a sync would do.

    ``counts``: rows per change: added, changed, unchanged, removed, waiting, excluded, held_there, left. ``excluded``:
    customers not sent, by reason. ``digest``: equal for equal changes. ``mirrors``: whether what is in the source no more is
    removed.
    """

    destination: str
    settings: DestinationSettings
    selection: Selection
    session_id: str
    as_of: date | None
    counts: Mapping[str, int]
    excluded: Mapping[str, int]
    digest: str
    verdicts: Sequence[Verdict]
    source_rows: int
    full: bool = False
    only_dead: bool = False
    mirrors: bool = False
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def refusals(self) -> list[str]:
        """Why it must not be sent; empty where it may."""
        return refusals(self.verdicts)

    @property
    def swaps(self) -> bool:
        """Whether the destination is replaced as a whole."""
        return self.settings.mode == "replace"

    @property
    def actions(self) -> list[str]:
        """Changes whose rows are sent; none where nothing changed."""
        moved = sum(self.count(name) for name in ("added", "changed", "removed"))
        if not self.swaps:
            return ["added", "changed", "removed"]
        return ["added", "changed", "unchanged"] if moved else []

    def count(self, change: str) -> int:
        """Rows of one change."""
        return int(self.counts.get(change, 0))


def make_plan(
    database: Database,
    name: str,
    settings: DestinationSettings,
    *,
    today: date,
    full: bool = False,
    only_dead: bool = False,
    consent: Mapping[str, tuple[str, str]] | None = None,
    holds_out: bool = False,
) -> Plan:
    """Compare the published attributes with what a destination last acknowledged. Changes no table.

    Raises ``DestinationError`` if nothing is published, or the settings name a column that is not there. ``today``: in UTC.
    ``full``: whether every row is sent, changed or not. ``only_dead``: whether only rows that were refused before are sent.
    ``consent``: tables of the declared lists ``consent`` and ``suppression``. ``holds_out``: whether a control group is
    declared, which the published attributes then must name.
    """
    published = database.columns(ATTRIBUTES_TABLE)
    if not published:
        raise DestinationError("nothing is published yet: tdml-assets run")
    catalogue = database.rows_if(CATALOG_TABLE, render("activation/catalogue", catalogue=CATALOG_TABLE))
    rules = {row["column"]: row["changed_by"] for row in catalogue if row.get("changed_by")}
    selection = select_columns(settings, published, database.columns(CUSTOMERS_TABLE), rules)
    known = database.rows(render("activation/mapping", mappings=SYNC_MAPPINGS.path, destination=name))
    mapping = known[0] if known else {"mapping_sha256": None, "mirrored_since": None, "hash_form": None}
    mirrors = settings.mode == "replace" or (settings.mode == "mirror" and mapping["mirrored_since"] is not None)
    context = _context(name, settings, selection)
    context |= {"full": full, "only_dead": only_dead, "mirrors": mirrors}
    context |= permission_context(database, settings, consent or {})
    context["control_column"] = CONTROL_COLUMN if CONTROL_COLUMN in published else None
    # Hashing every row is the most of a plan: figures and changes are read from what was computed once.
    database.execute(render("activation/hold_plan", **context))
    rows = database.rows(render("activation/plan_counts"))
    counts: dict[str, int] = {}
    excluded: dict[str, int] = {}
    for row in rows:
        counts[row["change"]] = counts.get(row["change"], 0) + row["row_count"]
        if row["exclusion"] is not None and row["source_rows"]:
            excluded[row["exclusion"]] = excluded.get(row["exclusion"], 0) + row["source_rows"]
    source_rows = sum(row["source_rows"] for row in rows)
    if not source_rows:
        # An empty source removes nothing, whatever the mode and the guards say.
        counts.pop("removed", None)
    of = {row["column"]: row["workflow"] for row in catalogue}
    workflows = {of[column.source] for column in selection.columns if column.source in of}
    session = read_published(database, workflows)
    day = max((row["as_of"] for row in catalogue if row.get("as_of") and row["workflow"] in workflows), default=None)
    oldest = min((row["as_of"] for row in catalogue if row.get("as_of") and row["workflow"] in workflows), default=None)
    before = database.rows(render("activation/latest_run", runs=SYNC_RUNS.path, destination=name))
    known_rows = sum(row["known_rows"] for row in rows)
    figures = Figures(
        source_rows=source_rows,
        known_rows=known_rows,
        added=counts.get("added", 0),
        changed=counts.get("changed", 0),
        removed=counts.get("removed", 0),
        duplicates=database.row(render("activation/duplicates", attributes_table=ATTRIBUTES_TABLE))["duplicates"],
        before_rows=before[0]["source_rows"] if before else None,
        has_synced=bool(before),
        age_days=None if oldest is None else (today - oldest).days,
        faults=None if session is None else session.faults,
        mapping_changed=mapping["mapping_sha256"] not in (None, selection.sha256) and known_rows > 0,
        hashed_anew=mapping["hash_form"] != hash_form() and known_rows > 0 and counts.get("changed", 0) > 0,
        hashed=_hashed(database, selection),
        consent=(
            *permission_faults(database, settings, consent or {}),
            *((_UNKNOWN_CONTROL,) if holds_out and CONTROL_COLUMN not in published else ()),
        ),
    )
    return Plan(
        name,
        settings,
        selection,
        session.session_id if session else "",
        day or (session.as_of if session else None),
        counts,
        excluded,
        _digest(rows),
        [*judge(figures, settings.guards, full=full), *_held_there(settings, counts)],
        source_rows,
        full=full,
        only_dead=only_dead,
        mirrors=mirrors,
        context=context,
    )


def write_changes(database: Database, plan: Plan, *, now: datetime) -> int:
    """Write the changes that are to be sent, numbered by batch, and keep what the columns were. Gives the rows.

    In the transaction that made the plan: its rows are in a temporary table.
    """
    actions = plan.actions
    if not plan.source_rows:
        actions = []
    batches = 0 if plan.swaps else math.ceil(plan.count("removed") / plan.settings.batch_rows)
    statement = render(
        "activation/plan_changes",
        destination=plan.destination,
        batch_rows=plan.settings.batch_rows,
        removal_batches=batches,
        removals=0 if plan.swaps else plan.count("removed"),
        actions=actions,
    )
    rows = database.replace_slice(PLANNED, {"destination": plan.destination}, statement)
    if database.count(DEAD_LETTERS.path):
        place = {"dead": DEAD_LETTERS.path, "state": SYNC_STATE.path, "attributes_table": ATTRIBUTES_TABLE}
        database.execute(render("activation/drop_stale_dead", destination=plan.destination, **place))
    keep_mapping(database, plan, now=now, ended=False)
    return rows


def hash_form() -> str:
    """What makes the hashes of rows: DuckDB's hash may be another in another version of it."""
    return f"duckdb {version('duckdb')}"


def keep_mapping(database: Database, plan: Plan, *, now: datetime, ended: bool) -> None:
    """Keep the columns of the sync, and behind the first in mode mirror since when it mirrors."""
    known = database.rows(render("activation/mapping", mappings=SYNC_MAPPINGS.path, destination=plan.destination))
    since = known[0]["mirrored_since"] if known else None
    if plan.settings.mode != "mirror":
        # Who goes back to another mode and mirrors later starts with a baseline again.
        since = None
    elif ended and since is None:
        since = now
    row = {
        "destination": plan.destination,
        "mapping_sha256": plan.selection.sha256,
        "mirrored_since": since,
        "hash_form": hash_form(),
    }
    database.replace_slice(SYNC_MAPPINGS, {"destination": plan.destination}, render("activation/one_row", row=row))


def _held_there(settings: DestinationSettings, counts: Mapping[str, int]) -> list[Verdict]:
    """Say so where customers who may be sent no more stay at the destination."""
    count = counts.get("held_there", 0)
    if not count:
        return []
    other = ": mode replace leaves them out" if "replace" in settings.modes else ""
    words = (
        f"{count:,} customers were sent before and may be sent no more. {settings.kind} in mode {settings.mode} removes nobody: "
        f"remove them there{other}"
    )
    return [Verdict("held_there", "warning", words)]


def _context(name: str, settings: DestinationSettings, selection: Selection) -> dict[str, Any]:
    identifiers = [column for column in selection.columns if column.identifier is not None]
    return {
        "destination": name,
        "key": selection.key,
        "counted": [column for column in (*selection.columns, *selection.compared_with) if column.counts],
        "has_identifiers": bool(identifiers),
        "identifiers": identifiers,
        "attributes_table": ATTRIBUTES_TABLE,
        "customers_table": CUSTOMERS_TABLE,
        "state_table": SYNC_STATE.path,
        "dead_table": DEAD_LETTERS.path,
        "planned_table": PLANNED.path,
        "removes": settings.removes or settings.mode == "replace",
        "creates_only": settings.mode == "create_only",
    }


def _hashed(database: Database, selection: Selection) -> tuple[tuple[str, int], ...]:
    columns = [c for c in selection.columns if c.identifier is not None and c.identifier.hash != "none"]
    if not columns:
        return ()
    found = database.row(render("activation/hashed", columns=columns, customers_table=CUSTOMERS_TABLE))
    return tuple((column.name, found[column.name]) for column in columns if found[column.name])


def _digest(rows: Sequence[Mapping[str, Any]]) -> str:
    return ";".join(f"{row['change']}:{row['exclusion'] or ''}:{row['row_count']}:{row['digest']}" for row in rows)
