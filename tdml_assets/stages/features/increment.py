"""Which rows of the last build stay: those of customers of whom nothing changed.

Elsewhere: when a build is made in this way (``dbt_build.py``), which models allow it
(``dbt_project/models/features/intermediate.yml``).

A model with ``incremental_by: customer`` makes rows of a customer from nothing but rows of that customer, and at the day that is
scored they stay as they are while no row comes. So its statement is run on the rows of the customers of whom something changed,
in temporary tables, and the others keep their rows under the new day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.reuse import hash_of
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Database
from tdml_assets.stages.features.dbt_project import Model
from tdml_assets.stages.features.model_tables import TEMPORARY, MustBuildAllError, statement_on, temporary
from tdml_assets.stages.features.snapshots import SNAPSHOTS

LAST_READ = TableContract(
    "features",
    "last_build_customers",
    "What the last build of the features read: one row per customer, or none after a partial build.",
    (
        Column("customer_id", "VARCHAR", "The customer.", False),
        Column("row_count", "BIGINT", "Rows of the customer in all tables that were read.", False),
        Column("content", "HUGEINT", "Sum of the hashes of these rows.", False),
        Column("last_on", "DATE", "The latest day in any of these rows."),
    ),
)

#: Share of the customers beyond which a whole build takes no longer.
MOST_CHANGED = 1 / 3

_READ = (*TEMPORARY, "read_customers")
_CHANGED = (*TEMPORARY, "changed_customers")


@dataclass(frozen=True)
class Reading:
    """What the models would read now. Its rows per customer are in a temporary table.

    ``customers``: sources with rows of customers. ``others``: those without. ``identity``: hash of all that is read; None where a
    table is missing. ``count``: number of customers. ``rows``: number of their rows. ``has_all_ids``: whether each row has a
    customer. ``day``: the day that is scored. ``is_one_day``: whether features of everybody are taken at that day, and at no other.
    """

    customers: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]
    identity: str | None
    count: int = 0
    rows: int = 0
    has_all_ids: bool = False
    day: date | None = None
    is_one_day: bool = False


def read_sources(database: Database, sources: Sequence[tuple[str, str]]) -> Reading:
    """Look at all rows of the sources."""
    columns = {path: database.columns(path) for path in sources}
    customers = tuple(path for path in sources if columns[path].get("customer_id") == "VARCHAR")
    others = tuple(path for path in sources if path not in customers)
    contents = {path: database.content(path) for path in others}
    if not customers or None in contents.values():
        return Reading(customers, others, None)
    described = [
        {
            "path": path,
            "name": ".".join(path),
            "columns": list(columns[path]),
            "days": [name for name, kind in columns[path].items() if kind == "DATE"],
        }
        for path in customers
    ]
    database.execute(render("features/increment/read_customers", read=_READ, sources=described))
    totals = database.row(render("features/increment/read_totals", read=_READ))
    days: dict[str, Any] = {"scoring_day": None, "is_alone": False}
    if SNAPSHOTS.path in others:
        days = database.row(render("features/increment/scored_day", snapshots=SNAPSHOTS.path))
    return Reading(
        customers,
        others,
        hash_of(
            [
                [[*path, columns[path]] for path in customers],
                [str(totals["row_count"]), str(totals["content"])],
                [[*path, contents[path]] for path in others],
            ]
        ),
        totals["customers"],
        int(totals["row_count"]),
        totals["without_id"] == 0,
        days["scoring_day"],
        days["is_alone"],
    )


def keep_reading(database: Database, reading: Reading) -> None:
    """Remember what each customer's rows held; nothing where some have no customer."""
    database.replace(LAST_READ, render("features/increment/all_rows", table=_READ) if reading.has_all_ids else [])


class Increment:
    """A build that computes the rows of some customers and keeps those of the others.

    ``changed``: number of customers to compute.
    """

    def __init__(self, database: Database, models: Sequence[Model], reading: Reading, last_day: date) -> None:
        """Find the customers of whom something changed.

        ``database``: open for writing. ``models``: all of the build, in order. ``reading``: what they read. ``last_day``: the day
        that the last build was scored at.
        """
        self._database, self._models, self._reading, self._last_day = database, models, reading, last_day
        found = {"read": _READ, "last_read": LAST_READ.path, "changed": _CHANGED, "last_day": last_day}
        database.execute(render("features/increment/find_changed", **found))
        self.changed = database.count(_CHANGED)
        self._catalog = str(database.row(render("warehouse/current"))["name"])
        # Models that rows are kept of, and all that those read.
        self._needed: set[str] = set()
        for model in reversed(models):
            if model.by_customer or model.unique_id in self._needed:
                self._needed |= {model.unique_id, *model.reads}

    def begin(self) -> None:
        """Put the rows of the customers to compute into temporary tables."""
        for path in self._reading.customers:
            named = {"source": path, "changed": _CHANGED, "target": temporary(path)}
            self._database.execute(render("features/increment/rows_of_changed", **named))

    def create(self, model: Model) -> bool:
        """Build a model from what was kept and what is computed. False: it has to be built of everybody's rows.

        Raises ``MustBuildAllError`` if the statement makes rows of other customers, or columns other than those that are there.
        """
        if model.unique_id not in self._needed:
            return False
        database, recomputed = self._database, temporary(model.path)
        created = render("features/increment/create_temporary", path=recomputed, is_view=model.is_view)
        database.execute(Statement(created.text.replace("__model__", self._of_changed(model))))
        if not model.by_customer:
            return False
        kept = database.columns(model.path)
        all_rows = render("features/increment/all_rows", table=recomputed).text
        described = database.rows(Statement(render("features/described").text.replace("__model__", all_rows)))
        if kept != {row["column_name"]: row["column_type"] for row in described}:
            raise MustBuildAllError(f"{model.name} has other columns than the last build")
        if "customer_id" not in kept:
            raise MustBuildAllError(f"{model.name} has no column customer_id")
        others = render("features/increment/others", recomputed=recomputed, changed=_CHANGED)
        if database.row(others)["other_rows"]:
            raise MustBuildAllError(f"{model.name} makes rows of other customers")
        # What the days of a session decide, where there is one day and everybody is there.
        constants = {
            "snapshot_date": {"type": "DATE", "value": self._reading.day},
            "is_drawn": {"type": "BOOLEAN", "value": True},
        }
        merged = render(
            "features/increment/merge",
            target=model.path,
            recomputed=recomputed,
            changed=_CHANGED,
            constants={name: constant for name, constant in constants.items() if name in kept},
            has_days="snapshot_date" in kept,
            last_day=self._last_day,
        )
        database.execute(merged)
        return True

    def end(self) -> None:
        """Let go of the temporary tables."""
        for path in self._reading.customers:
            self._database.execute(render("features/drop", path=temporary(path), is_view=False))
        for model in self._models:
            if model.unique_id in self._needed:
                self._database.execute(render("features/drop", path=temporary(model.path), is_view=model.is_view))

    def _of_changed(self, model: Model) -> str:
        """The statement of a model, on the temporary tables."""
        moved = {
            *self._reading.customers,
            *(one.path for one in self._models if one.unique_id in self._needed),
        }
        return statement_on(model, self._catalog, moved, self._reading.others)
